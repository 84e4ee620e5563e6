"""*Receptive field*: which LR pixels a window was made from, with and without GPA."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from hpinet.errors import UserError
from lam import Window
from ui.compute.opening import current, network_of
from ui.compute.runtime import Runtime
from ui.events.handlers import (
    HEAVY,
    NOTHING_RUNS,
    NOW,
    PRIVATE,
    clock,
    is_outdated,
    stopping,
    with_user_errors,
)  # fmt: skip
from ui.events.queued import queued
from ui.networks.network import BOTH, TWIN
from ui.state import options
from ui.state.region import region_around
from ui.state.session import Session, clamped_window
from ui.viewer.component import event_data
from ui.views.attribution import maps
from ui.views.attribution.path import path
from ui.views.html import status_bar

from .maps_job import MapsJob, request_of, stale
from .receptive_field_layout import ReceptiveFieldPage

STEPS = options.STEPS
PATIENCE = 600
"""Seconds that maps may take without being asked for by the button. Generous: a step measured on a
busy machine promises too much, a first map is there after a tenth of the time, and Stop works."""

_WAITING = "Waiting for the processor: one map is computed at a time."


class ReceptiveField:
    """The page with its handlers.

    Args:
        runtime: Computes and keeps.
        session: The visitor's.

    Attributes:
        page: The components.
        refresh: Computes the maps of the window that was placed last.
        attribute: The same for a given window: the endpoint.
    """

    def __init__(self, runtime: Runtime, session: gr.State) -> None:
        self.page, self._runtime = ReceptiveFieldPage(STEPS), runtime
        self._job = MapsJob(runtime, self.page, STEPS)
        self.refresh = self._queued(self._refresh, self._job.ready)
        self.attribute = self._queued(self._attribute)
        self._connect(session)

    def start(
        self, session: Session, region: str, settings: Sequence[Any] | None = None
    ) -> dict[Any, Any]:
        """Show another image or window: what is computed for another one is out of date.

        "Without GPA means" is left alone: a change made here would count as the visitor's own and
        start the maps once more, and events that still wait may ask for a choice taken away.
        """
        window = session.window or Window(0, 0)
        return self.place(session, region, (window.left, window.top, window.size), settings)

    def place(
        self,
        session: Session,
        region: str,
        wanted: tuple[float, float, float],
        settings: Sequence[Any] | None = None,
    ) -> dict[Any, Any]:
        """Put the window somewhere, which outdates what is being computed.

        Args:
            session: The visitor.
            region: As `ui.state.region.region_around` takes it; where that is too large for
                the image, it becomes automatic, and the status line says so.
            wanted: Left, top and size of the window in SR pixels.
            settings: Values of `ReceptiveFieldPage.settings`; by default those of the maps that
                are shown.

        Returns:
            Values of components; the status line names what the maps are of meanwhile.

        Raises:
            ValueError: A number is missing.
        """
        opened, network = current(self._runtime, session)
        window, told = clamped_window(*wanted, *opened.size), _WAITING
        try:
            area = region_around(window, region, opened.study.size, network.scale)
        except UserError as error:
            region, told = "auto", f"{error} It is 64x64 around the window now."
            area = region_around(window, region, opened.study.size, network.scale)
        if settings is not None or session.maps is None:
            steps, _, *others = settings or (STEPS, region)
            request = request_of(opened, network, window, steps, region, *others)
        else:
            old = session.maps.request
            request = replace(
                old, image=opened.study.key, network=network.label, window=window, region=area,
                without=network.ways(BOTH if len(old.without) > 1 else (*old.without, TWIN)[0]),
            )  # fmt: skip
        session.window, session.wanted = window, request
        session.maps_job.begin()
        return self.page.fill(
            {
                "viewer": self._job.scene(session, region),
                "left": window.left,
                "top": window.top,
                "size": window.size,
                "region": region,
                "status": status_bar(told, 0, stale(session)),
                "asked": "",
            }
        )

    def stop(self, session: Session) -> Any:
        """Ask the maps that are computed to end after their step."""
        if session.maps_job.stop():  # and says itself where
            return gr.skip()
        return {self.page.status: status_bar(NOTHING_RUNS, stale=stale(session))}

    def follow(self, event: Callable[..., Any], session: gr.State) -> None:
        """Compute the maps after an event."""
        self._compute(self.refresh, event, session)

    def blurred(self, session: Session, cells: Sequence[int]) -> str:
        """What blurring some LR pixels does to the window of the maps that are shown, as HTML.

        Raises:
            ValueError: There are no maps, or no such pixels.
        """
        record = session.maps
        if record is None or not record.results or not record.study.key == _key(session):
            raise UserError("There are no maps of this image yet: compute them first.")
        network = network_of(self._runtime, session, record)
        found = self._runtime.attribution.blurred(record, network, cells)
        return maps.asked(record, len(set(cells)), found) if found else ""

    def _compute(self, handler: Any, event: Callable[..., Any], session: gr.State) -> None:
        page = self.page
        event(
            handler,
            [session, *page.settings],
            page.shown,
            api_name="refresh_maps",
            **{**HEAVY, **PRIVATE},
        )

    def _queued(
        self,
        handler: Callable[..., Iterator[Any]],
        ready: Callable[..., bool] = lambda *_: False,
    ) -> Callable[..., Iterator[Any]]:
        return queued(
            with_user_errors(handler),
            self._runtime.queue,
            self.page.status,
            lambda s: s.maps_job,
            stale,
            ready,
        )

    def _connect(self, session: gr.State) -> None:
        page = self.page

        @with_user_errors
        def placed(session: Session, *given: Any) -> dict[Any, Any]:
            *settings, left, top, size = given
            return self.place(session, settings[1], (left, top, size), settings)

        @with_user_errors
        def clicked(
            when: float, session: Session, region: str, size: float, event: gr.EventData
        ) -> Any:
            if is_outdated(session, "window", when):
                return gr.skip()
            return self.centred(session, region, event_data(event), size)

        @with_user_errors
        def painted(session: Session, event: gr.EventData) -> str:
            return self.blurred(session, event_data(event).get("cells", ()))

        @with_user_errors
        def applicable(session: Session, method: str) -> list[Any]:
            """Steps and the matches' rule are LAM's; the rule needs matches, too."""
            lam = method in (options.LAM, options.CAUSE)
            gpa = session.opened is None or session.opened.network.has_gpa
            return [gr.update(interactive=lam), gr.update(interactive=lam and gpa)]

        click = page.viewer.select(
            clicked, [clock(), session, page.region, page.size], page.placed, js=NOW, **PRIVATE
        )
        page.viewer.submit(
            painted, session, page.asked, **{**PRIVATE, "trigger_mode": "always_last"}
        )
        where = [session, *page.settings, *page.window]
        chosen = page.named("region", "without", "method", "matches")
        changed = gr.on([c.input for c in chosen], placed, where, page.placed, **PRIVATE)
        limits = page.named("steps", "matches")
        page.method.change(applicable, [session, page.method], limits, **PRIVATE)
        for event in (click, changed):
            self.follow(event.success, session)
        asked = gr.on(
            [page.run.click, *(field.submit for field in page.window)],
            placed,
            where,
            page.placed,
            **PRIVATE,
        )
        self._compute(self._queued(self._asked_for, self._job.ready), asked.success, session)
        page.stop.click(
            with_user_errors(self.stop), session, page.status, js=stopping("lam-status"),
            queue=False, **PRIVATE,
        )  # fmt: skip

    def centred(
        self, session: Session, region: str, data: dict[str, Any], size: float | None = None
    ) -> dict[Any, Any]:
        """Put the window around an SR pixel that was clicked, as `place`."""
        side = size or (session.window.size if session.window else 16)
        x, y = (float(data.get(name, 0)) for name in "xy")
        return self.place(session, region, (x - side // 2, y - side // 2, side))

    def path(self, session: Session, alpha: float) -> dict[str, Any]:
        """A position of the path, of the maps that are shown.

        Raises:
            ValueError: If the position lies elsewhere.
        """
        if not 0 <= alpha <= 1:
            raise UserError(f"The position on the path is 0 to 1, not {alpha}.")
        record = session.maps
        if record is None:  # there are no maps yet: the path that they will have
            record = self._job.record(session, ())
        network, stations = network_of(self._runtime, session, record), self._runtime.path
        station = stations.at(record, network, alpha)
        switched = stations.switched(record, network, alpha)
        return path(record, station, switched, alpha, self._runtime.images)

    def _attribute(
        self,
        session: Session,
        left: float,
        top: float,
        size: float,
        steps: float = STEPS,
        region: str = "auto",
        without: str = TWIN,
        method: str = options.LAM,
        matches: str = "live",
    ) -> Iterator[dict[Any, Any]]:
        session.window = clamped_window(left, top, size, *session.subject().size)
        yield from self._job.run(session, (steps, region, without, method, matches))

    def _refresh(self, session: Session, *settings: Any) -> Iterator[dict[Any, Any]]:
        # Where the window was placed last, not what the fields held when this was sent.
        yield from self._job.run(session, settings, PATIENCE)

    def _asked_for(self, session: Session, *settings: Any) -> Iterator[dict[Any, Any]]:
        yield from self._job.run(session, settings)


def _key(session: Session) -> str:
    return session.opened.study.key if session.opened else ""
