"""A pixel's patch and its match in every block (the paper's Fig. 8): boxes on the picture, crops.

Arrays in, picture out: uint8 RGB (H, W, 3), as in `lam.figures.heatmaps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

from lam.metrics.patch_shares import patch_at

from .drawing import DARK, WHITE, Colour, Pixels, checked, font, outline

if TYPE_CHECKING:
    from hpinet import Matches

BLOCK_COLOURS: tuple[Colour, ...] = (
    *((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66)),
    *((0, 114, 178), (213, 94, 0), (204, 121, 167), (255, 255, 255)),
)
"""A colour a block, told apart by colour-blind readers too (Okabe & Ito); more blocks begin anew,
so a block's number always stands beside its colour."""


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


def pairs_at(matches: Matches, row: float, column: float) -> list[Pair]:
    """Every block's patch that holds a pixel, and its match.

    Patches overlap: of several the one counts whose centre is nearest.

    Args:
        matches: Of one picture.
        row: Of the pixel's centre, in LR pixels.
        column: Of the pixel's centre, in LR pixels.

    Raises:
        ValueError: If the pixel lies outside.
    """
    height, width = matches.size
    if not (0 <= row <= height and 0 <= column <= width):
        raise ValueError(
            f"the pixel x {column:g}, y {row:g} lies outside the picture of {width}x{height} "
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


def draw_pairs(
    picture: ArrayLike, pairs: Sequence[Pair], point: tuple[float, float], scale: float = 1
) -> Pixels:
    """A pixel's patch and match in every block, as paired boxes of one colour (the paper's Fig. 8).

    Patches are solid and all hold the pixel, a white cross; matches are dashed. All carry their
    block's number, so that colour is not needed to tell them apart. Where blocks share a box, each
    draws its own inside the one before, and their numbers stand side by side.

    Args:
        picture: uint8 (H, W, 3).
        pairs: The blocks'.
        point: (x, y) of the pixel's centre in LR pixels.
        scale: Pixels of the picture per LR pixel.

    Returns:
        uint8 (H, W, 3), a copy.

    Raises:
        ValueError: If there are no pairs.
    """
    if not pairs:
        raise ValueError("no pairs to draw: the network has no matches")
    canvas = Image.fromarray(checked(picture).copy())
    boxes = [(p, p.match, True) for p in pairs if p.match != p.patch]
    boxes += [(p, p.patch, False) for p in pairs]
    drawn: list[tuple[tuple[int, int], int, bool]] = []
    # Large boxes first: small ones stay visible on them.
    for pair, (top, left), dashed in sorted(boxes, key=lambda b: (-b[0].patch_size, not b[2])):
        box = ((top, left), pair.patch_size, dashed)
        inset = drawn.count(box) * max(3, round(max(canvas.size) / 170))
        drawn.append(box)
        side = pair.patch_size * scale - 2 * inset
        outline(
            canvas, (left * scale + inset, top * scale + inset, side), pair.colour, None, dashed
        )
    _number_boxes(canvas, pairs, scale)
    _mark_point(canvas, (point[0] * scale, point[1] * scale))
    return np.asarray(canvas)


def pair_rows(
    picture: ArrayLike, pairs: Sequence[Pair], scale: int = 1, zoom: int | None = None
) -> Pixels:
    """Patch and match side by side, one row a block (the paper's Fig. 8).

    All crops are enlarged by one factor, so patches are seen to grow with the block.

    Args:
        picture: uint8 (H, W, 3), smaller than patches only where it was padded.
        pairs: The blocks'.
        scale: Pixels of the picture per LR pixel.
        zoom: How many times the crops are enlarged; by default the largest is about 160 pixels.

    Returns:
        uint8; left the patches, right their matches, framed in the block's colour.

    Raises:
        ValueError: If there are no pairs.
    """
    if not pairs:
        raise ValueError("no pairs to draw: the network has no matches")
    pixels = checked(picture)
    largest = max(pair.patch_size for pair in pairs) * scale
    factor = zoom or max(1, round(160 / largest))
    cell, gap, label = largest * factor, 10, 190
    heights = [pair.patch_size * scale * factor + gap for pair in pairs]
    canvas = Image.new("RGB", (label + 2 * (cell + gap) + gap, sum(heights) + 34), WHITE)
    draw, top = ImageDraw.Draw(canvas), 34
    for column, name in enumerate(("patch", "match")):
        draw.text((label + column * (cell + gap), 12), name, DARK, font(14))
    for pair, height in zip(pairs, heights, strict=True):
        _describe(draw, pair, top)
        for column, origin in enumerate((pair.patch, pair.match)):
            crop = _crop(pixels, origin, pair.patch_size, scale)
            size = (crop.width * factor, crop.height * factor)
            left = label + column * (cell + gap)
            frame = (left - 3, top - 3, left + size[0] + 2, top + size[1] + 2)
            draw.rectangle(frame, pair.colour, DARK)  # a dark rim: one block's colour is white
            canvas.paste(crop.resize(size, Image.Resampling.NEAREST), (left, top))
        top += height
    return np.asarray(canvas)


def _describe(draw: ImageDraw.ImageDraw, pair: Pair, top: int) -> None:
    lines = [f"block {pair.block}: {pair.patch_size}x{pair.patch_size}"]
    if np.isfinite(pair.similarity):
        lines.append(f"similarity {pair.similarity:.3g}")
    lines.append("its own match" if pair.patch == pair.match else f"{_away(pair):.1f} pixels away")
    for number, line in enumerate(lines):
        draw.text((10, top + 18 * number), line, DARK, font(14))


def _away(pair: Pair) -> float:
    """Distance of patch and match in LR pixels."""
    return float(np.hypot(*(np.subtract(pair.match, pair.patch))))


def _crop(pixels: Pixels, origin: tuple[int, int], patch_size: int, scale: int) -> Image.Image:
    top, left = (int(v) * scale for v in origin)
    side = patch_size * scale
    return Image.fromarray(np.ascontiguousarray(pixels[top : top + side, left : left + side]))


def _number_boxes(canvas: Image.Image, pairs: Sequence[Pair], scale: float) -> None:
    """Each block's number inside the corner of its boxes, beside those that are there already."""
    letters = font(max(11, round(max(canvas.size) / 50)))
    draw = ImageDraw.Draw(canvas)
    taken: list[tuple[float, float]] = []
    corners = [(pair, pair.patch) for pair in pairs]
    corners += [(pair, pair.match) for pair in pairs if pair.match != pair.patch]
    for pair, corner in corners:
        top, left = (v * scale + 2 for v in corner)
        text = str(pair.block)
        x0, y0, x1, y1 = draw.textbbox((0, 0), text, letters)
        wide, high = x1 - x0 + 6, y1 - y0 + 6
        while any(abs(left - x) < wide + 1 and abs(top - y) < high + 1 for x, y in taken):
            left += wide + 1
        taken.append((left, top))
        draw.rectangle((left, top, left + wide, top + high), DARK)
        draw.text((left + 3 - x0, top + 3 - y0), text, pair.colour, letters)


def _mark_point(canvas: Image.Image, point: tuple[float, float]) -> None:
    draw, arm = ImageDraw.Draw(canvas), max(4, round(max(canvas.size) / 100))
    x, y = point
    for colour, width in ((DARK, 5), (WHITE, 2)):
        draw.line([(x - arm, y), (x + arm, y)], colour, width)
        draw.line([(x, y - arm), (x, y + arm)], colour, width)
