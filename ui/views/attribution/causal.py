"""Causal effects beside attribution maps: numbers for the viewer, sentences, images, tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from hpinet.errors import UserError
from hpinet.imaging.images import to_uint8
from lam import CausalEffectResult
from lam.figures.overlay import (
    colour_limit,
    draw_window,
    enlarge,
    enlarging_factor,
    heatmap_overlay,
    signed_overlay,
)
from lam.metrics.agreement import Agreement, agreement
from ui.state.inputs import Pixels
from ui.state.options import CAUSE, EFFECT, PERCENTILE, ROOT
from ui.state.record import MapsRecord
from ui.views import text as words


def layer(record: MapsRecord, way: str | None, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the viewer draws of a map's effects: arrays, and an entry of the map; empty without.

    Args:
        record: The maps.
        way: Which.
        name: The map's in the viewer.
    """
    found = record.effects.get(way)
    if found is None:
        return {}, {}
    # A large block's share is small for each of its blocks, which does not make them null yet.
    guessed = (found.draws == 0) & (not found.finished)
    arrays = {
        f"estimate_{name}": found.estimate,
        f"effect_{name}": np.where(guessed, found.estimate, found.effect),
        f"error_{name}": found.standard_error,
    }
    entry = {
        "block": found.block,
        "unit": found.unit,
        "signed": found.signed,
        "tolerance": found.tolerance,
        "words": explained(record, way),
        "figures": _figures(record, way),
    }
    return arrays, {"effect": entry}


def explained(record: MapsRecord, way: str | None) -> list[str]:
    """What effects say beside the map, a sentence each; nothing where there are none."""
    found, beside = record.effects.get(way), _beside(record, way)
    if found is None or beside is None:
        return []
    told = [_advantage(found, beside), _counts(found)]
    if beside.looked_at and np.isfinite(beside.rank_correlation):
        blocks = "block holds" if beside.looked_at == 1 else "blocks hold"
        told.append(
            f"{beside.looked_at} {blocks} 80% of the importance; "
            f"{words.percent(beside.disagreement)} of them "
            f"{'do not help' if found.signed else 'change nothing'}. Rank correlation of "
            f"attribution and size of the effect: {beside.rank_correlation:.2f}."
        )
    return told if found.finished else ["Estimates until the end:", *told]


def _advantage(found: CausalEffectResult, beside: Agreement) -> str:
    if not np.isfinite(beside.helpful):
        return "It looked at nothing outside the window."
    share, rest = (words.percent(v) for v in (beside.helpful, beside.neither))
    if not found.signed:
        return (
            f"**{share} of what it looked at changes the window**, {rest} does not (importance "
            "outside the window, by block). Without an original nothing can be said to help."
        )
    return (
        f"**{share} of what it looked at was to its advantage**: so much of the importance outside "
        f"the window lies in blocks that help, {words.percent(beside.harmful)} in blocks that "
        f"harm, {rest} in blocks that do neither."
    )


def _counts(found: CausalEffectResult) -> str:
    limit = f"(below {found.tolerance:g} {found.unit})"
    if not found.signed:
        return f"{found.positive} blocks change the window, {found.null} do not {limit}."
    told = f"{found.positive} blocks help, {found.negative} harm, {found.null} neither {limit}."
    if not np.isfinite(found.outside_share):
        return told
    far = words.percent(found.outside_share)
    return f"{told} {far} of the gain comes from farther away than the window is wide."


def _beside(record: MapsRecord, way: str | None) -> Agreement | None:
    found, result = record.effects.get(way), record.results.get(way)
    if found is None or result is None:
        return None
    return agreement(result.importance, found.effect, found.block)


def _figures(record: MapsRecord, way: str | None) -> list[tuple[str, float | None]]:
    """Columns of the viewer's table."""
    found, beside = record.effects[way], _beside(record, way)
    shown = {
        "blocks that help" if found.signed else "blocks that matter": found.positive,
        **({"that harm": found.negative} if found.signed else {}),
        "that do not count": found.null,
        f"largest ({found.unit})": found.summary()["largest"],
        f"smallest ({found.unit})": found.summary()["smallest"],
    }
    if beside is not None:
        row = beside.row()
        shown |= {
            "importance in blocks that help" if found.signed else "importance in them": row[
                "helpful"
            ],
            "rank correlation": row["rank_correlation"],
        }
    return list(shown.items())


def replacements(record: MapsRecord) -> int:
    """How many times a block was replaced so far, in all maps."""
    return sum(found.passes for found in record.effects.values())


def progress_words(record: MapsRecord) -> str:
    """What is computed, once all maps are there; empty before."""
    if not record.causal or not all(
        way in record.results and record.results[way].finished for way in record.ways
    ):
        return ""
    return f"{replacements(record):,} replacements of blocks"


def check(method: str, view: str) -> None:
    """Refuse to draw effects that are not asked for.

    Raises:
        ValueError: They are to be drawn and not computed.
    """
    if view == EFFECT and method != CAUSE:
        raise UserError(f"The view {EFFECT!r} needs the method {CAUSE!r}, not {method!r}.")


def limit(record: MapsRecord) -> float:
    """The value at the ends of the colour scale, one for the effects of all maps."""
    if record.look.scale != PERCENTILE:
        return record.look.end
    return colour_limit([found.map for found in record.effects.values()], record.look.end)


def draw(record: MapsRecord, found: CausalEffectResult, end: float) -> Pixels:
    """Effects over the attributed pixels, with the window: red helps, blue harms."""
    look, crop = record.look, to_uint8(record.crop)
    factor = enlarging_factor(*crop.shape[:2])
    large, strength = enlarge(crop, factor), float(np.clip(look.strength, 0, 1))
    overlay = signed_overlay if found.signed else heatmap_overlay
    drawn = overlay(large, found.map, strength, end, root=look.colours == ROOT)
    return draw_window(drawn, record.inner_window, factor / record.network.scale)


def scale_words(record: MapsRecord, end: float) -> str:
    """What the colours of drawn effects mean, in a sentence."""
    kind = "by square root" if record.look.colours == ROOT else "linear"
    found = next(iter(record.effects.values()))
    drawn = (
        f"Red helps, blue harms, from {-end:.2g} to {end:.2g} {found.unit}"
        if found.signed
        else f"Unsigned change of the window when a block is replaced, up to {end:.2g} {found.unit}"
    )
    return f"{drawn}: one {kind} scale for all maps."


def numbers(record: MapsRecord, way: str | None) -> dict[str, Any] | None:
    """All figures and parameters of a map's effects; None without."""
    found, beside = record.effects.get(way), _beside(record, way)
    if found is None:
        return None
    return {
        **found.summary(),
        "beside_attribution": None if beside is None else beside.row(),
        "params": found.params,
    }
