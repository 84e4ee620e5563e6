"""Images beside and below one another, with labels, captions and legends; figures with axes.

Images are uint8 RGB (H, W, 3). What is composed keeps every pixel; what is added is white.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

from hpinet.errors import UserError

from .drawing import checked, font
from .palette import DARK, WHITE, Pixels

GAP = 8
"""Pixels between images."""

TEXT_SIZE = 14
"""Height of letters in pixels."""

_LINE_HEIGHT, _MARGIN = 20, 4


def joined(images: Sequence[ArrayLike], axis: int, gap: int = GAP) -> Pixels:
    """Images below (axis 0) or beside one another (axis 1), aligned at their upper left corners."""
    cells = [checked(image) for image in images]
    across = max(cell.shape[1 - axis] for cell in cells)
    padded = []
    for number, cell in enumerate(cells, 1):
        after = [(0, 0)] * 3
        after[axis] = (0, gap if number < len(cells) else 0)
        after[1 - axis] = (0, across - cell.shape[1 - axis])
        padded.append(np.pad(cell, after, constant_values=255))
    return np.concatenate(padded, axis)


def side_by_side(
    images: Sequence[ArrayLike], labels: Sequence[str] | None = None, gap: int = GAP
) -> Pixels:
    """Images of equal height in a row, each with its label above.

    Args:
        images: uint8 (H, W_i, 3) each.
        labels: One an image; letters shrink where one is wider than its image.
        gap: Pixels between images.

    Raises:
        ValueError: If there is none, heights differ or labels do not match in number.
    """
    cells = [checked(image) for image in images]
    heights = sorted({cell.shape[0] for cell in cells})
    if len(heights) != 1:
        raise UserError(f"images side by side need one height, not {heights or 'none'}")
    if labels is not None and len(labels) != len(cells):
        raise UserError(f"{len(labels)} labels were given for {len(cells)} images")
    if labels:
        cells = [
            joined([text_cell(label, (cell.shape[1], 24)), cell], axis=0, gap=0)
            for cell, label in zip(cells, labels, strict=True)
        ]
    return joined(cells, axis=1, gap=gap)


def stacked(images: Sequence[ArrayLike], gap: int = GAP) -> Pixels:
    """Images, uint8 (H_i, W_i, 3), below one another; as wide as the widest.

    Raises:
        ValueError: If there is none.
    """
    if not images:
        raise UserError("no images to stack")
    return joined(images, axis=0, gap=gap)


def text_cell(text: str, size: tuple[int, int], anchor: str = "mm") -> Pixels:
    """Lines of text on a white image of a size (width, height) in pixels.

    Letters shrink, to 8 pixels at the least, where a line is wider than the image. The anchor is
    Pillow's: ``"mm"`` in the middle, ``"lm"`` at the left, ``"ma"`` at the top.
    """
    width, height = size
    longest = max(font(TEXT_SIZE).getlength(line) for line in text.split("\n"))
    fitting = TEXT_SIZE * (width - 2 * _MARGIN) / max(longest, 1)
    letters = font(max(8, min(TEXT_SIZE, fitting)))
    canvas = Image.new("RGB", size, WHITE)
    at = (0 if anchor[0] == "l" else width / 2, 0 if anchor[1] == "a" else height / 2)
    align = "left" if anchor[0] == "l" else "center"
    ImageDraw.Draw(canvas).multiline_text(at, text, DARK, letters, anchor, align=align)
    return np.asarray(canvas)


def captioned(image: ArrayLike, text: str) -> Pixels:
    """An image with text below, broken into lines where it is wider than the image."""
    pixels, letters = checked(image), font(TEXT_SIZE)
    width, lines = pixels.shape[1], [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if letters.getlength(longer) <= width - 2 * _MARGIN or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    canvas = Image.new("RGB", (width, _LINE_HEIGHT * len(lines) + 6), WHITE)
    for number, line in enumerate(lines):
        at = (_MARGIN, _MARGIN + _LINE_HEIGHT * number)
        ImageDraw.Draw(canvas).text(at, line, DARK, letters)
    return joined([pixels, np.asarray(canvas)], axis=0, gap=0)


def with_legend(image: ArrayLike, entries: Sequence[tuple[ArrayLike | None, str]]) -> Pixels:
    """An image with lines below that say what its colours and outlines mean.

    Args:
        image: uint8 (H, W, 3); its pixels stay where they are.
        entries: A sample, uint8 (h, w, 3) or None, and the words beside it, a line each.
    """
    lines = []
    for sample, words in entries:
        height = 24 if sample is None else checked(sample).shape[0]
        width = int(font(TEXT_SIZE).getlength(words)) + 1 + GAP
        text = text_cell(words, (width, height), "lm")
        lines.append(text if sample is None else joined([sample, text], axis=1, gap=GAP))
    legend = np.pad(joined(lines, 0, 0), ((4, 2), (GAP, 0), (0, 0)), constant_values=255)
    return joined([image, legend], axis=0, gap=0)


def new_figure(
    width: float, height: float, title: str = "", xlabel: str = "", ylabel: str = ""
) -> tuple[Figure, Any]:
    """A figure of so many inches that belongs to no window, with one pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    return figure, axes


def image_axes(axes: Any, image: ArrayLike, **options: Any) -> Any:
    """Show an LR image or map (h, w) or (h, w, 3) with its pixels as squares and numbered."""
    axes.set(xlabel="column (LR pixels)", ylabel="row (LR pixels)")
    return axes.imshow(image, interpolation="nearest", **options)
