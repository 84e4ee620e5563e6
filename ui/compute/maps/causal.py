"""Causal effects of the LR blocks of attribution maps, computed and kept as the maps are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lam import CausalEffect, CausalEffectResult
from ui.state.options import CAUSE, How
from ui.state.region import Region, window_inside

from .attribution import Asked, Attribution, explained, key_of, matches_rule

if TYPE_CHECKING:
    from typing_extensions import Unpack

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

    def measured(self, *asked: Unpack[Asked]) -> Iterator[CausalEffectResult]:
        """The effects beside a map, refined while one watches; at once where they are known.

        Every way gets the same interventions. Arguments as of `Attribution.attributed`, of which
        only the rule for matches counts in its ``how``.
        """
        study, network, way, window, region, how = asked
        rule = matches_rule(network, way, how)

        def start() -> Iterator[CausalEffectResult]:
            inner = window_inside(window, region, network.scale)
            return CausalEffect(explained(network, way)).effects_progressively(
                study.part(region), study.original(region, network.scale), inner, BLOCK,
                matches=rule, passes=PASSES,
            )  # fmt: skip

        yield from self._attribution.followed(_key(*asked), start)

    def finished(self, *asked: Unpack[Asked]) -> bool:
        """Whether effects, as of `measured`, are there at once."""
        return self._attribution.known(_key(*asked))


def _key(*asked: Unpack[Asked]) -> tuple[object, ...]:
    study, network, way, window, region, how = asked
    same = How(matches=matches_rule(network, way, how))  # whatever LAM's steps are
    return CAUSE, *key_of(study, network, way, window, region, same)
