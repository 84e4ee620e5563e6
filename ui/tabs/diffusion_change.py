"""What a change of matches does to the diffusion index, measured on request."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import gradio as gr

from ui.compute import attribution, interventions
from ui.events.handlers import HEAVY, QUICK, current, spoken
from ui.events.job_queue import in_turn
from ui.state.model_catalogue import Catalogue, Network
from ui.state.session import Session, Study
from ui.views import match_text
from ui.views import text as words
from ui.views.html import status_bar

from .matches_layout import ChangePane


def connect(catalogue: Catalogue, session: gr.State, pane: ChangePane) -> None:
    """Connect the pane's buttons."""

    @spoken
    def measure_change(session: Session) -> Iterator[tuple[Any, str]]:
        study, network = current(session, catalogue)
        session.explored.begin((study.key, network.label))
        yield from measured(session, study, network)

    @spoken
    def stop(session: Session) -> str:
        session.explored.run += 1
        return status_bar("Stopped.")

    pane.measure.click(
        in_turn(measure_change, 1, run_of=lambda session: session.explored.run),
        session,
        [pane.numbers, pane.spread],
        api_name="diffusion_of_change",
        api_description="The diffusion index of the window with the normal and the changed "
        "matches.",
        **HEAVY,
    )
    pane.stop.click(stop, session, pane.spread, queue=False, **QUICK, api_visibility="private")


def measured(
    session: Session, study: Study, network: Network
) -> Iterator[tuple[dict[str, float] | None, str]]:
    """Compute both maps of the window, a step at a time, and say how wide they are.

    Yields:
        The diffusion indices, None until they are known, and a line of status.

    Raises:
        ValueError: If the picture is too large to be attributed whole.
    """
    explored = session.explored
    if explored.change.nothing:
        text = "Nothing is changed yet: choose above what patches shall look at."
        yield None, status_bar(text)
        return
    height, width = study.size
    if height * width > attribution.LAM_PIXELS:
        raise ValueError(
            f"What a change does to the diffusion index is measured on whole pictures of up to "
            f"{attribution.LAM_PIXELS} LR pixels; this one has {width}x{height}: crop it."
        )
    explored.run += 1
    run, change, window = explored.run, explored.change, session.window
    assert window is not None
    region = attribution.region_around(window, "whole", study.size, network.scale)
    guess = attribution.estimated_seconds(network, [None, None], region, session.how, study)
    about = "" if guess is None else f", about {words.seconds(guess)}"
    yield None, status_bar(f"Computing two maps of the window{about}…", 0)
    changed: attribution.Result | None = None
    for normal, changed in interventions.maps_of_change(
        study, network, change, window, session.how
    ):
        if explored.run != run:
            return
        progress = (normal.progress + (0 if changed is None else changed.progress)) / 2
        yield None, status_bar(f"Computing two maps of the window{about}…", progress)
    if changed is not None and changed.finished:
        indices = {"normal": normal.diffusion_index, "changed": changed.diffusion_index}
        known = {name: value for name, value in indices.items() if math.isfinite(value)}
        yield known, status_bar(match_text.change_of_spread(normal, changed))
