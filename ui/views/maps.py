"""How attribution maps and their state are shown: values for the components of page 2."""

from __future__ import annotations

import html
import json
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from hpinet.imaging.images import to_uint8
from lam import Window
from lam.figures.areas import draw_area_of_interest
from lam.figures.heatmaps import (
    colour_limit,
    draw_window,
    enlarge,
    enlarging_factor,
    heatmap_overlay,
    signed_map,
)
from lam.figures.palette import WHITE
from lam.figures.plots import importance_difference
from lam.metrics.areas import area_of_interest, area_report
from ui.compute import attribution, interventions, super_resolution
from ui.state.image_store import shown
from ui.state.model_catalogue import Network
from ui.state.options import AREAS, DIFFERENCE, IMPORTANCE, LAM, PERCENTILE, ROOT, Look
from ui.state.session import Pixels, Session, Study

from . import text as words
from .html import status_bar
from .legends import legend


def announcement(guess: float | None, session: Session) -> str:
    """What is said before work begins."""
    known = "" if guess is None else f", about {words.seconds(guess)}"
    if session.how.method != LAM:
        return f"Computing the maps by {words.METHODS[session.how.method]}{known}…"
    return f"Computing {session.how.steps} steps for each map{known}…"


def status(session: Session, expected: int, ended: str | None, guess: float | None = None) -> str:
    """How far the latest attribution is, or how it ended.

    Args:
        session: Holds the maps.
        expected: How many maps there will be.
        ended: A word for how it ended; None while it goes on.
        guess: Seconds that the whole was estimated to take.
    """
    found = [m for m in session.maps if m is not None]
    progress = sum(m.progress for m in found) / max(1, expected)
    spent = sum(m.seconds for m in found)
    taken = min((getattr(m, "steps_done", 0) for m in found), default=0)
    steps = session.how.steps
    is_lam = session.how.method == LAM
    if ended == "Done":
        counted = f"{taken} steps for each map, " if is_lam else ""
        return status_bar(f"Done: {counted}{words.seconds(spent)} of computing. {_area(session)}")
    if ended:
        counted = f"after {taken} of {steps} steps" if is_lam else "on the way"
        return status_bar(f"{ended} {counted}; the maps are estimates.", progress)
    doing = f"Step {taken} of {steps}" if is_lam else "Computing"
    if is_lam and found and taken >= steps:
        doing = "Looking at matches that switched"
    left = spent * (1 / progress - 1) if progress > 0.02 else guess
    known = "" if left is None else f", about {words.seconds(left)} left"
    return status_bar(f"{doing}{known}; the maps are estimates until the end.", progress)


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
    return shown(picture_pixels(session, study, network))


def picture_pixels(session: Session, study: Study, network: Network) -> Pixels:
    """As `picture`, the pixels."""
    factor = factor_of(study, network)
    picture = enlarge(super_resolution.super_resolved(study, network).pixels, factor)
    left, top, height, width = session.region
    if (height, width) != study.size and height == width:
        area = Window(left, top, height)
        picture = draw_window(picture, area, network.scale * factor, WHITE, dashed=True)
    assert session.window is not None
    return draw_window(picture, session.window, factor)


def inner_window(session: Session, network: Network) -> Window:
    """The window in SR pixels of the attributed area."""
    left, top = session.region[:2]
    assert session.window is not None
    return Window(
        session.window.left - left * network.scale,
        session.window.top - top * network.scale,
        session.window.size,
    )


def crop_pixels(session: Session, study: Study) -> Pixels:
    """The attributed LR pixels, in 8 bit."""
    left, top, height, width = session.region
    return to_uint8(study.lr.rgb)[top : top + height, left : left + width]


def maps(session: Session, study: Study, network: Network) -> tuple[Any, ...]:
    """Values for `ReceptiveFieldPage.maps`: three pictures, their words, the scale, figures.

    The last two are the fourth picture and its words, which only show where there is a fourth.
    """
    found = [m for m in session.maps if m is not None]
    there = session.also is not None
    if not found:
        fourth = (gr.update(visible=there) for _ in range(2))
        return (*(gr.skip() for _ in range(8)), costs(session, study, network), *fourth)
    drawn, limit, shares = draw_all(session, study, network)
    with_gpa, without, _, also = session.maps
    return (
        gr.update(value=_file(drawn[0]), label=_first_title(network)),
        gr.update(value=_file(drawn[1]), label=_without_title(session, session.way)),
        gr.update(value=_file(drawn[2]), label=_third_title(session)),
        words.explained(with_gpa, without, first=True),
        words.explained(without, None) if session.way else words.nothing_to_switch(network),
        _third_words(session, network),
        legend(session.look, limit, shares),
        numbers(session, network),
        costs(session, study, network),
        gr.update(
            value=_file(drawn[3]), label=_without_title(session, session.also), visible=there
        ),
        gr.update(value=words.explained(also, None) if there else "", visible=there),
    )


