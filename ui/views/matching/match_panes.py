"""Figures of matches: one block, all blocks, reach, and what a change does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpinet import HPINet
from hpinet.analysis.attention_reach import STRATEGIES, VANILLA_SIZE, divisions, reach
from hpinet.imaging.images import to_uint8
from lam import Window
from lam.figures.match_statistics import reach_figure
from lam.figures.matches import block_figure, pairs_at, pairs_figure
from lam.figures.overlay import colour_limit, enlarge, signed_map
from lam.figures.panels import figure_pixels
from ui.compute.interventions import signed_grey, statistics_of
from ui.compute.runtime import Runtime
from ui.networks.network import Network
from ui.state.inputs import Pixels
from ui.state.options import BLOCK, CHANGE, PAIRS, PATCH, REACH, WINDOW, Change
from ui.state.record import MatchesRecord
from ui.viewer.store import STORE, Owner
from ui.views.comparison import compared
from ui.views.html import listing

from . import match_text
from .matches import block_of, patch_of, pixels_of

NAMES = {
    BLOCK: ("block",),
    CHANGE: ("before", "after", "difference", "effect"),
    PAIRS: ("pairs",),
    REACH: ("reach", "reached"),
}
"""What each pane holds: images first, then a table where there is one."""

_EFFECT_SIDE = 320  # pixels that the place of an effect is enlarged to at least
_LEAST_LIMIT = 0.5  # grey levels: no colour for what 8 bit cannot show


def pane(
    name: str, runtime: Runtime, record: MatchesRecord, network: Network, where: str = WINDOW
) -> dict[str, Any]:
    """Values of a pane by `NAMES`.

    Args:
        name: Which pane; one that shows no more than `ui.views.matching.matches.pair` has none.
        runtime: Computes and keeps.
        record: The matches in use.
        network: The record's.
        where: Where the effect of a change is shown: `WINDOW` or `PATCH`.
    """
    if name not in NAMES or not network.has_gpa:
        return dict.fromkeys(NAMES.get(name, ()))
    values: list[Any]
    if name == CHANGE:
        values = _effect(runtime, record, network, effect_place(runtime, record, network, where))
    elif name == BLOCK:
        values = _block(runtime, record, network)
    elif name == PAIRS:
        values = _pairs(runtime, record, network)
    else:
        values = _reach(record, network)
    return {
        field: runtime.images.shown(value) if isinstance(value, np.ndarray) else value
        for field, value in zip(NAMES[name], values, strict=True)
    }


def _block(runtime: Runtime, record: MatchesRecord, network: Network) -> list[Any]:
    """In-degrees, graph, similarities and distances of a block."""
    study, matches = record.study, runtime.matches.of(record.study, network, record.change)
    block, found = block_of(record, matches), statistics_of(study, matches, record.block)
    matrix = None if block.matrix is None else block.matrix[0].cpu().numpy()
    title = f"{study.name}, {network.label}, block {record.block}"
    return [figure_pixels(block_figure(to_uint8(study.lr.rgb), found, matrix, title))]


def _pairs(runtime: Runtime, record: MatchesRecord, network: Network) -> list[Any]:
    """The paper's Fig. 8: patch and match in every block, on the image and side by side."""
    (x, y), scale = record.place, network.scale
    # Shown for images of any size: only changes need a pass that can be taken up again.
    matches = runtime.matches.of(record.study, network, record.change)
    pixels = pixels_of(runtime, record, network)
    point = ((x + 0.5) / scale, (y + 0.5) / scale)
    title = f"{record.study.name}, {network.label}: SR pixel x {x}, y {y}"
    pairs = pairs_at(matches, point[1], point[0])
    return [figure_pixels(pairs_figure(pixels, pairs, point, scale, title))]


def _reach(record: MatchesRecord, network: Network) -> list[Any]:
    """The paper's Fig. 4: what the clicked pixel reaches directly under each way of division."""
    assert isinstance(network.model, HPINet)
    config, study = network.model.config, record.study
    column, row = (v // network.scale for v in record.place)
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
        figure_pixels(reach_figure(to_uint8(study.lr.rgb), reaches)),
        listing(head, match_text.reached([r.summary() for r in reaches])),
    ]


