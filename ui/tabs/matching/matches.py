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
from ui.events.handlers import NOW, PRIVATE, clock, is_outdated, with_user_errors
from ui.networks.network import Network
from ui.state.options import CHANGE, FORCED, HERE, REACH, WINDOW, Change
from ui.state.record import MatchesRecord
from ui.state.session import Session
from ui.viewer.component import event_data
from ui.views.matching import match_panes
from ui.views.matching import matches as views

from . import diffusion_change
from .matches_layout import MEASURE, MatchesPage

Shown = tuple[MatchesRecord, dict[Any, Any]]
"""A record, and the values of components that show it."""

_EVENT: dict[str, Any] = {**PRIVATE, "concurrency_id": "image"}

_SEEN = "document.querySelector('#matches .viewer')?.viewer?.scene?.at ?? null"
_AT = (
    "(when, session, at, ...rest) => "
    f"[performance.timeOrigin + performance.now(), session, {_SEEN}, ...rest]"
)
_AT_ALONE = f"(session, at) => [session, {_SEEN}]"
"""JavaScript that says which block and patch the viewer shows, which it tells nobody by itself."""


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
        self._connect(session, tab)
        diffusion_change.connect(runtime, session, self.page)

    def drawn(self, session: Session, record: MatchesRecord, where: str = WINDOW) -> Shown:
        """A record with values of components that show it."""
        runtime, network = self._runtime, network_of(self._runtime, session, record)
        found, change = runtime.matches.of(record.study, network, record.change), record.change
        values = {
            "prompt": views.asked(record, found, network),
            "viewer": views.scene(runtime, record, network, session.owner),
            "kind": gr.update(value=change.kind, interactive=network.has_gpa),
            "blocks": gr.update(value=change.place, interactive=network.has_gpa),
            "seed": gr.update(value=change.seed, visible=change.kind == "random"),
            "effect_view": gr.update(visible="hidden"),
            "effect": "",
        }
        if not change.nothing:
            window = match_panes.effect_place(runtime, record, network, where)
            effect = match_panes.effect_scene(runtime, record, network, window, session.owner)
            values["effect_view"] = gr.update(value=effect, visible=True)
            values["effect"] = match_panes.pane(CHANGE, runtime, record, network, where)["effect"]
        return record, self.page.fill(values)

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

    def here(self, session: Session) -> Any:
        """Show what is opened at the place that is shown."""
        return self.show(session, self.drawn(session, record_at(self._runtime, session)))

    def applied(self, session: Session, data: dict[str, Any], where: str) -> Shown:
        """What was done in the viewer: a match was forced, one taken back, or all.

        Raises:
            ValueError: It does not work.
        """
        record = record_at(self._runtime, session)
        before = record.change
        if "force" in data:
            patch, target = (int(v) for v in data["force"])
            block = int(data["block"])
            pairs = with_pair(before.at(block), patch, target)
            change = Change(FORCED, HERE, block, pairs=pairs)
            record = replace(record, block=block)
        elif "undo" in data:
            pairs = tuple(p for n, p in enumerate(before.pairs) if n != int(data["undo"]))
            change = replace(before, pairs=pairs) if pairs else Change(block=before.block)
        else:
            change = Change(block=before.block)
        return self._changed(session, record, change, where)

    def _changed(
        self, session: Session, record: MatchesRecord, change: Change, where: str
    ) -> Shown:
        network = network_of(self._runtime, session, record)
        record = changed(self._runtime, record, network, change)
        session.change_job.begin()
        return self.drawn(session, record, where)

    def _connect(self, session: gr.State, tab: gr.Tab) -> None:
        page, runtime = self.page, self._runtime

        def opened(session: Session) -> Shown | None:
            if session.opened is None:  # the first image is on its way, and will be shown
                return None
            return self.drawn(session, record_at(runtime, session))

        def change_matches(
            session: Session, at: Any, where: str, kind: str, blocks: str, seed: float
        ) -> Shown:
            record = _record_shown(runtime, session, at)
            change = Change(kind, blocks, record.block, int(seed or 0))
            if kind == FORCED and record.change.kind == FORCED:
                change = record.change  # only place or seed were touched, which do not matter here
            return self._changed(session, record, change, where)

        def elsewhere(session: Session, at: Any, where: str) -> Shown:
            return self.drawn(session, _record_shown(runtime, session, at), where)

        @with_user_errors
        def applied(when: float, session: Session, where: str, event: gr.EventData) -> Any:
            def done(session: Session) -> Shown:
                return self.applied(session, event_data(event), where)

            return self._latest(done)(when, session)

        @with_user_errors
        def in_use(session: Session) -> dict[Any, Any]:
            change = session.matches.change if session.matches else Change()
            seed = gr.update(value=change.seed, visible=change.kind == "random")
            return {page.kind: change.kind, page.blocks: change.place, page.seed: seed}

        @with_user_errors
        def reach(session: Session, at: Any) -> list[Any]:
            record = _record_shown(runtime, session, at)
            network = network_of(runtime, session, record)
            return list(match_panes.pane(REACH, runtime, record, network).values())

        # The window may have moved on another page.
        tab.select(self._latest(opened), [clock(), session], page.outputs, js=NOW, **_EVENT)
        inputs = [clock(), session, page.at, page.where]
        made = gr.on(
            [page.kind.input, page.blocks.input, page.seed.submit],
            self._latest(change_matches),
            [*inputs, page.kind, page.blocks, page.seed],
            page.outputs,
            js=_AT,
            **_EVENT,
        )
        inside = [clock(), session, page.where]
        forced = page.viewer.apply(applied, inside, page.outputs, js=NOW, **_EVENT)
        # What did not work must not stay chosen.
        for event in (made, forced):
            event.failure(in_use, session, page.named("kind", "blocks", "seed"), **PRIVATE)
        page.where.input(self._latest(elsewhere), inputs, page.outputs, js=_AT, **_EVENT)
        page.reach_box.expand(
            reach, [session, page.at], page.named("reach", "reached"), js=_AT_ALONE, **_EVENT
        )

    def _latest(self, handler: Callable[..., Shown | None]) -> Callable[..., Any]:
        """A handler whose answer counts only while nothing else was asked of the page.

        Args:
            handler: Takes the session first; makes a record and values that show it.

        Returns:
            The same with the time of the click, as `NOW` puts it, before the session.
        """

        def in_order(when: float, session: Session, *args: Any) -> Any:
            if is_outdated(session, "matches", when):
                return gr.skip()
            shown = handler(session, *args)
            if shown is None or session.clicks["matches"] > when:
                return gr.skip()
            return self.show(session, shown)

        return with_user_errors(in_order)


def _record_shown(runtime: Runtime, session: Session, at: Any) -> MatchesRecord:
    """The record at the block and place that the browser says are looked at."""
    if not isinstance(at, dict):
        return record_at(runtime, session)
    return moved(record_at(runtime, session, at.get("block"), at.get("x"), at.get("y")))


def record_at(
    runtime: Runtime,
    session: Session,
    block: int | None = None,
    x: float | None = None,
    y: float | None = None,
) -> MatchesRecord:
    """The matches of what is opened at a place; what was changed in another image is forgotten.

    Args:
        runtime: Computes and keeps.
        session: The visitor's.
        block: Number from 1; by default the one that is shown.
        x: Column in SR pixels; with ``y``, the row of the place. By default the place that is
            shown, or the middle of the window.
        y: See ``x``.

    Raises:
        ValueError: There is no such block.
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
    number = old.block if block is None else block
    number = checked_block(runtime.matches.of(opened.study, network), number)
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


def with_pair(change: Change, patch: int, target: int) -> tuple[tuple[int, int], ...]:
    """The forced pairs of a change with one more; a patch has one target."""
    kept = change.pairs if change.kind == FORCED else ()
    return (*(pair for pair in kept if pair[0] != patch), (patch, target))
