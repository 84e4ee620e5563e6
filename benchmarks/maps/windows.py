"""How much diffusion indices differ from one window to the next: when is a difference one?

The page says that a network with Global Pixel Access uses a wider or narrower area than without
where the logarithm of the quotient of the two diffusion indices exceeds what this logarithm
differs by between neighbouring windows of one image.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.runner import Tables, progress
from hpinet import load_model
from hpinet.imaging.images import shrink
from lam import LocalAttribution, Window
from lam.figures.palette import series
from lam.figures.panels import new_figure, styled
from lam.report import save
from ui.state.examples import EXAMPLES, SIDE, Example

Pair = tuple[float, float]
"""Diffusion indices with GPA and without."""

SHIFT = 8
"""SR pixels between neighbouring windows: half a window."""

_AROUND = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `measure`."""
    add, most = parser.add_argument, len(_AROUND)
    add("--model", default="S", help="a bundled network that has a twin without GPA (S)")
    add("--steps", type=int, default=8, metavar="N", help="gradients of each map (8)")
    told = "of each image (3)"
    add("--windows", type=int, choices=range(2, most + 1), default=3, metavar="N", help=told)
    add("-o", "--output", type=Path, metavar="PNG", help="a figure")


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], Tables]:
    """The page's examples, window by window; see `spread`."""
    count = len(EXAMPLES) * options.windows
    with progress("windows", count, "window") as tick:
        found = indices(options.model, options.steps, options.windows, tick)
    deviation = spread(found.values())
    if options.output is not None:
        save(options.output.parent, {options.output.name: drawn(found, deviation)})
    rows = [
        {"image": name, "with": a, "without": b, "ln_quotient": math.log(a / b)}
        for name, pairs in found.items()
        for a, b in pairs
    ]
    setting = {name: getattr(options, name) for name in ("model", "steps", "windows")}
    summary = [{"deviation": deviation, "twice": 2 * deviation}]
    return setting, {"windows": rows, "of ln(DI with / DI without) within an image": summary}


def neighbours(example: Example, count: int) -> list[Window]:
    """An example's window, and those to its sides that lie inside the image."""
    left, top, size = example.window
    places = [(left + SHIFT * x, top + SHIFT * y) for x, y in _AROUND]
    inside = [p for p in places if 0 <= min(p) <= max(p) <= SIDE - size]
    return [Window(x, y, size) for x, y in inside[:count]]


def indices(
    model: str, steps: int, count: int, tick: Callable[[], Any] = lambda: None
) -> dict[str, list[Pair]]:
    """The diffusion indices of neighbouring windows of each example.

    Args:
        model: A bundled network that has a twin without GPA.
        steps: Of LAM.
        count: Windows an image.
        tick: Called after every window.
    """
    networks = [load_model(model, gpa=gpa) for gpa in (True, False)]
    found: dict[str, list[Pair]] = {}
    for example in EXAMPLES:
        lr = shrink(example.pixels().copy(), 4)
        for window in neighbours(example, count):
            maps = [LocalAttribution(n).attribute(lr, window, n_steps=steps) for n in networks]
            pair = maps[0].diffusion_index, maps[1].diffusion_index
            found.setdefault(example.name, []).append(pair)
            tick()
    return found


def spread(images: Iterable[Sequence[Pair]]) -> float:
    """Standard deviation of ln(DI with / DI without) among the windows of an image, pooled.

    The square root of the sum of squared distances from each image's mean, over the sum of (windows
    - 1).
    """
    logs = [np.log([a / b for a, b in pairs]) for pairs in images]
    squares = sum(float(((one - one.mean()) ** 2).sum()) for one in logs)
    return math.sqrt(squares / sum(len(one) - 1 for one in logs))


@styled
def drawn(found: Mapping[str, Sequence[Pair]], deviation: float) -> Any:
    """ln(DI with / DI without) of every window, image by image, and twice the deviation."""
    title = "Neighbouring windows of an image differ, too"
    figure, grid = new_figure(6.4, 3.6, title)
    axes = grid[0, 0]
    axes.set_ylabel("ln(DI with GPA / DI without)")
    axes.axhspan(-2 * deviation, 2 * deviation, color="0.9", label="twice the deviation")
    axes.axhline(0, color="0.5", lw=0.8)
    for number, pairs in enumerate(found.values()):
        style = {**series(number), "linestyle": "none"}
        axes.plot([number] * len(pairs), [math.log(a / b) for a, b in pairs], **style, ms=6)
        axes.plot(number, math.log(pairs[0][0] / pairs[0][1]), "o", ms=11, mfc="none", mec="black")
    axes.set_xticks(range(len(found)), list(found))
    axes.legend(fontsize=8)
    return figure
