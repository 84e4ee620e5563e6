"""What colours and lines on the maps mean, as HTML."""

from __future__ import annotations

import html

import numpy as np

from lam.figures.heatmaps import heatmap, signed_map
from ui.state.options import AREAS, BICUBIC, IMPORTANCE, PERCENTILE, ROOT, Look


def legend(look: Look, limit: float | None, shares: float | None = None) -> str:
    """The scale of the maps.

    Args:
        look: How they are drawn.
        limit: The value at the end of the scale, in units of the detector; None where unknown.
        shares: The end of the difference map's scale, as a share of the importance; None where
            there is none.
    """
    if look.view == IMPORTANCE:
        text = _importance(look, limit)
    elif look.view == AREAS:
        text = _areas()
    else:
        text = _signed(
            "takes away", "adds to the detector", limit, f"one scale for all maps{_end(look)}"
        )
    if look.third != BICUBIC:
        end = None if shares is None else 100 * shares
        text += _signed(
            "less", "more with GPA", end, "% of each map's importance, per pixel: the difference"
        )
    return f'<div class="legends">{text}</div>'


def _importance(look: Look, limit: float | None) -> str:
    root = look.colours == ROOT
    stops = heatmap(np.linspace(0, 1, 9)[None], vmax=1, root=root)[0]
    end = "" if limit is None else f"{limit:.2g} or more"
    kind = "colour by square root, which lifts faint pixels" if root else "linear colours"
    note = f"one scale for all maps{_end(look)}; {kind}"
    return _line("importance of a pixel: 0", _gradient(stops), end, note)


def _signed(low: str, high: str, limit: float | None, note: str) -> str:
    stops = signed_map(np.linspace(-1, 1, 9)[None], 1.0)[0]
    ends = ("", "") if limit is None else (f"-{limit:.2g} ", f" +{limit:.2g}")
    return _line(f"{low} {ends[0]}", _gradient(stops), f"{ends[1]} {high}", note)


def _areas() -> str:
    samples = (
        ("border: 4px double #0072B2", "box: the smallest square with 20% of the importance"),
        ("background: #F0E442; border: 1px solid #111", "fine area: the densest half of it"),
        ("background: #AAA; border: 2px dashed #fff", "coarse area: up to 95% of it"),
    )
    parts = (
        f'<i class="swatch" style="{style}"></i><span>{text}</span>' for style, text in samples
    )
    return f'<div class="legend">{"".join(parts)}</div>'


def _end(look: Look) -> str:
    if look.scale != PERCENTILE:
        return " that ends at a fixed value"
    return f" that ends at the percentile {look.end:g}"


def _gradient(stops: np.ndarray) -> str:
    colours = ",".join(f"rgb({r},{g},{b})" for r, g, b in stops.tolist())
    return f'<i style="background:linear-gradient(90deg,{colours})"></i>'


def _line(start: str, gradient: str, end: str, note: str) -> str:
    return (
        f'<div class="legend"><span>{html.escape(start)}</span>{gradient}'
        f"<span>{html.escape(end)} ({html.escape(note)})</span></div>"
    )
