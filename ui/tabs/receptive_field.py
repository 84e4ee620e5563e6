"""Page 2: which pixels a window of the picture was made from, with and without GPA."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from lam import Window
from ui.compute import attribution
from ui.events.handlers import HEAVY, NOW, QUICK, clock, current, overtaken, spoken
from ui.events.job_queue import in_turn
from ui.export import maps
from ui.state import options
from ui.state.model_catalogue import TWIN, Catalogue, Network
from ui.state.options import BICUBIC, How, Look
from ui.state.session import Session, Study, clamped_window
from ui.views import maps as maps_module
from ui.views import path, text
from ui.views.html import status_bar

from .receptive_field_layout import ReceptiveFieldPage, lay_out

STEPS = options.STEPS
PATIENCE = 600
"""Seconds that maps may take without being asked for by the button. Generous: a step measured on a
busy machine promises too much, a first map is there after a tenth of the time, and Stop works."""


def build(catalogue: Catalogue, session: gr.State) -> tuple[ReceptiveFieldPage, Any, Any]:
    """Lay the page out and connect it.

    Returns:
        The components, and the handlers that compute the maps: of a given window, and of the one
        that was placed last.
    """
    attribution.begin_running()
    page = lay_out(STEPS)

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
        colours: str = options.ROOT,
        view: str = options.IMPORTANCE,
        third: str = BICUBIC,
        scale: str = options.PERCENTILE,
        end: float = 99.5,
        method: str = options.LAM,
        matches: str = "live",
    ) -> Iterator[tuple[Any, ...]]:
        study, network = current(session, catalogue)
        height, width = (side * network.scale for side in study.size)
        session.window = clamped_window(left, top, size, height, width)
        session.region = attribution.region_around(
            session.window, region, study.size, network.scale
        )
        session.how = How(int(steps), method, matches)
        session.look = Look(strength, colours, view, third, scale, end)
        yield from _watch(session, study, network, without)

    @spoken
    def refresh(session: Session, *settings: Any) -> Iterator[tuple[Any, ...]]:
        # Where the window was placed last, not what the fields held when this was sent.
        window = session.window or Window(0, 0)
        session.patience = PATIENCE
        yield from attribute(session, window.left, window.top, window.size, *settings)

    @spoken
    def asked_for(session: Session, *settings: Any) -> Iterator[tuple[Any, ...]]:
        window = session.window or Window(0, 0)
        session.patience = float("inf")
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
            return tuple(gr.skip() for _ in page.fresh)
        study, network = current(session, catalogue)
        factor = maps_module.factor_of(study, network)
        x, y = event.index[0] // factor, event.index[1] // factor
        half = (size or 16) // 2
        values = _placed(session, study, network, region, (x - half, y - half, size or 16))
        if session.clicks["lam-picture"] > when:
            return tuple(gr.skip() for _ in page.fresh)
        return values

    @spoken
    def stop(session: Session) -> str:
        running = 0 < session.run != session.ended
        session.stopped, session.run = True, session.run + 1
        return status_bar("Stopping after this step…" if running else "Nothing is running.")

    @spoken
    def redraw(session: Session, *look: Any) -> tuple[Any, ...]:
        study, network = current(session, catalogue)
        session.look = Look(*look)
        return maps_module.maps(session, study, network)

    everything = [*page.maps, page.status]
    quick = {**QUICK, "api_visibility": "private"}
    heavy = {**HEAVY, "api_name": "refresh_maps", "api_visibility": "private"}
    settings = [session, *page.settings]
    click = page.picture.select(
        clicked, [clock(), session, page.region, page.size], page.fresh, js=NOW, **quick
    )
    where = [session, page.region, *page.window]
    changed = gr.on(
        [page.region.input, page.without.input, page.method.input, page.matches.input],
        place,
        where,
        page.fresh,
        **quick,
    )
    follow = path.connect(catalogue, session, page.path)
    follow(page.picture.change)
    for event in (click, changed):
        done = event.success(in_turn(refresh, len(page.maps)), settings, everything, **heavy)
        follow(done.then)
    asked = gr.on(
        [page.run.click, *(field.submit for field in page.window)],
        place,
        where,
        page.fresh,
        **quick,
    )
    done = asked.success(in_turn(asked_for, len(page.maps)), settings, everything, **heavy)
    follow(done.then)
    page.stop.click(stop, session, page.status, queue=False, **quick)
    gr.on(
        [
            *(slider.release for slider in (page.strength,)),
            *(c.input for c in (page.strength, page.colours, page.view, page.third, page.scale)),
            page.end.submit,
        ],
        redraw,
        [session, *page.look],
        page.maps,
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
    )
    maps.connect(
        catalogue,
        session,
        page.export,
        page.file,
        maps.archive,
        "export",
        "The finished maps as one ZIP: PNG, NPZ and parameters.json with the commands that "
        "compute the same maps again.",
    )
    return page, in_turn(attribute, len(page.maps)), in_turn(refresh, len(page.maps))


def start(session: Session, study: Study, network: Network, region: str) -> tuple[Any, ...]:
    """Values for `ReceptiveFieldPage.fresh`: a new picture with its window, and no maps yet."""
    assert session.window is not None
    session.maps = [None] * 4
    window = session.window
    place = (window.left, window.top, window.size)
    # "Without GPA means" is left alone: a change made here would count as the visitor's own and
    # start the maps once more, and events that still wait may ask for a choice taken away.
    try:
        return _placed(session, study, network, region, place)
    except ValueError:  # the area chosen for the picture before is too large for this one
        return _placed(session, study, network, "auto", place)


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
    session.region = attribution.region_around(window, region, study.size, network.scale)
    session.window, session.stopped = window, False
    session.run += 1
    waiting = status_bar("Waiting for the processor: one map is computed at a time.", 0)
    shown = maps_module.picture(session, study, network)
    return shown, window.left, window.top, window.size, waiting


def _watch(
    session: Session, study: Study, network: Network, without: str
) -> Iterator[tuple[Any, ...]]:
    """Compute the maps a batch of steps at a time, in turns, and show how they grow."""
    assert session.window is not None
    session.run, session.stopped = session.run + 1, False
    run, how, region = session.run, session.how, session.region
    session.maps = [None] * 4
    session.way, session.also = (*network.ways(without), None, None)[:2]
    patience, session.patience = session.patience, float("inf")
    ways: dict[int, str | None] = {2: BICUBIC, 0: None}
    ways |= {n: w for n, w in ((1, session.way), (3, session.also)) if w is not None}
    costly = [w for w in ways.values() if w != BICUBIC]
    blank = maps_module.maps(session, study, network)
    guess = attribution.estimated_seconds(network, costly, region, how)
    if guess is None:
        yield *blank, status_bar("Measuring one step, to say how long it will take…", 0)
        guess = attribution.estimated_seconds(network, costly, region, how, study)
    if guess is not None and guess > patience:
        yield *blank, status_bar(_warning(session, guess))
        return
    yield *blank, status_bar(maps_module.announcement(guess, session), 0)
    jobs = {
        n: attribution.attributed(study, network, w, session.window, region, how)
        for n, w in ways.items()
    }
    alive = list(jobs)
    while alive:
        for number in tuple(alive):
            result = next(jobs[number], None)
            if session.run != run:
                if session.stopped:
                    stopped = maps_module.status(session, len(ways), "Stopped")
                    yield *maps_module.maps(session, study, network), stopped
                return
            if result is None:
                alive.remove(number)
            else:
                session.maps[number] = result
        if not alive:
            session.ended = run
        # Whole values every time: a tab not opened yet keeps only the latest, were it empty.
        shown = maps_module.maps(session, study, network)
        yield *shown, maps_module.status(session, len(ways), None if alive else "Done", guess)


def _warning(session: Session, guess: float) -> str:
    height, width = session.region[2:]
    smaller = ", or choose a smaller area" if min(height, width) > 64 else ""
    return (
        f"The maps of {width}x{height} LR pixels would take about {text.seconds(guess)}: press "
        f"Compute maps to have them{smaller}."
    )
