"""Receptive fields of several networks over one picture (Fig. 7), and over many (DI).

Arrays and rows in, picture or figure out, as in `lam.figures.heatmaps`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image

from hpinet.metrics.confidence import interval

from .drawing import WHITE, Pixels, checked
from .heatmaps import Square, colour_limit, draw_window, enlarge, heatmap_overlay, side_by_side

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_MARKERS = "os^Dvx"


def stacked(pictures: Sequence[ArrayLike], gap: int = 8) -> Pixels:
    """Pictures below one another on white.

    Args:
        pictures: uint8 (H_i, W_i, 3) each.
        gap: Pixels between them.

    Returns:
        uint8, as wide as the widest.

    Raises:
        ValueError: If there is none.
    """
    cells = [checked(picture) for picture in pictures]
    if not cells:
        raise ValueError("no pictures to stack")
    width = max(cell.shape[1] for cell in cells)
    height = sum(cell.shape[0] + gap for cell in cells) - gap
    canvas, top = Image.new("RGB", (width, height), WHITE), 0
    for cell in cells:
        canvas.paste(Image.fromarray(cell), (0, top))
        top += cell.shape[0] + gap
    return np.asarray(canvas)


def receptive_fields(
    lr: ArrayLike,
    results: Sequence[ArrayLike],
    importances: Sequence[ArrayLike],
    labels: Sequence[str],
    window: Square,
    scale: int,
    shares: bool = True,
    root: bool = True,
) -> Pixels:
    """What networks made of a window, and below it which LR pixels they made it from (Fig. 7).

    All maps share one colour scale, so that they compare.

    Args:
        lr: uint8 (h, w, 3), the LR picture.
        results: uint8 (sh, sw, 3) each, one a network.
        importances: (h, w) each.
        labels: One a network.
        window: In SR pixels.
        scale: SR pixels per LR pixel.
        shares: Colour shares of each map's own sum: networks' detectors differ in size. A map of
            zeros stays zero.
        root: Colour by the square root, which lifts faint values.

    Returns:
        uint8.

    Raises:
        ValueError: If numbers or sizes do not fit.
    """
    if not len(results) == len(importances) == len(labels) > 0:
        raise ValueError("every network needs a result, a map and a label")
    pictures = [draw_window(result, window, label="window") for result in results]
    maps = [np.asarray(one, np.float64) for one in importances]
    if shares:
        maps = [one / one.sum() if one.any() else one for one in maps]
    limit = colour_limit(maps)
    large = enlarge(lr, scale)
    drawn = [
        draw_window(heatmap_overlay(large, one, vmax=limit, root=root), window) for one in maps
    ]
    return stacked([side_by_side(pictures, labels), side_by_side(drawn)])


def diffusion_figure(
    rows: Sequence[Mapping[str, str]], models: Sequence[str], title: str = ""
) -> Figure:
    """The diffusion index of several networks on the same pictures: a line a picture.

    Pictures differ more than networks do; lines that all rise or fall say what the means hide.

    Args:
        rows: Of `lam dataset`: ``picture``, ``model`` and ``diffusion_index``. Several windows of
            one picture are averaged; what is undefined counts nowhere.
        models: The networks, in the order of the axis.
        title: Written above.

    Raises:
        ValueError: If there is no value of these networks.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row["model"] in models and row["diffusion_index"]:
            values = found.setdefault(row["picture"], {}).setdefault(row["model"], [])
            values.append(float(row["diffusion_index"]))
    if not found:
        raise ValueError("no diffusion index of these networks to draw")
    figure = Figure(figsize=(2.2 + 1.5 * len(models), 4.2), layout="constrained")
    axes = figure.add_subplot()
    for number, (picture, of) in enumerate(found.items()):
        xs = [x for x, model in enumerate(models) if model in of]
        ys = [float(np.mean(of[models[x]])) for x in xs]
        colour = _COLOURS[number % len(_COLOURS)]
        marker = _MARKERS[number % len(_MARKERS)]
        axes.plot(xs, ys, "-", color=colour, marker=marker, ms=6, lw=1.2, label=picture)
    for x, model in enumerate(models):
        sample = [float(np.mean(of[model])) for of in found.values() if model in of]
        ends = interval(sample)
        if ends is not None:
            mean = float(np.mean(sample))
            axes.errorbar(
                x + 0.12, mean, yerr=[[mean - ends[0]], [ends[1] - mean]], fmt="s", color="black",
                capsize=4, label="mean, 95% interval" if x == 0 else None,
            )  # fmt: skip
    axes.set_xticks(range(len(models)), models)
    axes.set(title=title, ylabel="diffusion index", xlim=(-0.4, len(models) - 0.5))
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3, axis="y")
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.02, 1))
    return figure
