"""Attribution maps of one visitor as they grow, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from hpinet.errors import UserError
from lam import Window
from lam.attribution.film import Frames
from ui.compute.maps.causal import passes
from ui.compute.opening import current, network_of
from ui.compute.runtime import Runtime
from ui.networks.network import TWIN, Network
from ui.state import address, options
from ui.state.options import BICUBIC
from ui.state.record import MapsRecord, MapsRequest, Opened
from ui.state.region import region_around
from ui.state.session import Session
from ui.views import text
from ui.views.attribution import maps
from ui.views.html import render, status_bar

from .receptive_field_layout import ReceptiveFieldPage

MAP, EFFECTS = "map", "effects"

Part = tuple[str, str | None]
"""What is computed of a record: `MAP` or `EFFECTS`, and the way."""


class MapsJob:
    """Computes maps and yields values of the page's components.

    Args:
        runtime: Computes and keeps.
        page: The components.
        steps: Of maps by default.
    """

    def __init__(self, runtime: Runtime, page: ReceptiveFieldPage, steps: int) -> None:
        self._runtime, self._page, self._steps = runtime, page, steps

    def record(self, session: Session, settings: Sequence[Any]) -> MapsRecord:
        """A record without results of what is chosen; settings as `request_of` takes them."""
        opened, network = current(self._runtime, session)
        study, window = opened.study, session.window or Window(0, 0)
        asked = request_of(opened, network, window, *settings)
        matches = None
        if asked.region[2:] == study.size and network.has_gpa:
            matches = self._runtime.matches.of(study, network)
        sr = self._runtime.super_resolved(study, network).pixels
        return MapsRecord(
            study,
            network.info,
            sr,
            asked.window,
            asked.region,
            asked.how,
            asked.without,
            matches,
            session.look,
            causal=asked.causal,
        )

    def ready(self, session: Session, *settings: Any) -> bool:
        """Whether all maps of what is chosen are known, so that nobody need wait for them."""
        if session.opened is None:
            return False
        try:
            opened, network = current(self._runtime, session)
            asked = request_of(opened, network, session.window or Window(0, 0), *settings)
        except UserError:  # which is told when the maps are computed
            return False
        computing = (self._runtime.attribution, self._runtime.causal)[: 1 + asked.causal]
        return all(
            one.finished(opened.study, network, way, asked.window, asked.region, asked.how)
            for one in computing
            for way in (None, *asked.without, BICUBIC)
        )

    def run(
        self, session: Session, settings: Sequence[Any], patience: float = float("inf")
    ) -> Iterator[dict[Any, Any]]:
        """Compute the maps a batch of steps of each at a time, and show how they grow.

        Args:
            session: The visitor, whose window is taken.
            settings: Values of `ReceptiveFieldPage.settings`.
            patience: Seconds that the maps may take.

        Yields:
            Values of components.
        """
        page, runtime, job = self._page, self._runtime, session.maps_job
        known = self.ready(session, *settings)
        run = job.begin()  # before the window is read: a click from here on outdates this
        record = self.record(session, settings)
        network = network_of(runtime, session, record)
        session.wanted, how, region = record.request, record.how, record.region
        costly = [way for way in record.ways if way != BICUBIC]
        guess = None
        if not known:
            estimated = runtime.attribution.estimated_seconds
            beside = passes(region) if record.causal else 0
            guess = estimated(network, costly, region, how, beside=beside)
            if guess is None:
                told = "Measuring one step, to say how long it will take…"
                yield {page.status: status_bar(told, 0, stale(session))}
                guess = estimated(network, costly, region, how, record.study, beside)
            costs = {page.costs: self._costs(record, network, costly)}
            # Effects are not counted: a first map of them is there at once, and Stop works.
            alone = estimated(network, costly, region, how)
            if alone is not None and alone > patience:
                told = status_bar(_warning(record, alone), stale=stale(session))
                yield {**costs, page.status: told}
                return
            told = maps.announcement(how, guess, record.causal)
            yield {**costs, page.status: status_bar(told, 0, stale(session))}
        jobs = self._jobs(record, network)
        found: dict[Part, Any] = {}
        while jobs:
            for part in tuple(jobs):
                result = next(jobs[part], None)
                if job.run != run:
                    if job.stopped:
                        yield self._stopped(session, record)
                    return
                if result is None:
                    del jobs[part]
                else:
                    found[part] = result
            if not jobs:
                job.ended = run
            if not found:
                return  # the server ends
            # From here on these are the maps that are shown.
            results, effects = (
                {way: result for (kind, way), result in found.items() if kind == wanted}
                for wanted in (MAP, EFFECTS)
            )
            record = replace(record, results=results, effects=effects)
            session.maps = record
            if jobs and known:
                continue
            # Whole values every time: a tab not opened yet keeps only the latest, were it empty.
            yield {
                page.viewer: self.scene(session, str(settings[1]) if len(settings) > 1 else "auto"),
                page.numbers: maps.numbers(record),
                page.costs: self._costs(record, network, costly),
                page.status: maps.status(record, None if jobs else "Done", guess),
                page.asked: "",
            }

    def _jobs(self, record: MapsRecord, network: Network) -> dict[Part, Iterator[Any]]:
        """What is computed: the maps, and the effects where they are asked for."""
        computing: dict[str, Callable[..., Iterator[Any]]]
        computing = {MAP: self._runtime.attribution.attributed}
        if record.causal:
            computing[EFFECTS] = self._runtime.causal.measured
        asked = record.window, record.region, record.how
        # Bicubic first: it is there at once.
        ways = sorted(record.ways, key=lambda way: way != BICUBIC)
        return {
            (kind, way): compute(record.study, network, way, *asked)
            for kind, compute in computing.items()
            for way in ways
        }

    def scene(self, session: Session, area: str = "auto") -> dict[str, Any]:
        """The viewer's value: what is chosen, with the maps that there are.

        Args:
            session: The visitor's.
            area: What was chosen as attributed area, for the address.
        """
        opened, network = current(self._runtime, session)
        sr = self._runtime.super_resolved(opened.study, network).pixels
        window = session.window or Window(0, 0)
        region = session.wanted.region if session.wanted else (0, 0, *opened.study.size)
        record = session.maps
        films = self._films(session, record) if record is not None else {}
        found = maps.scene(opened, sr, window, region, record, session.owner, films)
        chosen = address.written(opened, (window.left, window.top, window.size))
        chosen_options = address.options(
            session.wanted, area, network.twin is not None, self._steps
        )
        return {**found, "stale": stale(session), "address": {**chosen, **chosen_options}}

    def _films(self, session: Session, record: MapsRecord) -> dict[str, Frames]:
        """The steps of finished maps, by the maps' names."""
        if not all(way in record.results and record.results[way].finished for way in record.ways):
            return {}
        network = network_of(self._runtime, session, record)
        found: dict[str, Frames] = {}
        for name, way, _ in maps.panes(record):
            film = self._runtime.attribution.film(
                record.study, network, way, record.window, record.region, record.how
            )
            if film is not None:
                found[name] = film.frames(network.model)
        return found

    def _stopped(self, session: Session, record: MapsRecord) -> dict[Any, Any]:
        if not record.results:
            told = status_bar("Stopped before the first step.", stale=stale(session))
            return {self._page.status: told}
        return {
            self._page.viewer: self.scene(session),
            self._page.status: maps.status(record, "Stopped"),
        }

    def _costs(self, record: MapsRecord, network: Network, ways: list[str | None]) -> str:
        """How long maps of each area would take, by the speed measured so far."""
        told, seen = [], set()
        for choice in ("64", "96", "128", "whole"):
            try:
                region = region_around(record.window, choice, record.study.size, network.scale)
            except UserError:
                continue  # too large to be attributed whole
            guess = self._runtime.attribution.estimated_seconds(
                network, ways, region, record.how, beside=passes(region) if record.causal else 0
            )
            if guess is None or region[2:] in seen:
                continue
            seen.add(region[2:])
            told.append(f"{region[3]}x{region[2]} about {text.seconds(guess)}")
        return render("costs", areas=told)


def stale(session: Session) -> str:
    """What the maps that are shown are of, where that is not what is chosen; else empty."""
    record = session.maps
    if record is None or record.request == session.wanted:
        return ""
    return text.of_maps(record)


def request_of(
    opened: Opened,
    network: Network,
    window: Window,
    steps: float = options.STEPS,
    region: str = "auto",
    without: str = TWIN,
    method: str = options.LAM,
    matches: str = "live",
) -> MapsRequest:
    """What is asked for: a window of what is opened, and values of `ReceptiveFieldPage.settings`.

    Raises:
        ValueError: No such region, method or number of steps.
    """
    area = region_around(window, region, opened.study.size, network.scale)
    how, causal = options.asked(steps, method, matches)
    without_gpa = network.ways(without)
    return MapsRequest(opened.study.key, network.label, window, area, how, without_gpa, causal)


def _warning(record: MapsRecord, guess: float) -> str:
    height, width = record.region[2:]
    smaller = ", or choose a smaller area" if min(height, width) > 64 else ""
    return (
        f"The maps of {width}x{height} LR pixels would take about {text.seconds(guess)}: press "
        f"Compute maps to have them{smaller}."
    )
