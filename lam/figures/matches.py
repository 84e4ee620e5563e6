"""Figures of matched patches (Global Pixel Access, Eq. 8): one pixel's, and all of a block.

Arrays in, a matplotlib Figure out. Blocks count from 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import ArrayLike, NDArray

from hpinet.analysis.match_statistics import BlockStatistics
from hpinet.errors import UserError
from lam.metrics.patch_shares import patch_at

from . import palette, panels
from .overlay import checked_image
from .palette import BLOCK_COLOURS, COUNTS, DARK, HIGHLIGHT, Colour, Pixels, hexadecimal

if TYPE_CHECKING:
    from hpinet import Matches

BLUE, ORANGE = (hexadecimal(colour) for colour in (palette.BLUE, palette.ORANGE))
RIM = [Stroke(linewidth=2.6, foreground=hexadecimal(DARK)), Normal()]


@dataclass(frozen=True)
class Pair:
    """A patch and its match in one block.

    Attributes:
        block: Number from 1.
        patch_size: P in LR pixels.
        patch: (top, left) in LR pixels.
        match: (top, left) in LR pixels.
        similarity: Of the two, NaN where unknown.
    """

    block: int
    patch_size: int
    patch: tuple[int, int]
    match: tuple[int, int]
    similarity: float = float("nan")

    @property
    def colour(self) -> Colour:
        """The block's of `BLOCK_COLOURS`."""
        return BLOCK_COLOURS[(self.block - 1) % len(BLOCK_COLOURS)]

    @property
    def distance(self) -> float:
        """From patch to match in LR pixels."""
        return float(np.hypot(*np.subtract(self.match, self.patch)))


def pairs_at(matches: Matches, row: float, column: float) -> list[Pair]:
    """Every block's patch that holds a pixel's centre, (row, column) in LR pixels, and its match.

    Patches overlap: of several the one counts whose centre is nearest.
    """
    height, width = matches.size
    if not (0 <= row <= height and 0 <= column <= width):
        raise UserError(
            f"the pixel x {column:g}, y {row:g} lies outside the image of {width}x{height} "
            f"LR pixels"
        )
    pairs = []
    for number, block in enumerate(matches.blocks, 1):
        if block is None:
            continue
        corners = [(top, left) for top, left in block.origins.tolist()]
        patch = patch_at(corners, block.patch_size, row, column)
        match, similarity = int(block.index[0, patch]), float(block.similarity[0, patch])
        pairs.append(Pair(number, block.patch_size, corners[patch], corners[match], similarity))
    return pairs


@panels.styled
def pairs_figure(
    image: ArrayLike,
    pairs: Sequence[Pair],
    point: tuple[float, float],
    scale: int = 1,
    title: str = "",
) -> Figure:
    """A pixel's patch and match in every block (the paper's Fig. 8): boxes, and the pixels of both.

    Patches are solid and all hold the pixel, a white cross; matches are dashed. The crops below
    have one scale, so patches are seen to grow with the block.

    Args:
        image: uint8 (H, W, 3).
        pairs: The blocks', from `pairs_at`.
        point: (x, y) of the pixel's centre in LR pixels.
        scale: Pixels of the image per LR pixel.
        title: Written above.
    """
    if not pairs:
        raise UserError("no pairs to draw: the network has no matches")
    pixels = checked_image(image)
    height, width = pixels.shape[:2]
    ratios = [0.55 * len(pairs) * height / width, 1, 1]  # the image is 0.55 of the figure wide
    inches = panels.DOUBLE / len(pairs) * sum(ratios) + 1.3
    figure = Figure(figsize=(panels.DOUBLE, inches), layout="constrained")
    figure.suptitle(title)
    grid = figure.add_gridspec(3, len(pairs), height_ratios=ratios)
    axes = figure.add_subplot(grid[0, :])
    _show_boxes(axes, pixels, pairs, scale)
    step = 7 / 72 / (0.55 * panels.DOUBLE) * width / scale  # LR pixels that a number takes
    taken: list[tuple[float, float]] = []
    for pair in pairs:
        for corner in dict.fromkeys((pair.patch, pair.match)):
            _number(axes, pair, corner, taken, step)
    axes.plot(point[0] - 0.5, point[1] - 0.5, "+", color="white", ms=9, mew=1.2, path_effects=RIM)
    _name_boxes(axes)
    for row, kind in enumerate(("patch", "match"), 1):
        for column, pair in enumerate(pairs):
            cell = figure.add_subplot(grid[row, column])
            _show_crop(cell, pixels, pair, kind, scale, max(p.patch_size for p in pairs))
            if column == 0:
                cell.set_ylabel(kind)
    return figure


