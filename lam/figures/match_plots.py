"""Figures of matched patches with axes: similarities, graphs, distances, statistics, reach.

Arrays in, a matplotlib Figure out that belongs to no window. Blocks count from 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from hpinet.analysis.attention_reach import Reach
from hpinet.analysis.match_statistics import in_degree
from hpinet.errors import UserError

from . import palette
from .composition import image_axes, new_figure
from .drawing import checked
from .palette import COUNTS, Pixels, hexadecimal, luma, rounded

BLUE, ORANGE = (hexadecimal(colour) for colour in (palette.BLUE, palette.ORANGE))


def similarity_matrix(matrix: ArrayLike, title: str = "") -> Figure:
    """Similarities of all pairs of patches as a figure with axes.

    Args:
        matrix: (N, N); -inf, as on the diagonal, stays blank.
        title: Written above.

    Returns:
        A matplotlib Figure that belongs to no window.

    Raises:
        ValueError: If the matrix is not square.
    """
    values = np.array(matrix, np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise UserError(f"similarities of all pairs are shaped (N, N), not {values.shape}")
    values[~np.isfinite(values)] = np.nan
    figure, axes = new_figure(5, 4.4, title, "other patch", "query patch")
    shown = axes.imshow(values, cmap=COUNTS, interpolation="nearest")
    figure.colorbar(shown, ax=axes, label="similarity (scaled inner product)")
    return figure


def match_graph(
    image: ArrayLike,
    origins: ArrayLike,
    index: ArrayLike,
    patch_size: int,
    title: str = "",
) -> Figure:
    """Which patch attends to which: a node at each patch's centre, an edge from there to its match.

    Nodes grow with the number of patches that attend to them, and the count stands on hubs, so one
    sees which few serve all.

    Args:
        image: uint8 (h, w, 3), the LR image.
        origins: (N, 2), (top, left) of every patch in LR pixels.
        index: (N,) the match of every patch.
        patch_size: P in LR pixels.
        title: Written above.
    """
    pixels, corners = checked(image), np.asarray(origins)
    matches, counts = np.ravel(index), in_degree(index)
    centres = corners[:, ::-1] + (patch_size - 1) / 2  # (x, y), in the axes' pixel centres
    height, width = pixels.shape[:2]
    side = 6.4 / max(height, width)  # inches a pixel
    figure, axes = new_figure(width * side + 0.9, height * side + 0.9)
    axes.set_title(title, fontsize=9)
    image_axes(axes, _pale(pixels))
    edges = np.stack([centres, centres[matches]], 1)
    axes.add_collection(LineCollection(list(edges), colors=ORANGE, linewidths=0.8, alpha=0.6))
    axes.scatter(*centres.T, s=6, color="white", edgecolors="black", linewidths=0.4, zorder=2)
    chosen = np.flatnonzero(counts)
    sizes = 20 + 900 * counts[chosen] / len(counts)
    axes.scatter(
        *centres[chosen].T, s=sizes, color=BLUE, edgecolors="white", linewidths=1, zorder=3
    )
    for node in chosen[counts[chosen] >= max(3, 0.05 * len(counts))]:
        axes.annotate(
            str(counts[node]), centres[node], color="white", ha="center", va="center",
            fontsize=8, fontweight="bold", zorder=4,
        )  # fmt: skip
    return figure


def distance_histogram(
    distances: ArrayLike, chance: float | None = None, title: str = "", bins: int = 20
) -> Figure:
    """How far away matches are.

    Args:
        distances: (N,) from patch to match, centre to centre, in LR pixels.
        chance: Mean distance of a match drawn evenly, as a dashed line.
        title: Written above.
        bins: Number of bars.

    Raises:
        ValueError: If there is no distance.
    """
    values = np.ravel(np.asarray(distances, np.float64))
    if not len(values):
        raise UserError("no distances to draw")
    figure, axes = new_figure(5, 3.4, title, "distance to the match (LR pixels)", "patches")
    axes.hist(values, bins=bins, color=BLUE, edgecolor="white", linewidth=0.5)
    axes.axvline(values.mean(), color="black", label=f"mean {values.mean():.1f}")
    if chance is not None and np.isfinite(chance):
        axes.axvline(chance, color=ORANGE, ls="--", lw=2, label=f"mean by chance {chance:.1f}")
    axes.legend()
    return figure


_PANELS = (
    ("distinct_share", "patches attended to at all (share)"),
    ("hub_share", "patches that attend to the greatest hub (share)"),
    ("evenness", "entropy of the matches (share of log2 N)"),
    ("distance_ratio", "distance to the match (1: as by chance)"),
    ("mutual_share", "patches in mutual pairs (share)"),
    ("coverage", "image in patches that others attend to (share)"),
)


def statistics_plot(rows: Sequence[Mapping[str, Any]], title: str = "") -> Figure:
    """How matches spread in every block, over the images of a folder.

    A dot an image, a line through the means; shares of each image's own number of patches, since
    images differ in size.

    Args:
        rows: A row an image and block, as `BlockStatistics.summary`.
        title: Written above.

    Raises:
        ValueError: If there are no rows.
    """
    if not rows:
        raise UserError("no statistics to draw")
    figure = Figure(figsize=(9.6, 5.6), layout="constrained")
    figure.suptitle(title, fontsize=11)
    blocks = np.array([row["block"] for row in rows])
    numbers = np.unique(blocks)
    for axes, (name, label) in zip(figure.subplots(2, 3).flat, _PANELS, strict=True):
        values = np.array([_statistic(row, name) for row in rows], np.float64)
        axes.plot(blocks, values, "o", color=BLUE, alpha=0.35, ms=4, mew=0)
        known = np.isfinite(values)
        seen = [b for b in numbers if known[blocks == b].any()]
        means = [values[known & (blocks == b)].mean() for b in seen]
        axes.plot(seen, means, "-s", color="black", ms=4, lw=1.2)
        axes.set_title(label, fontsize=8.5)
        axes.set_xticks(numbers)
        axes.set_ylim(0, max(1.0, float(np.nanmax(values, initial=0)) * 1.05))
        axes.grid(alpha=0.3)
        axes.set_xlabel("block", fontsize=8)
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


def reach_figure(image: ArrayLike, reaches: Sequence[Reach], title: str = "") -> Figure:
    """Which pixels a pixel reaches directly under each way of division (the paper's Fig. 4).

    Colour: in how many blocks a pixel is reached. Hatched: the blind spot, never reached directly.
    Dotted outline: what is reached in two steps.

    Args:
        image: uint8 (h, w, 3), the LR image.
        reaches: One a way of division, on this image's size, padded where it is smaller.
        title: Written above.

    Raises:
        ValueError: If there is none.
    """
    if not reaches:
        raise UserError("nothing to draw: give the reach of at least one way of division")
    pixels = checked(image)
    figure = Figure(figsize=(4.2 * len(reaches) + 0.9, 4.9), layout="constrained")
    figure.suptitle(title, fontsize=10)
    panels = figure.subplots(1, len(reaches), squeeze=False)[0]
    most = max(len(reach.blocks) for reach in reaches)
    # So many colours of a scale that grows in lightness alone.
    colours = colormaps[COUNTS].resampled(most)
    for axes, reach in zip(panels, reaches, strict=True):
        shown = _draw_reach(axes, pixels, reach, colours)
    figure.colorbar(
        shown, ax=panels.tolist(), label="blocks in which it is reached", ticks=range(1, most + 1)
    )
    return figure


def _draw_reach(axes: Any, pixels: Pixels, reach: Reach, colours: Colormap) -> Any:
    """One way of division: colours for counts, hatching and dots as `reach_figure` says."""
    height, width = pixels.shape[:2]
    counts = reach.blocks.sum(0)[:height, :width]  # (blocks, h, w), padded, to (h, w)
    axes.imshow(_pale(pixels), interpolation="nearest")
    layer = np.ma.masked_equal(counts, 0)
    shown = image_axes(axes, layer, cmap=colours, vmin=0.5, vmax=colours.N + 0.5, alpha=0.65)
    blind = np.where(counts == 0, 1.0, 0.0)
    if blind.any() and not blind.all():
        axes.contourf(blind, levels=[0.5, 1.5], colors="none", hatches=["////"])
    two = reach.two_hops[:height, :width].astype(float)
    if two.any() and not two.all():
        axes.contour(two, levels=[0.5], colors="black", linestyles=":", linewidths=1.2)
    row, column = reach.pixel
    axes.plot(column, row, "o", color="white", mec="black", ms=6)
    axes.set_title(_reach_title(reach), fontsize=8.5)
    axes.set_ylabel("")
    return shown


def _reach_title(reach: Reach) -> str:
    found = reach.summary()
    sizes = sorted(set(found["patch_sizes"]))
    text = f"{reach.strategy}, P = {', '.join(map(str, sizes))}"
    shift = max(found["shifts"])
    text += f", every second shifted by {shift}" if shift else ""
    return (
        f"{text}\nreached directly {found['reached_share']:.1%}, "
        f"in two steps {found['reached_in_two_share']:.1%}\n"
        f"blind within {found['radius']} pixels {found['blind_share_within_radius']:.0%}, "
        f"of the neighbours {found['blind_neighbours_share']:.0%}"
    )


def knockout_plot(rows: Sequence[Mapping[str, Any]], title: str = "") -> Figure:
    """Mean change of PSNR-Y of every intervention and block, with its interval.

    Args:
        rows: Rows with ``experiment``, ``block`` (None for all blocks), ``mean`` and
            ``interval`` (two numbers or None), in dB, as `knockout.summarise_knockout` returns.
        title: Written above.

    Raises:
        ValueError: If there are no rows.
    """
    if not rows:
        raise UserError("no interventions to draw")
    kinds = list(dict.fromkeys(row["experiment"] for row in rows))
    figure = Figure(figsize=(9, 1.5 + 1.5 * len(kinds)), layout="constrained")
    figure.suptitle(title, fontsize=10)
    panels = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
    blocks = sorted({row["block"] for row in rows if row["block"] is not None})
    for axes, kind in zip(panels, kinds, strict=True):
        for row in (r for r in rows if r["experiment"] == kind and r["mean"] is not None):
            x = 0 if row["block"] is None else row["block"]
            low, high = row["interval"] or (row["mean"], row["mean"])
            sure = row["interval"] is not None and not low <= 0 <= high
            axes.errorbar(
                x, row["mean"], yerr=[[row["mean"] - low], [high - row["mean"]]], capsize=3,
                fmt="s" if sure else "o", color=BLUE, mfc=BLUE if sure else "white", ms=6,
            )  # fmt: skip
        axes.axhline(0, color="black", lw=0.8)
        axes.set_title(kind, fontsize=9, loc="left")
        axes.set_ylabel("dB", fontsize=8)
        axes.grid(alpha=0.3)
    panels[-1].set_xticks([0, *blocks], ["all", *map(str, blocks)])
    panels[-1].set_xlabel("block (filled squares: the interval leaves out 0)")
    return figure


def _pale(image: Pixels) -> Pixels:
    """The image without colour and paler, so that colour means what is drawn."""
    return rounded((0.7 * luma(image) + 60).clip(0, 255)).repeat(3, axis=2)
