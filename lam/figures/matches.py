"""Images of matched patches (Global Pixel Access, Eq. 8).

Arrays in, uint8 RGB (H, W, 3) out, as in `lam.figures.heatmaps`. One pixel's matches in all blocks:
`lam.figures.match_pairs`; figures with axes: `lam.figures.match_plots`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from hpinet.analysis.match_statistics import in_degree
from hpinet.errors import UserError

from .composition import joined, text_cell
from .drawing import arrow, canvas_of, checked, cross, font, line_width, outline
from .heatmaps import heatmap_overlay
from .palette import DARK, VERMILION, WHITE, Pixels


def draw_matches(
    image: ArrayLike,
    origins: ArrayLike,
    index: ArrayLike,
    patch_size: int,
    selected: int,
    scale: float = 1,
    grid: bool = True,
) -> Pixels:
    """A query patch and the patch it attends to (Global Pixel Access, Eq. 8), joined by an arrow.

    Both boxes have one colour; the patch is drawn solid and its match dashed, and both are named.

    Args:
        image: uint8 (H, W, 3).
        origins: (N, 2), (top, left) of every patch in LR pixels.
        index: (N,), the match of every patch.
        patch_size: P in LR pixels.
        selected: Number of the patch.
        scale: Pixels of the image per LR pixel.
        grid: Also mark the corners of all patches, faintly.

    Returns:
        uint8 (H, W, 3), a copy.

    Raises:
        ValueError: If there is no such patch.
    """
    corners, matches = np.asarray(origins), np.asarray(index)
    if not 0 <= selected < len(corners):
        raise UserError(f"there is no patch {selected}: numbers run from 0 to {len(corners) - 1}")
    canvas = canvas_of(image)
    for top, left in corners * scale if grid else ():
        cross(canvas, (left, top), 2 * line_width(canvas), WHITE, 1)
    side = patch_size * scale
    match = int(matches[selected])
    start, end = (corners[i][::-1] * scale for i in (selected, match))
    if match == selected:
        outline(canvas, (*start, side), label="matched to itself")
        return np.asarray(canvas)
    arrow(canvas, start + side / 2, end + side / 2)
    outline(canvas, (*end, side), label="match", dashed=True)
    outline(canvas, (*start, side), label="patch")
    return np.asarray(canvas)


def match_crops(
    image: ArrayLike,
    pairs: Sequence[tuple[ArrayLike, ArrayLike, int]],
    scale: int = 1,
    cell: int = 120,
    chosen: int | None = None,
) -> Pixels:
    """Patches and their matches side by side, one column a block (the paper's Fig. 8).

    Args:
        image: uint8 (H, W, 3).
        pairs: For every block the (top, left) of the patch and of its match, and P, in LR pixels.
        scale: Pixels of the image per LR pixel.
        cell: Side of every crop in the result; crops are enlarged with crisp pixels.
        chosen: The column to frame.

    Returns:
        uint8, the upper row the patches, the lower row their matches.

    Raises:
        ValueError: If there are no pairs.
    """
    if not pairs:
        raise UserError("no pairs to draw: the network has no matches")
    columns = []
    for number, (patch, match, patch_size) in enumerate(pairs):
        crops = [crop(image, origin, patch_size, scale) for origin in (patch, match)]
        large = [np.asarray(c.resize((cell, cell), Image.Resampling.NEAREST)) for c in crops]
        column = np.pad(joined(large, axis=0, gap=6), ((6, 6), (3, 3), (0, 0)), constant_values=255)
        if number == chosen:
            column[:3], column[-3:], column[:, :3], column[:, -3:] = (VERMILION,) * 4
        head = text_cell(f"{number + 1}: {patch_size}x{patch_size}", (column.shape[1], 24))
        columns.append(joined([head, column], axis=0, gap=0))
    return joined(columns, axis=1, gap=0)


def crop(image: ArrayLike, origin: ArrayLike, patch_size: int, scale: int) -> Image.Image:
    """The pixels of a patch.

    Args:
        image: uint8 (H, W, 3), smaller than a patch only where it was padded.
        origin: (top, left) of the patch in LR pixels.
        patch_size: P in LR pixels.
        scale: Pixels of the image per LR pixel.
    """
    (top, left), side = (int(v) * scale for v in np.asarray(origin)), patch_size * scale
    pixels = checked(image)[top : top + side, left : left + side]
    return Image.fromarray(np.ascontiguousarray(pixels))


def in_degree_map(
    image: ArrayLike, origins: ArrayLike, index: ArrayLike, patch_size: int, scale: float = 1
) -> Pixels:
    """Which patches are chosen by how many: brighter is more, with the count written there.

    Args:
        image: uint8 (H, W, 3).
        origins: (N, 2), (top, left) of every patch in LR pixels.
        index: (N,), the match of every patch.
        patch_size: P in LR pixels.
        scale: Pixels of the image per LR pixel.

    Returns:
        uint8 (H, W, 3).
    """
    pixels, corners, counts = checked(image), np.asarray(origins), in_degree(index)
    height, width = pixels.shape[:2]
    # Every pixel takes the count of the patch whose centre is nearest, as patches overlap. Patches
    # are numbered row by row: number = row * across + column.
    rows = _nearest(np.unique(corners[:, 0]), patch_size, scale, height)
    columns = _nearest(np.unique(corners[:, 1]), patch_size, scale, width)
    across = int(columns.max()) + 1 if len(corners) else 1
    share = counts / max(1, len(counts))
    spread = share.reshape(-1, across)[rows[:, None], columns[None]]
    canvas = Image.fromarray(heatmap_overlay(pixels, spread, 0.72, vmax=1, root=True))
    draw = ImageDraw.Draw(canvas)
    letters = font(int(np.clip(patch_size * scale * 0.3, 9, 34)))
    for number, count in enumerate(counts):
        # In the middle of what is seen of the patch; the last ones are mostly covered.
        x = np.flatnonzero(columns == number % across)
        y = np.flatnonzero(rows == number // across)
        if count and len(x) and len(y):
            at = (float(x.mean()), float(y.mean()))
            draw.text(at, str(count), WHITE, letters, "mm", stroke_width=2, stroke_fill=DARK)
    return np.asarray(canvas)


def _nearest(
    starts: NDArray[np.int64], patch_size: int, scale: float, length: int
) -> NDArray[np.int64]:
    """For each pixel of an axis, the row or column of patches with the nearest centre."""
    centres = (starts + patch_size / 2) * scale
    return np.abs(np.arange(length)[:, None] + 0.5 - centres[None]).argmin(1)
