"""*Many networks*: whose receptive field is wide, and does it pay? One window, one colour scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from hpinet.errors import UserError
from lam.batch.comparison import MOST
from ui.compute.maps.network_maps import NetworkMaps
from ui.compute.opening import current
from ui.compute.runtime import Runtime
from ui.events.handlers import HEAVY, NOTHING_RUNS, PRIVATE, stopping, with_user_errors
from ui.events.queued import queued
from ui.state import address
from ui.state.options import LAM, STEPS, STEPS_OFFERED
from ui.state.record import NetworksRecord
from ui.state.session import Session
from ui.tabs.components import Page, hint, html, saver, slider
from ui.viewer.component import viewer
from ui.views.attribution import network_maps as views
from ui.views.html import status_bar


class NetworkMapsPage(Page):
    """The page's components."""

    def __init__(self) -> None:
        with gr.Row():
            self.chosen = gr.Dropdown(
                [], multiselect=True, max_choices=MOST, label=f"Networks (2 to {MOST})", scale=6,
                min_width=300, elem_id="networks-chosen",
                info="All of one scale; the list on the left, yours, and bicubic interpolation.",
            )  # fmt: skip
            told = "Area and matches are those of Receptive field."
            self.steps = slider(*STEPS_OFFERED, STEPS, 1, "Steps of LAM", "networks-steps", told)
        with gr.Row(elem_id="networks-row"):
            self.run = gr.Button("Compute these", variant="primary", elem_id="networks-run")
            self.mend = gr.Button("Mend residuals", interactive=False, elem_id="networks-mend")
            self.stop = gr.Button("Stop", elem_id="networks-stop")
            self.csv = gr.Button("Table (CSV)", elem_id="networks-csv")
            self.png = gr.Button("Figure (PNG)", elem_id="networks-png")
            self.zip = gr.Button("Everything (ZIP)", elem_id="networks-zip")
            self.file = saver("networks-file")
        self.status = html("networks-status", status_bar("Nothing was asked for yet."), "Status")
        self.viewer = viewer("networks", "Many networks: what each made of a window, and from what")
        hint(
            "Maps show shares of each network's importance, on one colour scale. Where more than "
            "2% of the window's change is left unexplained, the map is not to be trusted: “Mend "
            "residuals” doubles the steps of such networks until it is less, which measures how "
            "many they need."
        )

    @property
    def outputs(self) -> list[Any]:
        """Everything that another image, window or network changes."""
        return self.named("viewer", "chosen", "status", "mend")


