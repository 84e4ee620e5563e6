"""Page 3: which patch each patch looks at, and what happens when that is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from hpinet import BlockMatches, Matches
from lam import Window
from lam.figures.heatmaps import draw_window, enlarge, enlarging_factor
from lam.figures.matches import draw_matches, in_degree_map, match_crops
from lam.figures.palette import WHITE
from ui.compute import interventions, super_resolution
from ui.events.handlers import NOW, QUICK, clock, current, overtaken, spoken
from ui.export import maps
from ui.export import matches as match_export
from ui.state.image_store import shown
from ui.state.model_catalogue import Catalogue, Network
from ui.state.options import FORCED, HERE, Change
from ui.state.session import Pixels, Session, Study
from ui.views import match_panes, match_text
from ui.views import text as words
from ui.views.html import listing, prompt

from . import diffusion_change
from .matches_layout import CHANGE, WINDOW, MatchesPage, lay_out


def build(catalogue: Catalogue, session: gr.State) -> MatchesPage:
    """Lay the page out and connect what belongs to it alone."""
    page = lay_out()
    _connect_looking(catalogue, session, page)
    _connect_changing(catalogue, session, page)
    diffusion_change.connect(catalogue, session, page.change)
    maps.connect(
        catalogue,
        session,
        page.change.export,
        page.change.file,
        match_export.archive,
        "export_change",
        "What the change of matches did as one ZIP: pictures, every match as CSV, and effect.json "
        "with the command that does it again.",
    )
    return page


def looked_at(session: Session, catalogue: Catalogue) -> tuple[Study, Network]:
    """As `handlers.current`; what was chosen for another picture or network is forgotten."""
    study, network = current(session, catalogue)
    session.explored.begin((study.key, network.label))
    return study, network


_KEEP: dict[str, Any] = {**QUICK, "concurrency_id": "picture"}
_PRIVATE: dict[str, Any] = {**_KEEP, "api_visibility": "private"}


def _connect_looking(catalogue: Catalogue, session: gr.State, page: MatchesPage) -> None:
    def look(session: Session, block: int, x: float, y: float) -> tuple[Any, ...]:
        study, network = looked_at(session, catalogue)
        _follow_block(session, block)
        return view(session, study, network, block, x, y)

    def picked(session: Session, block: int, x: float, y: float) -> tuple[Any, ...]:
        study, network = looked_at(session, catalogue)
        _follow_block(session, block)
        return view(session, study, network, block, *pick(session, study, network, block, x, y))

    @spoken
    def clicked(when: float, session: Session, block: int, event: gr.SelectData) -> tuple[Any, ...]:
        factor = _factor(*looked_at(session, catalogue))
        x, y = (place // factor for place in event.index)
        return latest(picked, len(page.outputs))(when, session, block, x, y)

    @spoken
    def show_pane(session: Session, block: int = 1, where: str = WINDOW) -> tuple[Any, ...]:
        study, network = looked_at(session, catalogue)
        return match_panes.details(session, study, network, block, where)

    inputs, count = [clock(), session, *page.inputs], len(page.outputs)
    page.block.input(latest(look, count), inputs, page.outputs, js=NOW, **_PRIVATE)
    gr.on(
        [page.x.submit, page.y.submit],
        latest(picked, count),
        inputs,
        page.outputs,
        js=NOW,
        **_PRIVATE,
    )
    page.picture.select(clicked, [clock(), session, page.block], page.outputs, js=NOW, **_PRIVATE)
    late = {**_PRIVATE, "trigger_mode": "always_last", "concurrency_id": "panes"}
    more = [session, page.block, page.change.where]
    # Whatever changes the picture, from wherever: the open pane follows.
    gr.on([page.picture.change, page.change.where.input], show_pane, more, page.details, **late)
    for name, pane in page.panes.items():
        opened = pane.select(_opener(name), session, None, **{**_PRIVATE, "queue": False})
        opened.then(show_pane, more, page.details, **late)


def follow_window(catalogue: Catalogue, session: gr.State, page: MatchesPage, tab: gr.Tab) -> None:
    """Show the window where it is now whenever the page's tab is opened."""

    def opened(session: Session, block: int) -> tuple[Any, ...]:
        if session.study is None:  # the first picture is on its way, and will be shown
            return tuple(gr.skip() for _ in page.outputs)
        return view(session, *looked_at(session, catalogue), block)

    shown = latest(opened, len(page.outputs))
    inputs = [clock(), session, page.block]
    tab.select(shown, inputs, page.outputs, js=NOW, **_PRIVATE)


def latest(handler: Any, count: int) -> Any:
    """A handler whose answer counts only while nothing else was asked of the page.

    Args:
        handler: Takes the session first.
        count: Number of values it returns.

    Returns:
        The same with the time of the click, as `NOW` puts it, before the session.
    """

    def in_order(when: float, session: Session, *args: Any) -> tuple[Any, ...]:
        nothing = tuple(gr.skip() for _ in range(count))
        if overtaken(session, "matches", when):
            return nothing
        values: tuple[Any, ...] = handler(session, *args)
        return nothing if session.clicks["matches"] > when else values

    return spoken(in_order)


def _opener(name: str) -> Any:
    def opened(session: Session) -> None:
        session.explored.pane = name

    return opened


