"""Attribution maps as the page shows them: each function takes one record, and nothing else."""

from __future__ import annotations

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
from ui.state.file_store import ImageStore
from ui.state.inputs import Pixels
from ui.state.options import AREAS, BICUBIC, DIFFERENCE, IMPORTANCE, LAM, PERCENTILE, ROOT, How
from ui.state.record import MapsRecord, Region, Result, Subject

from . import text as words
from .html import status_bar
from .legends import legend


def announcement(how: How, guess: float | None) -> str:
    """What is said before work begins."""
    known = "" if guess is None else f", about {words.seconds(guess)}"
    if how.method != LAM:
        return f"Computing the maps by {words.METHODS[how.method]}{known}…"
    return f"Computing {how.steps} steps for each map{known}…"


def status(record: MapsRecord, ended: str | None, guess: float | None = None) -> str:
    """How far the maps of a record are, or how they ended.

    Args:
        record: What is computed.
        ended: A word for how it ended; None while it goes on.
        guess: Seconds that the whole was estimated to take.
    """
    found, steps = list(record.results.values()), record.how.steps
    progress = sum(m.progress for m in found) / len(record.ways)
    spent = sum(m.seconds for m in found)
    taken = min((getattr(m, "steps_done", 0) for m in found), default=0)
    is_lam = record.how.method == LAM
    if ended == "Done":
        counted = f"{taken} steps for each map, " if is_lam else ""
        return status_bar(f"Done: {counted}{words.seconds(spent)} of computing. {_area(record)}")
    if ended:
        counted = f"after {taken} of {steps} steps" if is_lam else "on the way"
        return status_bar(f"{ended} {counted}; the maps are estimates.", progress)
    doing = f"Step {taken} of {steps}" if is_lam else "Computing"
    if is_lam and found and taken >= steps:
        doing = "Computing the jumps where matches switched"
    left = spent * (1 / progress - 1) if progress > 0.02 else guess
    known = "" if left is None else f", about {words.seconds(left)} left"
    return status_bar(f"{doing}{known}; the maps are estimates until the end.", progress)


def _area(record: MapsRecord) -> str:
    left, top, height, width = record.region
    if record.whole:
        return f"All {width}x{height} LR pixels were attributed."
    return (
        f"{width}x{height} LR pixels from column {left}, row {top} were attributed (thin square): "
        "GPA could reach nothing outside. DI compares only for equal areas."
    )


def factor_of(subject: Subject) -> int:
    """How much the SR image is enlarged to be shown and clicked on."""
    return enlarging_factor(*subject.size)


def window_pixels(subject: Subject, sr: Pixels, window: Window, region: Region) -> Pixels:
    """The SR image with the window, and the attributed region if that is not all."""
    factor, (left, top, height, width) = factor_of(subject), region
    image = enlarge(sr, factor)
    if (height, width) != subject.study.size and height == width:
        area = Window(left, top, height)
        image = draw_window(image, area, subject.network.scale * factor, WHITE, dashed=True)
    return draw_window(image, window, factor)


def maps(record: MapsRecord, images: ImageStore) -> dict[str, Any]:
    """Maps, what they say, their scale and all figures, by the names of the page's components."""
    if not record.results:
        return {}
    drawn, limit, shares = draw_all(record)
    found = record.results
    first, second = (*record.without, None, None)[:2]
    without = None if first is None else found.get(first)
    fourth = None if second is None else found.get(second)

    def image(way: str | None, title: str, **more: Any) -> Any:
        pixels = drawn.get(way)
        return gr.update(
            value=None if pixels is None else images.shown(pixels), label=title, **more
        )

    return {
        "with_map": image(None, _first_title(record)),
        "without_map": image(first or "", _without_title(record, first)),
        "third_map": image(BICUBIC, _third_title(record)),
        "fourth_map": image(second or "", _without_title(record, second), visible=bool(second)),
        "with_words": words.explained(found.get(None), without, first=True),
        "without_words": words.explained(without, None)
        if first
        else words.nothing_to_switch(record.network),
        "third_words": _third_words(record),
        "fourth_words": gr.update(
            value=words.explained(fourth, None) if second else "", visible=bool(second)
        ),
        "legend": legend(record.look, limit, shares),
        "numbers": numbers(record),
    }


