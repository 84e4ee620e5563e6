"""A pixel's patch and its match in every block (the paper's Fig. 8): boxes on the image, crops.

Arrays in, uint8 RGB (H, W, 3) out, as in `lam.figures.heatmaps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageOps

from hpinet.errors import UserError
from lam.metrics.patch_shares import patch_at

from .composition import joined, text_cell
from .drawing import canvas_of, cross, font, outline, tag, tag_size
from .matches import crop
from .palette import BLOCK_COLOURS, DARK, WHITE, Colour, Pixels

if TYPE_CHECKING:
    from hpinet import Matches

_TEXT_WIDTH, _FRAME = 180, 3


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
        matches: Of one image.
        row: Of the pixel's centre, in LR pixels.
        column: Of the pixel's centre, in LR pixels.

    Raises:
        ValueError: If the pixel lies outside.
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


def draw_pairs(
    image: ArrayLike, pairs: Sequence[Pair], point: tuple[float, float], scale: float = 1
) -> Pixels:
    """A pixel's patch and match in every block, as paired boxes of one colour (the paper's Fig. 8).

    Patches are solid and all hold the pixel, a white cross; matches are dashed. All carry their
    block's number, so that colour is not needed to tell them apart. Where blocks share a box, each
    draws its own inside the one before, and their numbers stand side by side.

    Args:
        image: uint8 (H, W, 3).
        pairs: The blocks'.
        point: (x, y) of the pixel's centre in LR pixels.
        scale: Pixels of the image per LR pixel.

    Returns:
        uint8 (H, W, 3), a copy.

    Raises:
        ValueError: If there are no pairs.
    """
    if not pairs:
        raise UserError("no pairs to draw: the network has no matches")
    canvas = canvas_of(image)
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
    centre, arm = (point[0] * scale, point[1] * scale), max(4, round(max(canvas.size) / 100))
    for colour, width in ((DARK, 5), (WHITE, 2)):
        cross(canvas, centre, arm, colour, width)
    return np.asarray(canvas)


def pair_rows(
    image: ArrayLike, pairs: Sequence[Pair], scale: int = 1, zoom: int | None = None
) -> Pixels:
    """Patch and match side by side, one row a block (the paper's Fig. 8).

    All crops are enlarged by one factor, so patches are seen to grow with the block.

    Args:
        image: uint8 (H, W, 3), smaller than patches only where it was padded.
        pairs: The blocks'.
        scale: Pixels of the image per LR pixel.
        zoom: How many times the crops are enlarged; by default the largest is about 160 pixels.

    Returns:
        uint8; left the patches, right their matches, framed in the block's colour.

    Raises:
        ValueError: If there are no pairs.
    """
    if not pairs:
        raise UserError("no pairs to draw: the network has no matches")
    largest = max(pair.patch_size for pair in pairs) * scale
    factor = zoom or max(1, round(160 / largest))
    width = largest * factor + 2 * _FRAME
    heads = [("", _TEXT_WIDTH), ("patch", width), ("match", width)]
    rows = [joined([text_cell(text, (wide, 24)) for text, wide in heads], axis=1)]
    for pair in pairs:
        height = max(pair.patch_size * scale * factor + 2 * _FRAME, 60)
        cells = [text_cell(_describe(pair), (_TEXT_WIDTH, height), "lm")]
        for origin in (pair.patch, pair.match):
            part = ImageOps.scale(
                crop(image, origin, pair.patch_size, scale), factor, Image.Resampling.NEAREST
            )
            canvas = Image.new("RGB", (width, height), WHITE)
            canvas.paste(_framed(part, pair.colour))
            cells.append(np.asarray(canvas))
        rows.append(joined(cells, axis=1))
    return np.pad(joined(rows, axis=0), ((0, 8), (8, 8), (0, 0)), constant_values=255)


def _framed(part: Image.Image, colour: Colour) -> Image.Image:
    """A crop in its block's colour, with a dark rim as one block's colour is white."""
    return ImageOps.expand(ImageOps.expand(part, _FRAME - 1, colour), 1, DARK)


def _describe(pair: Pair) -> str:
    lines = [f"block {pair.block}: {pair.patch_size}x{pair.patch_size}"]
    if np.isfinite(pair.similarity):
        lines.append(f"similarity {pair.similarity:.3g}")
    distance = float(np.hypot(*np.subtract(pair.match, pair.patch)))
    lines.append(f"{distance:.1f} pixels away" if distance else "matched to itself")
    return "\n".join(lines)


def _number_boxes(canvas: Image.Image, pairs: Sequence[Pair], scale: float) -> None:
    """Each block's number inside the corner of its boxes, beside those that are there already."""
    letters = font(max(11, round(max(canvas.size) / 50)))
    taken: list[tuple[float, float]] = []
    corners = [(pair, pair.patch) for pair in pairs]
    corners += [(pair, pair.match) for pair in pairs if pair.match != pair.patch]
    for pair, corner in corners:
        top, left = (v * scale + 2 for v in corner)
        wide, high = tag_size(str(pair.block), letters, margin=3)
        while any(abs(left - x) < wide + 1 and abs(top - y) < high + 1 for x, y in taken):
            left += wide + 1
        taken.append((left, top))
        tag(canvas, str(pair.block), (left, top), pair.colour, letters, margin=3)