def costs(session: Session, study: Study, network: Network) -> str:
    """How long maps of each area would take, by the speed measured so far."""
    ways: list[str | None] = [None, *(w for w in (session.way, session.also) if w)]
    assert session.window is not None
    told, seen = [], set()
    for choice in ("64", "96", "128", "whole"):
        try:
            region = attribution.region_around(session.window, choice, study.size, network.scale)
        except ValueError:
            continue  # too large to be attributed whole
        guess = attribution.estimated_seconds(network, ways, region, session.how)
        if guess is None or region[2:] in seen:
            continue
        seen.add(region[2:])
        told.append(f"{region[3]}x{region[2]} about {words.seconds(guess)}")
    if not told:
        return ""
    text = f"Time for new maps, by the steps measured so far: {', '.join(told)}."
    return f'<div class="words hint">{html.escape(text)}</div>'


def draw_all(
    session: Session, study: Study, network: Network
) -> tuple[list[Pixels | None], float, float | None]:
    """The pictures, the end of their scale, and that of the difference."""
    look = session.look
    limit = shared_limit(session, look)
    drawn = [
        None if m is None else draw(session, study, network, m, look, limit) for m in session.maps
    ]
    shares = None
    if look.third == DIFFERENCE:
        drawn[2], shares = draw_difference(session, study, network)
    return drawn, limit, shares


def shared_limit(session: Session, look: Look) -> float:
    """The value at the end of the colour scale, one for all maps."""
    if look.scale != PERCENTILE:
        return look.end
    found = [m for m in session.maps if m is not None]
    values = [m.importance for m in found]  # also the size of the signed sum over the channels
    return colour_limit(values, look.end)


def draw(
    session: Session,
    study: Study,
    network: Network,
    result: attribution.Result,
    look: Look,
    limit: float,
) -> Pixels:
    """A map over the attributed pixels, with the window."""
    crop = crop_pixels(session, study)
    factor = enlarging_factor(*crop.shape[:2])
    large, strength = enlarge(crop, factor), float(np.clip(look.strength, 0, 1))
    if look.view == IMPORTANCE:
        root = look.colours == ROOT
        drawn = heatmap_overlay(large, result.importance, strength, limit, root=root)
    elif look.view == AREAS:
        drawn = draw_area_of_interest(large, area_of_interest(result.importance), legend=False)
    else:
        signed: NDArray[np.float64] = result.attribution.sum(0, dtype=np.float64)
        drawn = _shaded(enlarge(signed_map(signed, limit), factor), large, strength)
    return draw_window(drawn, inner_window(session, network), factor / network.scale)


def draw_difference(
    session: Session, study: Study, network: Network
) -> tuple[Pixels | None, float | None]:
    """Where the map with GPA has more or less of its importance, and the end of that scale."""
    first, second = session.maps[:2]
    if first is None or second is None:
        return None, None
    if not (first.importance.any() and second.importance.any()):
        return None, None
    values = importance_difference(first.importance, second.importance)
    limit = colour_limit([np.abs(values)])
    factor = enlarging_factor(*values.shape)
    crop = enlarge(crop_pixels(session, study), factor)
    strength = float(np.clip(session.look.strength, 0, 1))
    drawn = _shaded(enlarge(signed_map(values, limit), factor), crop, strength)
    return draw_window(drawn, inner_window(session, network), factor / network.scale), limit


def _shaded(drawn: Pixels, picture: Pixels, strength: float) -> Pixels:
    """A signed map, darkened where the picture is dark: less so the stronger the overlay."""
    grey = (picture @ np.array([0.299, 0.587, 0.114]))[..., None] / 255
    return np.asarray((drawn * (strength + (1 - strength) * grey)).round().astype(np.uint8))


def _first_title(network: Network) -> str:
    return f"With GPA: {network.label}" if network.has_gpa else f"{network.label} (no GPA)"


def _without_title(session: Session, way: str | None) -> str:
    if way is None:
        return "Without GPA: none"
    return words.TITLES[way] if session.also is None else words.SHORT_TITLES[way]


def _third_title(session: Session) -> str:
    if session.look.third == DIFFERENCE:
        if session.also is not None:  # of two without
            return "Difference to trained so"
        return "Difference: with less without"
    return "Bicubic interpolation"


def _file(pixels: Pixels | None) -> str | None:
    return None if pixels is None else shown(pixels)


def _third_words(session: Session, network: Network) -> str:
    if session.look.third == DIFFERENCE:
        return words.difference(session.maps[0], session.maps[1])
    text = words.explained(session.maps[2], None)
    return f"{text}\n\n{words.BICUBIC}" if session.maps[2] is not None else text


def numbers(session: Session, network: Network) -> dict[str, Any]:
    """All figures and parameters, as plain values."""
    window, matches = inner_window(session, network), None
    study = session.study
    if study is not None and network.has_gpa and session.region[2:] == study.size:
        matches = interventions.matches_of(study, network)

    def described(result: attribution.Result | None) -> Any:
        if result is None:
            return None
        areas = None
        if result.finished:
            areas = area_report(result.importance, window, network.scale, matches)
        return {**result.summary(), "areas": areas, "params": result.params}

    left, top, height, width = session.region
    figures = {
        "network": network.label,
        "with_gpa": described(session.maps[0]),
        "without_gpa_means": session.way,
        "without_gpa": described(session.maps[1]),
        "bicubic": described(session.maps[2]),
        "region": {"left": left, "top": top, "height": height, "width": width},
    }
    if session.also is not None:
        figures["without_gpa_same_weights"] = described(session.maps[3])
    return dict(json.loads(json.dumps(figures, default=str)))
