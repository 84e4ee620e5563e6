"""Figures of matches, and of what their changes do, in sentences and rows of tables."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import ArrayLike

from hpinet import BlockMatches
from hpinet.analysis.intervention_effect import Effect
from hpinet.analysis.match_statistics import BlockStatistics
from ui.networks.network import NetworkInfo
from ui.state.options import ELSEWHERE, EVERYWHERE, FORCED, Change
from ui.state.record import Result
from ui.views.text import position

KINDS = {
    "none": "the network's own matches",
    "off": "GPA off (each patch its own match)",
    "random": "random matches",
    "second": "the second best matches",
    "hr": "matches by the true image (HR)",
    FORCED: "a forced match",
}
"""What is done to matches, by `ui.state.options.KINDS`."""


KIND_LABELS = {
    "none": "their own match",
    "off": "themselves (GPA off)",
    "random": "a random patch",
    "second": "the second best",
    "hr": "the best by HR",
    FORCED: "a patch I choose",
}
"""The same as a choice after "let patches attend to"."""


PLACE_LABELS = {"this block": "this one", EVERYWHERE: "all", ELSEWHERE: "all but this"}
"""`ui.state.options.PLACES` after "in which blocks"."""


def changed(change: Change, origins: ArrayLike) -> str:
    """What is done to the matches, in a phrase.

    Args:
        change: What.
        origins: Of the block's patches.
    """
    if change.kind == FORCED:
        pairs = (forced(patch, target, origins) for patch, target in change.pairs)
        return f"Block {change.block}, forced: {'; '.join(pairs) or 'nothing yet'}"
    if change.nothing:
        return "The network's own matches"
    where = f"in block {change.block}"
    if change.place == EVERYWHERE:
        where = "in all blocks"
    elif change.place == ELSEWHERE:
        where = f"in all blocks but {change.block}"
    seed = f" (seed {change.seed})" if change.kind == "random" else ""
    text = KINDS[change.kind]
    return f"{text[0].upper()}{text[1:]}{seed} {where}"


def forced(patch: int, target: int, origins: ArrayLike) -> str:
    """A forced pair in words."""
    return f"{position(patch, origins)} → {position(target, origins)}"


def nothing_to_match(network: NetworkInfo) -> str:
    """Why there are no matches; empty where there are."""
    if network.has_gpa:
        return ""
    return (
        f"{network.label} has no Global Pixel Access: its patches attend to no other, so there is "
        "nothing to match or to change."
    )


def statistics_row(block: BlockStatistics) -> list[Any]:
    """A block's number, patch side, patches, hub, evenness, mutual pairs, distances."""
    found = block.summary()
    return [
        str(found["block"]),
        found["patch_size"],
        found["patches"],
        _percent(found["hub_share"]),
        _plain(found["evenness"]),
        _percent(found["mutual_share"]),
        _plain(found["mean_distance"], 1),
        _plain(found["chance_distance"], 1),
    ]


def effects(
    found: Effect, window: tuple[float, float], known: bool, limit: float
) -> list[list[str]]:
    """Rows of name and value: what a change did.

    Args:
        found: The effect.
        window: Mean and largest change of a pixel in the window, in grey levels.
        known: Whether the original is.
        limit: Where the colours of the difference end, in grey levels.
    """
    rows = [
        ["Colours of the difference: red brighter, blue darker, up to", f"±{limit:.2g} levels"],
        ["Change of a pixel here, mean / largest (grey levels of 255)", _pair(*window)],
        ["In the whole image, mean / largest", _pair(found.mean_difference, found.max_difference)],
    ]
    if known:
        here, whole = _db(found.window_psnr_change), _db(found.psnr_change)
        rows.append(
            ["PSNR-Y here / of the whole image (dB; + is nearer to HR)", f"{here} / {whole}"]
        )
    return rows


def change_of_spread(normal: Result, changed: Result) -> str:
    """How wide the window's map is with the normal and with changed matches."""
    a, b = normal.diffusion_index, changed.diffusion_index
    if not (math.isfinite(a) and math.isfinite(b)):
        return "A map is zero everywhere, so nothing can be said of how wide it is."
    return (
        f"Diffusion index (0-100, how widely the pixels that matter spread): {a:.2f} normally, "
        f"{b:.2f} with the change ({round(b - a, 2) + 0.0:+.2f}); other blocks keep the sharp "
        "image's matches."
    )


def reached(found: list[dict[str, Any]]) -> list[list[str]]:
    """Rows of a way of division and what it reaches, from `Reach.summary`."""
    return [
        [
            REACH_LABELS[one["strategy"]],
            f"{one['reached_share']:.1%}",
            f"{one['reached_in_two_share']:.1%}",
            f"{one['blind_share_within_radius']:.0%}",
        ]
        for one in found
    ]


REACH_LABELS = {
    "vanilla": "vanilla: one patch size",
    "shifted": "shifted: every second block by half a patch",
    "cascaded": "cascaded: this network's own sizes",
}


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.0%}"


def _plain(value: float | None, digits: int = 2) -> str:
    return "none" if value is None else f"{value:.{digits}f}"


def _pair(mean: float, largest: float) -> str:
    return f"{_g(mean)} / {_g(largest)}"


def _g(value: float) -> str:
    return "0" if value == 0 else f"{value:.2g}" if value < 10 else f"{value:.0f}"


def _db(value: float | None) -> str:
    return "none" if value is None else f"{value:+.3f}"


def pair_words(number: int, block: BlockMatches, patch: int, scale: int) -> str:
    """The pair in a sentence."""
    match, value = int(block.index[0, patch]), float(block.similarity[0, patch])
    side, here = block.patch_size, position(patch, block.origins)
    text = (
        f"**Block {number}** · {len(block.origins)} patches of {side}x{side} LR pixels "
        f"({side * scale}x{side * scale} here). The patch at {here} "
    )
    if match == patch:
        return text + "attends to itself."
    text += f"attends to the one at **{position(match, block.origins)}**"
    if not math.isnan(value):
        text += f", similarity {value:.2f} (inner product: more is more alike)"
    return text + "."
