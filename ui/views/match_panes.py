"""The panes beside the picture of page 3: one block, all blocks, reach, and what a change does."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from hpinet import BlockMatches, HPINet, Matches
from hpinet.analysis.attention_reach import STRATEGIES, VANILLA_SIZE, divisions, reach
from hpinet.imaging.images import to_uint8
from lam import Window
from lam.figures.heatmaps import colour_limit, enlarge, enlarging_factor, signed_map
from lam.figures.match_pairs import draw_pairs, pair_rows, pairs_at
from lam.figures.match_plots import distance_histogram, match_graph, reach_figure, similarity_matrix
from lam.metrics.patch_shares import patch_at
from ui.compute import interventions
from ui.state.image_store import shown
from ui.state.model_catalogue import Network
from ui.state.options import Change
from ui.state.session import Pixels, Session, Study
from ui.tabs.matches_layout import BLOCK, CHANGE, PAIRS, PATCH, REACH

from . import match_text
from .html import listing
from .path import drawn

_SIZES = {BLOCK: 4, CHANGE: 4, PAIRS: 2, REACH: 2}
_EFFECT_SIDE = 320  # pixels that the place of an effect is enlarged to at least
_LEAST_LIMIT = 0.5  # grey levels: no colour for what 8 bit cannot show


def details(
    session: Session, study: Study, network: Network, block: int, where: str
) -> tuple[Any, ...]:
    """Values for `MatchesPage.details`: those of the open pane; the others stay as they are.

    Args:
        session: Says which pane is open.
        study: The picture.
        network: The network.
        block: Number from 1.
        where: Where effects are shown.
    """
    values: list[Any] = []
    for pane, size in _SIZES.items():
        if pane != session.explored.pane:
            values += [gr.skip()] * size
        elif not network.has_gpa:
            values += [None] * size
        else:
            values += _pane(pane, session, study, network, block, where)
    return tuple(values)


def _pane(
    pane: str, session: Session, study: Study, network: Network, block: int, where: str
) -> list[Any]:
    if pane == CHANGE:
        return effect_view(session, study, network, block, where)
    return figures(session, study, network, pane, block)


def figures(session: Session, study: Study, network: Network, pane: str, block: int) -> list[Any]:
    """Values of a pane that shows the matches: `BLOCK`, `PAIRS` or `REACH`.

    Raises:
        ValueError: If the network has none.
    """
    if not network.has_gpa:
        raise ValueError(f"{network.label} has no Global Pixel Access, so it has no matches.")
    found = matches_now(session, study, network)
    number = checked_block(found, block)
    if pane == BLOCK:
        return block_view(study, found, number)
    if pane == PAIRS:
        return pairs_view(session, study, network, found)
    return reach_view(session, study, network)


def matches_now(session: Session, study: Study, network: Network) -> Matches:
    """The matches in use: the network's own, or the visitor's."""
    change = session.explored.change
    if change.nothing:
        return interventions.matches_of(study, network)
    return interventions.outcome(study, network, change).matches


def checked_block(matches: Matches, block: int | None) -> int:
    """The block's number from 1; 1 where there is no such block."""
    return int(block) if block and 1 <= int(block) <= len(matches.blocks) else 1


def block_view(study: Study, matches: Matches, number: int) -> list[Any]:
    """Graph, similarity matrix, distances and figures of a block."""
    block = matches.blocks[number - 1]
    assert block is not None
    found = interventions.statistics_of(study, matches, number)
    lr = to_uint8(study.lr.rgb)
    graph = match_graph(lr, found.origins, found.index, found.patch_size)
    far = distance_histogram(found.distance, found.chance_distance)
    similar = None
    if block.matrix is not None and len(block.origins) > 1:
        similar = shown(drawn(similarity_matrix(block.matrix[0].cpu().numpy())))
    numbers = listing(["Matches of this block", ""], match_text.statistics(found))
    return [shown(drawn(graph)), similar, shown(drawn(far)), numbers]


def pairs_view(session: Session, study: Study, network: Network, matches: Matches) -> list[Any]:
    """The paper's Fig. 8: patch and match in every block, on the picture and side by side."""
    x, y = session.explored.place or (0, 0)
    scale = network.scale
    point = ((x + 0.5) / scale, (y + 0.5) / scale)
    pairs = pairs_at(matches, point[1], point[0])
    pixels = interventions.outcome(study, network, session.explored.change).pixels
    factor = enlarging_factor(pixels.shape[0], pixels.shape[1], 900)
    boxes = draw_pairs(enlarge(pixels, factor), pairs, point, scale * factor)
    return [shown(boxes), shown(pair_rows(pixels, pairs, scale))]