def draw_all(record: MapsRecord) -> tuple[dict[str | None, Pixels | None], float, float | None]:
    """The images by way, the end of their scale, and that of the difference."""
    limit = shared_limit(record)
    drawn: dict[str | None, Pixels | None] = {
        way: draw(record, result, limit) for way, result in record.results.items()
    }
    shares = None
    if record.look.third == DIFFERENCE:
        drawn[BICUBIC], shares = draw_difference(record)
    return drawn, limit, shares


def shared_limit(record: MapsRecord) -> float:
    """The value at the end of the colour scale, one for all maps."""
    if record.look.scale != PERCENTILE:
        return record.look.end
    # Also the size of the signed sum over the channels.
    return colour_limit([m.importance for m in record.results.values()], record.look.end)


def draw(record: MapsRecord, result: Result, limit: float) -> Pixels:
    """A map over the attributed pixels, with the window, as the record's look says."""
    look, crop = record.look, to_uint8(record.crop)
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
    return draw_window(drawn, record.inner_window, factor / record.network.scale)


def draw_difference(record: MapsRecord) -> tuple[Pixels | None, float | None]:
    """Where the map with GPA has more or less of its importance, and the end of that scale."""
    first, second = _compared(record)
    if first is None or second is None:
        return None, None
    if not (first.importance.any() and second.importance.any()):
        return None, None
    values = importance_difference(first.importance, second.importance)
    limit = colour_limit([np.abs(values)])
    factor = enlarging_factor(*values.shape)
    crop = enlarge(to_uint8(record.crop), factor)
    strength = float(np.clip(record.look.strength, 0, 1))
    drawn = _shaded(enlarge(signed_map(values, limit), factor), crop, strength)
    return draw_window(drawn, record.inner_window, factor / record.network.scale), limit


def _compared(record: MapsRecord) -> tuple[Result | None, Result | None]:
    """The map with GPA, and the first one without."""
    without = record.results.get(record.without[0]) if record.without else None
    return record.results.get(None), without


def _shaded(drawn: Pixels, image: Pixels, strength: float) -> Pixels:
    """A signed map, darkened where the image is dark: less so the stronger the overlay."""
    grey = (image @ np.array([0.299, 0.587, 0.114]))[..., None] / 255
    return np.asarray((drawn * (strength + (1 - strength) * grey)).round().astype(np.uint8))


def _first_title(record: MapsRecord) -> str:
    network = record.network
    return f"With GPA: {network.label}" if network.has_gpa else f"{network.label} (no GPA)"


def _without_title(record: MapsRecord, way: str | None) -> str:
    if way is None:
        return "Without GPA: none"
    return words.TITLES[way] if len(record.without) < 2 else words.SHORT_TITLES[way]


def _third_title(record: MapsRecord) -> str:
    if record.look.third == DIFFERENCE:
        if len(record.without) > 1:
            return "Difference to trained so"
        return "Difference: with less without"
    return "Bicubic interpolation"


def _third_words(record: MapsRecord) -> str:
    if record.look.third == DIFFERENCE:
        return words.difference(*_compared(record))
    found = record.results.get(BICUBIC)
    text = words.explained(found, None)
    return text if found is None else f"{text}\n\n{words.BICUBIC}"


def numbers(record: MapsRecord) -> dict[str, Any]:
    """All figures and parameters, as plain values."""

    def described(way: str) -> Any:
        result = record.results.get(way or None)
        if result is None:
            return None
        areas = None
        if result.finished:
            scale = record.network.scale
            areas = area_report(result.importance, record.inner_window, scale, record.matches)
        return {**result.summary(), "areas": areas, "params": result.params}

    left, top, height, width = record.region
    without = record.without
    figures = {
        "network": record.network.label,
        "with_gpa": described(""),
        "without_gpa_means": without[0] if without else None,
        "without_gpa": described(without[0]) if without else None,
        "bicubic": described(BICUBIC),
        "region": {"left": left, "top": top, "height": height, "width": width},
    }
    if len(without) > 1:
        figures["without_gpa_same_weights"] = described(without[1])
    return dict(json.loads(json.dumps(figures, default=str)))
