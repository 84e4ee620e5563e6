"""*Receptive field* as an API: maps as files, and places of LAM's path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from hpinet.errors import UserError
from ui.compute.runtime import Runtime
from ui.events.handlers import HEAVY, with_user_errors
from ui.networks.network import TWIN
from ui.state import options
from ui.state.options import BICUBIC, Look
from ui.state.record import MapsRecord
from ui.state.session import Session
from ui.tabs.maps.network_maps import ManyNetworks
from ui.tabs.maps.receptive_field import STEPS, ReceptiveField
from ui.views.attribution import causal, map_images, maps

from .registering import image, register


def connect(runtime: Runtime, session: gr.State, lam: ReceptiveField, many: ManyNetworks) -> None:
    """Register the endpoints."""
    _attribute(runtime, session, lam)
    _path(session, lam)
    _networks(session, lam, many)


def _attribute(runtime: Runtime, session: gr.State, lam: ReceptiveField) -> None:
    page = lam.page

    @with_user_errors
    def attribute(
        session: Session,
        left: float,
        top: float,
        size: float,
        steps: float = STEPS,
        region: str = "auto",
        without: str = TWIN,
        strength: float = 0.6,
        colours: str = options.ROOT,
        view: str = options.IMPORTANCE,
        third: str = BICUBIC,
        scale: str = options.PERCENTILE,
        end: float = 99.5,
        method: str = options.LAM,
        matches: str = "live",
    ) -> tuple[Any, ...]:
        look = Look(strength, colours, view, third, scale, end)
        causal.check(method, view)
        last: dict[Any, Any] = {}
        for values in lam.attribute(
            session, left, top, size, steps, region, without, method, matches
        ):
            last |= values
        record = session.maps
        if record is None or page.numbers not in last or record.request != session.wanted:
            raise UserError("These maps were stopped, or others were asked for: ask once more.")
        return _files(runtime, replace(record, look=look), last[page.costs], last[page.status])

    register(
        attribute,
        [
            session,
            *page.window,
            *page.named("steps", "region", "without"),
            gr.Slider(0, 1, 0.6, label="Overlay: 0 image alone, 1 map alone", visible=False),
            _one(options.COLOURS, "Colours"),
            _one(options.VIEWS, "What maps show"),
            _one(options.THIRDS, "Last map"),
            _one(options.SCALES, "What the colour scale's end is"),
            gr.Number(99.5, label="That end, in percent or units of the detector", visible=False),
            *page.named("method", "matches"),
        ],
        [
            *(image(f"Map {which}") for which in ("with GPA", "without GPA", "of bicubic")),
            *(_text(f"What is said of the map {which}") for which in (1, 2, 3)),
            _text("Scale of the colours"),
            gr.JSON(label="All figures and parameters", visible=False),
            _text("Time for other areas"),
            image("Map without GPA, the other way"),
            _text("What is said of it"),
            _text("Status"),
        ],
        "attribute",
        "Attribution maps of a window (SR pixels) of the current image: PNG files, sentences, "
        "figures.",
        **HEAVY,
    )


def _files(runtime: Runtime, record: MapsRecord, costs: str, status: str) -> tuple[Any, ...]:
    drawn, limit, shares = map_images.draw_all(record)
    first, second = (*record.without, None, None)[:2]

    def file(way: str | None) -> str | None:
        pixels = drawn.get(way)
        return None if pixels is None else runtime.images.shown(pixels)

    def sentences(way: str | None) -> str:
        told = [*maps.map_words(record, way), *causal.explained(record, way)]
        return "\n\n".join(told) if way in record.results else ""

    return (
        *(file(way) for way in (None, first or "", BICUBIC)),
        *(sentences(way) for way in (None, first or "", BICUBIC)),
        causal.scale_words(record, limit)
        if record.look.view == options.EFFECT
        else map_images.scale_words(record.look, limit, shares),
        maps.numbers(record),
        costs,
        file(second or ""),
        sentences(second or ""),
        status,
    )


def _path(session: gr.State, lam: ReceptiveField) -> None:
    @with_user_errors
    def along_the_path(session: Session, alpha: float = 1.0) -> tuple[Any, ...]:
        return tuple(lam.path(session, alpha).values())

    register(
        along_the_path,
        [session, gr.Slider(0, 1, 1, label="Position on LAM's path", visible=False)],
        [
            image("What the network is given"),
            image("What it makes of the window"),
            _text("Switched matches"),
            image("The detector along the path"),
        ],
        "along_the_path",
        "The image at a position of LAM's path (0 blurred to 1 sharp), the window made from it, "
        "and the share of patches whose match differs from the sharp image's, block by block.",
        concurrency_id="path",
        concurrency_limit=1,
    )


def _networks(session: gr.State, lam: ReceptiveField, many: ManyNetworks) -> None:
    page = lam.page

    @with_user_errors
    def compare_networks(
        session: Session,
        networks: list[str],
        left: float,
        top: float,
        size: float,
        steps: float = STEPS,
        region: str = "auto",
    ) -> Any:
        session.subject()
        lam.place(session, region, (left, top, size), (steps, region))
        for _ in many.compute(session, networks, steps):
            pass
        record = session.networks
        if record is None or not all(map(record.done, record.chosen)):
            raise UserError("This comparison was stopped, or another was asked for: ask once more.")
        return {"networks": [{"kind": k, **record.found[k].row()} for k in record.chosen]}

    register(
        compare_networks,
        [
            session,
            gr.Dropdown(
                [], multiselect=True, allow_custom_value=True, label="Kinds", visible=False
            ),
            *page.window,
            *page.named("steps", "region"),
        ],
        [gr.JSON(label="A row a network", visible=False)],
        "compare_networks",
        "Maps of 2 to 8 contenders of the current image, by kind, on one window (SR pixels), in "
        "numbers; /export_networks then gives all as files.",
        **HEAVY,
    )


def _one(names: Sequence[str], label: str) -> gr.Radio:
    return gr.Radio(list(names), value=names[0], label=label, visible=False)


def _text(label: str) -> gr.Textbox:
    return gr.Textbox(label=label, visible=False)
