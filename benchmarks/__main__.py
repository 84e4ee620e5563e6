"""``python -m benchmarks NAME ...``: runs one benchmark; ``--help`` lists them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

SCRIPTS = {
    "forward": "a pass beside the paper's formulas written out plainly",
    "training": "a training step beside the paper's formulas written out plainly",
    "attribution": "maps beside the LAM authors' procedure: accuracy, time, attention, memory",
    "cause": "causal effect maps beside the published procedure: passes, agreement, first map",
    "completeness": "how far maps account for the detector's change, on a folder of originals",
    "windows": "how much diffusion indices differ between neighbouring windows of the examples",
    "exploration": "exploring all matches, and changing them in each block, in passes",
    "checkouts": "other commits: a pass, a training step or a step of a map in each checkout",
}
"""The benchmarks, each a module of this folder with `add_arguments` and `measure`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a benchmark.

    Args:
        argv: Arguments without the program's name; those of the process by default.

    Returns:
        The exit code: 0, or 1 after one sentence on stderr. Wrong usage exits with 2.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else None
    if name not in SCRIPTS:
        _parser().parse_args(arguments)  # leaves: there is nothing else that it understands
    from benchmarks.runner import run_script

    return run_script(str(name), SCRIPTS[str(name)], import_module(f"benchmarks.{name}"), arguments)


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:14}{told}" for name, told in SCRIPTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"What a change gains or costs. Each has its own --help:\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", choices=list(SCRIPTS), help="one of the above")
    return parser


if __name__ == "__main__":
    sys.exit(main())