def _show_boxes(axes: Any, pixels: Pixels, pairs: Sequence[Pair], scale: int) -> None:
    """The image and all boxes; of equal ones each is drawn inside the one before."""
    panels.show_image(axes, pixels, np.array(pixels.shape[:2]) / scale)
    boxes = [(p, p.match, True) for p in pairs if p.match != p.patch]
    boxes += [(p, p.patch, False) for p in pairs]
    drawn: list[Any] = []
    # Large boxes first: small ones stay visible on them.
    for pair, (top, left), dashed in sorted(boxes, key=lambda b: (-b[0].patch_size, not b[2])):
        box = (top, left, pair.patch_size, dashed)
        inset, side = 0.4 * drawn.count(box), pair.patch_size - 0.8 * drawn.count(box)
        drawn.append(box)
        panels.draw_box(axes, (left + inset, top + inset), side, side, pair.colour, dashed)


def _number(
    axes: Any, pair: Pair, corner: tuple[int, int], taken: list[tuple[float, float]], step: float
) -> None:
    """A block's number in the corner of its box, beside those that are there already."""
    top, left = (float(v) for v in corner)
    while any(abs(left - x) < step and abs(top - y) < step for x, y in taken):
        left += step
    taken.append((left, top))
    axes.text(
        left + step / 2, top + step / 2, str(pair.block), color=hexadecimal(pair.colour),
        fontsize=7, ha="center", va="center", fontweight="bold", path_effects=RIM,
    )  # fmt: skip


def _name_boxes(axes: Any) -> None:
    """What solid and dashed boxes are, beside the image."""
    lines = [
        Line2D([], [], color=hexadecimal(HIGHLIGHT), ls=dashes, label=name, path_effects=RIM)
        for name, dashes in (("patch", "-"), ("match", "--"))
    ]
    axes.legend(handles=lines, **panels.BELOW)


def _show_crop(axes: Any, pixels: Pixels, pair: Pair, kind: str, scale: int, largest: int) -> None:
    """The pixels of a patch or its match, in one scale with a patch of the largest size."""
    top, left = (v * scale for v in getattr(pair, kind))
    side = pair.patch_size * scale
    crop = pixels[top : top + side, left : left + side]  # less of a padded image
    panels.show_image(axes, crop, np.array(crop.shape[:2]) / scale)
    rest = (largest - pair.patch_size) / 2
    ends = (-0.5 - rest, pair.patch_size - 0.5 + rest)
    axes.set(xlim=ends, ylim=ends[::-1])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if kind == "patch":
        axes.set_title(f"{pair.block}: {pair.patch_size}x{pair.patch_size}")
    else:
        away = f"{pair.distance:.1f} LR px" if pair.distance else "itself"
        known = f"\nsim. {pair.similarity:.3g}" if np.isfinite(pair.similarity) else ""
        axes.set_xlabel(away + known, fontsize=7)


@panels.styled
def match_figure(image: ArrayLike, pair: Pair, scale: int = 1) -> Figure:
    """A patch and the patch that it attends to (Eq. 8) on the image, joined by an arrow."""
    pixels = checked_image(image)
    figure, grid = panels.new_figure(panels.SINGLE, 3)
    axes = grid[0, 0]
    size = np.array(pixels.shape[:2]) / scale
    panels.show_image(axes, pixels, size)
    side = pair.patch_size
    panels.draw_box(axes, pair.patch[::-1], side, side)
    if pair.distance:
        panels.draw_box(axes, pair.match[::-1], side, side, dashed=True)
        start, end = (np.array(p[::-1]) + (side - 1) / 2 for p in (pair.patch, pair.match))
        style = {"arrowstyle": "-|>", "color": hexadecimal(HIGHLIGHT), "lw": 1.4}
        axes.annotate("", end, start, arrowprops={**style, "path_effects": RIM})
    axes.set(xlim=(-0.5, size[1] - 0.5), ylim=(size[0] - 0.5, -0.5))
    _name_boxes(axes)
    return panels.fitted(figure)


