"""*Matched patches* as an API: matches, and what their changes do, as numbers and images."""

from __future__ import annotations

from typing import Any

import gradio as gr

from hpinet.errors import UserError
from lam.metrics.patch_shares import plain
from ui.compute.interventions import statistics_of
from ui.compute.opening import network_of
from ui.compute.runtime import Runtime
from ui.events.handlers import with_user_errors
from ui.networks.network import Network
from ui.state import options as choices
from ui.state.options import BLOCK, CHANGE, FORCED, HERE, PAIRS, REACH, Change
from ui.state.record import MatchesRecord
from ui.state.session import Session
from ui.tabs.matching.matches import changed, record_at, with_pair
from ui.views.matching import match_panes
from ui.views.matching import matches as views

from .registering import image, register

_PANES = (BLOCK, PAIRS, REACH)


def connect(runtime: Runtime, session: gr.State) -> None:
    """Register the endpoints."""
    _look(runtime, session)
    _change(runtime, session)


def _number(label: str, value: int = 0) -> gr.Number:
    return gr.Number(value, label=label, precision=0, visible=False)


def _look(runtime: Runtime, session: gr.State) -> None:
    block = _number("Block, from 1", 1)
    place = [_number("x in SR pixels"), _number("y in SR pixels")]

    @with_user_errors
    def matches(session: Session, block: int = 1, x: int = 0, y: int = 0) -> tuple[Any, ...]:
        record = session.matches = record_at(runtime, session, block, x, y)
        network = network_of(runtime, session, record)
        told, drawn = views.pair(runtime, record, network)
        return told, runtime.images.shown(drawn), block_facts(runtime, record, network)

    @with_user_errors
    def match_figures(session: Session, pane: str = BLOCK, block: int = 1) -> Any:
        record = session.matches = record_at(runtime, session, block)
        network = network_of(runtime, session, record)
        if not network.has_gpa:
            raise UserError(f"{network.label} has no Global Pixel Access, so it has no matches.")
        return next(iter(match_panes.pane(pane, runtime, record, network).values()))

    register(
        matches,
        [session, block, *place],
        [
            gr.Textbox(label="The pair in a sentence", visible=False),
            image("Patch and match on the image"),
            gr.JSON(label="Patch, match, runners-up, and all matches of the block", visible=False),
        ],
        "matches",
        "Which patch the patch at SR pixel (x, y) attends to in a block (from 1). Patches are "
        "numbered from 0, row by row.",
    )
    register(
        match_figures,
        [session, gr.Radio(list(_PANES), value=BLOCK, label="Which figures", visible=False), block],
        [image("Figure")],
        "match_figures",
        "A figure of the matches: 'block': in-degrees, graph, similarity matrix, distances; "
        "'pairs': all blocks at the place asked for last (Fig. 8 of the paper), boxes and crops; "
        "'reach': directly reached pixels (Fig. 4).",
    )


def block_facts(runtime: Runtime, record: MatchesRecord, network: Network) -> dict[str, Any]:
    """The patch at the record's place, and its block's matches, as plain values."""
    if not network.has_gpa:
        return {"network": network.label, "blocks": 0}
    found = runtime.matches.of(record.study, network, record.change)
    statistics = statistics_of(record.study, found, record.block)
    patch = views.patch_of(record, views.block_of(record, found))
    return {
        "network": network.label,
        "blocks": len(found.blocks),
        "place": list(record.place),
        "patch": statistics.to_rows()[patch],
        "statistics": statistics.summary(),
        "origins": statistics.origins.tolist(),
        "matches": statistics.index.tolist(),
        "similarities": [plain(float(v)) for v in statistics.similarity],
    }


def _change(runtime: Runtime, session: gr.State) -> None:
    def answer(session: Session, change: Change) -> tuple[Any, ...]:
        record = record_at(runtime, session, change.block)
        network = network_of(runtime, session, record)
        session.change_job.begin()
        record = session.matches = changed(runtime, record, network, change)
        shown = match_panes.pane(CHANGE, runtime, record, network)
        images = (shown[name] for name in ("before", "after", "difference"))
        return (*images, match_panes.effect_facts(runtime, record, network))

    @with_user_errors
    def intervene(
        session: Session, kind: str = "off", place: str = HERE, block: int = 1, seed: int = 0
    ) -> tuple[Any, ...]:
        if kind == FORCED:
            raise UserError("For forced matches there is the endpoint /force_match.")
        return answer(session, Change(kind, place, int(block), int(seed)))

    @with_user_errors
    def force_match(session: Session, block: int, patch: int, target: int) -> tuple[Any, ...]:
        before = record_at(runtime, session, block).change.at(int(block))
        pairs = with_pair(before, patch, target)
        return answer(session, Change(FORCED, HERE, int(block), pairs=pairs))

    @with_user_errors
    def reset_matches(session: Session) -> tuple[Any, ...]:
        return answer(session, Change())

    block = _number("Block, from 1", 1)
    outputs = [
        image("The window before"),
        image("The window after"),
        image("Difference"),
        gr.JSON(label="What was changed, and the effect in numbers", visible=False),
    ]
    kinds = [k for k in choices.KINDS if k != FORCED]
    register(
        intervene,
        [
            session,
            gr.Radio(kinds, value="off", label="Kind", visible=False),
            gr.Radio(list(choices.PLACES), value=HERE, label="In which blocks", visible=False),
            block,
            _number("Seed of random matches"),
        ],
        outputs,
        "intervene",
        "Change the matches, weights untouched: none, off (each patch its own), random, second "
        "best, or hr (by the true image). The changes stay until others are made or reset.",
    )
    register(
        force_match,
        [session, block, _number("Patch, from 0"), _number("Target, from 0")],
        outputs,
        "force_match",
        "Make a patch of a block attend to another one. Pairs of one block add up until "
        "/reset_matches.",
    )
    register(
        reset_matches, [session], outputs, "reset_matches", "Back to the network's own matches."
    )