def _connect_changing(catalogue: Catalogue, session: gr.State, page: MatchesPage) -> None:
    def change_matches(
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

    def reset(session: Session, block: int = 1, where: str = WINDOW) -> tuple[Any, ...]:
        return applied(session, Change(block=int(block)), where)

    def applied(session: Session, change: Change, where: str) -> tuple[Any, ...]:
        study, network = looked_at(session, catalogue)
        apply(session, study, network, change)
        session.explored.pane = CHANGE
        main = view(session, study, network, change.block)
        return *main, *match_panes.details(session, study, network, change.block, where)

    @spoken
    def in_use(session: Session) -> tuple[Any, ...]:
        return _controls(session.explored.change)

    pane, both = page.change, [*page.outputs, *page.details]
    made = gr.on(
        [pane.kind.input, pane.place.input, pane.seed.submit],
        latest(change_matches, len(both)),
        [clock(), session, *pane.controls, page.block, pane.where],
        both,
        js=NOW,
        **_PRIVATE,
    )
    # What does not work must not stay chosen.
    made.failure(in_use, session, pane.controls, **_PRIVATE)
    pane.reset.click(
        latest(reset, len(both)),
        [clock(), session, page.block, pane.where],
        both,
        js=NOW,
        **_PRIVATE,
    )


def _controls(change: Change) -> tuple[Any, ...]:
    """Values for `ChangePane.controls`."""
    seed = gr.update(value=change.seed, visible=change.kind == "random")
    return change.kind, change.place, seed


def apply(session: Session, study: Study, network: Network, change: Change) -> None:
    """Make a change the visitor's, unless it does not work or something else was asked for."""
    asked = session.clicks.get("matches")
    if not change.nothing:
        interventions.outcome(study, network, change)
    if session.clicks.get("matches") != asked:
        return
    explored = session.explored
    explored.change, explored.first, explored.run = change, None, explored.run + 1


def _follow_block(session: Session, block: int | None) -> None:
    """A change in "this block" goes along when another block is looked at."""
    explored = session.explored
    if block and int(block) != explored.change.block:
        explored.change, explored.first = explored.change.at(int(block)), None


def pick(
    session: Session, study: Study, network: Network, block: int, x: float, y: float
) -> tuple[float, float]:
    """A click: while a match is to be forced, first the patch, then its target.

    Returns:
        The place to look at: once a match is forced, the patch whose match that is.
    """
    explored = session.explored
    if explored.change.kind != FORCED or not network.has_gpa:
        return x, y
    found = interventions.matches_of(study, network)
    number = match_panes.checked_block(found, block)
    known = found.blocks[number - 1]
    assert known is not None
    explored.place = _place(session, x, y, study, network)
    patch = match_panes.patch_of(session, known, network.scale)
    if explored.first is None:
        explored.first = patch
        return x, y
    pairs = with_pair(explored.change, explored.first, patch)
    explored.change = replace(explored.change, block=number, pairs=pairs)
    top, left = (
        (int(v) + known.patch_size / 2) * network.scale for v in known.origins[explored.first]
    )
    explored.first = None
    return left, top


def with_pair(change: Change, patch: int, target: int) -> tuple[tuple[int, int], ...]:
    """The forced pairs of a change with one more; a patch has one target."""
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
    controls = _controls(change)
    if not network.has_gpa:
        pixels = super_resolution.super_resolved(study, network).pixels
        text = f"{network.label} has no Global Pixel Access, so its patches look nowhere else."
        plain = shown(enlarge(pixels, _factor(study, network)))
        none = gr.update(choices=[("none", 1)], value=1)
        return (
            none, *explored.place, prompt(text), plain, None, text, "", None, "", *controls,
        )  # fmt: skip
    found = match_panes.matches_now(session, study, network)
    number = match_panes.checked_block(found, block)
    if change.nothing:
        pixels = super_resolution.super_resolved(study, network).pixels
    else:
        pixels = interventions.outcome(study, network, change).pixels
    known = found.blocks[number - 1]
    assert known is not None
    patch, scale = match_panes.patch_of(session, known, network.scale), network.scale
    factor, index = _factor(study, network), known.index[0].numpy()
    large = enlarge(pixels, factor)
    popular = in_degree_map(large, known.origins, index, known.patch_size, scale * factor)
    runners = match_text.runners_up(interventions.statistics_of(study, found, number), patch)
    blocks = len(found.blocks)
    return (
        gr.update(choices=[(str(i + 1), i + 1) for i in range(blocks)], value=number),
        *explored.place,
        prompt(_asked(session, number, known), warn=not change.nothing or change.kind == FORCED),
        shown(_drawn(session, found, number, patch, large, scale, factor)),
        shown(_crops(session, found, pixels, scale, number)),
        match_text.pair_words(number, known, patch, scale),
        listing(["", "Patch", "Similarity", "Away"], runners),
        shown(popular),
        words.popularity(index),
        *controls,
    )


def _asked(session: Session, number: int, block: BlockMatches) -> str:
    """Which click the page waits for, and what is changed."""
    explored = session.explored
    change = explored.change
    done = "" if change.nothing else f"{match_text.changed(change, block.origins)}. "
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
