"""*Receptive field*: which LR pixels a window was made from, with and without GPA."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from hpinet.errors import UserError
from lam import Window
from ui.compute.attribution import region_around
from ui.compute.opening import current, network_of
from ui.compute.runtime import Runtime
from ui.events.handlers import HEAVY, NOW, PRIVATE, QUICK, clock, overtaken, spoken
from ui.events.queued import queued
from ui.state import options
from ui.state.network import TWIN
from ui.state.options import BICUBIC, Look
from ui.state.session import Session, clamped_window
from ui.views import maps
from ui.views.html import status_bar
from ui.views.path import path

from .maps_job import MapsJob, request_of, stale
from .receptive_field_layout import ReceptiveFieldPage

STEPS = options.STEPS
PATIENCE = 600
"""Seconds that maps may take without being asked for by the button. Generous: a step measured on a
busy machine promises too much, a first map is there after a tenth of the time, and Stop works."""

_LATEST: dict[str, Any] = {
    **QUICK, "trigger_mode": "always_last", "concurrency_id": "path", "concurrency_limit": 1,
}  # fmt: skip
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
        self._job = MapsJob(runtime, self.page)
        self.refresh = self._queued(self._refresh)
        self.attribute = self._queued(self._attribute)
        self._connect_maps(session)
        self._connect_looks(session)
        self._connect_path(session)

    def start(self, session: Session, region: str) -> dict[Any, Any]:
        """Show another image or window: what is computed for another one is out of date.

        "Without GPA means" is left alone: a change made here would count as the visitor's own and
        start the maps once more, and events that still wait may ask for a choice taken away.
        """
        window = session.window or Window(0, 0)
        place = (window.left, window.top, window.size)
        try:
            return self.place(session, region, place)
        except UserError:  # the area chosen for the image before is too large for this one
            return self.place(session, "auto", place)

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
            region: As `ui.compute.attribution.region_around` takes it.
            wanted: Left, top and size of the window in SR pixels.
            settings: Values of `ReceptiveFieldPage.settings`; by default those of the maps that
                are shown.

        Returns:
            Values of components; the status line names what the maps are of meanwhile.

        Raises:
            ValueError: The region is too large, or a number is missing.
        """
        opened, network = current(self._runtime, session)
        window = clamped_window(*wanted, *opened.size)
        if settings is not None or session.maps is None:
            request = request_of(opened, network, window, *(settings or (STEPS, region)))
        else:
            area = region_around(window, region, opened.study.size, network.scale)
            old = session.maps.request
            request = replace(old, image=opened.study.key, network=network.label)
            request = replace(request, window=window, region=area)
        session.window, session.wanted = window, request
        session.maps_job.begin()
        sr = self._runtime.super_resolved(opened.study, network).pixels
        shown = maps.window_pixels(opened, sr, window, request.region)
        return self.page.fill(
            {
                "picture": self._runtime.images.shown(shown),
                "left": window.left,
                "top": window.top,
                "size": window.size,
                "status": status_bar(_WAITING, 0, stale(session)),
            }
        )

    def stop(self, session: Session) -> dict[Any, Any]:
        """Ask the maps that are computed to end after their step."""
        running = session.maps_job.stop()
        told = "Stopping after this step…" if running else "Nothing is running."
        return {self.page.status: status_bar(told, stale=stale(session))}

    def redraw(self, session: Session, *look: Any) -> Any:
        """Draw the maps that are shown in another way: arguments as of `Look`."""
        session.look = Look(*look)
        if session.maps is None:
            return gr.skip()
        session.maps = replace(session.maps, look=session.look)
        return self.page.fill(maps.maps(session.maps, self._runtime.images))

    def follow(self, event: Callable[..., Any], session: gr.State) -> None:
        """Compute the maps after an event, and bring the path up to date, which is theirs."""
        self._compute(self.refresh, event, session)

    def _compute(self, handler: Any, event: Callable[..., Any], session: gr.State) -> None:
        page = self.page
        done = event(
            handler,
            [session, *page.settings],
            [*page.maps, page.status],
            api_name="refresh_maps",
            **{**HEAVY, **PRIVATE},
        )
        self._follow_path(done.then, session)

    def _queued(self, handler: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        return queued(
            spoken(handler), self._runtime.queue, self.page.status, lambda s: s.maps_job, stale
        )

    def _connect_maps(self, session: gr.State) -> None:
        page = self.page

        @spoken
        def placed(session: Session, *given: Any) -> dict[Any, Any]:
            *settings, left, top, size = given
            return self.place(session, settings[1], (left, top, size), settings)

        @spoken
        def clicked(
            when: float, session: Session, region: str, size: float, event: gr.SelectData
        ) -> Any:
            if overtaken(session, "lam-picture", when):
                return gr.skip()
            factor, side = maps.factor_of(session.subject()), size or 16
            x, y = (v // factor - side // 2 for v in event.index)
            values = self.place(session, region, (x, y, side))
            return gr.skip() if session.clicks["lam-picture"] > when else values

        click = page.picture.select(
            clicked, [clock(), session, page.region, page.size], page.placed, js=NOW, **PRIVATE
        )
        where = [session, *page.settings, *page.window]
        chosen = page.named("region", "without", "method", "matches")
        changed = gr.on([c.input for c in chosen], placed, where, page.placed, **PRIVATE)
        for event in (click, changed):
            self.follow(event.success, session)
        asked = gr.on(
            [page.run.click, *(field.submit for field in page.window)],
            placed,
            where,
            page.placed,
            **PRIVATE,
        )
        self._compute(self._queued(self._asked_for), asked.success, session)
        page.stop.click(spoken(self.stop), session, page.status, queue=False, **PRIVATE)

    def _connect_looks(self, session: gr.State) -> None:
        page = self.page

        gr.on(
            [
                page.strength.release,
                *(c.input for c in page.named("strength", "colours", "view", "third", "scale")),
                page.end.submit,
            ],
            spoken(self.redraw),
            [session, *page.look],
            page.maps,
            **{**PRIVATE, "trigger_mode": "always_last"},
        )

    def _connect_path(self, session: gr.State) -> None:
        page = self.page

        @spoken
        def along_the_path(session: Session, alpha: float = 1.0) -> Any:
            return page.fill(self._path(session, alpha))

        for event, is_open in ((page.path_box.expand, True), (page.path_box.collapse, False)):
            event(lambda shown=is_open: shown, None, page.path_open, queue=False, **PRIVATE)
        gr.on(
            [page.alpha.release, page.alpha.change, page.path_box.expand],
            along_the_path,
            [session, page.alpha],
            page.path,
            api_name="along_the_path",
            api_description="The image at a position of LAM's path (0 blurred to 1 sharp), the "
            "window made from it, and the share of patches whose match differs from the sharp "
            "image's, block by block.",
            **_LATEST,
        )
        self._follow_path(page.with_map.change, session)

    def _follow_path(self, event: Callable[..., Any], session: gr.State) -> None:
        """Bring the path, which is that of the maps, up to date after an event if it is open."""
        page = self.page

        @spoken
        def up_to_date(session: Session, alpha: float, is_open: bool) -> Any:
            if not is_open or session.maps is None:
                return gr.skip()
            return page.fill(self._path(session, alpha))

        inputs = [session, page.alpha, page.path_open]
        event(up_to_date, inputs, page.path, **_LATEST, api_visibility="private")

    def _path(self, session: Session, alpha: float) -> dict[str, Any]:
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
        strength: float = 0.6,
        colours: str = options.ROOT,
        view: str = options.IMPORTANCE,
        third: str = BICUBIC,
        scale: str = options.PERCENTILE,
        end: float = 99.5,
        method: str = options.LAM,
        matches: str = "live",
    ) -> Iterator[dict[Any, Any]]:
        session.window = clamped_window(left, top, size, *session.subject().size)
        session.look = Look(strength, colours, view, third, scale, end)
        yield from self._job.run(session, (steps, region, without, method, matches))

    def _refresh(self, session: Session, *settings: Any) -> Iterator[dict[Any, Any]]:
        # Where the window was placed last, not what the fields held when this was sent.
        yield from self._job.run(session, settings, PATIENCE)

    def _asked_for(self, session: Session, *settings: Any) -> Iterator[dict[Any, Any]]:
        yield from self._job.run(session, settings)
