"""Theme, style sheet, JavaScript, and pieces of HTML: each a template of `ui/views/templates`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_HERE = Path(__file__).parent

# The semi-bold face that gradio 6 ships holds hardly any Latin letters: name the sound ones only.
THEME = gr.themes.Default(
    primary_hue="orange",
    secondary_hue="slate",
    neutral_hue="slate",
    spacing_size="sm",
    radius_size="sm",
    font=[gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)), "sans-serif"],
)

CSS = (_HERE / "page.css").read_text("utf-8")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    loader = FileSystemLoader(_HERE / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


def render(name: str, **values: Any) -> str:
    """A template filled in; every value is escaped.

    Args:
        name: Of the file in `ui/views/templates`; ``.html`` may be left out.
        values: What the template names; one that is missing is an error.
    """
    return _environment().get_template(name if "." in name else f"{name}.html").render(**values)


def status_bar(text: str, progress: float | None = None, stale: str = "") -> str:
    """A line of text over a progress bar.

    Args:
        text: The line.
        progress: 0 to 1; None for no bar.
        stale: What the results belong to, where that is not what is chosen. The style sheet dims
            them as long as this line says so.
    """
    percent = None if progress is None else round(100 * float(np.clip(progress, 0, 1)))
    return render("status", text=text, percent=percent, stale=stale)


def bars(text: str, shares: Sequence[tuple[str, float]]) -> str:
    """A sentence, and shares (0 to 1) under it as bars with their names and numbers."""
    return render("bars", text=text, shares=[(n, round(100 * share)) for n, share in shares])


def prompt(text: str, warn: bool = False, stale: str = "") -> str:
    """A line that says what the page waits for; framed where something is out of the ordinary.

    Args:
        text: The line.
        warn: Whether to frame it.
        stale: As for `status_bar`.
    """
    return render("prompt", text=text, warn=warn, stale=stale)


def paragraphs(texts: Sequence[str]) -> str:
    """Sentences under each other, as HTML."""
    return render("paragraphs", texts=texts)


def listing(header: list[str], rows: list[list[str]]) -> str:
    """A small table of names and figures."""
    return render("listing", header=header, rows=rows)


def gradient(colours: np.ndarray) -> str:
    """(n, 3) colours from left to right, as a CSS background."""
    stops = ",".join(f"rgb({r},{g},{b})" for r, g, b in colours.tolist())
    return f"linear-gradient(90deg,{stops})"
