"""Pictures of quality: crops of several networks side by side (Fig. 6), PSNR and size (Fig. 1).

Arrays and numbers in, picture or figure out, as in `lam.figures.heatmaps`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

from .drawing import DARK, WHITE, Pixels, checked, font
from .heatmaps import Square, draw_window, enlarge

_GAP, _HEAD = 8, 42


def crop_comparison(
    original: ArrayLike,
    pictures: Sequence[ArrayLike],
    labels: Sequence[str],
    window: Square,
    zoom: int = 4,
    columns: int = 3,
) -> Pixels:
    """A picture with a window outlined, and that window in several versions (Fig. 6).

    Args:
        original: uint8 (H, W, 3), shown whole on the left.
        pictures: uint8 (H, W, 3) each: bicubic, networks, the original.
        labels: One a picture, of one or two lines.
        window: Which part is enlarged, in pixels of these pictures.
        zoom: How many times; pixels stay crisp.
        columns: Crops a row.

    Returns:
        uint8.

    Raises:
        ValueError: If sizes differ, labels do not match in number, or the window reaches outside.
    """
    whole = checked(original)
    cells = [checked(picture) for picture in pictures]
    if not cells or len(labels) != len(cells):
        raise ValueError(f"{len(labels)} labels were given for {len(cells)} pictures")
    if any(cell.shape != whole.shape for cell in cells):
        raise ValueError("all pictures must be as large as the original")
    right, bottom = window.left + window.size, window.top + window.size
    if window.left < 0 or window.top < 0 or right > whole.shape[1] or bottom > whole.shape[0]:
        raise ValueError(f"the window up to x {right}, y {bottom} reaches outside of the picture")
    crops = [enlarge(c[window.top : bottom, window.left : right], zoom) for c in cells]
    side, rows = window.size * zoom, -(-len(crops) // columns)
    high = rows * (side + _HEAD + _GAP) - _GAP
    overview = _fitted(draw_window(whole, window), high)
    width = overview.width + columns * (side + _GAP)
    canvas = Image.new("RGB", (width, high), WHITE)
    canvas.paste(overview, (0, 0))
    draw = ImageDraw.Draw(canvas)
    for number, (crop, label) in enumerate(zip(crops, labels, strict=True)):
        left = overview.width + _GAP + number % columns * (side + _GAP)
        top = number // columns * (side + _HEAD + _GAP)
        canvas.paste(Image.fromarray(crop), (left, top))
        at = (left + side / 2, top + side + 4)
        draw.multiline_text(at, label, DARK, font(13), anchor="ma", align="center")
    return np.asarray(canvas)


def _fitted(picture: Pixels, height: int) -> Image.Image:
    image = Image.fromarray(picture)
    if image.height <= height:
        return image
    width = max(1, round(image.width * height / image.height))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def size_figure(
    points: Sequence[tuple[str, float, float]],
    measured: Sequence[tuple[str, float, float]] = (),
    title: str = "",
) -> Figure:
    """PSNR against the number of parameters (Fig. 1).

    Args:
        points: Name, parameters in millions and PSNR in dB, as printed; HPINet is drawn as stars.
        measured: The same, as measured here; filled diamonds.
        title: Written above.

    Raises:
        ValueError: If there is no point.
    """
    if not points and not measured:
        raise ValueError("no points to draw")
    figure = Figure(figsize=(7.2, 4.8), layout="constrained")
    axes = figure.add_subplot()
    ours = [p for p in points if p[0].startswith("HPINet")]
    others = [p for p in points if p not in ours]
    kinds = (
        (others, "o", "#0072B2", "other networks, printed in the paper"),
        (ours, "*", "#D55E00", "HPINet, printed in the paper"),
        (list(measured), "D", "#009E73", "measured here"),
    )
    for some, marker, colour, label in kinds:
        if not some:
            continue
        names, sizes, values = zip(*some, strict=True)
        axes.scatter(
            sizes, values, marker=marker, s=120 if marker == "*" else 36, color=colour,
            edgecolors="black", linewidths=0.5, label=label, zorder=3,
        )  # fmt: skip
        for name, x, y in zip(names, sizes, values, strict=True):
            below = marker == "D"
            axes.annotate(
                name, (x, y), (5, -10 if below else 4), textcoords="offset points", fontsize=7.5
            )
    axes.set(title=title, xlabel="parameters (millions)", ylabel="PSNR-Y (dB)")
    axes.grid(alpha=0.3)
    axes.margins(x=0.12)
    axes.legend(fontsize=8, loc="lower right")
    return figure
