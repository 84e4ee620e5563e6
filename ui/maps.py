"""How attribution maps and their state are shown: values for the components of page 2."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
import numpy as np

from hpinet.images import to_uint8
from lam import LocalAttributionResult, Window
from lam.figures import (
    WHITE,
    colour_limit,
    draw_window,
    enlarge,
    enlarging_factor,
    heatmap_overlay,
)

from . import words, work
from .catalogue import Network
from .pictures import shown
from .session import Pixels, Session, Study
from .style import legend, status_bar

LINEAR, ROOT = "linear", "square root"


def announcement(guess: float | None, steps: int) -> str:
    """What is said before work begins."""
    known = "" if guess is None else f", about {words.seconds(guess)}"
    return f"Computing {steps} steps for each map{known}…"


def status(session: Session, steps: int, ended: str | None) -> str:
    """How far the latest attribution is, or how it ended."""
    found = [m for m in session.maps if m is not None]
    expected = max(1, len(found) if session.way is None else 2)
    progress = sum(m.progress for m in found) / expected
    taken = min((m.steps_done for m in found), default=0)
    spent = words.seconds(sum(m.seconds for m in found))
    if ended == "Done":
        return status_bar(
            f"Done: {taken} steps for each map, {spent} of computing. {_area(session)}"
        )
    if ended:
        return status_bar(
            f"{ended} after {taken} of {steps} steps; the maps are estimates.", progress
        )
    doing = f"Step {taken} of {steps}" if taken < steps else "Looking at matches that switched"
    return status_bar(f"{doing}, {spent} so far; the maps are estimates until the end.", progress)


def _area(session: Session) -> str:
    left, top, height, width = session.region
    if session.study is not None and (height, width) == session.study.size:
        return f"All {width}x{height} LR pixels were attributed."
    return (
        f"{width}x{height} LR pixels from column {left}, row {top} were attributed (thin square): "
        "GPA could reach nothing outside. DI compares only for equal areas."
    )


def factor_of(study: Study, network: Network) -> int:
    """How much the super-resolved picture is enlarged to be shown and clicked on."""
    return enlarging_factor(study.size[0] * network.scale, study.size[1] * network.scale)


def picture(session: Session, study: Study, network: Network) -> str:
    """The super-resolved picture with the window, and the attributed area if that is not all.

    Returns:
        Where its file is.
    """
    factor = factor_of(study, network)
    picture = enlarge(work.super_resolved(study, network).pixels, factor)
    left, top, height, width = session.region
    if (height, width) != study.size and height == width:
        area = Window(left, top, height)
        picture = draw_window(picture, area, network.scale * factor, WHITE, dashed=True)
    assert session.window is not None
    return shown(draw_window(picture, session.window, factor))


def maps(session: Session, study: Study, network: Network) -> tuple[Any, ...]:
    """Values for `ReceptiveFieldPage.maps`: pictures, words, colour scale and figures."""
    found = [m for m in session.maps if m is not None]
    if not found:
        return (gr.skip(),) * 6
    strength, colours = session.look
    limit, root = colour_limit([m.importance for m in found]), colours != LINEAR
    pictures = [
        None if m is None else shown(_overlay(session, study, network, m, strength, limit, root))
        for m in session.maps
    ]
    return (
        gr.update(value=pictures[0], label=_title(network, None)),
        gr.update(value=pictures[1], label=_title(network, session.way)),
        _explained(session.maps[0], session.maps[1]),
        _explained(session.maps[1], None) if session.way else _nothing_to_switch(network),
        legend(limit, root),
        _numbers(session, network),
    )


def _title(network: Network, way: str | None) -> str:
    if way is None:
        return f"With GPA: {network.label}" if network.has_gpa else f"{network.label} (no GPA)"
    return f"Without GPA: {words.WITHOUT[way]}"


def _nothing_to_switch(network: Network) -> str:
    return "" if network.has_gpa else f"{network.label} has no GPA: there is nothing to switch off."


def _explained(result: LocalAttributionResult | None, other: LocalAttributionResult | None) -> str:
    if result is None:
        return "Coming."
    text = f"**Diffusion index {words.spread(result)}** "
    text += "(how widely the pixels that matter are spread, 0-100)\n\n" + words.balance(result)
    more = words.comparison(result, other)
    return text + (f"\n\n{more}" if more else "")


def _overlay(
    session: Session,
    study: Study,
    network: Network,
    result: LocalAttributionResult,
    strength: float,
    limit: float,
    root: bool,
) -> Pixels:
    left, top, height, width = session.region
    crop = to_uint8(study.lr.rgb)[top : top + height, left : left + width]
    factor = enlarging_factor(height, width)
    overlay = heatmap_overlay(
        enlarge(crop, factor), result.importance, float(np.clip(strength, 0, 1)), limit, root=root
    )
    assert session.window is not None
    inner = Window(
        session.window.left - left * network.scale,
        session.window.top - top * network.scale,
        session.window.size,
    )
    return draw_window(overlay, inner, factor / network.scale)


def _numbers(session: Session, network: Network) -> dict[str, Any]:
    def described(result: LocalAttributionResult | None) -> Any:
        return None if result is None else {**result.summary(), "params": result.params}

    left, top, height, width = session.region
    figures = {
        "network": network.label,
        "with_gpa": described(session.maps[0]),
        "without_gpa_means": session.way,
        "without_gpa": described(session.maps[1]),
        "region": {"left": left, "top": top, "height": height, "width": width},
    }
    return dict(json.loads(json.dumps(figures, default=str)))
