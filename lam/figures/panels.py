"""The style of all figures, and the panels that they are made of.

Figures are matplotlib's, belong to no window, and are `SINGLE` or `DOUBLE` inches wide: a column
or a page of a paper. Images and maps are drawn in LR pixels, whatever their size.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import FuncNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import ArrayLike, NDArray

from .overlay import Square, checked_image
from .palette import DARK, HIGHLIGHT, Colour, Pixels, hexadecimal, luma, rounded

SINGLE, DOUBLE = 3.5, 7.16
"""Widths in inches."""

DPI = 200
"""Of PNG files."""

STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "figure.titlesize": 9,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "hatch.linewidth": 0.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # TrueType, which journals ask for
    "svg.fonttype": "none",
}

BELOW: dict[str, Any] = {
    "loc": "upper center",
    "bbox_to_anchor": (0.5, -0.01),
    "ncols": 2,
    "frameon": False,
    "fontsize": 6.5,
    "handlelength": 1.8,
    "borderpad": 0,
    "labelspacing": 0.2,
}
"""Of a legend below an image."""

styled = rc_context(STYLE)
"""Decorates functions that make figures."""


def new_figure(
    width: float, height: float, title: str = "", rows: int = 1, columns: int = 1, **grid: Any
) -> tuple[Figure, NDArray[Any]]:
    """A figure of so many inches and its axes (rows, columns); ``grid`` as for `subplots`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    if title:
        figure.suptitle(title)
    panels = figure.subplots(rows, columns, squeeze=False, **grid)
    for axes in panels.flat:  # ticks are made when they are drawn, by the style of that time
        for kind in ("x", "y"):
            axes.tick_params(axis=kind, labelsize=STYLE[f"{kind}tick.labelsize"], width=0.6)
    return figure, panels


def fitted(figure: Figure) -> Figure:
    """The figure as high as its images, whose aspect is fixed, need at its width."""
    width = figure.get_figwidth()
    figure.set_layout_engine("compressed")
    figure.set_size_inches(width, 1.5 * width)
    for _ in range(5):  # gaps are shares of the height, so it is found step by step
        before = figure.get_figheight()
        figure.draw_without_rendering()  # places the panels
        figure.set_size_inches(width, figure.get_tightbbox().height + 0.08)
        if abs(figure.get_figheight() - before) < 0.1:
            break
    return figure


def show_image(
    axes: Any, image: ArrayLike, size: Sequence[float] | NDArray[Any], title: str = ""
) -> Any:
    """An image or map that covers ``size`` = (h, w) LR pixels, without ticks."""
    height, width = size[:2]
    axes.set(xticks=[], yticks=[], title=title, anchor="N")
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    return axes.imshow(image, interpolation="nearest", extent=extent)


def show_map(
    axes: Any,
    image: Pixels,
    values: ArrayLike,
    norm: Normalize,
    colours: str,
    title: str = "",
    strength: float = 0.7,
) -> Any:
    """A map (h, w) over its image in grey; the map's artist, for a colour bar."""
    array = np.asarray(values)
    show_image(axes, luma(image)[..., 0], array.shape, title).set(cmap="gray", clim=(0, 255))
    shown = show_image(axes, array, array.shape, title)
    # Where the value is 0 in the middle of the colours, the image stays to be seen.
    faint = (array == 0) & (norm.vmin != 0)
    shown.set(cmap=colormaps[colours], norm=norm, alpha=np.where(faint, strength / 2, strength))
    return shown


def signed_root(values: ArrayLike) -> NDArray[np.float64]:
    """The square root of the size, with the sign."""
    found = np.asarray(values, np.float64)
    return np.sign(found) * np.sqrt(np.abs(found))


def signed_square(values: ArrayLike) -> NDArray[np.float64]:
    """What `signed_root` undoes."""
    found = np.asarray(values, np.float64)
    return np.sign(found) * found**2


def colour_scale(limit: float, signed: bool = False, root: bool = True) -> Normalize:
    """Colours from 0, or from -limit, to the limit, linear or by the square root."""
    low = -limit if signed else 0.0
    if root:
        return FuncNorm((signed_root, signed_square), low, limit)
    return Normalize(low, limit)


def colour_bar(shown: Any, axes: Any, label: str, location: str = "bottom", **options: Any) -> Any:
    """A colour bar with ticks, in full colours, beside one pair of axes or an array of them."""
    where = list(np.ravel(axes))
    norm, columns = shown.norm, len({a.get_subplotspec().colspan.start for a in where})
    if isinstance(norm, FuncNorm):
        signed = np.array([-1, -0.25, 0, 0.25, 1] if columns > 1 else [-1, 0, 1])
        shares = signed if norm.vmin else np.array([0, 0.25, 1])  # even by the square root
        options |= {"ticks": norm.vmax * shares, "format": "%.2g"}
        options["extend"] = "both" if norm.vmin else "max"  # limits are percentiles
    options = {"pad": 0.02, "aspect": 18 * columns, "panchor": False, **options}
    bar = where[0].figure.colorbar(shown, ax=where, location=location, label=label, **options)
    bar.ax.tick_params(labelsize=STYLE["xtick.labelsize"], width=0.6)
    bar.ax.minorticks_off()
    bar.outline.set_linewidth(0.6)
    bar.solids.set_alpha(1)
    return bar


def draw_box(
    axes: Any,
    corner: tuple[float, float],
    width: float,
    height: float,
    colour: Colour = HIGHLIGHT,
    dashed: bool = False,
) -> None:
    """Outline a box with a dark rim; (left, top) and sides in LR pixels, 0 at the image's edge."""
    line = Rectangle(
        (corner[0] - 0.5, corner[1] - 0.5), width, height, fill=False, lw=1.2,
        ec=hexadecimal(colour), ls=(0, (3, 2)) if dashed else "-",
    )  # fmt: skip
    line.set_path_effects([Stroke(linewidth=2.6, foreground=hexadecimal(DARK)), Normal()])
    axes.add_patch(line)


def draw_window(axes: Any, window: Square, scale: float) -> None:
    """Outline a window of SR pixels."""
    side = window.size / scale
    draw_box(axes, (window.left / scale, window.top / scale), side, side)


def pale(image: ArrayLike) -> Pixels:
    """The image without colour and paler, so that colour means what is drawn."""
    return rounded((0.7 * luma(checked_image(image)) + 60).clip(0, 255)).repeat(3, axis=2)


@styled
def figure_bytes(figure: Figure, kind: str = "png", dpi: int = DPI) -> bytes:
    """A figure as a file, in memory.

    Args:
        figure: A figure of this package.
        kind: ``"png"``, ``"pdf"`` or ``"svg"``; text in a PDF is TrueType (Type 42).
        dpi: Dots per inch of pixels.
    """
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=dpi)
    return file.getvalue()


@styled
def figure_pixels(figure: Figure, dpi: int = DPI) -> Pixels:
    """A figure as uint8 (H, W, 3)."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
