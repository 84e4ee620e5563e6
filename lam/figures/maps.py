"""Figures of one attribution or causal effect map. Arrays in, a matplotlib Figure out."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from hpinet.errors import UserError
from lam.metrics.areas import area_of_interest
from lam.metrics.diffusion import checked_map

from . import panels
from .overlay import Square, areas_overlay, checked_image, checked_values, colour_limit, enlarge
from .palette import BLUE, DIVERGING, GREY, SEQUENTIAL, YELLOW, Pixels, hexadecimal


@panels.styled
def attribution_figure(
    image: ArrayLike,
    attribution: ArrayLike,
    importance: ArrayLike,
    window: Square,
    scale: float,
    title: str = "",
    *,
    limit: float | None = None,
    root: bool = True,
    colours: str = SEQUENTIAL,
    strength: float = 0.7,
) -> Figure:
    """A local attribution map as in the paper's Fig. 2: window, importance, sign, areas.

    Args:
        image: uint8 (H, W, 3), LR or SR: H and W are a whole multiple of h and w.
        attribution: (3, h, w), as of a `lam.LocalAttributionResult`.
        importance: (h, w), likewise.
        window: In SR pixels.
        scale: SR pixels per LR pixel.
        title: Written above.
        limit: Value of the last colour of both maps; `colour_limit` of the importance by default.
        root: Colour by the square root, which lifts faint values.
        colours: Matplotlib colour map of the importance.
        strength: Of the maps over the image, in [0, 1].
    """
    pixels, values = checked_image(image), checked_values(importance)
    end = limit or colour_limit([values])
    figure, grid = panels.new_figure(panels.DOUBLE, 3, title, 1, 4)
    first, second, third, last = grid[0]
    panels.show_image(first, pixels, values.shape, "(a) window")
    norm = panels.colour_scale(end, root=root)
    shown = panels.show_map(second, pixels, values, norm, colours, "(b) importance", strength)
    panels.colour_bar(shown, second, "|contribution|")
    signed, norm = np.asarray(attribution).sum(0), panels.colour_scale(end, True, root)
    shown = panels.show_map(third, pixels, signed, norm, DIVERGING, "(c) sign", strength)
    panels.colour_bar(shown, third, "contribution to the detector")
    for axes in (first, second, third):
        panels.draw_window(axes, window, scale)
    _show_areas(last, pixels, values)
    return panels.fitted(figure)


def _show_areas(axes: Any, image: Pixels, importance: NDArray[np.float64]) -> None:
    """The Area of Interest, and below it the share of the importance in each area."""
    areas = area_of_interest(importance)
    large = enlarge(image, max(1, 512 // max(image.shape)))  # so that the box's line is thin
    panels.show_image(axes, areas_overlay(large, areas), importance.shape, "(d) Area of Interest")
    if areas is None:
        axes.set_xlabel("no area: the map is zero")
        return
    width, height = areas.box[2:]
    named = (
        (f"box {width}x{height} LR pixels: {areas.box_mass:.0%}", BLUE, False),
        (f"fine, {areas.fine.mean():.1%} of pixels: {areas.fine_mass:.0%}", YELLOW, True),
        (f"coarse, {areas.coarse.mean():.1%} of pixels: {areas.coarse_mass:.0%}", GREY, True),
    )
    handles = [Patch(color=hexadecimal(c), fill=fill, label=text) for text, c, fill in named]
    axes.legend(handles=handles, **{**panels.BELOW, "ncols": 1})


@panels.styled
def effect_figure(
    image: ArrayLike,
    effects: ArrayLike,
    window: Square,
    scale: float,
    unit: str = "dB",
    title: str = "",
    *,
    limit: float | None = None,
    root: bool = True,
) -> Figure:
    """A causal effect map (h, w) beside its image; arguments as of `attribution_figure`.

    Effects in dB have a sign: red helps, blue harms.
    """
    pixels, values = checked_image(image), checked_values(effects)
    figure, grid = panels.new_figure(panels.DOUBLE * 0.6, 3, title, 1, 2)
    first, second = grid[0]
    panels.show_image(first, pixels, values.shape, "window")
    shown = show_effects(second, pixels, values, limit or colour_limit([values]), unit, root)
    second.set_title("causal effect")
    panels.colour_bar(shown, second, effect_label(unit))
    for axes in (first, second):
        panels.draw_window(axes, window, scale)
    return panels.fitted(figure)


def show_effects(
    axes: Any, image: Pixels, values: ArrayLike, limit: float, unit: str, root: bool = True
) -> Any:
    """Effects over their image."""
    signed = unit == "dB"
    norm = panels.colour_scale(limit, signed, root)
    return panels.show_map(axes, image, values, norm, DIVERGING if signed else SEQUENTIAL)


def effect_label(unit: str) -> str:
    """What the colours of effects mean."""
    says = "red helps, blue harms" if unit == "dB" else "change of the window"
    return f"effect of a block ({unit})\n{says}"


@panels.styled
def signed_figure(
    values: ArrayLike,
    title: str = "",
    unit: str = "contribution to the detector",
    pixels: str = "LR pixels",
) -> Figure:
    """A signed map: red is positive, blue negative, white 0.

    Args:
        values: (h, w), finite, such as an attribution summed over its channels.
        title: Written above.
        unit: What the numbers count.
        pixels: What the axes count.
    """
    array = checked_values(values)
    bound = colour_limit([array])
    figure, grid = panels.new_figure(panels.SINGLE, 3, title)
    axes = grid[0, 0]
    shown = axes.imshow(array, cmap=DIVERGING, vmin=-bound, vmax=bound, interpolation="nearest")
    axes.set(xlabel=f"column ({pixels})", ylabel=f"row ({pixels})")
    panels.colour_bar(shown, axes, unit, "right", extend="both")
    return panels.fitted(figure)


def importance_difference(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Where one map has more of its importance than another, (h, w), in shares; it sums to 0.

    Each map counts as shares of its own sum: detectors of two networks differ in size, where their
    importance lies compares.

    Raises:
        UserError: If sizes differ, or a map is not valid or has no mass.
    """
    maps = [checked_map(m) for m in (first, second)]
    if maps[0].shape != maps[1].shape:
        raise UserError(
            f"maps to compare must be of one size, not {maps[0].shape} and {maps[1].shape}"
        )
    if not all(m.any() for m in maps):
        raise UserError("a map of zeros has no shares to compare")
    shares = [m / m.max() for m in maps]
    return np.asarray(shares[0] / shares[0].sum() - shares[1] / shares[1].sum())


def difference_figure(
    first: ArrayLike, second: ArrayLike, labels: tuple[str, str] = ("first", "second")
) -> Figure:
    """`importance_difference` in percent: red where the first map has more of its importance."""
    values = 100 * importance_difference(first, second)
    title = f"{labels[0]} (red) less {labels[1]} (blue)"
    return signed_figure(values, title, "percent of the importance, per pixel")
