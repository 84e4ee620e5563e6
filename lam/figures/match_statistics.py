"""Figures of matches in numbers: reach, statistics of many images, knock-outs. Blocks from 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from hpinet.analysis.attention_reach import Reach
from hpinet.errors import UserError

from . import palette, panels
from .overlay import checked_image
from .palette import COUNTS, Pixels, hexadecimal

BLUE = hexadecimal(palette.BLUE)


@panels.styled
def reach_figure(image: ArrayLike, reaches: Sequence[Reach], title: str = "") -> Figure:
    """Which pixels a pixel reaches directly under each way of division (the paper's Fig. 4).

    Colour: in how many blocks a pixel is reached. Hatched: the blind spot, never reached directly.
    Dotted outline: what is reached in two steps.

    Args:
        image: uint8 (h, w, 3), the LR image.
        reaches: One a way of division, on this image's size, padded where it is smaller.
        title: Written above.
    """
    if not reaches:
        raise UserError("nothing to draw: give the reach of at least one way of division")
    pixels, count = checked_image(image), len(reaches)
    figure, grid = panels.new_figure(panels.DOUBLE, 3, title, 1, count)
    most = max(len(reach.blocks) for reach in reaches)
    # So many colours of a scale that grows in lightness alone.
    colours = colormaps[COUNTS].resampled(most)
    for axes, reach in zip(grid[0], reaches, strict=True):
        shown = _show_reach(axes, pixels, reach, colours)
    label = "blocks in which a pixel is reached directly (hatched: none; dotted: in two steps)"
    panels.colour_bar(shown, grid, label, ticks=range(1, most + 1))
    return panels.fitted(figure)


def _show_reach(axes: Any, pixels: Pixels, reach: Reach, colours: Colormap) -> Any:
    """One way of division: colours for counts, hatching and dots as `reach_figure` says."""
    height, width = pixels.shape[:2]
    counts = reach.blocks.sum(0)[:height, :width]  # (blocks, h, w), padded, to (h, w)
    panels.show_image(axes, panels.pale(pixels), pixels.shape)
    shown = panels.show_image(
        axes, np.ma.masked_equal(counts, 0), pixels.shape, _reach_title(reach)
    )
    shown.set(cmap=colours, clim=(0.5, colours.N + 0.5), alpha=0.65)
    blind = np.where(counts == 0, 1.0, 0.0)
    if blind.any() and not blind.all():
        axes.contourf(blind, levels=[0.5, 1.5], colors="none", hatches=["////"])
    two = reach.two_hops[:height, :width].astype(float)
    if two.any() and not two.all():
        axes.contour(two, levels=[0.5], colors="black", linestyles=":", linewidths=1)
    row, column = reach.pixel
    axes.plot(column, row, "o", color="white", mec="black", ms=5)
    return shown


def _reach_title(reach: Reach) -> str:
    found = reach.summary()
    sizes = sorted(set(found["patch_sizes"]))
    shift = max(found["shifts"])
    lines = [
        f"{reach.strategy}, P = {', '.join(map(str, sizes))}",
        f"every second block shifted by {shift}" if shift else "",
        f"reached {found['reached_share']:.1%}, in two steps {found['reached_in_two_share']:.1%}",
        f"blind within {found['radius']} px {found['blind_share_within_radius']:.0%}, "
        f"of neighbours {found['blind_neighbours_share']:.0%}",
    ]
    return "\n".join(filter(None, lines))


_PANELS = (
    ("distinct_share", "patches attended to at all (share)"),
    ("hub_share", "patches that attend to the hub (share)"),
    ("evenness", "entropy of the matches / log2 N"),
    ("distance_ratio", "distance to the match / by chance"),
    ("mutual_share", "patches in mutual pairs (share)"),
    ("coverage", "image in attended patches (share)"),
)


@panels.styled
def statistics_figure(rows: Sequence[Mapping[str, Any]], title: str = "") -> Figure:
    """How matches spread in every block: a dot an image, a line through the means.

    Args:
        rows: A row an image and block, as `BlockStatistics.summary`.
        title: Written above.
    """
    if not rows:
        raise UserError("no statistics to draw")
    figure, grid = panels.new_figure(panels.DOUBLE, 4.2, title, 2, 3, sharex=True)
    blocks = np.array([row["block"] for row in rows])
    numbers = np.unique(blocks)
    for axes, (name, label) in zip(grid.flat, _PANELS, strict=True):
        values = np.array([_statistic(row, name) for row in rows], np.float64)
        axes.plot(blocks, values, "o", color=BLUE, alpha=0.35, mew=0)
        known = np.isfinite(values)
        seen = [b for b in numbers if known[blocks == b].any()]
        means = [values[known & (blocks == b)].mean() for b in seen]
        axes.plot(seen, means, "-s", color="black", ms=3, lw=1)
        axes.set_title(label)
        axes.set_xticks(numbers)
        axes.set_ylim(0, max(1.0, float(np.nanmax(values, initial=0)) * 1.05))
        axes.grid(alpha=0.3)
    for axes in grid[-1]:
        axes.set_xlabel("block")
    return figure


def _statistic(row: Mapping[str, Any], name: str) -> float:
    """One of `_PANELS` in a row of `BlockStatistics.summary`; NaN where undefined."""
    if name == "distinct_share":
        return row["distinct"] / row["patches"]
    if name == "distance_ratio":
        chance = row["chance_distance"]
        return row["mean_distance"] / chance if chance else np.nan
    value = row[name]
    return np.nan if value is None else float(value)


@panels.styled
def knockout_figure(rows: Sequence[Mapping[str, Any]], title: str = "") -> Figure:
    """Mean change of PSNR-Y of every intervention and block, with its interval.

    Args:
        rows: As `lam.match_analysis.knockout.summarise_knockout` returns them, in dB.
        title: Written above.
    """
    if not rows:
        raise UserError("no interventions to draw")
    kinds = list(dict.fromkeys(row["experiment"] for row in rows))
    figure, grid = panels.new_figure(
        panels.DOUBLE * 0.8, 0.9 + 1.1 * len(kinds), title, len(kinds), 1, sharex=True
    )
    blocks = sorted({row["block"] for row in rows if row["block"] is not None})
    for axes, kind in zip(grid[:, 0], kinds, strict=True):
        for row in (r for r in rows if r["experiment"] == kind and r["mean"] is not None):
            x = 0 if row["block"] is None else row["block"]
            low, high = row["interval"] or (row["mean"], row["mean"])
            sure = row["interval"] is not None and not low <= 0 <= high
            axes.errorbar(
                x, row["mean"], yerr=[[row["mean"] - low], [high - row["mean"]]], capsize=3,
                fmt="s" if sure else "o", color=BLUE, mfc=BLUE if sure else "white", ms=5,
            )  # fmt: skip
        axes.axhline(0, color="black", lw=0.6)
        axes.set_title(kind, loc="left")
        axes.set_ylabel("dB")
        axes.grid(alpha=0.3)
    grid[-1, 0].set_xticks([0, *blocks], ["all", *map(str, blocks)])
    grid[-1, 0].set_xlabel("block (filled squares: the interval leaves out 0)")
    return figure
