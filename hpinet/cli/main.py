"""The command line: ``python -m hpinet upscale|evaluate|benchmark|train|download``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .errors import run_command, usable_device

if TYPE_CHECKING:  # the heavy imports wait inside the commands
    from torch import nn

Subparsers = Any  # argparse keeps the type to itself


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments without the program's name; those of the process by default.

    Returns:
        The exit code: 0, or 1 after one sentence on stderr. Wrong usage exits with 2.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return run_command("hpinet", lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["train"]:  # has a parser of its own
        from .train import main as train

        return train(arguments[1:])
    options = _parser().parse_args(arguments)
    return options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hpinet", description="Super-resolution with HPINet."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_upscale(commands)
    _add_evaluate(commands)
    _add_benchmark(commands)
    commands.add_parser("train", add_help=False, help="train a network (see train --help)")
    _add_download(commands)
    return parser


def _add_upscale(commands: Subparsers) -> None:
    parser = commands.add_parser("upscale", help="super-resolve one picture")
    parser.add_argument("input", metavar="IN", help="a picture of any common format")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a PNG to write")
    _add_model(parser, default="S")
    parser.add_argument(
        "--memory",
        type=_bytes,
        metavar="SIZE",
        help="what may be used beside the weights, such as 500M or 2GB (0.9 of what is free); "
        "the result is the same",
    )
    _add_precision(parser)
    parser.set_defaults(run=_upscale)


def _add_evaluate(commands: Subparsers) -> None:
    from .evaluate import add_arguments, run

    parser = commands.add_parser("evaluate", help="PSNR, SSIM and LPIPS on folders of pictures")
    add_arguments(parser)
    parser.set_defaults(run=run)


def _add_benchmark(commands: Subparsers) -> None:
    from .benchmark import add_arguments, run

    parser = commands.add_parser("benchmark", help="parameters, multi-adds, seconds and memory")
    _add_model(parser, default="S", gpa=False)
    add_arguments(parser)
    parser.set_defaults(run=run)


def _add_download(commands: Subparsers) -> None:
    parser = commands.add_parser("download", help="fetch the authors' released weights")
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="such as HPINet-M-x4; all of them by default"
    )
    parser.set_defaults(run=_download)


def _add_model(parser: argparse.ArgumentParser, default: str | None, gpa: bool = True) -> None:
    shown = f"; {default} by default" if default else ""
    parser.add_argument(
        "--model",
        metavar="NAME|FILE",
        default=default,
        required=default is None,
        help=f"bundled weights by name (S, M, L), or a file of weights{shown}",
    )
    parser.add_argument(
        "--scale",
        type=int,
        choices=(2, 3, 4),
        help="4 by default for a name; a file says its own",
    )
    if gpa:
        parser.add_argument(
            "--no-gpa",
            action="store_true",
            help="without Global Pixel Access: the twin trained so for a name, "
            "each patch its own match for a file trained with it",
        )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, mps")


def _add_precision(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision",
        choices=("fp32", "bf16", "auto"),
        default="fp32",
        help="bf16 is about twice as fast where the processor has it, matching stays in fp32; "
        "auto takes it there (fp32)",
    )


def _bytes(text: str) -> int:
    from hpinet.modeling.memory import parse_bytes

    try:
        return parse_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _load(options: argparse.Namespace) -> nn.Module:
    from hpinet.checkpoints.loading import load_model

    device = usable_device(options.device)
    return load_model(options.model, scale=options.scale, gpa=not options.no_gpa, device=device)


def _upscale(options: argparse.Namespace) -> int:
    from hpinet.imaging.images import check_png_path, read_picture, write_picture
    from hpinet.inference.upscale import upscale

    check_png_path(options.output)
    picture = read_picture(options.input)
    result = upscale(_load(options), picture, memory=options.memory, precision=options.precision)
    write_picture(options.output, result.rgb, result.alpha)
    for note in picture.notes:
        print(f"{options.input}: {note}")
    print(
        f"{options.output}: {picture.size[1]}x{picture.size[0]} -> "
        f"{result.size[1]}x{result.size[0]} pixels"
    )
    return 0


def _download(options: argparse.Namespace) -> int:
    from hpinet.checkpoints.download import RELEASED, download_released

    for name in options.names or sorted(RELEASED):
        print(download_released(name))
    return 0
