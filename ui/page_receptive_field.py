"""Page 2: which pixels a window of the picture was made from, with and without GPA."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lam import Window

from . import maps, words, work
from .catalogue import OWN, TWIN, Catalogue, Network
from .handlers import HEAVY, NOW, QUICK, clock, current, overtaken, spoken
from .session import Session, Study, clamped_window
from .style import legend, status_bar

STEPS = 32  # of Gauss-Legendre: nearer to the limit than the LAM demo's 50
REGIONS = [
    ("automatic", "auto"),
    ("64x64 around", "64"),
    ("96x96 around", "96"),
    ("128x128 around", "128"),
    ("whole picture", "whole"),
]


@dataclass
class ReceptiveFieldPage:
    """The page's components."""

    picture: gr.Image
    left: gr.Number
    top: gr.Number
    size: gr.Number
    steps: gr.Slider
    region: gr.Dropdown
    without: gr.Dropdown
    strength: gr.Slider
    colours: gr.Radio
    with_map: gr.Image
    without_map: gr.Image
    with_words: gr.Markdown
    without_words: gr.Markdown
    legend: gr.HTML
    status: gr.HTML
    numbers: gr.JSON
    run: gr.Button
    stop: gr.Button

    @property
    def window(self) -> list[Any]:
        """The number fields."""
        return [self.left, self.top, self.size]

    @property
    def settings(self) -> list[Any]:
        """How the maps are to be computed and shown."""
        return [self.steps, self.region, self.without, self.strength, self.colours]

    @property
    def inputs(self) -> list[Any]:
        """What `attribute` takes after the session."""
        return [*self.window, *self.settings]

    @property
    def maps(self) -> list[Any]:
        """What `_maps` returns values for."""
        pictures = [self.with_map, self.without_map, self.with_words, self.without_words]
        return [*pictures, self.legend, self.numbers]

    @property
    def fresh(self) -> list[Any]:
        """What `start` returns values for."""
        return [self.picture, *self.window, self.status]


def build(catalogue: Catalogue, session: gr.State) -> tuple[ReceptiveFieldPage, Any, Any]:
    """Lay the page out and connect it.

    Returns:
        The components, and the handlers that compute the maps: of a given window, and of the one
        that was placed last.
    """
    page = _lay_out()

    @spoken
    def attribute(
        session: Session,
        left: float,
        top: float,
        size: float,
        steps: float = STEPS,
        region: str = "auto",
        without: str = TWIN,
        strength: float = 0.6,
        colours: str = maps.ROOT,
    ) -> Iterator[tuple[Any, ...]]:
        study, network = current(session, catalogue)
        height, width = (side * network.scale for side in study.size)
        session.window = clamped_window(left, top, size, height, width)
        session.region = work.region_around(session.window, region, study.size, network.scale)
        if not 1 <= steps <= 200:
            raise ValueError(f"The number of steps must be 1 to 200, not {steps:g}.")
        session.look = (strength, colours)
        yield from _watch(session, study, network, int(steps), without)

    @spoken
    def refresh(session: Session, *settings: Any) -> Iterator[tuple[Any, ...]]:
        # Where the window was placed last, not what the fields held when this was sent.
        window = session.window or Window(0, 0)
        yield from attribute(session, window.left, window.top, window.size, *settings)

    @spoken
    def place(
        session: Session, region: str, left: float, top: float, size: float
    ) -> tuple[Any, ...]:
        study, network = current(session, catalogue)
        return _placed(session, study, network, region, (left, top, size))

    @spoken
    def clicked(
        when: float, session: Session, region: str, size: float, event: gr.SelectData
    ) -> tuple[Any, ...]:
        if overtaken(session, "lam-picture", when):
            return tuple(gr.skip() for _ in placed)
        study, network = current(session, catalogue)
        factor = maps.factor_of(study, network)
        x, y = event.index[0] // factor, event.index[1] // factor
        half = (size or 16) // 2
        return _placed(session, study, network, region, (x - half, y - half, size or 16))

    @spoken
    def stop(session: Session) -> str:
        running = 0 < session.run != session.ended
        session.stopped, session.run = True, session.run + 1
        return status_bar("Stopping after this step…" if running else "Nothing is running.")

    @spoken
    def redraw(session: Session, strength: float, colours: str) -> tuple[Any, ...]:
        study, network = current(session, catalogue)
        session.look = (strength, colours)
        return maps.maps(session, study, network)

    everything = [*page.maps, page.status]
    placed = [page.picture, *page.window, page.status]
    quick = {**QUICK, "api_visibility": "private"}
    click = page.picture.select(
        clicked, [clock(), session, page.region, page.size], placed, js=NOW, **quick
    )
    moved = gr.on(
        [
            page.run.click,
            *(field.submit for field in page.window),
            page.region.input,
            page.without.input,
        ],
        place,
        [session, page.region, *page.window],
        placed,
        **quick,
    )
    for event in (click, moved):
        event.success(
            refresh,
            [session, *page.settings],
            everything,
            api_name="refresh_maps",
            api_visibility="private",
            **HEAVY,
        )
    page.stop.click(stop, session, page.status, queue=False, **quick)
    gr.on(
        [page.strength.release, page.strength.input, page.colours.input],
        redraw,
        [session, page.strength, page.colours],
        page.maps,
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
    )
    return page, attribute, refresh


