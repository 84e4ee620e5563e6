"""Causal effects of several networks, and beside attribution. Arrays in, image or figure out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from hpinet.data.tables import csv_text
from hpinet.errors import UserError
from hpinet.imaging.files import npz_bytes
from lam.metrics.agreement import block_importance, block_rows

from .composition import side_by_side
from .heatmaps import Square, colour_limit, draw_window, enlarge, heatmap_overlay, signed_overlay
from .palette import BLUE, GREY, VERMILION, Pixels, hexadecimal


def effect_limit(effects: Sequence[ArrayLike], percentile: float = 99.5) -> float:
    """The value at the ends of one scale for the effects of several networks, in their unit.

    Args:
        effects: (h, w) each, as `lam.CausalEffectResult.map`.
        percentile: Of the sizes, in (0, 100].
    """
    return colour_limit([np.abs(np.asarray(one, np.float64)) for one in effects], percentile)


def effect_overlay(
    image: ArrayLike,
    effects: ArrayLike,
    limit: float,
    signed: bool = True,
    strength: float = 0.7,
    root: bool = True,
) -> Pixels:
    """Effects over their image, which turns grey: red helps, blue harms.

    Args:
        image: uint8 (H, W, 3), H and W the same whole multiple of h and w.
        effects: (h, w), as `lam.CausalEffectResult.map`.
        limit: Value of the last colours, from `effect_limit`.
        signed: Whether effects have a sign; those without are drawn as a heat map.
        strength: 0 shows the image alone, 1 the map alone.
        root: Colour by the square root, which lifts faint values.

    Returns:
        uint8 (H, W, 3).
    """
    values = np.asarray(effects, np.float64)
    if not signed:
        return heatmap_overlay(image, values, strength, limit, root=root)
    if root:  # values whose linear colours are those of the square root
        values = np.sign(values) * np.sqrt(np.abs(values) * limit)
    return signed_overlay(image, values, strength, limit)


def effect_maps(
    lr: ArrayLike,
    effects: Sequence[ArrayLike],
    labels: Sequence[str],
    window: Square,
    scale: int,
    signed: bool = True,
) -> Pixels:
    """The effects of several networks side by side, in one scale.

    Args:
        lr: uint8 (h, w, 3), the LR image.
        effects: (h, w) each, as `lam.CausalEffectResult.map`.
        labels: One a network.
        window: In SR pixels; outlined.
        scale: SR pixels per LR pixel.
        signed: As in `effect_overlay`.

    Returns:
        uint8.

    Raises:
        ValueError: If numbers or sizes do not fit.
    """
    limit = effect_limit(effects)
    large = enlarge(lr, scale)
    drawn = [draw_window(effect_overlay(large, one, limit, signed), window) for one in effects]
    return side_by_side(drawn, labels)


def effect_files(importance: ArrayLike, effects: Any) -> dict[str, bytes]:
    """What is written of one network's effects, by name: arrays, and a table of the blocks.

    Args:
        importance: (h, w), of LR pixels, of the map beside them.
        effects: A `lam.CausalEffectResult`.
    """
    arrays = npz_bytes({**effects.arrays(), "map": effects.map})
    rows = block_rows(importance, effects.effect, effects.standard_error, effects.block)
    return {"effect.npz": arrays, "blocks.csv": csv_text(rows).encode()}


def effect_scatter(
    importances: Sequence[ArrayLike],
    effects: Sequence[ArrayLike],
    labels: Sequence[str],
    block: int = 2,
    unit: str = "dB",
) -> Figure:
    """Attribution against effect, a panel a network and a point a block outside the window.

    Args:
        importances: (h, w) each, of LR pixels.
        effects: (rows, columns) each, NaN inside the window, as `lam.CausalEffectResult.effect`.
        labels: One a network.
        block: Side of a block in LR pixels.
        unit: Of the effects.

    Returns:
        A Figure. Importance is a share of the map's own sum outside the window; both axes go by
        the square root near 0, as the maps' colours do.

    Raises:
        ValueError: If numbers do not fit.
    """
    if not len(importances) == len(effects) == len(labels) > 0:
        raise UserError("every network needs a map, effects and a label")
    figure = Figure(figsize=(3 * len(labels), 3), layout="constrained")
    panels = figure.subplots(1, len(labels), sharex=True, sharey=True, squeeze=False)[0]
    for axes, importance, effect, label in zip(panels, importances, effects, labels, strict=True):
        values = np.asarray(effect, np.float64)
        outside = np.isfinite(values)
        shares, values = block_importance(importance, block)[outside], values[outside]
        shares = 100 * shares / shares.sum() if shares.any() else shares
        for chosen, colour in (
            (values == 0, GREY), (values > 0, VERMILION), (values < 0, BLUE),
        ):  # fmt: skip
            axes.scatter(shares[chosen], values[chosen], s=12, color=hexadecimal(colour))
        axes.axhline(0, color="black", lw=0.6)
        axes.set_xscale("function", functions=(_root, _square))
        axes.set_yscale("function", functions=(_root, _square))
        axes.set_title(label, fontsize=9)
        axes.set_xlabel("importance of a block (%)", fontsize=8)
        axes.tick_params(labelsize=7)
    panels[0].set_ylabel(f"effect ({unit})", fontsize=8)
    return figure


def _root(values: ArrayLike) -> ArrayLike:
    found = np.asarray(values, np.float64)
    return np.sign(found) * np.sqrt(np.abs(found))


def _square(values: ArrayLike) -> ArrayLike:
    found = np.asarray(values, np.float64)
    return np.sign(found) * found**2
