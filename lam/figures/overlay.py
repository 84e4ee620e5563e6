"""Maps and windows drawn on pixel arrays, for the page and the API; figures with axes: `maps`.

Images are uint8 RGB (H, W, 3); a map (h, w) lies over an image that is a whole multiple as large.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpinet.errors import UserError
from lam.metrics.areas import AreaOfInterest

from . import palette
from .palette import Colour, Pixels, coloured, luma, rounded

_TINT = 0.45  # of areas, over a darkened image


class Square(Protocol):
    """Anything with a corner and a size in pixels, such as `lam.Window`."""

    @property
    def left(self) -> int: ...  # noqa: D102
    @property
    def top(self) -> int: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102


def checked_image(image: ArrayLike) -> Pixels:
    """The image, if it is uint8 (H, W, 3) and not empty; else a `UserError`."""
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise UserError(f"an image must be uint8 (H, W, 3), not {pixels.dtype} {pixels.shape}")
    return pixels


def checked_values(values: ArrayLike) -> NDArray[np.float64]:
    """The map, if it is finite and (h, w); else a `UserError`."""
    array = np.asarray(values, np.float64)
    if array.ndim != 2 or array.size == 0 or not np.isfinite(array).all():
        raise UserError(f"a map must be finite and shaped (h, w), not {array.shape}")
    return array


def enlarge(image: ArrayLike, factor: int) -> Pixels:
    """Nearest-neighbour enlargement of uint8 (H, W, 3) by a whole factor."""
    if factor < 1:
        raise UserError(f"the factor must be at least 1, not {factor}")
    pixels = checked_image(image).repeat(factor, axis=0).repeat(factor, axis=1)
    return np.ascontiguousarray(pixels)


def enlarging_factor(height: int, width: int, at_least: int = 640, at_most: int = 1600) -> int:
    """The factor for `enlarge` that makes the longer side ``at_least`` and not over ``at_most``."""
    side = max(height, width, 1)
    return max(1, min(-(-at_least // side), at_most // side))


def colour_limit(maps: Sequence[ArrayLike], percentile: float = 99.5) -> float:
    """The absolute value at the end of a colour scale that several maps share; positive.

    The percentile, in (0, 100], is of the absolute values: below 100 a few outliers saturate.
    """
    if not maps:
        raise UserError("a colour limit needs at least one map")
    if not 0 < percentile <= 100:
        raise UserError(f"the percentile must be in (0, 100], not {percentile}")
    sizes = [np.abs(np.asarray(m, np.float64)) for m in maps]
    limit = max(float(np.percentile(size, percentile)) for size in sizes)
    # A map with a single bright pixel has a percentile of 0: its maximum then, and 1 without any.
    return limit or max(float(size.max()) for size in sizes) or 1.0


def heatmap(
    importance: ArrayLike,
    vmax: float | None = None,
    root: bool = False,
    colours: str = palette.SEQUENTIAL,
) -> Pixels:
    """A map (h, w) that is not negative in colours (h, w, 3), on request by the square root.

    The value ``vmax`` takes the last colour; `colour_limit` by default.
    """
    values = checked_values(importance)
    shares = (values / (vmax or colour_limit([values]))).clip(0, 1)
    return coloured(np.sqrt(shares) if root else shares, colours)


def signed_map(values: ArrayLike, limit: float | None = None, root: bool = False) -> Pixels:
    """A signed map (h, w) in colours (h, w, 3): red is positive, blue negative, white 0.

    The limit takes the last red, its negative the last blue; `colour_limit` by default.
    """
    array = checked_values(values)
    bound = colour_limit([array]) if limit is None else limit
    if not bound > 0:
        raise UserError(f"the limit of a signed map must be positive, not {bound}")
    shares = (array / bound).clip(-1, 1)
    if root:
        shares = np.sign(shares) * np.sqrt(np.abs(shares))
    return coloured(shares / 2 + 0.5, palette.DIVERGING)


def heatmap_overlay(
    image: ArrayLike,
    importance: ArrayLike,
    strength: float = 0.6,
    vmax: float | None = None,
    root: bool = False,
    colours: str = palette.SEQUENTIAL,
) -> Pixels:
    """`heatmap` over its image, which turns grey; a strength of 0 shows the image, 1 the map."""
    layer = heatmap(importance, vmax, root, colours)
    return _blended(image, layer, np.full(layer.shape[:2], _checked_strength(strength)))


def signed_overlay(
    image: ArrayLike,
    values: ArrayLike,
    strength: float = 0.7,
    limit: float | None = None,
    root: bool = False,
) -> Pixels:
    """`signed_map` over its image, which turns grey; half as strong where the value is 0."""
    share = _checked_strength(strength)
    layer = signed_map(values, limit, root)
    return _blended(image, layer, np.where(np.asarray(values) == 0, share / 2, share))


def areas_overlay(image: ArrayLike, areas: AreaOfInterest | None) -> Pixels:
    """The Area of Interest (Fig. 2c) on its image, which turns dark and grey.

    The fine area is yellow, the coarse one grey, the box outlined in blue; None draws none.
    """
    grey = luma(checked_image(image)).repeat(3, axis=2)
    shown = 0.5 * grey
    if areas is None:
        return rounded(shown)
    factor = whole_factor(grey.shape[:2], areas.fine.shape)
    for mask, colour in ((areas.coarse, palette.GREY), (areas.fine, palette.YELLOW)):
        inside = mask.repeat(factor, 0).repeat(factor, 1)
        shown[inside] = (1 - _TINT) * grey[inside] + _TINT * np.array(colour)
    left, top, width, height = (v * factor for v in areas.box)
    return _outlined(rounded(shown), (left, top, left + width, top + height), palette.BLUE)


def draw_window(
    image: ArrayLike, window: Square, scale: float = 1, colour: Colour = palette.HIGHLIGHT
) -> Pixels:
    """A copy with an outline around a square of ``scale`` pixels a unit; its inside stays."""
    left, top = round(window.left * scale), round(window.top * scale)
    side = max(1, round(window.size * scale))
    return _outlined(checked_image(image), (left, top, left + side, top + side), colour)


def whole_factor(image: tuple[int, ...], size: tuple[int, ...]) -> int:
    """How many times as large as a map of (h, w) an image of (H, W) is; a whole number."""
    (height, width), factor = size, image[0] // size[0]
    if factor < 1 or image != (height * factor, width * factor):
        raise UserError(
            f"the image of {image[1]}x{image[0]} pixels is no whole multiple of the map of "
            f"{width}x{height}: enlarge the image first"
        )
    return factor


def _checked_strength(strength: float) -> float:
    if not 0 <= strength <= 1:
        raise UserError(f"the strength must be in [0, 1], not {strength}")
    return strength


def _blended(image: ArrayLike, layer: Pixels, share: NDArray[np.float64]) -> Pixels:
    """A layer (h, w, 3) over an image in grey, each pixel by its share (h, w)."""
    pixels = checked_image(image)
    factor = whole_factor(pixels.shape[:2], layer.shape[:2])
    weight = share.repeat(factor, axis=0).repeat(factor, axis=1)[..., None]
    return rounded((1 - weight) * luma(pixels) + weight * enlarge(layer, factor))


def _outlined(image: Pixels, box: tuple[int, int, int, int], colour: Colour) -> Pixels:
    """A copy with a line around (left, top, right, bottom), and a dark rim around the line."""
    drawn, width = image.copy(), max(1, round(max(image.shape[:2]) / 256))
    left, top, right, bottom = box
    for margin, paint in ((3 * width, palette.DARK), (width, colour)):
        rows = slice(max(0, top - margin), bottom + margin)
        drawn[rows, max(0, left - margin) : right + margin] = paint
    drawn[top:bottom, left:right] = image[top:bottom, left:right]
    return drawn
