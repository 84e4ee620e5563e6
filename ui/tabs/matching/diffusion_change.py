"""What a change of matches does to the diffusion index, measured on request."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import gradio as gr

from hpinet.errors import UserError
from ui.compute.opening import network_of
from ui.compute.runtime import Runtime
from ui.events.handlers import HEAVY, PRIVATE, with_user_errors
from ui.events.queued import queued
from ui.networks.network import Network
from ui.state.options import How
from ui.state.record import MatchesRecord, Result
from ui.state.region import LAM_PIXELS, region_around
from ui.state.session import Session
from ui.views import text as words
from ui.views.html import status_bar
from ui.views.matching import match_text

from .matches_layout import MatchesPage

_NOTHING = "Nothing is changed yet: choose above what patches shall attend to."


def connect(runtime: Runtime, session: gr.State, page: MatchesPage) -> None:
    """Connect the buttons that measure and stop."""

    @with_user_errors
    def measure_change(session: Session) -> Iterator[dict[Any, Any]]:
        record = session.matches
        if record is None:
            yield {page.indices: None, page.spread: status_bar(_NOTHING)}
            return
        how = session.maps.how if session.maps else How()
        run = session.change_job.begin()
        network = network_of(runtime, session, record)
        for indices, told in measured(runtime, record, network, how):
            if session.change_job.run != run or not record.answers(session.matches):
                return  # stopped, or something else is shown
            yield {page.indices: indices, page.spread: told}
        session.change_job.ended, session.measured = run, record

    @with_user_errors
    def stop(session: Session) -> dict[Any, Any]:
        session.change_job.stop()
        return {page.spread: status_bar("Stopped.")}

    page.measure.click(
        queued(measure_change, runtime.queue, page.spread, lambda session: session.change_job),
        session,
        [page.indices, page.spread],
        api_name="diffusion_of_change",
        api_description="The diffusion index of the window with the normal and the changed "
        "matches.",
        **HEAVY,
    )
    page.stop.click(stop, session, page.spread, queue=False, **PRIVATE)


def measured(
    runtime: Runtime, record: MatchesRecord, network: Network, how: How
) -> Iterator[tuple[dict[str, float] | None, str]]:
    """Compute both maps of a record's window, a step at a time, and say how wide they are.

    Args:
        runtime: Computes and keeps.
        record: The matches, changed.
        network: The record's.
        how: How many steps.

    Yields:
        The diffusion indices, None until they are known, and a line of status.

    Raises:
        ValueError: If the image is too large to be attributed whole.
    """
    change, study, window = record.change, record.study, record.window
    if change.nothing:
        yield None, status_bar(_NOTHING)
        return
    height, width = study.size
    if height * width > LAM_PIXELS:
        raise UserError(
            f"What a change does to the diffusion index is measured on whole images of up to "
            f"{LAM_PIXELS} LR pixels; this one has {width}x{height}: crop it."
        )
    region = region_around(window, "whole", study.size, network.scale)
    guess = runtime.attribution.estimated_seconds(network, [None, None], region, how, study)
    about = "" if guess is None else f", about {words.seconds(guess)}"
    yield None, status_bar(f"Computing two maps of the window{about}…", 0)
    changed: Result | None = None
    for normal, changed in runtime.matches.maps(study, network, change, window, how):
        progress = (normal.progress + (0 if changed is None else changed.progress)) / 2
        yield None, status_bar(f"Computing two maps of the window{about}…", progress)
    if changed is not None and changed.finished:
        indices = {"normal": normal.diffusion_index, "changed": changed.diffusion_index}
        known = {name: value for name, value in indices.items() if math.isfinite(value)}
        yield known, status_bar(match_text.change_of_spread(normal, changed))
