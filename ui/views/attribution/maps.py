"""Attribution maps as the page shows them: each function takes one record, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpinet.imaging.images import to_uint8
from lam import LocalAttributionResult, Window
from lam.attribution.film import Frames
from lam.metrics.areas import area_of_interest, area_report
from lam.metrics.patch_shares import block_shares
from lam.validation.blurring import BlurringEffect
from ui.state.inputs import Pixels
from ui.state.options import (
    BICUBIC,
    LAM,
    How,
)
from ui.state.record import MapsRecord, Opened, Region, Result
from ui.viewer.store import STORE, Owner
from ui.views import text as words
from ui.views.html import listing, status_bar

from . import causal


def announcement(how: How, guess: float | None, effects: bool = False) -> str:
    """What is said before work begins."""
    known = "" if guess is None else f", about {words.seconds(guess)}"
    if effects:
        return f"Computing {how.steps} steps and the causal effects of each map{known}…"
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
    everything = [*found, *record.effects.values()]
    progress = sum(m.progress for m in everything) / len(record.ways) / (1 + record.causal)
    spent, replacing = sum(m.seconds for m in everything), causal.progress_words(record)
    taken = min((getattr(m, "steps_done", 0) for m in found), default=0)
    is_lam = record.how.method == LAM
    if ended == "Done":
        counted = f"{taken} steps for each map, " if is_lam else ""
        counted += f"{replacing}, " if replacing else ""
        return status_bar(f"Done: {counted}{words.seconds(spent)} of computing. {_area(record)}")
    if ended:
        counted = f"after {taken} of {steps} steps" if is_lam else "on the way"
        counted = f"after {replacing}" if replacing else counted
        return status_bar(f"{ended} {counted}; the maps are estimates.", progress)
    doing = f"Step {taken} of {steps}" if is_lam else "Computing"
    if is_lam and found and taken >= steps:
        doing = "Computing the jumps where matches switched"
    doing = f"{replacing} so far" if replacing else doing
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


def scene(
    opened: Opened,
    sr: Pixels,
    window: Window,
    region: Region,
    record: MapsRecord | None,
    owner: Owner,
    films: Mapping[str, Frames] | None = None,
) -> dict[str, Any]:
    """The viewer's value: the image with the window that is chosen, and the maps that there are.

    Args:
        opened: What is opened.
        sr: Its SR image.
        window: The window that is chosen.
        region: What is to be attributed for it.
        record: The maps so far, maybe of another window; those of another image are left out.
        owner: Who may read the numbers.
        films: The steps of finished maps, by their names.
    """
    height, width = opened.size
    value: dict[str, Any] = {
        "kind": "maps",
        "key": owner.key,
        "name": opened.study.name,
        "network": opened.network.label,
        "size": [width, height],
        "scale": opened.network.scale,
        "image": STORE.image(sr, owner),
        "lr": STORE.image(to_uint8(opened.study.lr.rgb), owner),
        **_place(window, region),
        "home": [opened.network.scale * v for v in (*region[:2], region[3], region[2])],
        "maps": [],
        "stamp": f"{opened.study.key[:8]} {opened.network.label} {window.left},{window.top}",
    }
    if record is None or not record.results or record.study.key != opened.study.key:
        return value
    arrays: dict[str, NDArray[Any]] = {}
    maps = []
    for name, way, title in panes(record):
        result = record.results.get(way)
        if result is None:
            continue
        arrays[f"importance_{name}"] = result.importance
        arrays[f"signed_{name}"] = result.attribution.sum(0)
        areas = area_of_interest(result.importance)
        mask = np.zeros(result.importance.shape, np.uint8)
        if areas is not None:
            mask[areas.coarse], mask[areas.fine] = 1, 2
        arrays[f"areas_{name}"] = mask
        effects, entry = causal.layer(record, way, name)
        arrays |= effects
        maps.append(
            {
                "name": name, "title": title, "short": _SHORT[name],
                "words": map_words(record, way), "di": words.spread(result),
                "box": None if areas is None else areas.box, **entry,
            }
        )  # fmt: skip
    value |= {
        "maps": maps,
        "pack": STORE.packed(arrays, owner),
        "of": _place(record.window, record.region),
        "film": {
            name: _film(frames, record.results[way], owner)
            for name, way, _ in panes(record)
            if (frames := (films or {}).get(name)) is not None
        },
        "stamp": f"{value['stamp']} {_progress(record):.3f}",
    }
    return value


def _progress(record: MapsRecord) -> float:
    return sum(m.progress for m in (*record.results.values(), *record.effects.values()))


def _place(window: Window, region: Region) -> dict[str, Any]:
    return {"window": [window.left, window.top, window.size], "region": list(region)}


def _film(frames: Frames, result: Result, owner: Owner) -> dict[str, Any]:
    assert isinstance(result, LocalAttributionResult)
    arrays: dict[str, Any] = {"steps": frames.steps}
    for number, (index, (origins, _)) in enumerate(
        zip(frames.matches, frames.patches, strict=True)
    ):
        arrays |= {f"index_{number}": index, f"origins_{number}": origins}
    return {
        "pack": STORE.packed(arrays, owner),
        "alphas": frames.alphas.tolist(),
        "curve": [
            [0, result.detector_start],
            *zip(frames.alphas.tolist(), frames.values.tolist(), strict=True),
            [1, result.detector_end],
        ],
        "patches": [side for _, side in frames.patches],
    }


_SHORT = {"with": "network", "without": "without GPA", "fourth": "GPA off", "bicubic": "bicubic"}
"""What the read-out calls the maps."""


def panes(record: MapsRecord) -> list[tuple[str, str | None, str]]:
    """Name, way and title of every map, in the order of the page."""
    found: list[tuple[str, str | None, str]] = [("with", None, _first_title(record))]
    for name, way in zip(("without", "fourth"), record.without, strict=False):
        found.append((name, way, _without_title(record, way)))
    return [*found, ("bicubic", BICUBIC, "Bicubic interpolation")]


def map_words(record: MapsRecord, way: str | None) -> list[str]:
    """What a map says, a sentence each."""
    found, others = record.results.get(way), [record.results.get(w) for w in record.without]
    told = words.explained(found, others if way is None else [], first=way is None)
    if way is None and found is not None and found.finished and record.matches is not None:
        shares = block_shares(
            found.importance, record.matches, record.inner_window, record.network.scale
        )
        told += words.in_matches([block["in_match"] for block in shares])
    if way == BICUBIC and found is not None:
        told = [*told, words.BICUBIC]
    return told


def asked(
    record: MapsRecord, count: int, found: Mapping[str | None, tuple[float, BlurringEffect]]
) -> str:
    """What blurring some pixels did, beside what attribution says of them, as HTML."""
    rows = [
        [
            title,
            words.percent(found[way][0]),
            words.percent(found[way][1].lost),
            f"{found[way][1].mean:.2f} / {found[way][1].largest:.1f}",
        ]
        for _, way, title in panes(record)
        if way in found
    ]
    head = [
        f"{count} painted LR {'pixel' if count == 1 else 'pixels'}",
        "share of the importance (attribution)",
        "share of the window's detail that goes when they are blurred",
        "change of the window, mean / largest (grey levels)",
    ]
    return listing(head, rows)


def _first_title(record: MapsRecord) -> str:
    network = record.network
    return f"With GPA: {network.label}" if network.has_gpa else f"{network.label} (no GPA)"


def _without_title(record: MapsRecord, way: str) -> str:
    return words.TITLES[way] if len(record.without) < 2 else words.SHORT_TITLES[way]


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
        effect = {"effect": causal.numbers(record, way or None)} if record.causal else {}
        return {**result.summary(), "areas": areas, "params": result.params, **effect}

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
