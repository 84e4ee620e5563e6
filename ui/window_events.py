"""One window for all pages: a click on one shows in the others, and in the page's address."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.events.handlers import NOW, PRIVATE, clock, is_outdated, with_user_errors
from ui.state import address
from ui.state.session import Session
from ui.tabs.super_resolve import SuperResolve
from ui.viewer.component import event_data

from .tabs.maps.network_maps import ManyNetworks
from .tabs.maps.receptive_field import ReceptiveField


def address_says(bar: gr.HTML, session: Session, turn: Any = None) -> dict[Any, Any]:
    """What the page's address is to say; ``turn`` is that of the event that is answered."""
    opened, window = session.opened, session.window
    if opened is None or window is None:
        return {}
    place = (window.left, window.top, window.size)
    return {bar: {**address.written(opened, place), "turn": turn}}


def connect(
    session: gr.State,
    bar: gr.HTML,
    sr: SuperResolve,
    lam: ReceptiveField,
    many: ManyNetworks,
    sr_tab: gr.Tab,
) -> None:
    """Connect clicks on images.

    Args:
        session: The visitor's.
        bar: From `ui.viewer.component.address_bar`.
        sr: A page.
        lam: A page.
        many: A page.
        sr_tab: The tab of ``sr``.
    """
    viewer, placed = sr.page.viewer, lam.page.placed

    def moved(show: Any) -> Any:
        @with_user_errors
        def clicked(when: float, session: Session, region: str, event: gr.EventData) -> Any:
            if is_outdated(session, "window", when):
                return gr.skip()
            values = lam.centred(session, region, event_data(event))
            return {**values, **show(session), **address_says(bar, session)}

        return clicked

    @with_user_errors
    def window_moved(session: Session) -> Any:
        return sr.page.fill(sr.moved(session))

    quick = {**PRIVATE, "concurrency_id": "closer"}
    given = [clock(), session, lam.page.region]
    here = moved(lambda session: sr.page.fill(sr.moved(session)))
    click = viewer.select(here, given, [bar, viewer, *placed], js=NOW, **quick)
    lam.follow(click.success, session)
    outputs = [bar, *many.page.outputs, *placed]
    many.page.viewer.select(moved(many.here), given, outputs, js=NOW, **quick)
    sr_tab.select(window_moved, session, viewer, **quick)
