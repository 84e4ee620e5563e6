"""The path of LAM as the page shows it, and the matches that switch along it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lam import LocalAttributionResult
from lam.figures.curves import path_figure
from lam.figures.overlay import draw_window, enlarge, enlarging_factor
from lam.figures.panels import figure_pixels
from ui.compute.maps.path import Station
from ui.state.record import MapsRecord
from ui.storage.file_store import ImageStore
from ui.views import text as words
from ui.views.html import bars

_WINDOW_SIDE = 320  # pixels that the window is enlarged to at least


def path(
    record: MapsRecord,
    station: Station,
    switched: list[float] | None,
    alpha: float,
    images: ImageStore,
) -> dict[str, Any]:
    """The image and the window at a position of the path, by the names of the page's components.

    Args:
        record: The maps whose path it is.
        station: The network there.
        switched: Share of switched patches in each block; None for a network without matches.
        alpha: Position, 0 to 1.
        images: Keeps what is shown.
    """
    window, factor = record.inner_window, enlarging_factor(*station.lr.shape[:2])
    lr = draw_window(enlarge(station.lr, factor), window, factor / record.network.scale)
    rows = slice(window.top, window.top + window.size)
    inside = np.ascontiguousarray(station.sr[rows, window.left : window.left + window.size])
    large = enlarge(inside, max(1, -(-_WINDOW_SIDE // window.size)))
    result = record.results.get(None)
    figure = None
    if isinstance(result, LocalAttributionResult) and result.finished:
        figure = images.shown(figure_pixels(drawn(result)))
    return {
        "path_image": images.shown(lr),
        "path_window": images.shown(large),
        "switched": _switched(switched, alpha),
        "path_figure": figure,
    }


def _switched(shares: list[float] | None, alpha: float) -> str:
    if shares is None:
        return bars("This network has no matches that could switch.", [])
    text = (
        f"At {alpha:g}, {np.mean(shares):.0%} of the patches attend to another patch than they do "
        "on the sharp image. In each block:"
    )
    return bars(text, [(f"Block {n}", share) for n, share in enumerate(shares, 1)])


def drawn(result: LocalAttributionResult) -> Figure:
    """The detector along the path, and where matches switched."""
    return path_figure(
        result.path_alphas, result.path_values, result.switches, title=words.DETECTOR
    )
