"""Figures with axes: signed maps, curves, the account of a detector's change, and its path.

Arrays in, a matplotlib Figure out that belongs to no window. Lines differ in style and marker, bars
in hatching.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from hpinet.errors import UserError
from lam.metrics.diffusion import checked_map

from .composition import image_axes, new_figure
from .heatmaps import signed_limit
from .palette import BLUE, DIVERGING, GREY, ORANGE, PURPLE, VERMILION, hexadecimal, series


def signed_figure(
    values: ArrayLike,
    title: str = "",
    unit: str = "contribution to the detector",
    limit: float | None = None,
) -> Figure:
    """A signed map with its colour bar: red for what adds, blue for what takes away, white is 0.

    Args:
        values: (h, w), finite, such as an attribution summed over its channels.
        title: Written above.
        unit: What the numbers count.
        limit: Value of the last colours, + and -; from `heatmaps.signed_limit` by default.

    Returns:
        A Figure.

    Raises:
        ValueError: If the map is not two-dimensional or not finite.
    """
    array = np.asarray(values, np.float64)
    bound = limit or signed_limit(array)
    figure, axes = new_figure(5.4, 4.6, title)
    shown = image_axes(axes, array, cmap=DIVERGING, vmin=-bound, vmax=bound)
    figure.colorbar(shown, ax=axes, label=unit, extend="both")
    return figure


def importance_difference(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Where one map has more of its importance than another.

    Each map counts as shares of its own sum: detectors of two networks differ in size, where their
    importance lies compares.

    Args:
        first: (h, w), finite and not negative.
        second: (h, w), of the same size.

    Returns:
        (h, w), first less second, in shares of the importance; it sums to 0.

    Raises:
        ValueError: If sizes differ, or a map has no mass and so no shares.
    """
    maps = [checked_map(m) for m in (first, second)]
    if maps[0].shape != maps[1].shape:
        raise UserError(
            f"maps to compare must be of one size, not {maps[0].shape} and {maps[1].shape}"
        )
    if not all(m.any() for m in maps):
        raise UserError("a map of zeros has no shares to compare")
    shares = [m / m.max() for m in maps]
    return np.asarray(shares[0] / shares[0].sum() - shares[1] / shares[1].sum())


def difference_figure(
    first: ArrayLike,
    second: ArrayLike,
    labels: tuple[str, str] = ("first", "second"),
    limit: float | None = None,
) -> Figure:
    """Where one map has more of its importance (red) than another (blue).

    Args:
        first: (h, w), finite and not negative.
        second: (h, w), of the same size.
        labels: What the two are called.
        limit: Value of the last colours, in percent of the importance.

    Returns:
        A Figure.

    Raises:
        ValueError: If the maps do not fit, see `importance_difference`.
    """
    values = 100 * importance_difference(first, second)
    title = f"{labels[0]} (red) less {labels[1]} (blue)"
    return signed_figure(values, title, "percent of the importance, per pixel", limit)


