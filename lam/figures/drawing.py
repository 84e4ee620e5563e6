"""Strokes on images: outlines, arrows, crosses and labels, seen on any background."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from hpinet.errors import UserError

from .palette import DARK, HIGHLIGHT, Colour, Pixels

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def checked(image: ArrayLike) -> Pixels:
    """The image, if it is uint8 (H, W, 3) and not empty.

    Raises:
        ValueError: It is not.
    """
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise UserError(f"an image must be uint8 (H, W, 3), not {pixels.dtype} {pixels.shape}")
    return pixels


def canvas_of(image: ArrayLike) -> Image.Image:
    """A copy of an image to draw on.

    Raises:
        ValueError: If it is not uint8 (H, W, 3).
    """
    return Image.fromarray(checked(image).copy())


def font(size: float) -> Font:
    """Pillow's own font, the same on every machine."""
    return ImageFont.load_default(size)


def line_width(canvas: Image.Image) -> int:
    """Pixels that a line takes: more on larger images."""
    return max(1, round(max(canvas.size) / 256))


def outline(
    canvas: Image.Image,
    box: tuple[float, float, float],
    colour: Colour = HIGHLIGHT,
    label: str | None = None,
    dashed: bool = False,
) -> None:
    """Draw a square (left, top, side) in pixels around its content, with an optional label."""
    draw, width = ImageDraw.Draw(canvas), line_width(canvas)
    left, top, side = (round(v) for v in box)
    right, bottom = left + max(side, 1) - 1, top + max(side, 1) - 1
    # The dark rim lies outside of the coloured line, which it sets off against the image.
    outer = (left - 2 * width, top - 2 * width, right + 2 * width, bottom + 2 * width)
    draw.rectangle(outer, outline=DARK, width=2 * width)
    inner = (
        max(left - width, 0),
        max(top - width, 0),
        min(right + width, canvas.width - 1),  # at the border of the image it lies inside
        min(bottom + width, canvas.height - 1),
    )
    corners = [(inner[i], inner[j]) for i, j in ((0, 1), (2, 1), (2, 3), (0, 3), (0, 1))]
    for start, end in pairwise(corners):
        _stroke(draw, start, end, colour, width, dashed)
    if label:
        letters = font(max(10, round(max(canvas.size) / 42)))
        wide, high = tag_size(label, letters)
        # Above the corner, or moved inside where it would leave the image.
        label_left = np.clip(left - width, 0, max(0, canvas.width - wide))
        label_top = np.clip(top - 2 * width - high, 0, max(0, canvas.height - high))
        tag(canvas, label, (int(label_left), int(label_top)), colour, letters)


def _stroke(
    draw: ImageDraw.ImageDraw,
    start: tuple[int, int],
    end: tuple[int, int],
    colour: Colour,
    width: int,
    dashed: bool,
) -> None:
    """A line; dashed, an odd number of pieces of about 4 widths, of which every second is drawn."""
    length = float(np.hypot(*np.subtract(end, start)))
    pieces = max(1, int(length / (4 * width))) | 1 if dashed else 1
    points = np.linspace(start, end, pieces + 1)
    for piece in range(0, pieces, 2):
        draw.line([tuple(points[piece]), tuple(points[piece + 1])], colour, width)


def tag_size(text: str, letters: Font, margin: int = 4) -> tuple[int, int]:
    """Width and height of a `tag` in pixels."""
    x0, y0, x1, y1 = letters.getbbox(text)
    return int(x1 - x0) + 2 * margin, int(y1 - y0) + 2 * margin


def tag(
    canvas: Image.Image,
    text: str,
    corner: tuple[float, float],
    colour: Colour,
    letters: Font,
    margin: int = 4,
) -> None:
    """Write on a dark ground whose upper left corner is (x, y), in pixels."""
    draw, (left, top) = ImageDraw.Draw(canvas), corner
    x0, y0, *_ = letters.getbbox(text)
    wide, high = tag_size(text, letters, margin)
    draw.rectangle((left, top, left + wide, top + high), fill=DARK)
    draw.text((left + margin - x0, top + margin - y0), text, colour, letters)


def arrow(canvas: Image.Image, start: NDArray[np.float64], end: NDArray[np.float64]) -> None:
    """Draw an arrow from (x, y) to (x, y), in pixels."""
    draw, width = ImageDraw.Draw(canvas), line_width(canvas)
    along = (end - start) / max(1e-9, float(np.hypot(*(end - start))))
    across = np.array([-along[1], along[0]])
    for colour, wide in ((DARK, 3 * width), (HIGHLIGHT, width)):
        draw.line([tuple(start), tuple(end)], colour, wide)
    back = end - along * 7 * width
    head = [end, back + across * 4 * width, back - across * 4 * width]
    draw.polygon([tuple(point) for point in head], fill=HIGHLIGHT, outline=DARK)


def cross(
    canvas: Image.Image, centre: tuple[float, float], arm: float, colour: Colour, width: int
) -> None:
    """Draw an upright cross at (x, y), in pixels."""
    draw, (x, y) = ImageDraw.Draw(canvas), centre
    draw.line([(x - arm, y), (x + arm, y)], colour, width)
    draw.line([(x, y - arm), (x, y + arm)], colour, width)
