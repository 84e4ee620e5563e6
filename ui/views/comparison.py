"""All contenders side by side: the window enlarged, and where they differ from the original."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from hpinet.errors import UserError
from hpinet.metrics.psnr_ssim import to_y
from lam import Window
from lam.figures.heatmaps import colour_limit, draw_window, enlarge, enlarging_factor, heatmap
from ui.compute.contenders import NETWORK, ORIGINAL, Contender, find
from ui.compute.runtime import Runtime
from ui.compute.scores import large_enough
from ui.state.file_store import ImageStore
from ui.state.inputs import Pixels
from ui.state.record import ComparisonRecord, Subject

from .html import gradient, render

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
    """The window's part of an image or map, (size, size, ...)."""
    left, top, size = window.left, window.top, window.size
    return values[top : top + size, left : left + size].copy()


def error_limit(maps: Sequence[Errors]) -> float:
    """The end of the scale that all error maps share, in levels of 8 bit."""
    return colour_limit(list(maps), _PERCENTILE)


def strip(
    view: str,
    found: Sequence[tuple[Contender, Pixels | None]],
    hr: Pixels | None,
    window: Window,
    images: ImageStore,
) -> str:
    """The contenders in a row as HTML.

    Args:
        view: One of `VIEWS`.
        found: Contenders with their images; None for one that is still to come or failed.
        hr: The original, if it is known.
        window: In SR pixels.
        images: Keeps what is shown.

    Raises:
        ValueError: If there is no such view.
    """
    if view not in VIEWS:
        raise UserError(f"The view is one of {', '.join(VIEWS)}, not {view!r}.")
    if view == WINDOW:
        what, side = "enlarged without smoothing", f"{window.size}x{window.size}"
        return _row(
            [cell(c.label, None if p is None else crop(p, window), images, what) for c, p in found],
            f"{side} pixels from column {window.left}, row {window.top}; every pixel a square. "
            "Receptive field explains the same window.",
        )
    if hr is None:
        return _row([], "There is no original to differ from: choose Restore for error maps.")
    compared = [(c, p) for c, p in found if c.kind != ORIGINAL]
    maps = [None if p is None else errors(p, hr) for _, p in compared]
    known = [m for m in maps if m is not None]
    if not known:
        return _row([], "Coming.")
    limit = error_limit(known)
    cells = []
    for (contender, _), found_map in zip(compared, maps, strict=True):
        drawn, figure = None, ""
        if found_map is not None:
            inside = crop(found_map, window) if view == WINDOW_ERRORS else found_map
            drawn = heatmap(inside, vmax=limit, colours=COLOURS)
            figure = f"mean {inside.mean():.1f}"
        cells.append(cell(contender.label, drawn, images, "error map", figure))
    return _row(cells, limit=limit)


def contenders_strip(
    runtime: Runtime,
    record: ComparisonRecord,
    window: Window,
    view: str,
    ready: Sequence[Contender] | None = None,
) -> str:
    """The contenders of a record side by side; of those ``ready`` only, where that is given."""
    found: list[tuple[Contender, Pixels | None]] = []
    for contender in runtime.contenders.among(record):
        known = None
        if ready is None or contender in ready or contender.kind == ORIGINAL:
            try:
                known = runtime.contenders.pixels(contender, record.study, record.network.scale)
            except UserError:  # its row in the table says why
                known = None
        found.append((contender, known))
    return strip(view, found, record.study.hr, window, runtime.images)


def overview(runtime: Runtime, record: ComparisonRecord, window: Window) -> str:
    """The whole image with the window: where its file is."""
    chosen = find(runtime.contenders.among(record), NETWORK, NETWORK)
    pixels = runtime.contenders.pixels(chosen, record.study, record.network.scale)
    factor = overview_factor(record)
    return runtime.images.shown(draw_window(enlarge(pixels, factor), window, factor))


def overview_factor(subject: Subject) -> int:
    """How much the overview is enlarged, to be crisp and to be clicked on."""
    return enlarging_factor(*subject.size, 428)


def slides(runtime: Runtime, record: ComparisonRecord, left: Contender, right: Contender) -> Any:
    """The slider's two images with its label, small ones enlarged with crisp pixels."""
    scale = record.network.scale
    both = [runtime.contenders.pixels(c, record.study, scale) for c in (left, right)]
    factor = enlarging_factor(*both[0].shape[:2])
    return gr.update(
        value=tuple(runtime.images.shown(enlarge(p, factor)) for p in both),
        label=f"Drag to compare — left: {left.label}, right: {right.label}",
    )


def description(record: ComparisonRecord, left_out: str) -> str:
    """What was done to the image.

    Args:
        record: The comparison.
        left_out: Why a network is missing in it.
    """
    study, scale = record.study, record.network.scale
    (height, width), (high, wide) = study.size, record.size
    if study.hr is not None:
        text = (
            f"The original of {wide}x{high} pixels was shrunk to {width}x{height} (MATLAB bicubic) "
            "and restored from that."
        )
        if not large_enough(study, scale):
            text += " It is too small for PSNR and SSIM."
    else:
        text = f"{width}x{height} pixels were enlarged to {wide}x{high}; "
        text += "there is no original to score by."
    if study.notes:
        text += " On reading: " + "; ".join(study.notes) + "."
    return f"{text} {left_out}" if left_out else text


def save_buttons(left: Contender, right: Contender) -> dict[str, Any]:
    """Values for the two buttons."""
    first, second = (
        gr.update(value=f"Save {_short(c.label)} (PNG)", interactive=True) for c in (left, right)
    )
    return {"save_left": first, "save_right": second}


def _short(label: str) -> str:
    return label if len(label) <= 24 else label[:22] + "…"


def cell(
    label: str, pixels: Pixels | None, images: ImageStore, what: str = "", figure: str = ""
) -> dict[str, str]:
    """Values for one figure of the templates ``strip`` and ``figures``.

    Args:
        label: Its caption.
        pixels: Its image; None for one that is still to come.
        images: Keeps what is shown.
        what: What the image shows of the label, for those who cannot see it.
        figure: A number beside the caption.
    """
    address = "" if pixels is None else f"gradio_api/file={quote(images.shown(pixels))}"
    alt = f"{label}: {what}" if what else label
    return {"label": label, "address": address, "alt": alt, "figure": figure}


def _row(cells: list[dict[str, str]], note: str = "", limit: float | None = None) -> str:
    stops = heatmap(np.linspace(0, 1, 9)[None], vmax=1, colours=COLOURS)[0]
    shown = None if limit is None else f"{limit:.0f}"
    return render("strip", cells=cells, note=note, limit=shown, gradient=gradient(stops))
