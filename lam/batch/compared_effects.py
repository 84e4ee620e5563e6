"""Causal effects in a comparison of networks: each network's beside its map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from hpinet import HPINet
from lam.attribution.results import last
from lam.cause.effects import CausalEffect
from lam.window import Window

if TYPE_CHECKING:
    from .comparison import Compared


def with_effects(
    found: Compared,
    network: nn.Module,
    lr: Tensor,
    hr: Tensor | None,
    window: Window,
    *,
    matches: str = "live",
    progress: Callable[[float], Any] = lambda share: None,
) -> Compared:
    """A network's answer with the causal effects beside its map.

    All networks get the same interventions.

    Args:
        found: The answer.
        network: The network, in evaluation mode.
        lr: The LR image, (1, 3, h, w) RGB in [0, 1].
        hr: The original, (1, 3, sh, sw); without one effects have no sign.
        window: In SR pixels.
        matches: ``"live"`` or ``"frozen"``, for networks that have matches.
        progress: Takes shares of the work from 0 to 1.

    Raises:
        ValueError: If the window covers the whole image.
    """
    gpa = isinstance(network, HPINet) and network.config.gpa

    def steps() -> Any:
        for effects in CausalEffect(network).effects_progressively(
            lr, hr, window, matches=matches if gpa else "live"
        ):
            progress(effects.progress)
            yield effects

    return replace(found, effects=last(steps()))


def effect_row(found: Compared) -> dict[str, Any]:
    """The columns that effects add to a network's row; none without.

    Those of `lam.metrics.agreement.Agreement`, and of `lam.CausalEffectResult.summary` with
    ``effect_`` before their names.
    """
    both = found.agreement
    if found.effects is None or both is None:
        return {}
    summary = {f"effect_{name}": value for name, value in found.effects.summary().items()}
    return {**both.row(), **summary}


def effect_params(found: Sequence[Compared]) -> dict[str, Any]:
    """What reproduces the effects, under ``effects`` by network; empty without."""
    known = {one.label: one.effects.params for one in found if one.effects is not None}
    return {"effects": known} if known else {}


def format_effects(found: Sequence[Compared]) -> list[str]:
    """The effects as lines of text, a network each; none without."""
    known = [one for one in found if one.effects is not None]
    if not known:
        return []
    width = max(14, *(len(one.label) for one in known))
    signed = known[0].effects is not None and known[0].effects.signed
    heads = f"{'helps' if signed else 'matters':>8}  {'harms':>6}  correlation  blocks that do"
    lines = [f"{'causal effects':{width}}  {heads}"]
    for one in known:
        row = effect_row(one)
        shares = ("-" if row[n] is None else f"{row[n]:.1%}" for n in ("helpful", "harmful"))
        helps, harms = shares
        order = row["rank_correlation"]
        counts = [row[f"effect_{name}"] for name in ("positive", "negative", "null")]
        blocks = f"{counts[0]} / {counts[1]} of {sum(counts)}"
        told = "-" if order is None else f"{order:.2f}"
        lines.append(f"{one.label:{width}}  {helps:>8}  {harms:>6}  {told:>11}  {blocks:>14}")
    lines.append(
        "helps, harms: shares of the importance outside the window in blocks of such effect; "
        "correlation: of the ranks by importance and by size of the effect"
    )
    return lines