def effect_scene(
    runtime: Runtime, record: MatchesRecord, network: Network, window: Window, owner: Owner
) -> dict[str, Any]:
    """The viewer's value that compares the SR image before and after the change.

    Args:
        runtime: Computes and keeps.
        record: The change.
        network: The record's.
        window: Where to look first.
        owner: Who may see the images.
    """
    contenders = [
        {"name": name, "label": label, "image": STORE.image(pixels, owner)}
        for name, label, pixels in (
            ("before", "Before", runtime.super_resolved(record.study, network).pixels),
            ("after", "After the change", pixels_of(runtime, record, network)),
        )
    ]
    if record.study.hr is not None:
        original = STORE.image(record.study.hr, owner)
        contenders.append({"name": "original", "label": "The original", "image": original})
    (height, width), side = record.size, 2 * window.size
    left, top = window.left - window.size // 2, window.top - window.size // 2
    home = [max(0, min(left, width - side)), max(0, min(top, height - side)), side, side]
    return compared(
        record, window, owner, contenders, ("before", "after"), mode="difference",
        home=home if side <= min(height, width) else None,
    )  # fmt: skip


def effect_place(runtime: Runtime, record: MatchesRecord, network: Network, where: str) -> Window:
    """Where an effect is shown: the window, or the clicked patch as a window."""
    if where != PATCH:
        return record.window
    known = block_of(record, runtime.matches.of(record.study, network))
    patch, (height, width) = patch_of(record, known), record.size
    top, left = (int(v) * network.scale for v in known.origins[patch])
    return Window(left, top, min(known.patch_size * network.scale, height - top, width - left))


def _effect(runtime: Runtime, record: MatchesRecord, network: Network, window: Window) -> list[Any]:
    """Before, after, difference, and the effect in numbers."""
    study, change = record.study, record.change
    images, limit = effect_pixels(runtime, record, network, window)
    found = runtime.matches.effect(study, network, change, window)
    sizes = _sizes(found.difference, window)
    rows = match_text.effects(found, sizes, study.hr is not None, limit)
    return [*images, listing(["What the change does", ""], rows)]


def effect_pixels(
    runtime: Runtime, record: MatchesRecord, network: Network, window: Window
) -> tuple[list[Pixels], float]:
    """The window before, after, and their difference; and where its colours end, in grey levels."""
    normal, changed = (
        runtime.matches.outcome(record.study, network, change)
        for change in (Change(), record.change)
    )
    inside = _cut(signed_grey(changed.trace.sr - normal.trace.sr), window)
    limit = max(_LEAST_LIMIT, colour_limit([inside], 100))
    factor = max(1, -(-_EFFECT_SIDE // window.size))
    images = [enlarge(_cut(o.pixels, window), factor) for o in (normal, changed)]
    return [*images, enlarge(signed_map(inside, limit), factor)], limit


def effect_facts(runtime: Runtime, record: MatchesRecord, network: Network) -> dict[str, Any]:
    """What is changed, and what that does to the SR image, as plain values."""
    change, window = record.change, record.window
    facts: dict[str, Any] = {"kind": change.kind, "window": [window.left, window.top, window.size]}
    if not change.nothing:
        count = len(runtime.matches.of(record.study, network).blocks)
        facts |= change.intervention(count).describe()
    found = runtime.matches.effect(record.study, network, change, window)
    mean, largest = _sizes(found.difference, window)
    inside = {"window_mean_difference": mean, "window_max_difference": largest}
    return {**facts, "effect": {**found.summary(), **inside}}


def _cut(array: NDArray[Any], window: Window) -> Pixels:
    rows = slice(window.top, window.top + window.size)
    return np.ascontiguousarray(array[rows, window.left : window.left + window.size])


def _sizes(difference: Any, window: Window) -> tuple[float, float]:
    """Mean and largest change of a pixel's channels in the window, in grey levels."""
    sizes = 255 * np.abs(difference[0].permute(1, 2, 0).float().cpu().numpy())
    inside = _cut(sizes, window)
    return float(inside.mean()), float(inside.max())