@panels.styled
def block_figure(
    image: ArrayLike, block: BlockStatistics, matrix: ArrayLike | None = None, title: str = ""
) -> Figure:
    """All matches of a block: in-degrees, the graph of matches, similarities, distances.

    In the graph a node stands at each patch's centre and an edge leads to its match; nodes grow
    with the number of patches that attend to them, which stands on hubs.

    Args:
        image: uint8 (h, w, 3), the LR image.
        block: From `hpinet.analysis.match_statistics.image_statistics`.
        matrix: (N, N) similarities; -inf, as on the diagonal, stays blank. None leaves it out.
        title: Written above.
    """
    pixels, count = checked_image(image), len(block.index)
    figure, grid = panels.new_figure(panels.DOUBLE, 3, title, 2, 2)
    (degrees, graph), (similar, far) = grid
    spread = nearest_patch(block, pixels.shape)
    counts = block.in_degree[spread]
    norm = panels.colour_scale(max(1, int(block.in_degree.max())), root=False)
    shown = panels.show_map(degrees, pixels, counts, norm, COUNTS, "in-degree of each patch")
    panels.colour_bar(shown, degrees, f"how many of {count} patches attend to it", "right")
    _show_graph(graph, pixels, block)
    if matrix is None or count == 1:
        similar.set_axis_off()
    else:
        _show_similarities(similar, matrix, count)
    _show_distances(far, block)
    return panels.fitted(figure)


def nearest_patch(block: BlockStatistics, size: Sequence[int]) -> NDArray[np.int64]:
    """For each pixel (h, w) the patch with the nearest centre; patches overlap."""
    found = []
    for axis, length in enumerate(size[:2]):
        # Patches are numbered row by row: number = row * columns + column.
        centres = np.unique(block.origins[:, axis]) + (block.patch_size - 1) / 2
        found.append(np.abs(np.arange(length)[:, None] - centres[None]).argmin(1))
    columns = len(np.unique(block.origins[:, 1]))
    return found[0][:, None] * columns + found[1][None]


def _show_graph(axes: Any, pixels: Pixels, block: BlockStatistics) -> None:
    panels.show_image(axes, panels.pale(pixels), pixels.shape, "who attends to whom")
    centres = block.origins[:, ::-1] + (block.patch_size - 1) / 2  # (x, y), pixel centres
    counts, n = block.in_degree, len(block.index)
    edges = np.stack([centres, centres[block.index]], 1)
    axes.add_collection(LineCollection(list(edges), colors=ORANGE, linewidths=0.8, alpha=0.6))
    axes.scatter(*centres.T, s=4, color="white", edgecolors="black", linewidths=0.4, zorder=2)
    chosen = np.flatnonzero(counts)
    sizes = 10 + 400 * counts[chosen] / n
    axes.scatter(
        *centres[chosen].T, s=sizes, color=BLUE, edgecolors="white", linewidths=0.7, zorder=3
    )
    for node in chosen[counts[chosen] >= max(3, 0.05 * n)]:
        axes.annotate(
            str(counts[node]), centres[node], color="white", ha="center", va="center",
            fontsize=6.5, fontweight="bold", zorder=4,
        )  # fmt: skip


def _show_similarities(axes: Any, matrix: ArrayLike, count: int) -> None:
    values = np.array(matrix, np.float64)
    if values.shape != (count, count):
        raise UserError(f"similarities of {count} patches are not shaped {values.shape}")
    values[~np.isfinite(values)] = np.nan
    shown = axes.imshow(values, cmap=COUNTS, interpolation="nearest")
    axes.set(title="similarity of all pairs", xlabel="other patch", ylabel="query patch")
    panels.colour_bar(shown, axes, "scaled inner product", "right")


def _show_distances(axes: Any, block: BlockStatistics) -> None:
    values = block.distance
    axes.hist(values, bins=20, color=BLUE, edgecolor="white", linewidth=0.5)
    axes.axvline(values.mean(), color="black", label=f"mean {values.mean():.1f}")
    if np.isfinite(block.chance_distance):
        told = f"mean by chance {block.chance_distance:.1f}"
        axes.axvline(block.chance_distance, color=ORANGE, ls="--", lw=2, label=told)
    axes.set(title="distances", xlabel="distance to the match (LR pixels)", ylabel="patches")
    axes.set(box_aspect=0.75, anchor="N")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, frameon=False)
