"""The command line: ``python -m lam IMAGE --window LEFT TOP SIZE``, and sub-commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

COMMANDS = ("cause", "compare", "dataset", "explore", "intervene", "knockout")
"""Sub-commands, each a module of this folder with a function ``main``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Compute one map, or run a sub-command.

    Args:
        argv: Arguments without the program's name; those of the process by default.

    Returns:
        The exit code: 0, or 1 after one sentence on stderr, or 3 where images of a folder were
        skipped. Wrong usage exits with 2.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = "attribute"
    if arguments and arguments[0] in COMMANDS:
        name = arguments.pop(0)
    return int(import_module(f".{name}", __package__).main(arguments))
