"""Showing figures in a notebook, each with the numbers that reproduce it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from .panels import figure_bytes

DPI = 110


def png(figure: Figure, dpi: int = DPI) -> bytes:
    """A figure as a small PNG, of 256 colours.

    Args:
        figure: A figure.
        dpi: Dots per inch.
    """
    with Image.open(io.BytesIO(figure_bytes(figure, dpi=dpi))) as image:
        # MAXCOVERAGE keeps rare colours, so that colour bars stay true.
        few = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3)
    data = io.BytesIO()
    few.save(data, "PNG", optimize=True)
    return data.getvalue()


def show(figure: Figure, dpi: int = DPI, **about: Any) -> None:
    """Display a figure, and below it what reproduces it.

    Args:
        figure: A figure.
        dpi: Dots per inch.
        **about: Image, window, parameters and the like; floats are rounded to four digits.
    """
    from IPython.display import Image as Shown
    from IPython.display import display

    display(Shown(png(figure, dpi), format="png"))
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
