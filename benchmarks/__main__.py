"""``python -m benchmarks NAME ...``: runs one benchmark; ``--help`` lists them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from benchmarks import attribution, causal_effects, passes, windows
from benchmarks.runner import as_text, machine
from hpinet.cli import options as shared
from hpinet.cli.errors import parse_and_run

SCRIPTS = {
    "forward": (passes, "a pass against the paper's formulas written out plainly"),
    "training": (passes, "a training step against the plain formulas"),
    "attribution": (attribution, "maps against the LAM authors' procedure"),
    "cause": (causal_effects, "causal effects against the published procedure"),
    "windows": (windows, "diffusion indices of neighbouring windows"),
}
"""By name: the module with `add_arguments` and `measure`, and the help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a benchmark and print its report.

    Args:
        argv: Arguments without the program's name; those of the process by default.

    Returns:
        The exit code: 0, or 1 after one sentence on stderr. Wrong usage exits with 2.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, (module, about) in SCRIPTS.items():
        script = names.add_parser(name, help=about, description=about)
        module.add_arguments(script)
        shared.add_json(script)
    return parse_and_run("benchmarks", parser, _run, argv)


def _run(options: argparse.Namespace) -> int:
    setting, tables = SCRIPTS[options.name][0].measure(options)
    setting = {**setting, **machine(options)}
    report = {"benchmark": options.name, "setting": setting, "tables": tables}
    print(json.dumps(report, allow_nan=False) if options.json else as_text(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