def curves_figure(
    curves: Sequence[tuple[str, ArrayLike, ArrayLike]],
    title: str = "",
    xlabel: str = "share of the pixels",
    ylabel: str = "detector",
) -> Figure:
    """Curves over one axis, such as deletion and insertion against random order.

    Args:
        curves: Label, (K,) positions and (K,) values of each, or (R, K) values of repetitions,
            which are drawn as their mean with a band from the least to the greatest.
        title: Written above.
        xlabel: Of the horizontal axis, with its unit.
        ylabel: Of the vertical axis, with its unit.

    Returns:
        A Figure.

    Raises:
        ValueError: If there is no curve, or positions and values differ in number.
    """
    if not curves:
        raise UserError("no curves to draw")
    figure, axes = new_figure(6, 4, title, xlabel, ylabel)
    for number, (label, positions, values) in enumerate(curves):
        x, y = np.asarray(positions, np.float64), np.atleast_2d(np.asarray(values, np.float64))
        if x.ndim != 1 or y.shape[-1] != len(x):
            raise UserError(
                f"the curve {label!r} has {y.shape[-1]} values at {x.size} positions: "
                f"give one a position"
            )
        style, every = series(number, dashes=True), max(1, len(x) // 8)
        axes.plot(x, y.mean(0), **style, markevery=every, ms=5, label=label)
        if len(y) > 1:
            axes.fill_between(x, y.min(0), y.max(0), color=style["color"], alpha=0.2, lw=0)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def completeness_figure(
    integral: float,
    match_jumps: float,
    residual: float,
    change: float,
    title: str = "What accounts for the detector's change",
    unit: str = "detector",
) -> Figure:
    """What the pixels, the switches of matches and nothing account for, step by step.

    Args:
        integral: Sum of the attribution.
        match_jumps: Sum of the jumps where matches switched; NaN if not computed yet.
        residual: What remains; NaN likewise.
        change: The detector's change, which the three make up.
        title: Written above.
        unit: Name of the detector, with its unit if it has one.

    Returns:
        A Figure; percentages are of the change, and left out where that is 0.
    """
    figure, axes = new_figure(6.4, 2.8, title, unit)
    parts = (
        ("pixels (integral)", integral, BLUE, ""),
        ("switched matches (jumps)", match_jumps, ORANGE, "//"),
        ("unexplained (residual)", residual, PURPLE, "xx"),
        ("change", change, GREY, ".."),
    )
    start, ends = 0.0, [0.0]
    for row, (_, value, colour, hatch) in enumerate(parts):
        begin = 0.0 if row == 3 else start
        if not np.isfinite(value):
            axes.text(begin, row, " not computed", va="center")
            continue
        style = {"color": hexadecimal(colour), "hatch": hatch, "edgecolor": "black", "lw": 0.8}
        axes.barh(row, value, left=begin, **style)
        start = begin + value
        said = f" {value:.4g}" + (f" ({value / change:.1%})" if change else "")
        axes.text(max(begin, start), row, said, va="center", fontsize=9)
        ends.append(start)
        if row < 3:  # each bar begins where the one above it ended
            axes.plot([start, start], [row, row + 1], color="black", lw=0.8, ls=":")
    axes.axvline(0, color="black", lw=0.8)
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0
    axes.set_xlim(low - 0.05 * span, high + 0.35 * span)  # the numbers stand right of the bars
    axes.set_yticks(range(4), [name for name, *_ in parts])
    axes.invert_yaxis()
    return figure


def path_figure(
    alphas: ArrayLike,
    values: ArrayLike,
    knots: ArrayLike | None = None,
    shares: ArrayLike | None = None,
    jumps: ArrayLike | None = None,
    title: str = "The detector along the path",
    unit: str = "detector",
) -> Figure:
    """The detector along the path and, below it, where which blocks' matches switched.

    Args:
        alphas: (K,) positions along the path, from 0 (blurred) to 1 (the image), ascending.
        values: (K,) the detector there.
        knots: (J,) positions where matches were compared.
        shares: (J, blocks) share of each block's patches that switched there, in [0, 1].
        jumps: (J,) what the switches did to the detector.
        title: Written above.
        unit: Name of the detector, with its unit if it has one.

    Returns:
        A Figure; of one panel where no switches are given.

    Raises:
        ValueError: If numbers of positions and values differ.
    """
    x, y = np.asarray(alphas, np.float64), np.asarray(values, np.float64)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise UserError(f"{y.size} values of the detector were given at {x.size} positions")
    switched = knots is not None and shares is not None
    figure = Figure(figsize=(6.4, 6 if switched else 3.2), layout="constrained")
    ratios = [3, 2] if switched else [1]
    panels = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    panels[0].plot(x, y, "-o", color=hexadecimal(BLUE), ms=3, label="detector")
    panels[0].set(title=title, ylabel=unit, xlim=(0, 1))
    panels[0].grid(alpha=0.3)
    if switched:
        where, share = np.asarray(knots, np.float64), np.asarray(shares, np.float64)
        if share.ndim != 2 or len(share) != len(where):
            raise UserError(f"shares of shape {share.shape} do not fit {len(where)} positions")
        _draw_switches(panels[1], where, share)
        if jumps is not None:
            _draw_jumps(panels[0], where, np.asarray(jumps, np.float64))
    panels[-1].set_xlabel("position along the path (0: blurred, 1: the image)")
    return figure


def _draw_switches(axes: Any, knots: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
    """A cell a knot and block, coloured by the share of patches that switched."""
    # (J,) knots to (J + 1,) borders of cells, which pcolormesh takes.
    borders = np.concatenate([[0.0], (knots[1:] + knots[:-1]) / 2, [1.0]])
    blocks = np.arange(shares.shape[1] + 1) + 0.5
    # Linear up to the largest share seen: switches are rare, and 0 must stay white.
    top = max(float(shares.max(initial=0)), 0.01)
    shown = axes.pcolormesh(borders, blocks, 100 * shares.T, cmap="Greys", vmin=0, vmax=100 * top)
    axes.set(ylabel="block", title="Patches whose match switched")
    axes.set_yticks(range(1, shares.shape[1] + 1))
    axes.invert_yaxis()
    axes.figure.colorbar(shown, ax=axes, label="percent of patches", location="bottom", aspect=40)


def _draw_jumps(axes: Any, knots: NDArray[np.float64], jumps: NDArray[np.float64]) -> None:
    """The jumps as bars on an axis of their own, in the same unit: they are far smaller."""
    other, colour = axes.twinx(), hexadecimal(VERMILION)
    at = jumps != 0
    other.bar(knots[at], jumps[at], width=0.008, color=colour, hatch="//", label="jump")
    other.axhline(0, color=colour, lw=0.5)
    other.set_ylabel("jump at a switch", color=colour)
    handles = [*axes.get_lines()[:1], *other.containers[:1]]
    axes.legend(handles, ["detector", "jump at a switch"][: len(handles)], loc="upper left")