def reach_view(session: Session, study: Study, network: Network) -> list[Any]:
    """The paper's Fig. 4: what the clicked pixel reaches directly under each way of division."""
    assert isinstance(network.model, HPINet)
    config = network.model.config
    x, y = session.explored.place or (0, 0)
    column, row = x // network.scale, y // network.scale
    least = max(config.patch_sizes)
    height, width = (max(side, least) for side in study.size)
    vanilla = min(VANILLA_SIZE, height, width)
    reaches = [
        reach(
            (height, width), row, column, divisions(name, config.patch_sizes, vanilla),
            config.overlap, name,
        )
        for name in STRATEGIES
    ]  # fmt: skip
    head = ["Division", "Reached directly", "In two steps", "Blind within 12 px"]
    return [
        shown(drawn(reach_figure(to_uint8(study.lr.rgb), reaches))),
        listing(head, match_text.reached([r.summary() for r in reaches])),
    ]


def effect_place(
    session: Session, study: Study, network: Network, block: int, where: str
) -> Window:
    """Where an effect is shown: the window of page 2, or the clicked patch as a window."""
    height, width = (side * network.scale for side in study.size)
    if where != PATCH:
        return session.window or Window(0, 0, min(16, height, width))
    found = interventions.matches_of(study, network)
    known = found.blocks[checked_block(found, block) - 1]
    assert known is not None
    patch = patch_of(session, known, network.scale)
    top, left = (int(v) * network.scale for v in known.origins[patch])
    size = min(known.patch_size * network.scale, height - top, width - left)
    return Window(left, top, size)


def patch_of(session: Session, block: BlockMatches, scale: int) -> int:
    """The patch of a block that holds the place looked at."""
    x, y = session.explored.place or (0, 0)
    return patch_at(block.origins, block.patch_size, (y + 0.5) / scale, (x + 0.5) / scale)


def effect_view(
    session: Session, study: Study, network: Network, block: int, where: str
) -> list[Any]:
    """Values for `ChangePane.outputs`: before, after, difference, and the effect in numbers."""
    change = session.explored.change
    window = effect_place(session, study, network, block, where)
    pictures, limit = effect_view_pixels(study, network, change, window)
    found = interventions.effect_of(study, network, change, window)
    rows = match_text.effects(found, sizes(found.difference, window), study.hr is not None, limit)
    return [*(shown(p) for p in pictures), listing(["What the change does", ""], rows)]


def effect_view_pixels(
    study: Study, network: Network, change: Change, window: Window
) -> tuple[list[Pixels], float]:
    """The window before, after, and their difference; and where its colours end, in grey levels."""
    normal = interventions.outcome(study, network, Change())
    changed = interventions.outcome(study, network, change)
    difference = interventions.signed_grey(changed.trace.sr - normal.trace.sr)
    inside = _cut(difference, window)
    limit = max(_LEAST_LIMIT, colour_limit([np.abs(inside)], 100))
    factor = max(1, -(-_EFFECT_SIDE // window.size))
    pictures = [enlarge(_cut(o.pixels, window), factor) for o in (normal, changed)]
    return [*pictures, enlarge(signed_map(inside, limit), factor)], limit


def _cut(array: NDArray[Any], window: Window) -> Pixels:
    rows = slice(window.top, window.top + window.size)
    return np.ascontiguousarray(array[rows, window.left : window.left + window.size])


def sizes(difference: Any, window: Window) -> tuple[float, float]:
    """Mean and largest change of a pixel's channels in the window, in grey levels."""
    sizes = 255 * np.abs(difference[0].permute(1, 2, 0).float().cpu().numpy())
    inside = _cut(sizes, window)
    return float(inside.mean()), float(inside.max())


def effect_facts(session: Session, study: Study, network: Network) -> dict[str, Any]:
    """What is changed, and what that does to the SR picture, as plain values."""
    change, window = session.explored.change, session.window
    assert window is not None
    facts: dict[str, Any] = {"kind": change.kind, "window": [window.left, window.top, window.size]}
    if not change.nothing:
        count = len(interventions.matches_of(study, network).blocks)
        facts |= change.intervention(count).describe()
    found = interventions.effect_of(study, network, change, window)
    mean, largest = sizes(found.difference, window)
    inside = {"window_mean_difference": mean, "window_max_difference": largest}
    return {**facts, "effect": {**found.summary(), **inside}}