class ManyNetworks:
    """The page with its handlers.

    Args:
        runtime: Computes and keeps.
        session: The visitor's.
        tab: The page's tab.

    Attributes:
        page: The components.
        compute: Computes what is chosen: the endpoint.
    """

    def __init__(self, runtime: Runtime, session: gr.State, tab: gr.Tab) -> None:
        self.page, self._runtime = NetworkMapsPage(), runtime
        page = self.page

        @with_user_errors
        def shown(session: Session, chosen: Sequence[str], steps: float) -> dict[Any, Any]:
            return self.here(session, chosen, steps) or gr.skip()

        @with_user_errors
        def stop(session: Session) -> Any:
            if session.networks_job.stop():  # and says itself where
                return gr.skip()
            return {page.status: status_bar(NOTHING_RUNS)}

        def job(mend: bool) -> Any:
            def run(session: Session, chosen: Sequence[str], steps: float) -> Iterator[Any]:
                yield from self._run(session, chosen, steps, mend)

            def ready(session: Session, chosen: Sequence[str], steps: float) -> bool:
                if mend or session.opened is None:
                    return False
                try:
                    work = self.asked(session, chosen, steps)
                except UserError:  # which is told when the maps are computed
                    return False
                return all(map(work.known, work.chosen))

            return queued(
                with_user_errors(run),
                runtime.queue,
                page.status,
                lambda s: s.networks_job,
                ready=ready,
            )

        self.compute = job(False)
        given, outputs = [session, page.chosen, page.steps], page.outputs
        tab.select(shown, given, outputs, **PRIVATE)
        gr.on([page.chosen.input, page.steps.release], shown, given, outputs, **PRIVATE)
        for button, mend in ((page.run, False), (page.mend, True)):
            button.click(job(mend), given, outputs, **{**HEAVY, **PRIVATE})
        page.stop.click(
            stop, session, page.status, js=stopping("networks-status"), queue=False, **PRIVATE
        )

    def asked(
        self, session: Session, chosen: Sequence[str] | None, steps: float | None
    ) -> NetworkMaps:
        """The comparison of what is chosen, with what is known of it.

        Args:
            session: The visitor, whose window and area are taken.
            chosen: Kinds of contenders; those that there are not for this image are left out, and
                those that were compared last, or the usual ones, stand in for none.
            steps: Of LAM; by default those of the last time.

        Raises:
            ValueError: Nothing is opened, or no such number of steps.
        """
        opened, _ = current(self._runtime, session)
        wanted, old = session.wanted, session.networks
        assert session.window is not None and wanted is not None
        how = replace(wanted.how, method=LAM)
        if steps is not None or old is not None:
            how = replace(how, steps=int(steps if steps is not None else old.how.steps))  # type: ignore[union-attr]
        record = NetworksRecord(
            opened.study, opened.network, session.window, wanted.region, how,
            tuple(chosen or (old.chosen if old else address.NETWORKS)),
        )  # fmt: skip
        work = NetworkMaps(self._runtime, record, session.uploaded)
        kinds = tuple(c.kind for c in work.chosen) or tuple(
            k for k in address.NETWORKS if k in work.among
        )
        # What was stopped on the way stays, and whatever others have computed is there, too.
        found = dict(old.found) if old is not None and record.of(old) else {}
        work.record = replace(record, chosen=kinds)
        work.chosen = [work.among[kind] for kind in kinds]
        for contender in work.chosen:
            if work.known(contender):
                *_, found[contender.kind] = work.answers(contender)
        work.record = replace(work.record, found={k: found[k] for k in kinds if k in found})
        return work

    def here(
        self,
        session: Session,
        chosen: Sequence[str] | None = None,
        steps: float | None = None,
    ) -> dict[Any, Any]:
        """Values that show what is chosen and known; nothing is computed.

        None at all while just that is computed.
        """
        if session.opened is None or session.wanted is None:
            return {}
        work, old, job = self.asked(session, chosen, steps), session.networks, session.networks_job
        if job.running:
            if work.record.of(old) and old is not None and work.record.chosen == old.chosen:
                return {}  # it goes on
            job.ended = job.begin()  # it is of something else now
        session.networks = work.record
        known = sum(one.result.finished for one in work.record.found.values())
        told = f"{known} of {len(work.chosen)} maps of this window are known."
        choices = [(c.label, c.kind) for c in work.among.values()]
        value = list(work.record.chosen)
        return {
            **self._values(session, work),
            self.page.chosen: gr.update(choices=choices, value=value),
            self.page.status: status_bar(told),
        }

    def _values(self, session: Session, work: NetworkMaps) -> dict[Any, Any]:
        record, scale = work.record, work.record.network.scale
        images = {
            c.kind: self._runtime.contenders.restored(c, record.study, scale).pixels
            for c in work.chosen
            if c.kind in record.found
        }
        labels = {c.kind: c.label for c in work.chosen}
        scene = views.scene(record, labels, images, session.owner)
        window = record.window
        scene["address"] = {
            **address.written(session.subject(), (window.left, window.top, window.size)),
            "networks": None if record.chosen == address.NETWORKS else "|".join(record.chosen),
        }
        return {
            self.page.viewer: scene,
            self.page.mend: gr.update(interactive=views.mendable(record)),
        }

    def _run(
        self, session: Session, chosen: Sequence[str], steps: float, mend: bool
    ) -> Iterator[dict[Any, Any]]:
        page, job, run = self.page, session.networks_job, session.networks_job.begin()
        work = self.asked(session, chosen, steps)
        work.check()
        session.networks, total = work.record, len(work.chosen)
        yield {page.status: views.status(work.record, total)}
        found = dict(work.record.found)
        jobs = {
            c.kind: work.answers(c, mend)
            for c in work.chosen
            if mend or c.kind not in found or not found[c.kind].result.finished
        }
        while jobs:
            for kind in tuple(jobs):
                answer = next(jobs[kind], None)
                if job.run != run:
                    if job.stopped:
                        yield {page.status: views.status(work.record, total, "Stopped")}
                    return
                if answer is None:
                    del jobs[kind]
                    continue
                found[kind] = answer
                kinds = work.record.chosen
                work.record = replace(work.record, found={k: found[k] for k in kinds if k in found})
            session.networks = work.record
            yield {**self._values(session, work), page.status: views.status(work.record, total)}
        job.ended = run
        yield {**self._values(session, work), page.status: views.status(work.record, total, "Done")}
