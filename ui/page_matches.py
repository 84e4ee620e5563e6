"""Page 3: which patch each patch looks at, and what happens when that is changed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from hpinet import BlockMatches, Matches
from lam import Window
from lam.figures import WHITE, draw_window, enlarge, enlarging_factor
from lam.match_figures import draw_matches, in_degree_map, match_crops

from . import changes, match_panes, words, work
from .catalogue import Catalogue, Network
from .choices import FORCED, HERE, Change
from .handlers import HEAVY, NOW, QUICK, clock, current, overtaken, spoken
from .matches_layout import CHANGE, WINDOW, MatchesPage, lay_out
from .pictures import shown
from .session import Pixels, Session, Study
from .style import listing, prompt, status_bar
from .turns import in_turn


def build(catalogue: Catalogue, session: gr.State) -> MatchesPage:
    """Lay the page out and connect what belongs to it alone."""
    page = lay_out()
    _connect_looking(catalogue, session, page)
    _connect_changing(catalogue, session, page)
    _connect_measuring(catalogue, session, page)
    return page


def looked_at(session: Session, catalogue: Catalogue) -> tuple[Study, Network]:
    """As `ui.handlers.current`; what was chosen for another picture or network is forgotten."""
    study, network = current(session, catalogue)
    session.explored.begin((study.key, network.label))
    return study, network


_KEEP: dict[str, Any] = {**QUICK, "concurrency_id": "picture"}
_PRIVATE: dict[str, Any] = {**_KEEP, "api_visibility": "private"}


def _connect_looking(catalogue: Catalogue, session: gr.State, page: MatchesPage) -> None:
    @spoken
    def matches(session: Session, block: int, x: float, y: float) -> tuple[Any, ...]:
        study, network = looked_at(session, catalogue)
        _follow_block(session, block)
        return view(session, study, network, block, x, y)

    @spoken
    def picked(session: Session, block: int, x: float, y: float) -> tuple[Any, ...]:
        study, network = looked_at(session, catalogue)
        _follow_block(session, block)
        pick(session, study, network, block, x, y)
        return view(session, study, network, block, x, y)

    @spoken
    def clicked(when: float, session: Session, block: int, event: gr.SelectData) -> tuple[Any, ...]:
        if overtaken(session, "match-picture", when):
            return tuple(gr.skip() for _ in page.outputs)
        study, network = looked_at(session, catalogue)
        factor = _factor(study, network)
        return picked(session, block, event.index[0] // factor, event.index[1] // factor)

    @spoken
    def match_figures(session: Session, block: int = 1, where: str = WINDOW) -> tuple[Any, ...]:
        study, network = looked_at(session, catalogue)
        return match_panes.details(session, study, network, block, where)

    inputs = [session, *page.inputs]
    gr.on(
        [page.block.input, page.x.blur, page.y.blur],
        matches,
        inputs,
        page.outputs,
        api_name="matches",
        api_description="Which patch the patch at SR pixel (x, y) looks at in a block (from 1).",
        **_KEEP,
    )
    gr.on([page.x.submit, page.y.submit], picked, inputs, page.outputs, **_PRIVATE)
    page.picture.select(clicked, [clock(), session, page.block], page.outputs, js=NOW, **_PRIVATE)
    late = {**_PRIVATE, "trigger_mode": "always_last", "concurrency_id": "panes"}
    more = [session, page.block, page.change.where]
    # Whatever changes the picture, from wherever: the open pane follows.
    gr.on([page.picture.change, page.change.where.input], match_figures, more, page.details, **late)
    for name, pane in page.panes.items():
        opened = pane.select(_opener(name), session, None, **{**_PRIVATE, "queue": False})
        opened.then(match_figures, more, page.details, **late)


def _opener(name: str) -> Any:
    def opened(session: Session) -> None:
        session.explored.pane = name

    return opened


def _connect_changing(catalogue: Catalogue, session: gr.State, page: MatchesPage) -> None:
    @spoken
    def intervene(
        session: Session,
        kind: str,
        place: str = HERE,
        seed: float = 0,
        block: int = 1,
        where: str = WINDOW,
    ) -> tuple[Any, ...]:
        old = session.explored.change
        change = Change(kind, place, int(block), int(seed or 0))
        if kind == FORCED and old.kind == FORCED:
            change = old  # only place or seed were touched, which do not matter here
        return applied(session, change, where)

    @spoken
    def force_match(
        session: Session, block: int, patch: float, target: float, where: str = WINDOW
    ) -> tuple[Any, ...]:
        pairs = _with_pair(session.explored.change.at(int(block)), int(patch), int(target))
        return applied(session, Change(FORCED, HERE, int(block), pairs=pairs), where)

    @spoken
    def reset_matches(session: Session, block: int = 1, where: str = WINDOW) -> tuple[Any, ...]:
        return applied(session, Change(block=int(block)), where)

    def applied(session: Session, change: Change, where: str) -> tuple[Any, ...]:
        study, network = looked_at(session, catalogue)
        if not change.nothing:
            changes.outcome(study, network, change)  # what does not work changes nothing
        session.explored.change, session.explored.first = change, None
        session.explored.pane = CHANGE
        session.explored.run += 1
        main = view(session, study, network, change.block)
        return *main, *match_panes.details(session, study, network, change.block, where)

    pane, both = page.change, [*page.outputs, *page.details]
    gr.on(
        [c.input for c in (pane.kind, pane.place)] + [pane.seed.submit, pane.seed.blur],
        intervene,
        [session, *pane.controls, page.block, pane.where],
        both,
        api_name="intervene",
        api_description="Change the matches: kind none, off, random, second, hr or forced; place "
        "'this block', 'all blocks' or 'all but this block'; seed of random ones; block from 1. "
        "Returns the picture and what the change does to the window.",
        **_KEEP,
    )
    pane.reset.click(
        reset_matches,
        [session, page.block, pane.where],
        both,
        api_name="reset_matches",
        api_description="Back to the network's own matches.",
        **_KEEP,
    )
    numbers = [gr.Number(0, visible=False, precision=0) for _ in range(2)]
    hidden = gr.Button(visible=False)
    hidden.click(
        force_match,
        [session, page.block, *numbers, pane.where],
        both,
        api_name="force_match",
        api_description="In a block (from 1), make a patch look at another: patch and target are "
        "numbered from 0, row by row. Pairs add up until reset_matches.",
        **_KEEP,
    )


def _connect_measuring(catalogue: Catalogue, session: gr.State, page: MatchesPage) -> None:
    @spoken
    def measure_change(session: Session) -> Iterator[str]:
        study, network = looked_at(session, catalogue)
        yield from measured(session, study, network)

    @spoken
    def stop(session: Session) -> str:
        session.explored.run += 1
        return status_bar("Stopped.")

    pane = page.change
    pane.measure.click(
        in_turn(measure_change, 0, run_of=lambda session: session.explored.run),
        session,
        pane.spread,
        api_name="diffusion_of_change",
        api_description="The diffusion index of the window with the normal and the changed "
        "matches.",
        **HEAVY,
    )
    pane.stop.click(stop, session, pane.spread, queue=False, **{**QUICK, **_PRIVATE})


def measured(session: Session, study: Study, network: Network) -> Iterator[str]:
    """Compute both maps of the window, a step at a time, and say how wide they are."""
    explored = session.explored
    if explored.change.nothing:
        yield status_bar("Nothing is changed yet: choose above what patches shall look at.")
        return
    explored.run += 1
    run, change, window = explored.run, explored.change, session.window
    assert window is not None
    region = work.region_around(window, "whole", study.size, network.scale)
    guess = work.estimated_seconds(network, [None, None], region, session.how, study)
    about = "" if guess is None else f", about {words.seconds(guess)}"
    yield status_bar(f"Computing two maps of the window{about}…", 0)
    changed: work.Result | None = None
    for normal, changed in changes.maps_of_change(study, network, change, window, session.how):
        if explored.run != run:
            return
        progress = (normal.progress + (0 if changed is None else changed.progress)) / 2
        yield status_bar(f"Computing two maps of the window{about}…", progress)
    if changed is not None and changed.finished:
        yield status_bar(words.change_of_spread(normal, changed))


def _follow_block(session: Session, block: int | None) -> None:
    """A change in "this block" goes along when another block is looked at."""
    explored = session.explored
    if block and int(block) != explored.change.block:
        explored.change, explored.first = explored.change.at(int(block)), None


def pick(session: Session, study: Study, network: Network, block: int, x: float, y: float) -> None:
    """A click while a match is to be forced: first the patch, then its target."""
    explored = session.explored
    if explored.change.kind != FORCED or not network.has_gpa:
        return
    found = changes.matches_of(study, network)
    number = match_panes.checked_block(found, block)
    known = found.blocks[number - 1]
    assert known is not None
    explored.place = _place(session, x, y, study, network)
    patch = match_panes.patch_of(session, known, network.scale)
    if explored.first is None:
        explored.first = patch
        return
    pairs = _with_pair(explored.change, explored.first, patch)
    explored.change, explored.first = replace(explored.change, block=number, pairs=pairs), None


def _with_pair(change: Change, patch: int, target: int) -> tuple[tuple[int, int], ...]:
    kept = change.pairs if change.kind == FORCED else ()
    return (*(pair for pair in kept if pair[0] != patch), (patch, target))


def view(
    session: Session,
    study: Study,
    network: Network,
    block: int | None,
    x: float | None = None,
    y: float | None = None,
) -> tuple[Any, ...]:
    """Values for `MatchesPage.outputs`.

    Args:
        session: Keeps the place.
        study: The picture.
        network: The network.
        block: Number from 1; one that the network has not becomes 1.
        x: Column in SR pixels; with ``y``, the row, where to look. By default where it was looked
            last, or the middle of the attribution window.
        y: See ``x``.
    """
    explored = session.explored
    explored.begin((study.key, network.label))
    explored.place = _place(session, x, y, study, network)
    change = explored.change
    controls = (change.kind, change.place, change.seed)
    if not network.has_gpa:
        pixels = work.super_resolved(study, network).pixels
        text = f"{network.label} has no Global Pixel Access, so its patches look nowhere else."
        plain = shown(enlarge(pixels, _factor(study, network)))
        none = gr.update(choices=[("none", 1)], value=1)
        return (
            none, *explored.place, prompt(text), plain, None, text, "", None, "", *controls,
        )  # fmt: skip
    found = match_panes.matches_now(session, study, network)
    number = match_panes.checked_block(found, block)
    if change.nothing:
        pixels = work.super_resolved(study, network).pixels
    else:
        pixels = changes.outcome(study, network, change).pixels
    known = found.blocks[number - 1]
    assert known is not None
    patch, scale = match_panes.patch_of(session, known, network.scale), network.scale
    factor, index = _factor(study, network), known.index[0].numpy()
    large = enlarge(pixels, factor)
    popular = in_degree_map(large, known.origins, index, known.patch_size, scale * factor)
    runners = words.runners_up(changes.statistics_of(study, found, number), patch)
    blocks = len(found.blocks)
    return (
        gr.update(choices=[(str(i + 1), i + 1) for i in range(blocks)], value=number),
        *explored.place,
        prompt(_asked(session, number, known), warn=not change.nothing or change.kind == FORCED),
        shown(_drawn(session, found, number, patch, large, scale, factor)),
        shown(_crops(session, found, pixels, scale, number)),
        pair_words(number, known, patch, scale),
        listing(["", "Patch", "Similarity", "Away"], runners),
        shown(popular),
        words.popularity(index),
        *controls,
    )


def _asked(session: Session, number: int, block: BlockMatches) -> str:
    """Which click the page waits for, and what is changed."""
    explored = session.explored
    change = explored.change
    done = "" if change.nothing else f"{words.changed(change, block.origins)}. "
    if change.kind != FORCED:
        return f"{done}Click a patch to see what it looks at."
    if explored.first is None:
        return f"{done}Click 1 of 2: the patch whose match you choose."
    name = words.position(explored.first, block.origins)
    return f"{done}Click 2 of 2: the patch that the one at {name} shall look at."


def _drawn(
    session: Session,
    matches: Matches,
    number: int,
    patch: int,
    large: Pixels,
    scale: int,
    factor: int,
) -> Pixels:
    """The picture with patch and match, the window, and the first patch of a forced pair."""
    block = matches.blocks[number - 1]
    assert block is not None
    if session.window is not None:
        large = draw_window(large, session.window, factor, WHITE, dashed=True)
    # A picture smaller than a patch was padded: patches then reach beyond what is shown.
    across, side = scale * factor, block.patch_size
    if session.explored.first is not None:
        top, left = (int(v) for v in block.origins[session.explored.first])
        return draw_window(large, Window(left, top, side), across, label="1: this patch")
    return draw_matches(large, block.origins, block.index[0].numpy(), side, patch, across)


def _crops(session: Session, matches: Matches, pixels: Pixels, scale: int, number: int) -> Pixels:
    blocks = [b for b in matches.blocks if b is not None]
    pairs = [_pair(b, match_panes.patch_of(session, b, scale)) for b in blocks]
    return match_crops(pixels, pairs, scale, chosen=number - 1)


def pair_words(number: int, block: BlockMatches, patch: int, scale: int) -> str:
    """The pair in a sentence."""
    match, value = int(block.index[0, patch]), float(block.similarity[0, patch])
    side, here = block.patch_size, words.position(patch, block.origins)
    text = (
        f"**Block {number}** · {len(block.origins)} patches of {side}x{side} LR pixels "
        f"({side * scale}x{side * scale} here). The patch at {here} "
    )
    if match == patch:
        return text + "looks at itself."
    text += f"looks at the one at **{words.position(match, block.origins)}**"
    if not math.isnan(value):
        text += f", similarity {value:.2f} (inner product: more is more alike)"
    return text + "."


def _pair(block: BlockMatches, patch: int) -> tuple[Any, Any, int]:
    match = int(block.index[0, patch])
    return block.origins[patch].numpy(), block.origins[match].numpy(), block.patch_size


def _factor(study: Study, network: Network) -> int:
    return enlarging_factor(study.size[0] * network.scale, study.size[1] * network.scale, 900)


def _place(
    session: Session, x: float | None, y: float | None, study: Study, network: Network
) -> tuple[int, int]:
    """The place looked at, inside the picture."""
    height, width = (side * network.scale for side in study.size)
    if x is None or y is None:
        window = session.window
        middle = (width // 2, height // 2)
        if window is not None:
            middle = (window.left + window.size // 2, window.top + window.size // 2)
        x, y = session.explored.place or middle
    return int(np.clip(x, 0, width - 1)), int(np.clip(y, 0, height - 1))
