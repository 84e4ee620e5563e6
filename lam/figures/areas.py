"""The Area of Interest over its picture, as the paper's Fig. 2c shows it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from lam.metrics.areas import AreaOfInterest

from .drawing import DARK, WHITE, Colour, Pixels, checked, font

# Okabe and Ito's colours, which colour-blind readers tell apart; lines differ in style besides.
YELLOW: Colour = (240, 228, 66)
BLUE: Colour = (0, 114, 178)
GREY: Colour = (170, 170, 170)

_TINT = 0.45
_LINE_HEIGHT = 24


def draw_area_of_interest(
    picture: ArrayLike, areas: AreaOfInterest | None, legend: bool = True
) -> Pixels:
    """The box of highest interest, the fine and the coarse area (Fig. 2c) over a picture.

    The picture turns grey, darker outside of the areas. The fine area is yellow with a solid
    outline, the coarse one grey with a dashed outline, the box a double line of blue and white.

    Args:
        picture: uint8 (H, W, 3), the LR or SR picture, H and W the same whole multiple of the
            areas' h and w.
        areas: From `areas.area_of_interest`; None draws no areas and the legend says so.
        legend: Add lines below the picture that name the areas and say what they hold. Pixels of
            the picture stay where they are.

    Returns:
        uint8 (H or more, W or more, 3).

    Raises:
        ValueError: If sizes do not fit.
    """
    pixels = checked(picture)
    luma = (pixels @ np.array([0.299, 0.587, 0.114]))[..., None] * np.ones(3)
    if areas is None:
        drawn, said = _rounded(0.5 * luma), [("", "no area: the map is zero everywhere")]
    else:
        drawn, said = _drawn(luma, areas), _legend(areas)
    return _with_legend(drawn, said) if legend else drawn


def _rounded(values: NDArray[np.float64]) -> Pixels:
    return np.floor(values + 0.5).astype(np.uint8)


def _drawn(luma: NDArray[np.float64], areas: AreaOfInterest) -> Pixels:
    height, width = areas.fine.shape
    scale = luma.shape[0] // height
    if scale < 1 or luma.shape[:2] != (height * scale, width * scale):
        raise ValueError(
            f"the picture of {luma.shape[1]}x{luma.shape[0]} pixels is no whole multiple of the "
            f"areas' {width}x{height}: enlarge the picture first"
        )
    fine, coarse = (m.repeat(scale, 0).repeat(scale, 1) for m in (areas.fine, areas.coarse))
    shown = 0.5 * luma
    for mask, colour in ((coarse, GREY), (fine, YELLOW)):
        shown[mask] = (1 - _TINT) * luma[mask] + _TINT * np.array(colour)
    thick = max(1, round(max(shown.shape[:2]) / 400))
    for mask, colour, dash in ((fine | coarse, WHITE, 6 * thick), (fine, YELLOW, 0)):
        shown[_edge(mask, thick + 1, 0)] = DARK
        shown[_edge(mask, thick, dash)] = colour
    canvas = Image.fromarray(_rounded(shown))
    left, top, wide, high = (v * scale for v in areas.box)
    _double_line(canvas, (left, top, left + wide - 1, top + high - 1), 2 * thick)
    return np.asarray(canvas)


def _edge(mask: NDArray[np.bool_], thick: int, dash: int) -> NDArray[np.bool_]:
    """Pixels within ``thick`` of the mask's border, in dashes of that length if it is not 0."""
    found = np.zeros_like(mask)
    for turned, edges in ((mask, found), (mask.T, found.T)):  # horizontal edges, then vertical
        rows, columns = np.nonzero(turned[1:] != turned[:-1])
        if dash:
            kept = columns // dash % 2 == 0
            rows, columns = rows[kept], columns[kept]
        for offset in range(1 - thick, thick + 1):
            edges[(rows + offset).clip(0, len(edges) - 1), columns] = True
    return found


def _double_line(canvas: Image.Image, box: tuple[int, int, int, int], width: int) -> None:
    draw, (left, top, right, bottom) = ImageDraw.Draw(canvas), box
    outer = (left - width, top - width, right + width, bottom + width)
    draw.rectangle(outer, outline=WHITE, width=width)
    draw.rectangle(box, outline=BLUE, width=width)


def _legend(areas: AreaOfInterest) -> list[tuple[str, str]]:
    wide, high = areas.box[2:]
    return [
        (
            "box",
            f"box of highest interest: {wide}x{high} LR pixels hold {areas.box_mass:.0%}"
            " of the importance",
        ),
        ("fine", f"fine area: {areas.fine.mean():.1%} of the pixels hold {areas.fine_mass:.0%}"),
        (
            "coarse",
            f"coarse area: {areas.coarse.mean():.1%} of the pixels hold {areas.coarse_mass:.0%}",
        ),
    ]


def _with_legend(drawn: Pixels, said: list[tuple[str, str]]) -> Pixels:
    letters, start = font(14), 52
    width = max(drawn.shape[1], *(start + 8 + int(letters.getlength(text)) + 1 for _, text in said))
    canvas = Image.new("RGB", (width, drawn.shape[0] + _LINE_HEIGHT * len(said) + 6), WHITE)
    canvas.paste(Image.fromarray(drawn), (0, 0))
    draw = ImageDraw.Draw(canvas)
    for number, (kind, text) in enumerate(said):
        middle = drawn.shape[0] + 4 + _LINE_HEIGHT * number + _LINE_HEIGHT // 2
        _sample(draw, kind, middle)
        draw.text((start if kind else 8, middle), text, DARK, letters, anchor="lm")
    return np.asarray(canvas)


def _sample(draw: ImageDraw.ImageDraw, kind: str, middle: int) -> None:
    box = (10, middle - 8, 42, middle + 8)
    if kind == "box":
        draw.rectangle(box, outline=BLUE, width=3)
    elif kind == "fine":
        draw.rectangle(box, fill=YELLOW, outline=DARK, width=2)
    elif kind == "coarse":
        draw.rectangle(box, fill=GREY)
        for left in range(10, 42, 8):
            for y in box[1::2]:
                draw.line([(left, y), (left + 4, y)], DARK, 2)
