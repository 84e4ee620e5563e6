"""The Area of Interest over its image, as the paper's Fig. 2c shows it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from lam.metrics.areas import AreaOfInterest

from .composition import with_legend
from .drawing import checked
from .heatmaps import whole_factor
from .palette import BLUE, DARK, GREY, WHITE, YELLOW, Colour, Pixels, luma, rounded

_TINT = 0.45


def draw_area_of_interest(
    image: ArrayLike, areas: AreaOfInterest | None, legend: bool = True
) -> Pixels:
    """The box of highest interest, the fine and the coarse area (Fig. 2c) over an image.

    The image turns grey, darker outside of the areas. The fine area is yellow with a solid
    outline, the coarse one grey with a dashed outline, the box a double line of blue and white.

    Args:
        image: uint8 (H, W, 3), the LR or SR image, H and W the same whole multiple of the areas'
            h and w.
        areas: From `areas.area_of_interest`; None draws no areas and the legend says so.
        legend: Add lines below the image that name the areas and say what they hold. Pixels of
            the image stay where they are.

    Returns:
        uint8 (H or more, W or more, 3).

    Raises:
        ValueError: If sizes do not fit.
    """
    grey = luma(checked(image)).repeat(3, axis=2)
    drawn = rounded(0.5 * grey) if areas is None else _drawn(grey, areas)
    return with_legend(drawn, _legend(areas)) if legend else drawn


def _drawn(grey: NDArray[np.float64], areas: AreaOfInterest) -> Pixels:
    """The areas over an image without colour, (H, W, 3) in grey levels."""
    scale = whole_factor(grey, areas.fine.shape)
    fine, coarse = (m.repeat(scale, 0).repeat(scale, 1) for m in (areas.fine, areas.coarse))
    shown = 0.5 * grey
    for mask, colour in ((coarse, GREY), (fine, YELLOW)):
        shown[mask] = (1 - _TINT) * grey[mask] + _TINT * np.array(colour)
    thick = max(1, round(max(shown.shape[:2]) / 400))
    for mask, colour, dash in ((fine | coarse, WHITE, 6 * thick), (fine, YELLOW, 0)):
        shown[_edge(mask, thick + 1, 0)] = DARK
        shown[_edge(mask, thick, dash)] = colour
    canvas = Image.fromarray(rounded(shown))
    left, top, wide, high = (v * scale for v in areas.box)
    right, bottom, width = left + wide - 1, top + high - 1, 2 * thick
    draw = ImageDraw.Draw(canvas)
    outer = (left - width, top - width, right + width, bottom + width)
    draw.rectangle(outer, outline=WHITE, width=width)
    draw.rectangle((left, top, right, bottom), outline=BLUE, width=width)
    return np.asarray(canvas)


def _edge(mask: NDArray[np.bool_], thick: int, dash: int) -> NDArray[np.bool_]:
    """Pixels within ``thick`` of the mask's border, in dashes of that length if it is not 0."""
    found = np.zeros_like(mask)
    # Borders between rows, then, on transposed views, between columns.
    for turned, edges in ((mask, found), (mask.T, found.T)):
        rows, columns = np.nonzero(turned[1:] != turned[:-1])
        if dash:
            kept = columns // dash % 2 == 0
            rows, columns = rows[kept], columns[kept]
        for offset in range(1 - thick, thick + 1):
            edges[(rows + offset).clip(0, len(edges) - 1), columns] = True
    return found


def _legend(areas: AreaOfInterest | None) -> list[tuple[Pixels | None, str]]:
    if areas is None:
        return [(None, "no area: the map is zero everywhere")]
    wide, high = areas.box[2:]
    box = f"box of highest interest: {wide}x{high} LR pixels hold {areas.box_mass:.0%}"
    fine, coarse = (f"{mask.mean():.1%} of the pixels hold" for mask in (areas.fine, areas.coarse))
    return [
        (_sample(BLUE, None), f"{box} of the importance"),
        (_sample(DARK, YELLOW), f"fine area: {fine} {areas.fine_mass:.0%}"),
        (_sample(DARK, GREY, dashed=True), f"coarse area: {coarse} {areas.coarse_mass:.0%}"),
    ]


def _sample(line: Colour, fill: Colour | None, dashed: bool = False) -> Pixels:
    """What an area looks like, for the legend."""
    canvas = Image.new("RGB", (36, 24), WHITE)
    draw, box = ImageDraw.Draw(canvas), (2, 4, 34, 20)
    draw.rectangle(box, fill, None if dashed else line, width=2)
    for left in range(2, 34, 8) if dashed else ():
        for y in (4, 20):
            draw.line([(left, y), (left + 4, y)], line, 2)
    return np.asarray(canvas)
