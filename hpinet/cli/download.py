"""``python -m hpinet download``: the authors' released weights, and AlexNet's for LPIPS."""

from __future__ import annotations

import argparse

LPIPS = "lpips"
"""What AlexNet's weights are called here."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `run`."""
    parser.add_argument(
        "names",
        metavar="NAME",
        nargs="*",
        help="such as HPINet-M-x4, or lpips for AlexNet's weights, which --lpips needs; all "
        "released checkpoints by default",
    )


def run(options: argparse.Namespace) -> int:
    """Fetch what the arguments name, and print where each file is."""
    from hpinet.metrics.backbone import fetch_backbone
    from hpinet.networks.released import RELEASED, download_released

    for name in options.names or sorted(RELEASED):
        print(fetch_backbone() if name == LPIPS else download_released(name))
    return 0
