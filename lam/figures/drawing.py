"""Strokes on pictures: outlines, arrows and labels that stay readable on any background."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

# Drawn over a dark rim, orange is seen on any picture, by colour-blind readers too.
ORANGE: Colour = (255, 176, 0)
WHITE: Colour = (255, 255, 255)
DARK: Colour = (17, 17, 17)


def checked(picture: ArrayLike) -> Pixels:
    """The picture, if it is uint8 (H, W, 3) and not empty.

    Raises:
        ValueError: It is not.
    """
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise ValueError(f"a picture must be uint8 (H, W, 3), not {pixels.dtype} {pixels.shape}")
    return pixels


def font(size: int) -> Any:
    """Pillow's own font, the same on every machine."""
    return ImageFont.load_default(size)


def _line_width(canvas: Image.Image) -> int:
    return max(1, round(max(canvas.size) / 256))


def outline(
    canvas: Image.Image,
    box: tuple[float, float, float],
    colour: Colour,
    label: str | None,
    dashed: bool,
) -> None:
    """Draw a square (left, top, side) in pixels around its content, with an optional label."""
    draw, width = ImageDraw.Draw(canvas), _line_width(canvas)
    left, top, side = (round(v) for v in box)
    right, bottom = left + max(side, 1) - 1, top + max(side, 1) - 1
    # The dark rim lies outside and makes the outline visible on any picture.
    outer = (left - 2 * width, top - 2 * width, right + 2 * width, bottom + 2 * width)
    draw.rectangle(outer, outline=DARK, width=2 * width)
    inner = (
        max(left - width, 0),
        max(top - width, 0),
        min(right + width, canvas.width - 1),  # at the border of the picture it lies inside
        min(bottom + width, canvas.height - 1),
    )
    corners = [(inner[i], inner[j]) for i, j in ((0, 1), (2, 1), (2, 3), (0, 3), (0, 1))]
    for start, end in pairwise(corners):
        _stroke(draw, np.array(start, float), np.array(end, float), colour, width, dashed)
    if label:
        _write(canvas, label, (left - width, top - 2 * width), colour)


def _stroke(
    draw: ImageDraw.ImageDraw,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    colour: Colour,
    width: int,
    dashed: bool,
) -> None:
    length = float(np.hypot(*(end - start)))
    pieces = max(1, int(length / (4 * width))) | 1 if dashed else 1
    points = np.linspace(start, end, pieces + 1)
    for piece in range(0, pieces, 2):
        draw.line([tuple(points[piece]), tuple(points[piece + 1])], colour, width)


def _write(canvas: Image.Image, text: str, corner: tuple[int, int], colour: Colour) -> None:
    """A label above a corner, or moved inside where it would leave the picture."""
    draw, letters = ImageDraw.Draw(canvas), font(max(10, round(max(canvas.size) / 42)))
    x0, y0, x1, y1 = draw.textbbox((0, 0), text, letters)
    wide, high = x1 - x0 + 8, y1 - y0 + 8
    left = int(np.clip(corner[0], 0, max(0, canvas.width - wide)))
    top = int(np.clip(corner[1] - high, 0, max(0, canvas.height - high)))
    draw.rectangle((left, top, left + wide, top + high), fill=DARK)
    draw.text((left + 4 - x0, top + 4 - y0), text, colour, letters)


def arrow(canvas: Image.Image, start: NDArray[np.float64], end: NDArray[np.float64]) -> None:
    """Draw an arrow from (x, y) to (x, y), in pixels."""
    draw, width = ImageDraw.Draw(canvas), _line_width(canvas)
    along = (end - start) / max(1e-9, float(np.hypot(*(end - start))))
    across = np.array([-along[1], along[0]])
    for colour, wide in ((DARK, 3 * width), (ORANGE, width)):
        draw.line([tuple(start), tuple(end)], colour, wide)
    head = [end, end - along * 7 * width + across * 4 * width]
    head.append(end - along * 7 * width - across * 4 * width)
    draw.polygon([tuple(p) for p in head], fill=ORANGE, outline=DARK)


def mark_corners(canvas: Image.Image, corners: NDArray[np.float64]) -> None:
    """Draw a faint cross at each (top, left), in pixels."""
    draw, arm = ImageDraw.Draw(canvas), 2 * _line_width(canvas)
    for top, left in corners.tolist():
        draw.line([(left - arm, top), (left + arm, top)], WHITE, 1)
        draw.line([(left, top - arm), (left, top + arm)], WHITE, 1)


def captioned(picture: ArrayLike, text: str) -> Pixels:
    """A picture with a line of text below, such as the parameters that made it.

    Args:
        picture: uint8 (H, W, 3).
        text: Broken into lines where it is wider than the picture.

    Returns:
        uint8, as wide and higher.
    """
    pixels, letters = checked(picture), font(14)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        fits = letters.getlength(longer) <= pixels.shape[1] - 8
        lines = [*lines[:-1], longer] if fits or not lines[-1] else [*lines, word]
    canvas = Image.new("RGB", (pixels.shape[1], pixels.shape[0] + 20 * len(lines) + 6), WHITE)
    canvas.paste(Image.fromarray(pixels), (0, 0))
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        draw.text((4, pixels.shape[0] + 4 + 20 * number), line, DARK, letters)
    return np.asarray(canvas)
