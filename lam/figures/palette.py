"""The colours, colour maps, line styles and markers of all figures.

Colours are Okabe and Ito's, which colour-blind readers tell apart; figures never tell things apart
by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import ArrayLike, NDArray

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

ORANGE: Colour = (230, 159, 0)
SKY_BLUE: Colour = (86, 180, 233)
GREEN: Colour = (0, 158, 115)
YELLOW: Colour = (240, 228, 66)
BLUE: Colour = (0, 114, 178)
VERMILION: Colour = (213, 94, 0)
PURPLE: Colour = (204, 121, 167)
GREY: Colour = (170, 170, 170)
WHITE: Colour = (255, 255, 255)
DARK: Colour = (17, 17, 17)

HIGHLIGHT: Colour = (255, 176, 0)
"""Of windows and matches on images: brighter than `ORANGE`, seen on any image over a dark rim."""

SEQUENTIAL, DIVERGING, COUNTS = "inferno", "RdBu_r", "viridis"
"""Names of matplotlib's colour maps: of importance, of signed values, of counts."""

BLOCK_COLOURS = (ORANGE, SKY_BLUE, GREEN, YELLOW, BLUE, VERMILION, PURPLE, WHITE)
"""A colour a block. With more blocks than colours they begin anew, so a block's number always
stands beside its colour."""

_SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY_BLUE, VERMILION)
_MARKERS = "os^Dvx"
_LINE_STYLES = ("-", "--", "-.", ":")
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def hexadecimal(colour: Colour) -> str:
    """The colour as matplotlib takes it: ``#0072b2``."""
    return "#" + bytes(colour).hex()


def series(number: int, dashes: bool = False) -> Mapping[str, Any]:
    """Colour and marker of a line by its number, and on request its dashes, for ``axes.plot``."""
    style = {
        "color": hexadecimal(_SERIES[number % len(_SERIES)]),
        "marker": _MARKERS[number % len(_MARKERS)],
    }
    return {**style, "linestyle": _LINE_STYLES[number % len(_LINE_STYLES)]} if dashes else style


def rounded(values: NDArray[np.float64]) -> Pixels:
    """Grey levels in [0, 255] to the nearest uint8, halves up."""
    return np.floor(values + 0.5).astype(np.uint8)


def coloured(shares: ArrayLike, colour_map: str) -> Pixels:
    """Shares in [0, 1] of a colour map's range, (h, w), as colours (h, w, 3)."""
    return rounded(colormaps[colour_map](np.asarray(shares))[..., :3] * 255)


def luma(image: Pixels) -> NDArray[np.float64]:
    """The brightness (H, W, 1) of an image (H, W, 3), in grey levels."""
    return (image @ _LUMA)[..., None]
