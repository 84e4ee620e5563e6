"""Curves over one axis: deletion and insertion, the account of a detector's change, its path.

Arrays in, a matplotlib Figure out. Lines differ in style and marker, bars in hatching.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from hpinet.errors import UserError

from . import panels
from .palette import BLUE, GREY, ORANGE, PURPLE, VERMILION, hexadecimal, series

_WIDTH = panels.DOUBLE * 0.7


@panels.styled
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
    """
    if not curves:
        raise UserError("no curves to draw")
    figure, grid = panels.new_figure(_WIDTH, 3, title)
    axes = grid[0, 0]
    axes.set(xlabel=xlabel, ylabel=ylabel)
    for number, (label, positions, values) in enumerate(curves):
        x, y = np.asarray(positions, np.float64), np.atleast_2d(np.asarray(values, np.float64))
        if x.ndim != 1 or y.shape[-1] != len(x):
            raise UserError(
                f"the curve {label!r} has {y.shape[-1]} values at {x.size} positions: "
                f"give one a position"
            )
        style, every = series(number, dashes=True), max(1, len(x) // 8)
        axes.plot(x, y.mean(0), **style, markevery=every, label=label)
        if len(y) > 1:
            axes.fill_between(x, y.min(0), y.max(0), color=style["color"], alpha=0.2, lw=0)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


@panels.styled
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
    """
    figure, grid = panels.new_figure(_WIDTH, 2.1, title)
    axes = grid[0, 0]
    axes.set_xlabel(unit)
    parts = (
        ("pixels (integral)", integral, BLUE, ""),
        ("switched matches (jumps)", match_jumps, ORANGE, "//"),
        ("unexplained (residual)", residual, PURPLE, "xx"),
        ("change", change, GREY, ".."),
    )
    start, names = 0.0, []
    for row, (name, value, colour, hatch) in enumerate(parts):
        if not np.isfinite(value):
            names.append(f"{name}\nnot computed")
            continue
        names.append(f"{name}\n{value:.4g}" + (f" ({value / change:.1%})" if change else ""))
        begin = 0.0 if row == 3 else start
        style = {"color": hexadecimal(colour), "hatch": hatch, "edgecolor": "black", "lw": 0.6}
        axes.barh(row, value, left=begin, **style)
        start = begin + value
        if row < 3:  # each bar begins where the one above it ended
            axes.plot([start, start], [row, row + 1], color="black", lw=0.6, ls=":")
    axes.axvline(0, color="black", lw=0.6)
    axes.set_yticks(range(4), names)
    axes.invert_yaxis()
    return figure


@panels.styled
def path_figure(
    alphas: ArrayLike,
    values: ArrayLike,
    switches: Any = None,
    title: str = "The detector along the path",
    unit: str = "detector",
) -> Figure:
    """The detector along the path and, below it, where which blocks' matches switched.

    Args:
        alphas: (K,) positions along the path, from 0 (blurred) to 1 (the image), ascending.
        values: (K,) the detector there.
        switches: A `lam.MatchSwitches`; None for a network without matches.
        title: Written above.
        unit: Name of the detector, with its unit if it has one.
    """
    x, y = np.asarray(alphas, np.float64), np.asarray(values, np.float64)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise UserError(f"{y.size} values of the detector were given at {x.size} positions")
    ratios = [1] if switches is None else [3, 2]
    figure, grid = panels.new_figure(
        _WIDTH, 0.6 + 0.75 * sum(ratios), title, len(ratios), 1, sharex=True, height_ratios=ratios
    )
    axes = grid[0, 0]
    axes.plot(x, y, "-o", color=hexadecimal(BLUE), ms=3, label="detector")
    axes.set(ylabel=unit, xlim=(0, 1))
    axes.grid(alpha=0.3)
    if switches is not None:
        _show_jumps(axes, switches.alphas, switches.jumps)
        _show_switches(grid[1, 0], switches.alphas, switches.shares)
    grid[-1, 0].set_xlabel("position along the path (0: blurred, 1: the image)")
    return figure


def _show_switches(axes: Any, knots: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
    """A cell a knot and block, coloured by the share of patches that switched."""
    # (J,) knots to (J + 1,) borders of cells, which pcolormesh takes.
    borders = np.concatenate([[0.0], (knots[1:] + knots[:-1]) / 2, [1.0]])
    blocks = np.arange(shares.shape[1] + 1) + 0.5
    # Linear up to the largest share seen: switches are rare, and 0 must stay white.
    top = max(float(shares.max(initial=0)), 0.01)
    shown = axes.pcolormesh(borders, blocks, 100 * shares.T, cmap="Greys", vmin=0, vmax=100 * top)
    axes.set_ylabel("block")
    axes.set_yticks(range(1, shares.shape[1] + 1))
    axes.invert_yaxis()
    panels.colour_bar(shown, axes, "patches whose match switched (percent)", aspect=40)


def _show_jumps(axes: Any, knots: NDArray[np.float64], jumps: NDArray[np.float64]) -> None:
    """The jumps as bars on an axis of their own, in the same unit: they are far smaller."""
    other, colour = axes.twinx(), hexadecimal(VERMILION)
    at = jumps != 0
    other.bar(knots[at], jumps[at], width=0.008, color=colour, hatch="//", label="jump")
    other.axhline(0, color=colour, lw=0.5)
    other.set_ylabel("jump at a switch", color=colour)
    handles = [*axes.get_lines()[:1], *other.containers[:1]]
    axes.legend(
        handles, ["detector", "jump at a switch"][: len(handles)],
        loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False,
    )  # fmt: skip