def _lay_out() -> ReceptiveFieldPage:
    def picture(label: str, name: str, classes: list[str] | None = None) -> gr.Image:
        return gr.Image(
            label=label,
            height=376,
            format="png",
            interactive=False,
            buttons=["fullscreen"],
            elem_id=name,
            elem_classes=["titled", *(classes or [])],
        )

    def number(value: int, label: str, name: str, least: int, most: int | None) -> gr.Number:
        return gr.Number(
            value,
            label=label,
            precision=0,
            minimum=least,
            maximum=most,
            min_width=70,
            elem_id=name,
        )

    with gr.Row():
        with gr.Column(min_width=240):
            sr = picture("Click the detail to explain", "lam-picture", ["pick"])
            with gr.Row():
                left = number(0, "Left (px)", "lam-left", 0, None)
                top = number(0, "Top (px)", "lam-top", 0, None)
                size = number(16, "Size (4-64 px)", "lam-size", 4, 64)
            with gr.Row():
                run = gr.Button("Compute maps", variant="primary", elem_id="lam-run", min_width=100)
                stop = gr.Button("Stop", elem_id="lam-stop", min_width=60)
        with gr.Column(min_width=240):
            with_map = picture("With GPA", "with-map")
            with_words = gr.Markdown(elem_id="with-words", elem_classes=["words"])
        with gr.Column(min_width=240):
            without_map = picture("Without GPA", "without-map")
            without_words = gr.Markdown(elem_id="without-words", elem_classes=["words"])
    scale = gr.HTML(legend(None, True), elem_id="legend", padding=False)
    status = gr.HTML(status_bar("Waiting for the picture…"), elem_id="lam-status", padding=False)
    with gr.Row():
        without = gr.Dropdown(
            [(words.WITHOUT[way], way) for way in (TWIN, OWN)],
            value=TWIN,
            label="Without GPA means",
            info="The right-hand map; where there is no twin, GPA is switched off.",
            scale=3,
            min_width=230,
            elem_id="without",
        )
        region = gr.Dropdown(
            REGIONS,
            value="auto",
            label="Attributed area (LR pixels)",
            info="Nothing outside it can matter.",
            scale=2,
            min_width=170,
            elem_id="region",
        )
        steps = gr.Slider(
            4,
            100,
            STEPS,
            step=1,
            label="Steps",
            info="More is exacter.",
            buttons=[],
            scale=2,
            min_width=170,
            elem_id="steps",
        )
        strength = gr.Slider(
            0,
            1,
            0.6,
            step=0.05,
            label="Overlay",
            info="1: map alone.",
            buttons=[],
            scale=2,
            min_width=170,
            elem_id="strength",
        )
        colours = gr.Radio(
            [maps.ROOT, maps.LINEAR],
            value=maps.ROOT,
            label="Colours (root lifts faint)",
            scale=3,
            min_width=230,
            elem_id="colours",
        )
    with gr.Accordion("All figures and parameters (JSON)", open=False):
        numbers = gr.JSON(show_label=False, elem_id="numbers")
    return ReceptiveFieldPage(
        sr, left, top, size, steps, region, without, strength, colours, with_map, without_map,
        with_words, without_words, scale, status, numbers, run, stop,
    )  # fmt: skip


def start(session: Session, study: Study, network: Network, region: str) -> tuple[Any, ...]:
    """Values for `ReceptiveFieldPage.fresh`: a new picture with its window, and no maps yet."""
    assert session.window is not None
    window = session.window
    # "Without GPA means" is left alone: a change made here would count as the visitor's own and
    # start the maps once more, and events that still wait may ask for a choice taken away.
    return _placed(session, study, network, region, (window.left, window.top, window.size))


def _placed(
    session: Session,
    study: Study,
    network: Network,
    region: str,
    wanted: tuple[float, float, float],
) -> tuple[Any, ...]:
    """Put the window somewhere, which outdates work in progress."""
    height, width = (side * network.scale for side in study.size)
    window = clamped_window(*wanted, height, width)
    session.region = work.region_around(window, region, study.size, network.scale)
    session.window, session.stopped = window, False
    session.run += 1
    waiting = status_bar("Waiting for the processor: one map is computed at a time.", 0)
    shown = maps.picture(session, study, network)
    return shown, window.left, window.top, window.size, waiting


def _watch(
    session: Session, study: Study, network: Network, steps: int, without: str
) -> Iterator[tuple[Any, ...]]:
    """Compute both maps a batch of steps at a time, in turns, and show how they grow."""
    assert session.window is not None
    session.run, session.stopped = session.run + 1, False
    run, way = session.run, network.way(without)
    ways: tuple[str | None, ...] = (None,) if way is None else (None, way)
    jobs = [work.attributed(study, network, w, session.window, session.region, steps) for w in ways]
    session.maps, session.way = [None, None], way
    guess = work.estimated_seconds(network, ways, session.region, steps)
    yield *maps.maps(session, study, network), status_bar(maps.announcement(guess, steps), 0)
    alive = list(range(len(jobs)))
    while alive:
        for number in tuple(alive):
            result = next(jobs[number], None)
            if session.run != run:
                if session.stopped:
                    stopped = maps.status(session, steps, "Stopped")
                    yield *maps.maps(session, study, network), stopped
                return
            if result is None:
                alive.remove(number)
            else:
                session.maps[number] = result
        if not alive:
            session.ended = run
        # Whole values every time: a tab not opened yet keeps only the latest, were it empty.
        shown = maps.maps(session, study, network)
        yield *shown, maps.status(session, steps, None if alive else "Done")
