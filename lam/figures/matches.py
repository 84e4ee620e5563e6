"""Pictures of matched patches (Global Pixel Access, Eq. 8): arrays in, picture out.

Pictures are uint8 RGB (H, W, 3), as in `figures.heatmaps`; those of one pixel in all blocks are in
`lam.figures.match_pairs`, figures with axes in `lam.figures.match_plots`. Nothing here keeps
state, opens a window or reads a file, so a page, a notebook and a command draw the same thing from
the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from hpinet.analysis.match_statistics import in_degree

from .drawing import DARK, ORANGE, WHITE, Pixels, arrow, checked, font, mark_corners, outline
from .heatmaps import heatmap_overlay


def draw_matches(
    picture: ArrayLike,
    origins: ArrayLike,
    index: ArrayLike,
    patch_size: int,
    selected: int,
    scale: float = 1,
    grid: bool = True,
) -> Pixels:
    """A patch, and the patch it looks at (Global Pixel Access, Eq. 8), joined by an arrow.

    Both boxes have one colour; the patch is drawn solid and its match dashed, and both are named.

    Args:
        picture: uint8 (H, W, 3).
        origins: (N, 2), (top, left) of every patch in LR pixels.
        index: (N,), the match of every patch.
        patch_size: P in LR pixels.
        selected: Number of the patch.
        scale: Pixels of the picture per LR pixel.
        grid: Also mark the corners of all patches, faintly.

    Returns:
        uint8 (H, W, 3), a copy.

    Raises:
        ValueError: If there is no such patch.
    """
    corners, matches = np.asarray(origins), np.asarray(index)
    if not 0 <= selected < len(corners):
        raise ValueError(f"there is no patch {selected}: numbers run from 0 to {len(corners) - 1}")
    canvas = Image.fromarray(checked(picture).copy())
    if grid:
        mark_corners(canvas, corners * scale)
    side = patch_size * scale
    match = int(matches[selected])
    start, end = (corners[i][::-1] * scale for i in (selected, match))
    if match == selected:
        outline(canvas, (*start, side), ORANGE, "own match", False)
        return np.asarray(canvas)
    arrow(canvas, start + side / 2, end + side / 2)
    outline(canvas, (*end, side), ORANGE, "match", True)
    outline(canvas, (*start, side), ORANGE, "patch", False)
    return np.asarray(canvas)


def match_crops(
    picture: ArrayLike,
    pairs: Sequence[tuple[ArrayLike, ArrayLike, int]],
    scale: int = 1,
    cell: int = 120,
    chosen: int | None = None,
) -> Pixels:
    """Patches and their matches side by side, one column a block (the paper's Fig. 8).

    Args:
        picture: uint8 (H, W, 3).
        pairs: For every block the (top, left) of the patch and of its match, and P, in LR pixels.
        scale: Pixels of the picture per LR pixel.
        cell: Side of every crop in the result; crops are enlarged with crisp pixels.
        chosen: The column to underline.

    Returns:
        uint8, the upper row the patches, the lower row their matches.

    Raises:
        ValueError: If there are no pairs.
    """
    if not pairs:
        raise ValueError("no pairs to draw: the network has no matches")
    pixels, gap, head = checked(picture), 6, 24
    size = (len(pairs) * (cell + gap) + gap, head + 2 * (cell + gap) + gap)
    canvas = Image.new("RGB", size, WHITE)
    draw = ImageDraw.Draw(canvas)
    for column, (patch, match, patch_size) in enumerate(pairs):
        left = gap + column * (cell + gap)
        text = f"{column + 1}: {patch_size}x{patch_size}"
        draw.text((left + cell / 2, head / 2 + 2), text, DARK, font(14), anchor="mm")
        for row, origin in enumerate((patch, match)):
            top, start = (int(v) * scale for v in np.asarray(origin))
            side = patch_size * scale
            crop = Image.fromarray(pixels[top : top + side, start : start + side])
            small = crop.resize((cell, cell), Image.Resampling.NEAREST)
            canvas.paste(small, (left, head + gap + row * (cell + gap)))
        if column == chosen:
            box = (left - 3, head + gap - 3, left + cell + 2, head + 2 * (cell + gap) + 2)
            draw.rectangle(box, outline=(200, 110, 0), width=3)
    return np.asarray(canvas)


def in_degree_map(
    picture: ArrayLike, origins: ArrayLike, index: ArrayLike, patch_size: int, scale: float = 1
) -> Pixels:
    """Which patches are chosen by how many: brighter is more, and the count is written there.

    Args:
        picture: uint8 (H, W, 3).
        origins: (N, 2), (top, left) of every patch in LR pixels.
        index: (N,), the match of every patch.
        patch_size: P in LR pixels.
        scale: Pixels of the picture per LR pixel.

    Returns:
        uint8 (H, W, 3).
    """
    pixels, corners, counts = checked(picture), np.asarray(origins), in_degree(index)
    height, width = pixels.shape[:2]
    # Every pixel takes the count of the patch whose centre is nearest: overlaps would smear.
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
    centres = (starts + patch_size / 2) * scale
    return np.abs(np.arange(length)[:, None] + 0.5 - centres[None]).argmin(1)
