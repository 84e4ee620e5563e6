"""Causal effects of the LR blocks of attribution maps, computed and kept as the maps are."""

from __future__ import annotations

from collections.abc import Iterator

from lam import CausalEffect, CausalEffectResult, Window
from ui.state.inputs import Study
from ui.state.network import Network
from ui.state.options import CAUSE, How
from ui.state.record import Region

from .attribution import Attribution, explained, key_of, matches_rule

BLOCK = 2
"""Side of a block in LR pixels: that of Hu et al. 2024."""

PASSES = 800
"""The most passes for the effects of a network: so many take minutes, and others wait meanwhile."""

_EACH = 8.0  # passes for every block of S until all is decided (docs/performance.md)


def passes(region: Region) -> float:
    """About how many passes the effects of a region take."""
    return min(PASSES, _EACH * -(-region[2] // BLOCK) * -(-region[3] // BLOCK))


class CausalEffects:
    """By how much each block of an image helps a window, or harms it.

    Args:
        attribution: Computes a step at a time, whoever asks, and keeps what it computed.
    """

    def __init__(self, attribution: Attribution) -> None:
        self._attribution = attribution

    def measured(
        self,
        study: Study,
        network: Network,
        way: str | None,
        window: Window,
        region: Region,
        how: How,
    ) -> Iterator[CausalEffectResult]:
        """The effects beside a map, refined while one watches; at once where they are known.

        Every way gets the same interventions. Arguments as of `Attribution.attributed`, of which
        only the rule for matches counts in ``how``.
        """
        left, top, height, width = region
        scale = network.scale
        inner = Window(window.left - left * scale, window.top - top * scale, window.size)
        crop = study.lr.rgb[..., top : top + height, left : left + width].contiguous()
        rule = matches_rule(network, way, how)

        def start() -> Iterator[CausalEffectResult]:
            return CausalEffect(explained(network, way)).effects_progressively(
                crop, study.original(region, scale), inner, BLOCK, matches=rule, passes=PASSES
            )

        key = _key(study, network, way, window, region, how)
        yield from self._attribution.followed(key, start)

    def finished(
        self,
        study: Study,
        network: Network,
        way: str | None,
        window: Window,
        region: Region,
        how: How,
    ) -> bool:
        """Whether effects, as of `measured`, are there at once."""
        return self._attribution.known(_key(study, network, way, window, region, how))


def _key(
    study: Study, network: Network, way: str | None, window: Window, region: Region, how: How
) -> tuple[object, ...]:
    same = How(matches=matches_rule(network, way, how))  # whatever LAM's steps are
    return CAUSE, *key_of(study, network, way, window, region, same)
