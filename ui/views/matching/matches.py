"""Matches in the viewer, all blocks at once, and one pair as an image for other programs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpinet import BlockMatches, Matches
from hpinet.analysis.match_statistics import BlockStatistics
from lam.figures.matches import match_figure, pairs_at
from lam.figures.overlay import draw_window, enlarge, enlarging_factor
from lam.figures.palette import WHITE
from lam.figures.panels import figure_pixels
from lam.metrics.patch_shares import patch_at
from ui.compute.interventions import TRACE_PIXELS, statistics_of
from ui.compute.runtime import Runtime
from ui.networks.network import Network
from ui.state.inputs import Pixels
from ui.state.options import FORCED
from ui.state.record import MatchesRecord, Subject
from ui.viewer.store import STORE, Owner
from ui.views import text as words
from ui.views.html import prompt

from . import match_text

_SIDE = 900  # pixels that the image is enlarged to at most
_MATRICES = 16 * 2**20  # bytes of similarities that a browser is sent at most


def factor_of(subject: Subject) -> int:
    """How much the SR image is enlarged to be shown."""
    return enlarging_factor(*subject.size, _SIDE)


def block_of(record: MatchesRecord, matches: Matches) -> BlockMatches:
    """The matches of the record's block."""
    block = matches.blocks[record.block - 1]
    assert block is not None
    return block


def patch_of(record: MatchesRecord, block: BlockMatches) -> int:
    """The patch of a block that holds the place of a record."""
    (x, y), scale = record.place, record.network.scale
    return patch_at(block.origins, block.patch_size, (y + 0.5) / scale, (x + 0.5) / scale)


def pixels_of(runtime: Runtime, record: MatchesRecord, network: Network) -> Pixels:
    """The SR image under the record's matches."""
    if record.change.nothing:
        return runtime.super_resolved(record.study, network).pixels
    return runtime.matches.outcome(record.study, network, record.change).pixels


def scene(
    runtime: Runtime, record: MatchesRecord, network: Network, owner: Owner
) -> dict[str, Any]:
    """The viewer's value: the matches of all blocks.

    Args:
        runtime: Computes and keeps.
        record: What to show.
        network: The record's.
        owner: Who may read the numbers.
    """
    study, change, window = record.study, record.change, record.window
    height, width = record.size
    found = runtime.matches.of(study, network, change)
    blocks = [statistics_of(study, found, n) for n in range(1, len(found.blocks) + 1)]
    pairs = []
    if change.kind == FORCED and change.pairs:
        origins = blocks[change.block - 1].origins
        pairs = [
            (q, t, f"block {change.block}: {match_text.forced(q, t, origins)}")
            for q, t in change.pairs
        ]
    value = {
        "kind": "matches",
        "key": owner.key,
        "name": study.name,
        "network": network.label,
        "title": match_text.nothing_to_match(network.info),
        "size": [width, height],
        "scale": network.scale,
        "window": [window.left, window.top, window.size],
        "image": STORE.image(pixels_of(runtime, record, network), owner),
        "place": list(record.place),
        "subject": f"{study.key[:12]} {network.label}",
        "patches": [b.patch_size for b in blocks],
        "hubs": [words.popularity(b.index) for b in blocks],
        "statistics": [match_text.statistics_row(b) for b in blocks],
        "changes": network.has_gpa and height * width <= TRACE_PIXELS * network.scale**2,
        "change": {
            "kind": change.kind,
            "told": "" if change.nothing else told(record, blocks),
            "pairs": pairs,
        },
        "stamp": f"{study.key[:8]} {network.label} {change}",
    }
    if not blocks:
        return value
    arrays: dict[str, NDArray[Any]] = {}
    for number, block in enumerate(blocks):
        arrays |= {
            f"origins_{number}": block.origins.astype(np.int16),
            f"index_{number}": block.index.astype(np.uint16),
            f"similarity_{number}": block.similarity,
            f"runners_{number}": block.runners_up.astype(np.uint16),
            f"values_{number}": block.runner_up_similarity,
        }
    value["pack"] = STORE.packed(arrays, owner)
    matrices = {
        f"matrix_{number}": block.matrix[0].cpu().numpy()
        for number, block in enumerate(found.blocks)
        if block is not None and block.matrix is not None and len(block.origins) > 1
    }
    if matrices and sum(m.size for m in matrices.values()) * 2 <= _MATRICES:
        value["matrices"] = STORE.packed(matrices, owner)
    return value


def told(record: MatchesRecord, blocks: list[BlockStatistics]) -> str:
    """What is changed, in a phrase."""
    return match_text.changed(record.change, blocks[record.change.block - 1].origins)


def asked(record: MatchesRecord, found: Matches, network: Network) -> str:
    """The line over the viewer: what is changed, or what may be done, as HTML."""
    if not network.has_gpa:
        return prompt(match_text.nothing_to_match(network.info))
    if record.change.nothing:
        return prompt("The patch follows the pointer: see what it attends to, and who chose it.")
    block = found.blocks[record.change.block - 1]
    assert block is not None
    return prompt(f"{match_text.changed(record.change, block.origins)}.", warn=True)


def pair(runtime: Runtime, record: MatchesRecord, network: Network) -> tuple[str, Pixels]:
    """The patch at the record's place and its match, in a sentence and drawn on the image."""
    large = enlarge(pixels_of(runtime, record, network), factor_of(record))
    if not network.has_gpa:
        return match_text.nothing_to_match(network.info), large
    found = runtime.matches.of(record.study, network, record.change)
    block = block_of(record, found)
    patch, factor = patch_of(record, block), factor_of(record)
    large = draw_window(large, record.window, factor, WHITE)
    (x, y), scale = record.place, network.scale
    pairs = pairs_at(found, (y + 0.5) / scale, (x + 0.5) / scale)
    pair = next(one for one in pairs if one.block == record.block)
    drawn = match_figure(large, pair, scale * factor)
    told = match_text.pair_words(record.block, block, patch, scale)
    return told, figure_pixels(drawn)
