"""Was what a network looked at to its advantage? Attribution and causal effect, block by block.

LAM says what a window was made from, a causal effect map what became better or worse by it
(`lam.CausalEffect`). Both are laid over the same blocks here; those inside the window, which have
no effect, are left out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpinet.errors import UserError

LOOKED_AT = 0.8
"""Share of the importance that makes a block one of those that the network looked at."""


@dataclass(frozen=True)
class Agreement:
    """How attribution and effect agree outside the window.

    Attributes:
        helpful: Share of the importance in blocks of positive effect, in [0, 1]; where effects have
            no sign, in blocks that change the window. NaN, as are all of these, without importance.
        harmful: Share of the importance in blocks of negative effect.
        neither: Share of the importance in blocks whose effect counts as zero.
        rank_correlation: Spearman's, of importance and size of the effect, in [-1, 1]; NaN where
            either is the same everywhere.
        looked_at: How many blocks hold `LOOKED_AT` of the importance, the most important first.
        disagreement: Share of these whose effect is not positive.
        unseen: Share of the positive effect in all other blocks; NaN without any.
    """

    helpful: float
    harmful: float
    neither: float
    rank_correlation: float
    looked_at: int
    disagreement: float
    unseen: float

    def row(self) -> dict[str, float | None]:
        """The numbers by name, None for what is undefined."""
        return {k: v if np.isfinite(v) else None for k, v in asdict(self).items()}


def block_importance(importance: ArrayLike, block: int) -> NDArray[np.float64]:
    """The importance in every block.

    Args:
        importance: (h, w), not negative.
        block: Side in LR pixels; the last blocks are cut off at the border.

    Returns:
        (rows, columns); the sum is the map's.
    """
    found = np.asarray(importance, np.float64)
    for axis, length in enumerate(found.shape):
        found = np.add.reduceat(found, np.arange(0, length, block), axis=axis)
    return found


def agreement(importance: ArrayLike, effect: ArrayLike, block: int) -> Agreement:
    """Compare a map's importance with the effects of blocks.

    Args:
        importance: (h, w), not negative, of LR pixels.
        effect: (rows, columns), 0 where it counts as zero, NaN for blocks to be left out; as
            `lam.CausalEffectResult.effect`.
        block: Side of a block in LR pixels.

    Raises:
        ValueError: If the sizes do not fit.
    """
    weights, effects = block_importance(importance, block), np.asarray(effect, np.float64)
    if weights.shape != effects.shape:
        raise UserError(
            f"a map of {weights.shape[1]}x{weights.shape[0]} blocks and effects of "
            f"{effects.shape[-1]}x{effects.shape[0]} are not of the same blocks"
        )
    outside = np.isfinite(effects)
    weights, effects = weights[outside], effects[outside]
    total, gain = weights.sum(), effects.clip(0).sum()
    if not total > 0:
        nan = float("nan")
        return Agreement(nan, nan, nan, nan, 0, nan, nan)
    order = np.argsort(-weights, kind="stable")
    count = int(np.searchsorted(weights[order].cumsum(), LOOKED_AT * total) + 1)
    seen = order[:count]
    return Agreement(
        helpful=float(weights[effects > 0].sum() / total),
        harmful=float(weights[effects < 0].sum() / total),
        neither=float(weights[effects == 0].sum() / total),
        rank_correlation=_spearman(weights, np.abs(effects)),
        looked_at=count,
        disagreement=float((effects[seen] <= 0).mean()),
        unseen=float(1 - effects[seen].clip(0).sum() / gain) if gain > 0 else float("nan"),
    )


def ranks(values: ArrayLike) -> NDArray[np.int64]:
    """1 for the largest size; equal ones share the best of their ranks; 0 for NaN."""
    sizes = np.abs(np.asarray(values, np.float64))
    known = np.sort(sizes[np.isfinite(sizes)])
    found = len(known) - np.searchsorted(known, sizes, side="right") + 1
    return np.where(np.isfinite(sizes), found, 0).astype(np.int64)


def block_rows(
    importance: ArrayLike, effect: ArrayLike, standard_error: ArrayLike, block: int
) -> list[dict[str, Any]]:
    """A table of the blocks outside the window, row by row.

    Args:
        importance: As in `agreement`.
        effect: As in `agreement`.
        standard_error: (rows, columns), NaN where unknown.
        block: As in `agreement`.

    Returns:
        ``left`` and ``top`` (LR pixels), ``importance``, ``effect``, ``standard_error`` (None where
        unknown), ``importance_rank`` and ``effect_rank`` (by size, see `ranks`).
    """
    effects, errors = np.asarray(effect, np.float64), np.asarray(standard_error, np.float64)
    weights = np.where(np.isfinite(effects), block_importance(importance, block), np.nan)
    by_importance, by_effect = ranks(weights), ranks(effects)
    return [
        {
            "left": column * block,
            "top": row * block,
            "importance": float(weights[row, column]),
            "effect": float(effects[row, column]),
            "standard_error": float(error) if np.isfinite(error := errors[row, column]) else None,
            "importance_rank": int(by_importance[row, column]),
            "effect_rank": int(by_effect[row, column]),
        }
        for row, column in np.argwhere(np.isfinite(effects)).tolist()
    ]


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic)
