"""``python -m benchmarks NAME ...``: runs one benchmark; ``--help`` lists them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

_MODULES = {
    "speed.forward": "a pass beside the paper's formulas written out plainly",
    "speed.training": "a training step beside the paper's formulas written out plainly",
    "maps.attribution": "maps beside the LAM authors' procedure: accuracy, time, attention, memory",
    "causal.cause": "causal effect maps beside the published procedure: passes, agreement, time",
    "maps.completeness": "how far maps account for the detector's change, on a folder of originals",
    "maps.windows": "how much diffusion indices of neighbouring windows differ, on the examples",
    "speed.exploration": "exploring all matches, and changing them in each block, in passes",
    "speed.checkouts": "other commits: a pass, a training step or a step of a map in each checkout",
}

SCRIPTS = {module.partition(".")[2]: (module, told) for module, told in _MODULES.items()}
"""By name: the module, with `add_arguments` and `measure`, and what it measures."""


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

    module, told = SCRIPTS[str(name)]
    return run_script(str(name), told, import_module(f"benchmarks.{module}"), arguments)


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:14}{told}" for name, (_, told) in SCRIPTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"What a change gains or costs. Each has its own --help:\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", choices=list(SCRIPTS), help="one of the above")
    return parser


if __name__ == "__main__":
    sys.exit(main())
