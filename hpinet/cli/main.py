"""The command line: ``python -m hpinet COMMAND``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import benchmark, convert, download, evaluate, export, upscale
from .errors import parse_and_run, run_command

_COMMANDS = {
    "upscale": (upscale, "super-resolve one image"),
    "evaluate": (evaluate, "PSNR, SSIM and LPIPS on folders of images"),
    "benchmark": (benchmark, "parameters, multi-adds, seconds and memory"),
    "export": (export, "an HPINet as an ONNX file"),
    "convert": (convert, "a file of weights as safetensors"),
    "download": (download, "fetch the authors' released weights"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name; those of the process by default.

    Returns:
        The exit code: 0; 1 after one sentence on stderr; 3 where `evaluate` skipped something.
        Wrong usage exits with 2.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["train"]:  # has a parser of its own, which needs the recipes
        return run_command("hpinet", lambda: _train(arguments[1:]))
    return parse_and_run("hpinet", _parser(), lambda options: options.run(options), arguments)


def _train(arguments: list[str]) -> int:
    from .train import main as train

    return train(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hpinet", description="Super-resolution with HPINet."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, told) in _COMMANDS.items():
        command = commands.add_parser(name, help=told)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    commands.add_parser("train", add_help=False, help="train a network (see train --help)")
    return parser
