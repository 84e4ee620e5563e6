"""What colours and lines on the maps mean, as HTML."""

from __future__ import annotations

import numpy as np

from lam.figures.heatmaps import heatmap, signed_map
from ui.state.options import AREAS, BICUBIC, IMPORTANCE, PERCENTILE, ROOT, Look

from .html import gradient, render

_RAMP = np.linspace(0, 1, 9)[None]


def legend(look: Look, limit: float | None, shares: float | None = None) -> str:
    """The scale of the maps.

    Args:
        look: How they are drawn.
        limit: The value at the end of the scale, in units of the detector; None where unknown.
        shares: The end of the difference map's scale, as a share of the importance; None where
            there is none.
    """
    end = " that ends at a fixed value"
    if look.scale == PERCENTILE:
        end = f" that ends at the percentile {look.end:g}"
    lines = []
    if look.view == IMPORTANCE:
        lines = [_importance(look, limit, f"one scale for all maps{end}")]
    elif look.view != AREAS:
        note = f"one scale for all maps{end}"
        lines = [_signed("takes away", "adds to the detector", limit, note)]
    if look.third != BICUBIC:
        percent = None if shares is None else 100 * shares
        note = "% of each map's importance, per pixel: the difference"
        lines.append(_signed("less", "more with GPA", percent, note))
    return render("legends", lines=lines, areas=look.view == AREAS)


def _importance(look: Look, limit: float | None, note: str) -> dict[str, str]:
    root = look.colours == ROOT
    kind = "colour by square root, which lifts faint pixels" if root else "linear colours"
    return {
        "start": "importance of a pixel: 0",
        "gradient": gradient(heatmap(_RAMP, vmax=1, root=root)[0]),
        "end": "" if limit is None else f"{limit:.2g} or more",
        "note": f"{note}; {kind}",
    }


def _signed(low: str, high: str, limit: float | None, note: str) -> dict[str, str]:
    least, most = ("", "") if limit is None else (f"-{limit:.2g} ", f" +{limit:.2g}")
    colours = gradient(signed_map(2 * _RAMP - 1, 1.0)[0])
    return {"start": f"{low} {least}", "gradient": colours, "end": f"{most} {high}", "note": note}
