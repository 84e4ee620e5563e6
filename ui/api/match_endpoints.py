"""Page 3 as an API: matches, and what happens when they are changed, as numbers and pictures."""

from __future__ import annotations

from typing import Any

import gradio as gr

from lam.metrics.patch_shares import plain
from ui.compute import interventions
from ui.events.handlers import QUICK, spoken
from ui.state import options as choices
from ui.state.model_catalogue import Catalogue, Network
from ui.state.options import FORCED, HERE, Change
from ui.state.session import Session, Study
from ui.tabs import matches as page_matches
from ui.tabs.matches_layout import BLOCK, PAIRS, REACH
from ui.views import match_panes

_PANES = (BLOCK, PAIRS, REACH)


def connect(catalogue: Catalogue, session: gr.State) -> None:
    """Register the endpoints."""
    _look(catalogue, session)
    _change(catalogue, session)


def _register(handler: Any, inputs: list[Any], outputs: list[Any], name: str, told: str) -> None:
    options = {**QUICK, "concurrency_id": "picture", "api_name": name, "api_description": told}
    gr.Button(visible=False).click(handler, inputs, outputs, **options)


def _number(label: str, value: int = 0) -> gr.Number:
    return gr.Number(value, label=label, precision=0, visible=False)


def _picture(label: str) -> gr.Image:
    return gr.Image(label=label, format="png", type="filepath", visible=False)


def _look(catalogue: Catalogue, session: gr.State) -> None:
    block = _number("Block, from 1", 1)
    place = [_number("x in SR pixels"), _number("y in SR pixels")]

    @spoken
    def matches(session: Session, block: int = 1, x: int = 0, y: int = 0) -> tuple[Any, ...]:
        study, network = page_matches.looked_at(session, catalogue)
        values = page_matches.view(session, study, network, block, x, y)
        return values[6], values[4], block_facts(session, study, network, block)

    @spoken
    def match_figures(session: Session, pane: str = BLOCK, block: int = 1) -> tuple[Any, ...]:
        study, network = page_matches.looked_at(session, catalogue)
        page_matches.view(session, study, network, block)  # which puts the place inside
        shown = match_panes.figures(session, study, network, pane, block)
        pictures = shown[:1] if pane == REACH else shown[:3]  # the rest is no picture
        return tuple([*pictures, None, None][:3])

    _register(
        matches,
        [session, block, *place],
        [
            gr.Textbox(label="The pair in a sentence", visible=False),
            _picture("Patch and match on the picture"),
            gr.JSON(label="Patch, match, runners-up, and all matches of the block", visible=False),
        ],
        "matches",
        "Which patch the patch at SR pixel (x, y) looks at in a block (from 1). Patches are "
        "numbered from 0, row by row.",
    )
    _register(
        match_figures,
        [
            session,
            gr.Radio(list(_PANES), value=BLOCK, label="Which figures", visible=False),
            block,
        ],
        [_picture(f"Figure {n}") for n in (1, 2, 3)],
        "match_figures",
        "Figures of the matches: 'block': graph, similarity matrix, distances; 'pairs': all "
        "blocks at the place asked for last (Fig. 8 of the paper), boxes and crops; 'reach': "
        "directly reached pixels (Fig. 4).",
    )


def block_facts(session: Session, study: Study, network: Network, block: int) -> dict[str, Any]:
    """The patch at the place looked at, and its block's matches, as plain values."""
    if not network.has_gpa:
        return {"network": network.label, "blocks": 0}
    found = match_panes.matches_now(session, study, network)
    number = match_panes.checked_block(found, block)
    known = found.blocks[number - 1]
    assert known is not None
    statistics = interventions.statistics_of(study, found, number)
    patch = match_panes.patch_of(session, known, network.scale)
    return {
        "network": network.label,
        "blocks": len(found.blocks),
        "place": list(session.explored.place or (0, 0)),
        "patch": statistics.to_rows()[patch],
        "statistics": statistics.summary(),
        "origins": statistics.origins.tolist(),
        "matches": statistics.index.tolist(),
        "similarities": [plain(float(v)) for v in statistics.similarity],
    }


def _change(catalogue: Catalogue, session: gr.State) -> None:
    def answer(session: Session, change: Change) -> tuple[Any, ...]:
        study, network = page_matches.looked_at(session, catalogue)
        page_matches.apply(session, study, network, change)
        page_matches.view(session, study, network, change.block)
        shown = match_panes.effect_view(session, study, network, change.block, "window")
        return (*shown[:3], match_panes.effect_facts(session, study, network))

    @spoken
    def intervene(
        session: Session, kind: str = "off", place: str = HERE, block: int = 1, seed: int = 0
    ) -> tuple[Any, ...]:
        if kind == FORCED:
            raise ValueError("For forced matches there is the endpoint /force_match.")
        return answer(session, Change(kind, place, int(block), int(seed)))

    @spoken
    def force_match(session: Session, block: int, patch: int, target: int) -> tuple[Any, ...]:
        page_matches.looked_at(session, catalogue)
        pairs = page_matches.with_pair(session.explored.change.at(int(block)), patch, target)
        return answer(session, Change(FORCED, HERE, int(block), pairs=pairs))

    @spoken
    def reset_matches(session: Session) -> tuple[Any, ...]:
        return answer(session, Change())

    block = _number("Block, from 1", 1)
    outputs = [
        _picture("The window before"),
        _picture("The window after"),
        _picture("Difference"),
        gr.JSON(label="What was changed, and the effect in numbers", visible=False),
    ]
    kinds = [k for k in choices.KINDS if k != FORCED]
    _register(
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
        "best, or hr (by the true picture). The changes stay until others are made or reset.",
    )
    _register(
        force_match,
        [session, block, _number("Patch, from 0"), _number("Target, from 0")],
        outputs,
        "force_match",
        "Make a patch of a block look at another one. Pairs of one block add up until "
        "/reset_matches.",
    )
    _register(
        reset_matches, [session], outputs, "reset_matches", "Back to the network's own matches."
    )
