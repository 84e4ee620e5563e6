"""``python -m hpinet download``: the authors' released weights."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `run`."""
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="such as HPINet-M-x4; all of them by default"
    )


def run(options: argparse.Namespace) -> int:
    """Fetch what the arguments name, and print where each file is."""
    from hpinet.checkpoints.download import RELEASED, download_released

    for name in options.names or sorted(RELEASED):
        print(download_released(name))
    return 0
