"""How far maps account for the detector's change, on a folder of originals."""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.runner import Tables, add_network, open_network, progress
from lam.attribution.quadrature import quadrature
from lam.batch.window_choice import parse_choice
from lam.validation.completeness import completeness, originals, rules


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `measure`."""
    parser.add_argument("folder", metavar="DIR", help="originals; LR by Pillow's bicubic")
    add_network(parser, "as for `python -m lam`")
    add_window_choice(parser, "centre (default), detail, grid N, or LEFT TOP SIZE in SR pixels")
    told = "gradients of each map (50)"
    parser.add_argument("--steps", type=int, default=50, metavar="N", help=told)


def add_window_choice(parser: argparse.ArgumentParser, told: str) -> None:
    """``--window``, for `lam.batch.window_choice.parse_choice`."""
    parser.add_argument("--window", nargs="+", default=["centre"], metavar="CHOICE", help=told)


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], Tables]:
    """See `lam.validation.completeness.completeness`.

    Raises:
        ValueError: If an argument does not fit.
    """
    choice = parse_choice(options.window)
    quadrature("gausslegendre", options.steps)
    model: Any = open_network(options)
    count = len(originals(options.folder)) * choice.windows * len(rules(model))
    with progress("completeness", count, "map") as tick:
        found = completeness(
            model,
            options.folder,
            choice,
            scale=int(model.scale),
            steps=options.steps,
            device=options.device,
            progress=tick,
        )
    worst = [
        {"matches": rule, "worst": size, "worst_without_jumps": found["worst_without_jumps"][rule]}
        for rule, size in found["worst"].items()
    ]
    setting = {"model": options.model, "scale": int(model.scale), "steps": options.steps}
    return setting, {"maps": found["maps"], "greatest share left unexplained": worst}
