"""Matches as the page shows them: patch and match on the image, and everything about that pair."""

from __future__ import annotations

from typing import Any

import gradio as gr

from hpinet import BlockMatches, Matches
from lam import Window
from lam.figures.heatmaps import draw_window, enlarge, enlarging_factor
from lam.figures.matches import draw_matches, in_degree_map, match_crops
from lam.figures.palette import WHITE
from lam.metrics.patch_shares import patch_at
from ui.compute.interventions import statistics_of
from ui.compute.runtime import Runtime
from ui.state.inputs import Pixels
from ui.state.network import Network
from ui.state.options import FORCED
from ui.state.record import MatchesRecord, Subject

from . import match_text
from . import text as words
from .html import listing, prompt

_SIDE = 900  # pixels that the image is enlarged to at most


def factor_of(subject: Subject) -> int:
    """How much the SR image is enlarged to be shown and clicked on."""
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


def pair(runtime: Runtime, record: MatchesRecord, network: Network) -> dict[str, Any]:
    """Values by the names of the page's components.

    Args:
        runtime: Computes and keeps.
        record: What to show.
        network: The record's.
    """
    study, change = record.study, record.change
    seed = gr.update(value=change.seed, visible=change.kind == "random")
    common = {
        "x": record.place[0], "y": record.place[1], "kind": change.kind, "blocks": change.place,
        "seed": seed,
    }  # fmt: skip
    factor, scale = factor_of(record), network.scale
    if not network.has_gpa:
        text = f"{network.label} has no Global Pixel Access, so its patches attend to no other."
        plain = enlarge(runtime.super_resolved(study, network).pixels, factor)
        return {
            **common, "block": gr.update(choices=[("none", 1)], value=1), "prompt": prompt(text),
            "picture": runtime.images.shown(plain), "crops": None, "pair": text, "runners": "",
            "popular": None, "hub": "",
        }  # fmt: skip
    found = runtime.matches.of(study, network, change)
    if change.nothing:
        pixels = runtime.super_resolved(study, network).pixels
    else:
        pixels = runtime.matches.outcome(study, network, change).pixels
    known, number = block_of(record, found), record.block
    patch, index = patch_of(record, known), known.index[0].numpy()
    large = enlarge(pixels, factor)
    popular = in_degree_map(large, known.origins, index, known.patch_size, scale * factor)
    runners = match_text.runners_up(statistics_of(study, found, number), patch)
    choices = [(str(n), n) for n in range(1, len(found.blocks) + 1)]
    shown, warn = runtime.images.shown, not change.nothing or change.kind == FORCED
    return {
        **common,
        "block": gr.update(choices=choices, value=number),
        "prompt": prompt(_asked(record, known), warn=warn),
        "picture": shown(_drawn(record, known, patch, large)),
        "crops": shown(_crops(record, found, pixels)),
        "pair": match_text.pair_words(number, known, patch, scale),
        "runners": listing(["", "Patch", "Similarity", "Away"], runners),
        "popular": shown(popular),
        "hub": words.popularity(index),
    }


def _asked(record: MatchesRecord, block: BlockMatches) -> str:
    """Which click the page waits for, and what is changed."""
    change = record.change
    done = "" if change.nothing else f"{match_text.changed(change, block.origins)}. "
    if change.kind != FORCED:
        return f"{done}Click a patch to see what it attends to."
    if record.first is None:
        return f"{done}Click 1 of 2: the query patch, whose match you choose."
    name = words.position(record.first, block.origins)
    return f"{done}Click 2 of 2: the patch that the one at {name} shall attend to."


def _drawn(record: MatchesRecord, block: BlockMatches, patch: int, large: Pixels) -> Pixels:
    """The image with patch and match, the window, and the first patch of a forced pair."""
    factor = factor_of(record)
    large = draw_window(large, record.window, factor, WHITE, dashed=True)
    # An image smaller than a patch was padded: patches then reach beyond what is shown.
    across, side = record.network.scale * factor, block.patch_size
    if record.first is not None:
        top, left = (int(v) for v in block.origins[record.first])
        return draw_window(large, Window(left, top, side), across, label="1: this patch")
    return draw_matches(large, block.origins, block.index[0].numpy(), side, patch, across)


def _crops(record: MatchesRecord, matches: Matches, pixels: Pixels) -> Pixels:
    pairs = []
    for block in (b for b in matches.blocks if b is not None):
        patch = patch_of(record, block)
        match = int(block.index[0, patch])
        origins = block.origins[patch].numpy(), block.origins[match].numpy()
        pairs.append((*origins, block.patch_size))
    return match_crops(pixels, pairs, record.network.scale, chosen=record.block - 1)
