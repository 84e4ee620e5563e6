"""Showing figures in a notebook, each with the numbers that reproduce it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from .drawing import checked

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

DPI = 80


def png(figure: Figure | ArrayLike, dpi: int = DPI, compact: bool = False) -> bytes:
    """A figure or image as PNG.

    Args:
        figure: A matplotlib Figure, or uint8 pixels (H, W, 3).
        dpi: Of a Figure.
        compact: Reduce it to 256 colours, which makes drawings and enlarged images a third of
            their size. Rare colours keep their place, so that colour bars stay true.

    Raises:
        ValueError: If it is neither.
    """
    if isinstance(figure, Figure):
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=dpi)
        image = Image.open(drawn).convert("RGB")
    else:
        image = Image.fromarray(checked(figure))
    if compact:
        image = image.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
    data = io.BytesIO()
    image.save(data, "PNG", optimize=True)
    return data.getvalue()


def show(figure: Figure | ArrayLike, dpi: int = DPI, compact: bool = False, **about: Any) -> None:
    """Display a figure, and below it what reproduces it.

    Args:
        figure: A matplotlib Figure, or uint8 pixels (H, W, 3).
        dpi: Of a Figure.
        compact: As in `png`.
        **about: Image, window, parameters and the like; floats are rounded to four digits.
    """
    from IPython.display import Image as Shown
    from IPython.display import display

    display(Shown(png(figure, dpi, compact), format="png"))
    print(describe(**about))


def show_table(markdown: str, **about: Any) -> None:
    """Display Markdown, such as a table, and below it what reproduces it."""
    from IPython.display import Markdown, display

    display(Markdown(markdown))
    if about:
        print(describe(**about))


def describe(**about: Any) -> str:
    """Names and values in one line: ``picture: Cat; window: left 76, top 88, size 16``."""
    return "; ".join(f"{name.replace('_', ' ')}: {_plain(value)}" for name, value in about.items())


def _plain(value: Any) -> str:
    if all(hasattr(value, name) for name in ("left", "top", "size")):
        return f"left {value.left}, top {value.top}, size {value.size} (SR pixels)"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(one) for one in value)
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    return str(value)
