"""Images of attribution maps. Of matched patches: `lam.figures.matches`.

Arrays in, uint8 RGB (H, W, 3) out. Nothing here keeps state, opens a window or reads a file: a
page, a notebook and a command draw the same image from the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpinet.errors import UserError

from .drawing import canvas_of, checked, outline
from .palette import DIVERGING, HIGHLIGHT, SEQUENTIAL, Colour, Pixels, coloured, luma, rounded


class Square(Protocol):
    """Anything with a corner and a size in pixels, such as `lam.Window`."""

    @property
    def left(self) -> int: ...  # noqa: D102
    @property
    def top(self) -> int: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102


def enlarge(image: ArrayLike, factor: int) -> Pixels:
    """Repeat every pixel ``factor`` times in both directions: larger, and every pixel still itself.

    Args:
        image: uint8 (H, W, 3).
        factor: From 1 up.

    Returns:
        uint8 (H * factor, W * factor, 3).

    Raises:
        ValueError: If the image or the factor does not fit.
    """
    pixels = checked(image)
    if factor < 1:
        raise UserError(f"the factor must be at least 1, not {factor}")
    return np.ascontiguousarray(pixels.repeat(factor, axis=0).repeat(factor, axis=1))


def enlarging_factor(height: int, width: int, at_least: int = 640, at_most: int = 1600) -> int:
    """The factor for `enlarge` that makes the longer side ``at_least`` and not over ``at_most``."""
    side = max(height, width, 1)
    return max(1, min(-(-at_least // side), at_most // side))


def colour_limit(importances: Sequence[ArrayLike], percentile: float = 99.5) -> float:
    """The value that takes the end of the colour scale, one for all maps that are to be compared.

    Args:
        importances: Maps, (h, w) each, not negative; their sizes may differ.
        percentile: In (0, 100]. Below 100 a few outliers saturate and the rest becomes visible.

    Returns:
        A positive number; 1 when all maps are zero.

    Raises:
        ValueError: If there is no map or the percentile is out of range.
    """
    if not importances:
        raise UserError("a colour limit needs at least one map")
    if not 0 < percentile <= 100:
        raise UserError(f"the percentile must be in (0, 100], not {percentile}")
    values = [np.asarray(m, np.float64) for m in importances]
    limit = max(float(np.percentile(v, percentile)) for v in values)
    # A map with a single bright pixel has a percentile of 0: its maximum then, and 1 without any.
    return limit or max(float(v.max()) for v in values) or 1.0


def heatmap(
    importance: ArrayLike,
    vmax: float | None = None,
    percentile: float = 99.5,
    root: bool = False,
    colours: str = SEQUENTIAL,
) -> Pixels:
    """A map in colours.

    Args:
        importance: (h, w), finite and not negative.
        vmax: Value that takes the last colour; from `colour_limit` by default.
        percentile: For that default.
        root: Colour by the square root, which lifts faint values.
        colours: Name of a matplotlib colour map.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: If the map is not two-dimensional or holds values that are not numbers.
    """
    values = _checked_map(importance)
    limit = vmax if vmax is not None and vmax > 0 else colour_limit([values], percentile)
    shares = (values / limit).clip(0, 1)
    return coloured(np.sqrt(shares) if root else shares, colours)


def whole_factor(image: NDArray[Any], size: tuple[int, ...]) -> int:
    """How many times as large as a map of (h, w) the image is.

    Raises:
        ValueError: If it is no whole multiple.
    """
    (height, width), factor = size, image.shape[0] // size[0]
    if factor < 1 or image.shape[:2] != (height * factor, width * factor):
        raise UserError(
            f"the image of {image.shape[1]}x{image.shape[0]} pixels is no whole multiple of "
            f"the map of {width}x{height}: enlarge the image first"
        )
    return factor


def heatmap_overlay(
    image: ArrayLike,
    importance: ArrayLike,
    strength: float = 0.6,
    vmax: float | None = None,
    percentile: float = 99.5,
    root: bool = False,
    colours: str = SEQUENTIAL,
) -> Pixels:
    """A map over its image, which turns grey so that colour means importance only.

    Args:
        image: uint8 (H, W, 3), H and W the same whole multiple of h and w.
        importance: (h, w), finite and not negative. A map of zeros draws as zeros.
        strength: 0 shows the image alone, 1 the map alone.
        vmax: As in `heatmap`.
        percentile: As in `heatmap`.
        root: As in `heatmap`.
        colours: As in `heatmap`.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ValueError: If sizes do not fit or the strength is not in [0, 1].
    """
    pixels = checked(image)
    if not 0 <= strength <= 1:
        raise UserError(f"the strength must be in [0, 1], not {strength}")
    layer = heatmap(importance, vmax, percentile, root, colours)
    factor = whole_factor(pixels, layer.shape[:2])
    return rounded((1 - strength) * luma(pixels) + strength * enlarge(layer, factor))


def signed_limit(values: ArrayLike, percentile: float = 99.5) -> float:
    """The value that takes the last colour of a signed map; its negative takes the first.

    Args:
        values: (h, w), finite.
        percentile: Of the values' sizes, in (0, 100].

    Returns:
        A positive number; 1 when all values are zero.

    Raises:
        ValueError: If the map is not two-dimensional or not finite, or the percentile no such.
    """
    return colour_limit([np.abs(_checked_map(values))], percentile)


def signed_map(values: ArrayLike, limit: float | None = None, percentile: float = 99.5) -> Pixels:
    """A signed map in colours: red for what adds, blue for what takes away, white for 0.

    Red and blue of this scale differ for colour-blind readers too; the ends are equally far from 0,
    so depth of colour means size on either side.

    Args:
        values: (h, w), finite, such as an attribution summed over its channels.
        limit: Value of the last red; its negative is the last blue. From `signed_limit` by default.
        percentile: For that default.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: If the map is not two-dimensional or not finite, or the limit not positive.
    """
    array = _checked_map(values)
    bound = signed_limit(array, percentile) if limit is None else limit
    if not bound > 0:
        raise UserError(f"the limit of a signed map must be positive, not {bound}")
    # -bound, 0 and bound are the first, the middle and the last colour.
    return coloured((array / bound).clip(-1, 1) / 2 + 0.5, DIVERGING)


def signed_overlay(
    image: ArrayLike,
    values: ArrayLike,
    strength: float = 0.7,
    limit: float | None = None,
    percentile: float = 99.5,
) -> Pixels:
    """A signed map over its image, which turns grey; see `signed_map` for the colours.

    Args:
        image: uint8 (H, W, 3), H and W the same whole multiple of h and w.
        values: (h, w), finite.
        strength: 0 shows the image alone, 1 the map alone; less where the value is 0: there it
            is half of it, so that the image stays to be seen.
        limit: As in `signed_map`.
        percentile: As in `signed_map`.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ValueError: If sizes do not fit or the strength is not in [0, 1].
    """
    pixels = checked(image)
    if not 0 <= strength <= 1:
        raise UserError(f"the strength must be in [0, 1], not {strength}")
    layer = signed_map(values, limit, percentile)
    factor = whole_factor(pixels, layer.shape[:2])
    zero = (np.asarray(values) == 0).repeat(factor, axis=0).repeat(factor, axis=1)
    share = np.where(zero, strength / 2, strength)[..., None]
    return rounded((1 - share) * luma(pixels) + share * enlarge(layer, factor))


def _checked_map(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.ndim != 2 or array.size == 0 or not np.isfinite(array).all():
        raise UserError(f"a map must be finite and shaped (h, w), not {array.shape}")
    return array


def draw_window(
    image: ArrayLike,
    window: Square,
    scale: float = 1,
    colour: Colour = HIGHLIGHT,
    label: str | None = None,
    dashed: bool = False,
) -> Pixels:
    """Outline a square; its inside stays untouched.

    Args:
        image: uint8 (H, W, 3).
        window: Corner and size, in units of ``scale`` pixels of the image.
        scale: Pixels of the image per unit: the enlargement, or 1 / s for an SR window on LR.
        colour: RGB of the outline, which gets a dark rim.
        label: A word written at the outline.
        dashed: Broken outline, to tell two squares apart without colour.

    Returns:
        uint8 (H, W, 3), a copy.
    """
    canvas = canvas_of(image)
    corner = (window.left * scale, window.top * scale)
    outline(canvas, (*corner, window.size * scale), colour, label, dashed)
    return np.asarray(canvas)
