"""*Matched patches*: which patch each patch attends to, and what happens when that is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from lam import Window
from ui.compute.interventions import checked_block
from ui.compute.opening import current, network_of
from ui.compute.runtime import Runtime
from ui.events.handlers import NOW, PRIVATE, clock, overtaken, spoken
from ui.state.network import Network
from ui.state.options import CHANGE, FORCED, Change
from ui.state.record import MatchesRecord, Subject
from ui.state.session import Session
from ui.views import match_panes
from ui.views import matches as views

from . import diffusion_change
from .matches_layout import MEASURE, MatchesPage

Shown = tuple[MatchesRecord, dict[Any, Any]]
"""A record, and the values of components that show it."""

_EVENT: dict[str, Any] = {**PRIVATE, "concurrency_id": "picture"}
_LATE: dict[str, Any] = {**PRIVATE, "trigger_mode": "always_last", "concurrency_id": "panes"}


class MatchedPatches:
    """The page with its handlers.

    Args:
        runtime: Computes and keeps.
        session: The visitor's.
        tab: The page's tab.

    Attributes:
        page: The components.
    """

    def __init__(self, runtime: Runtime, session: gr.State, tab: gr.Tab) -> None:
        self.page, self._runtime = MatchesPage(), runtime
        self._connect_places(session, tab)
        self._connect_panes(session)
        self._connect_changes(session)
        diffusion_change.connect(runtime, session, self.page)

    def drawn(self, session: Session, record: MatchesRecord) -> Shown:
        """A record with values of components that show it."""
        network = network_of(self._runtime, session, record)
        return record, self.page.fill(views.pair(self._runtime, record, network))

    def show(self, session: Session, shown: Shown) -> Any:
        """Make a record the one that is shown, unless another image was opened meanwhile."""
        record, values = shown
        if not record.same(session.opened):
            return gr.skip()
        session.matches = record
        if not record.answers(session.measured):
            session.measured = None
            values = {**values, self.page.spread: MEASURE}
        return values

    def here(self, session: Session, block: int | None) -> Any:
        """Show what is opened at the place that is shown."""
        return self.show(session, self.drawn(session, record_at(self._runtime, session, block)))

    def _connect_places(self, session: gr.State, tab: gr.Tab) -> None:
        page, runtime = self.page, self._runtime

        def look(session: Session, block: int, x: float, y: float) -> Shown:
            return self.drawn(session, moved(record_at(runtime, session, block, x, y)))

        def picked(session: Session, block: int, x: float, y: float) -> Shown:
            record = moved(record_at(runtime, session, block, x, y))
            record = pick(runtime, record, network_of(runtime, session, record))
            return self.drawn(session, record)

        def opened(session: Session, block: int) -> Shown | None:
            if session.opened is None:  # the first image is on its way, and will be shown
                return None
            return self.drawn(session, record_at(runtime, session, block))

        @spoken
        def clicked(when: float, session: Session, block: int, event: gr.SelectData) -> Any:
            factor = views.factor_of(session.matches or session.subject())
            x, y = (place // factor for place in event.index)
            return self._latest(picked)(when, session, block, x, y)

        inputs = [clock(), session, *page.inputs]
        page.block.input(self._latest(look), inputs, page.outputs, js=NOW, **_EVENT)
        places = [page.x.submit, page.y.submit]
        gr.on(places, self._latest(picked), inputs, page.outputs, js=NOW, **_EVENT)
        inputs = [clock(), session, page.block]
        page.picture.select(clicked, inputs, page.outputs, js=NOW, **_EVENT)
        # The window may have moved on another page.
        tab.select(self._latest(opened), inputs, page.outputs, js=NOW, **_EVENT)

    def _connect_panes(self, session: gr.State) -> None:
        page, runtime = self.page, self._runtime

        @spoken
        def show_pane(session: Session, name: str, where: str) -> Any:
            record = session.matches
            if record is None:
                return gr.skip()
            network = network_of(runtime, session, record)
            return page.fill(match_panes.pane(name, runtime, record, network, where))

        inputs = [session, page.open_pane, page.where]
        # Whatever changes the image, from wherever: the open pane follows.
        gr.on([page.picture.change, page.where.input], show_pane, inputs, page.details, **_LATE)
        for name, tab in page.tabs.items():
            opened = tab.select(
                lambda name=name: name, None, page.open_pane, queue=False, **PRIVATE
            )
            opened.then(show_pane, inputs, page.details, **_LATE)

    def _connect_changes(self, session: gr.State) -> None:
        page, runtime = self.page, self._runtime

        def change_matches(
            session: Session, block: int, where: str, kind: str, blocks: str, seed: float
        ) -> Shown:
            record = record_at(runtime, session, block)
            change = Change(kind, blocks, record.block, int(seed or 0))
            if kind == FORCED and record.change.kind == FORCED:
                change = record.change  # only place or seed were touched, which do not matter here
            return apply(session, record, change, where)

        def reset(session: Session, block: int, where: str) -> Shown:
            record = record_at(runtime, session, block)
            return apply(session, record, Change(block=record.block), where)

        def apply(session: Session, record: MatchesRecord, change: Change, where: str) -> Shown:
            network = network_of(runtime, session, record)
            record = changed(runtime, record, network, change)
            session.change_job.begin()
            panes = match_panes.pane(CHANGE, runtime, record, network, where)
            return record, {**self.drawn(session, record)[1], **page.fill(panes)}

        @spoken
        def in_use(session: Session) -> dict[Any, Any]:
            change = session.matches.change if session.matches else Change()
            seed = gr.update(value=change.seed, visible=change.kind == "random")
            return {page.kind: change.kind, page.blocks: change.place, page.seed: seed}

        both = [*page.outputs, *page.named(*match_panes.NAMES[CHANGE])]
        inputs = [clock(), session, page.block, page.where]
        made = gr.on(
            [page.kind.input, page.blocks.input, page.seed.submit],
            self._latest(change_matches),
            [*inputs, page.kind, page.blocks, page.seed],
            both,
            js=NOW,
            **_EVENT,
        )
        # What did not work must not stay chosen.
        made.failure(in_use, session, page.named("kind", "blocks", "seed"), **PRIVATE)
        page.reset.click(self._latest(reset), inputs, both, js=NOW, **_EVENT)

    def _latest(self, handler: Callable[..., Shown | None]) -> Callable[..., Any]:
        """A handler whose answer counts only while nothing else was asked of the page.

        Args:
            handler: Takes the session first; makes a record and values that show it.

        Returns:
            The same with the time of the click, as `NOW` puts it, before the session.
        """

        def in_order(when: float, session: Session, *args: Any) -> Any:
            if overtaken(session, "matches", when):
                return gr.skip()
            shown = handler(session, *args)
            if shown is None or session.clicks["matches"] > when:
                return gr.skip()
            return self.show(session, shown)

        return spoken(in_order)


def record_at(
    runtime: Runtime,
    session: Session,
    block: int | None,
    x: float | None = None,
    y: float | None = None,
) -> MatchesRecord:
    """The matches of what is opened at a place; what was changed in another image is forgotten.

    Args:
        runtime: Computes and keeps.
        session: The visitor's.
        block: Number from 1; one that the network has not becomes 1.
        x: Column in SR pixels; with ``y``, the row of the place. By default the place that is
            shown, or the middle of the window.
        y: See ``x``.
    """
    opened, network = current(runtime, session)
    height, width = opened.size
    window = session.window or Window(0, 0, min(16, height, width))
    old = session.matches
    if old is None or not old.same(opened):
        middle = (window.left + window.size // 2, window.top + window.size // 2)
        old = MatchesRecord(opened.study, opened.network, window, middle)
    if x is None or y is None:
        x, y = old.place
    place = int(np.clip(x, 0, width - 1)), int(np.clip(y, 0, height - 1))
    number = checked_block(runtime.matches.of(opened.study, network), block)
    return replace(old, window=window, place=place, block=number)


def moved(record: MatchesRecord) -> MatchesRecord:
    """The record whose change in "this block" goes along to the block that is shown."""
    if record.block == record.change.block:
        return record
    return replace(record, change=record.change.at(record.block), first=None)


def changed(
    runtime: Runtime, record: MatchesRecord, network: Network, change: Change
) -> MatchesRecord:
    """The record with other changes of the matches.

    Raises:
        ValueError: If they do not work.
    """
    if not change.nothing:
        runtime.matches.outcome(record.study, network, change)
    return replace(record, change=change, first=None)


def pick(runtime: Runtime, record: MatchesRecord, network: Network) -> MatchesRecord:
    """A click at the record's place: while a match is to be forced, the patch, then its target.

    Returns:
        The record after it: once a match is forced, at the patch whose match that is.
    """
    if record.change.kind != FORCED or not network.has_gpa:
        return record
    block = views.block_of(record, runtime.matches.of(record.study, network))
    patch = views.patch_of(record, block)
    if record.first is None:
        return replace(record, first=patch)
    pairs = with_pair(record.change, record.first, patch)
    top, left = (
        int((int(v) + block.patch_size / 2) * network.scale) for v in block.origins[record.first]
    )
    change = replace(record.change, block=record.block, pairs=pairs)
    return replace(record, change=change, first=None, place=_inside(record, left, top))


def _inside(subject: Subject, x: int, y: int) -> tuple[int, int]:
    height, width = subject.size
    return min(x, width - 1), min(y, height - 1)


def with_pair(change: Change, patch: int, target: int) -> tuple[tuple[int, int], ...]:
    """The forced pairs of a change with one more; a patch has one target."""
    kept = change.pairs if change.kind == FORCED else ()
    return (*(pair for pair in kept if pair[0] != patch), (patch, target))
