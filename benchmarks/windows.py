"""How much diffusion indices differ from one window to the next: when is a difference one?

The page says that a network with Global Pixel Access uses a wider or narrower area than without
where the logarithm of the quotient of the two diffusion indices exceeds what this logarithm
differs by between neighbouring windows of one image.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hpinet import load_model
from hpinet.imaging.images import shrink
from lam import LocalAttribution, Window
from ui.state.examples import EXAMPLES, SIDE, Example

from .runner import Tables

Pair = tuple[float, float]
"""Diffusion indices with GPA and without."""

SHIFT = 8
"""SR pixels between neighbouring windows: half a window."""

_AROUND = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `measure`."""
    add, most = parser.add_argument, len(_AROUND)
    add("--model", default="S", help="a bundled network with a baseline without GPA (S)")
    add("--steps", type=int, default=8, metavar="N", help="gradients of each map (8)")
    told = "of each image (3)"
    add("--windows", type=int, choices=range(2, most + 1), default=3, metavar="N", help=told)


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], Tables]:
    """The page's examples, window by window; see `deviation`."""
    networks = [load_model(options.model, gpa=gpa) for gpa in (True, False)]
    pairs: dict[str, list[Pair]] = {}
    for example in EXAMPLES:
        lr = shrink(example.pixels().copy(), 4)
        for window in neighbours(example, options.windows):
            with_gpa, without = (
                LocalAttribution(n).attribute(lr, window, n_steps=options.steps).diffusion_index
                for n in networks
            )
            pairs.setdefault(example.name, []).append((with_gpa, without))
    pooled = deviation(pairs.values())
    rows = [
        {"image": name, "with": a, "without": b, "ln_quotient": math.log(a / b)}
        for name, found in pairs.items()
        for a, b in found
    ]
    setting = {name: getattr(options, name) for name in ("model", "steps", "windows")}
    summary = [{"deviation": pooled, "twice": 2 * pooled}]
    return setting, {"windows": rows, "of ln(DI with / DI without) within an image": summary}


def neighbours(example: Example, count: int) -> list[Window]:
    """An example's window, and those to its sides that lie inside the image."""
    left, top, size = example.window
    places = [(left + SHIFT * x, top + SHIFT * y) for x, y in _AROUND]
    inside = [p for p in places if 0 <= min(p) <= max(p) <= SIDE - size]
    return [Window(x, y, size) for x, y in inside[:count]]


def deviation(images: Iterable[Sequence[Pair]]) -> float:
    """Standard deviation of ln(DI with / DI without) among the windows of an image, pooled.

    The square root of the squared distances from each image's mean over the sum of (windows - 1).
    """
    logs = [np.log([a / b for a, b in pairs]) for pairs in images]
    squares = sum(float(((one - one.mean()) ** 2).sum()) for one in logs)
    return math.sqrt(squares / sum(len(one) - 1 for one in logs))
