"""All contenders side by side: the window enlarged, and where they differ from the original."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from hpinet.metrics.psnr_ssim import to_y
from lam import Window
from lam.figures.heatmaps import colour_limit, heatmap
from ui.compute.contenders import ORIGINAL, Contender
from ui.state.image_store import shown
from ui.state.session import Pixels

WINDOW, ERRORS, WINDOW_ERRORS = "window", "errors", "window errors"
VIEWS = {
    WINDOW: "The window, enlarged",
    ERRORS: "Errors everywhere",
    WINDOW_ERRORS: "Errors in the window",
}
"""What the strip of contenders can show, and what that is called."""

COLOURS = "viridis"
"""Of error maps: not the attribution maps' inferno, as an error is no importance."""

_PERCENTILE = 99.5

Errors = NDArray[np.float64]


def errors(sr: Pixels, hr: Pixels) -> Errors:
    """Absolute error of the luma that PSNR-Y is made of, (h, w), in levels of 8 bit."""
    return np.abs(to_y(sr).astype(np.float64) - to_y(hr))


def crop(values: NDArray[Any], window: Window) -> NDArray[Any]:
    """The window's part of a picture or map, (size, size, ...)."""
    left, top, size = window.left, window.top, window.size
    return values[top : top + size, left : left + size].copy()


def strip(
    view: str,
    found: Sequence[tuple[Contender, Pixels | None]],
    hr: Pixels | None,
    window: Window,
) -> str:
    """The contenders in a row as HTML.

    Args:
        view: One of `VIEWS`.
        found: Contenders with their pictures; None for one that is still to come or failed.
        hr: The original, if it is known.
        window: In SR pixels.

    Raises:
        ValueError: If there is no such view.
    """
    if view not in VIEWS:
        raise ValueError(f"The view is one of {', '.join(VIEWS)}, not {view!r}.")
    if view == WINDOW:
        cells = [
            _cell(c.label, None if p is None else crop(p, window), "enlarged without smoothing")
            for c, p in found
        ]
        side = f"{window.size}x{window.size}"
        return _row(
            cells,
            f"{side} pixels from column {window.left}, row {window.top}; every pixel a square. "
            "Receptive field looks at the same window.",
        )
    if hr is None:
        return _row([], "There is no original to differ from: choose Restore for error maps.")
    compared = [(c, p) for c, p in found if c.kind != ORIGINAL]
    maps = [None if p is None else errors(p, hr) for _, p in compared]
    known = [m for m in maps if m is not None]
    if not known:
        return _row([], "Coming.")
    limit = error_limit(known)
    if view == WINDOW_ERRORS:
        maps = [None if m is None else crop(m, window) for m in maps]
    cells = [
        _cell(
            c.label,
            None if m is None else heatmap(m, vmax=limit, colours=COLOURS),
            "error map",
            "" if m is None else f"mean {m.mean():.1f}",
        )
        for (c, _), m in zip(compared, maps, strict=True)
    ]
    return _row(cells, legend(limit))


def error_limit(maps: Sequence[Errors]) -> float:
    """The end of the scale that all error maps share, in levels of 8 bit."""
    return colour_limit(list(maps), _PERCENTILE)


def legend(limit: float) -> str:
    """The scale of the error maps as HTML."""
    stops = heatmap(np.linspace(0, 1, 9)[None], vmax=1, colours=COLOURS)[0]
    gradient = ",".join(f"rgb({r},{g},{b})" for r, g, b in stops.tolist())
    return (
        f'<span class="legend"><span>error in brightness: 0</span>'
        f'<i style="background:linear-gradient(90deg,{gradient})"></i>'
        f"<span>{limit:.0f} or more of 255 levels; one scale for all, from the whole picture"
        "</span></span>"
    )


def _row(cells: list[str], note: str) -> str:
    return f'<div class="strip">{"".join(cells)}</div><div class="hint">{note}</div>'


def _cell(label: str, pixels: Pixels | None, what: str, figure: str = "") -> str:
    name = html.escape(label)
    if pixels is None:
        picture = '<div class="coming">…</div>'
    else:
        address = "gradio_api/file=" + quote(shown(pixels))
        picture = f'<img src="{address}" alt="{name}: {what}" loading="eager">'
    return f"<figure>{picture}<figcaption>{name} <b>{figure}</b></figcaption></figure>"
