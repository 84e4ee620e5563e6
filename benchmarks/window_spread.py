"""How much diffusion indices differ from one window to the next: when is a difference one?

The page says that a network with Global Pixel Access uses a wider or narrower area than without
where the logarithm of the quotient of the two diffusion indices exceeds what this logarithm
differs by between neighbouring windows of one image.

    python -m benchmarks.window_spread [--steps 8] [--windows 3] [-o docs/figures/window_spread.png]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hpinet import load_model
from hpinet.imaging.images import shrink
from lam import LocalAttribution, Window
from lam.cli.output import write_figure
from lam.figures.composition import new_figure
from lam.figures.palette import series
from ui.state.examples import EXAMPLES, SIDE, Example

Pair = tuple[float, float]
"""Diffusion indices with GPA and without."""

_AROUND = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))


def neighbours(example: Example, shift: int) -> list[Window]:
    """An example's window, and those ``shift`` SR pixels to each side of it, inside the image."""
    left, top, size = example.window
    places = [(left + shift * x, top + shift * y) for x, y in _AROUND]
    return [Window(x, y, size) for x, y in places if 0 <= min(x, y) <= max(x, y) <= SIDE - size]


def measured(model: str, steps: int, shift: int, count: int) -> Iterator[tuple[str, Pair]]:
    """The diffusion indices of the examples' windows, then of their neighbours, one by one.

    Args:
        model: A bundled network that has a twin without GPA.
        steps: Of LAM.
        shift: SR pixels between neighbouring windows.
        count: Windows an image.
    """
    networks = [load_model(model, gpa=gpa) for gpa in (True, False)]
    images = {
        one.name: (shrink(one.pixels().copy(), 4), neighbours(one, shift)) for one in EXAMPLES
    }
    for number in range(count):
        for name, (lr, windows) in images.items():
            for window in windows[number : number + 1]:
                maps = [LocalAttribution(n).attribute(lr, window, n_steps=steps) for n in networks]
                yield name, (maps[0].diffusion_index, maps[1].diffusion_index)


def spread(pairs: Sequence[Sequence[Pair]]) -> float:
    """Standard deviation of ln(DI with / DI without) among the windows of an image, pooled."""
    logs = [[math.log(a / b) for a, b in found] for found in pairs]
    squares = sum(float(np.var(one, ddof=1)) * (len(one) - 1) for one in logs)
    return math.sqrt(squares / sum(len(one) - 1 for one in logs))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print one JSON object, and draw where ``-o`` says so."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.window_spread")
    parser.add_argument("--model", default="S")
    parser.add_argument("--steps", type=int, default=8, help="of LAM (8)")
    parser.add_argument("--shift", type=int, default=8, help="SR pixels (8)")
    most = len(_AROUND)
    parser.add_argument("--windows", type=int, choices=range(2, most + 1), default=3, metavar="N")
    parser.add_argument("-o", "--output", type=Path, metavar="PNG")
    options = parser.parse_args(argv)
    found: dict[str, list[Pair]] = {}
    for name, pair in measured(options.model, options.steps, options.shift, options.windows):
        found.setdefault(name, []).append(pair)
        print(name, *(f"{value:.2f}" for value in pair), file=sys.stderr, flush=True)
    deviation = spread(list(found.values()))
    print(json.dumps({**vars(options), "output": None, "windows": found, "deviation": deviation}))
    if options.output is not None:
        draw(options.output, found, deviation)
    return 0


def draw(path: Path, found: dict[str, list[Pair]], deviation: float) -> None:
    """ln(DI with / DI without) of every window, image by image, and twice the deviation."""
    title = "Neighbouring windows of an image differ, too"
    figure, axes = new_figure(6.4, 3.6, title, ylabel="ln(DI with GPA / DI without)")
    axes.axhspan(-2 * deviation, 2 * deviation, color="0.9", label="twice the deviation")
    axes.axhline(0, color="0.5", lw=0.8)
    for number, pairs in enumerate(found.values()):
        style = {**series(number), "linestyle": "none"}
        axes.plot([number] * len(pairs), [math.log(a / b) for a, b in pairs], **style, ms=6)
        axes.plot(number, math.log(pairs[0][0] / pairs[0][1]), "o", ms=11, mfc="none", mec="black")
    axes.set_xticks(range(len(found)), list(found))
    axes.legend(fontsize=8)
    write_figure(path, figure)


if __name__ == "__main__":
    sys.exit(main())
