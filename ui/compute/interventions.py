"""Matches, and what changes of them do: each result kept by content, late blocks redone alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from hpinet import HPINet, Matches
from hpinet.analysis.intervention_effect import Effect, effect
from hpinet.analysis.interventions import intervene
from hpinet.analysis.match_statistics import BlockStatistics, block_statistics
from hpinet.imaging.images import from_uint8, to_uint8
from hpinet.modeling.hpinet import Trace
from lam import LocalAttribution, Window
from lam.match_analysis.diffusion_change import changed_network
from ui.state.cache import Cache
from ui.state.model_catalogue import Network
from ui.state.options import Change, How
from ui.state.session import Pixels, Study

from . import attribution

TRACE_PIXELS = 256 * 256
"""The most LR pixels of a picture whose features in every block are kept, to change matches."""

RUNNERS_UP = 3

_matches: Cache[Matches] = Cache(32, limit=128 * 2**20)
_traces: Cache[Trace] = Cache(3)  # up to 200 MB each
_outcomes: Cache[Outcome] = Cache(32, limit=256 * 2**20)


def matches_of(study: Study, network: Network) -> Matches:
    """Which patch each patch looks at, in every block; with all similarities where they are few."""
    if not network.has_gpa:
        return Matches((), study.size)
    if study.size[0] * study.size[1] <= TRACE_PIXELS:
        return traced(study, network).matches

    def work() -> Matches:
        with torch.no_grad():
            found: Matches = network.model(study.lr.rgb, return_matches=True)[1]
            return found

    return _matches.compute((study.key, network.label), work)


def traced(study: Study, network: Network) -> Trace:
    """A pass that can be taken up again at any block.

    Raises:
        ValueError: If the picture is too large for that, or the network has no matches.
    """
    height, width = study.size
    if not network.has_gpa or not isinstance(network.model, HPINet):
        raise ValueError(f"{network.label} has no Global Pixel Access, so it has no matches.")
    if height * width > TRACE_PIXELS:
        raise ValueError(
            f"Matches can be changed in pictures of up to {TRACE_PIXELS} LR pixels; this one has "
            f"{width}x{height}: crop it, or use `python -m lam intervene`."
        )
    model = network.model
    return _traces.compute(
        (study.key, network.label), lambda: model.trace(study.lr.rgb, similarity_matrix=True)
    )


@dataclass(frozen=True, eq=False)
class Outcome:
    """A picture super-resolved with some matches.

    Attributes:
        trace: SR picture and matches; what went into each block is not kept.
        pixels: The SR picture in 8 bit, (sh, sw, 3).
    """

    trace: Trace
    pixels: Pixels

    @property
    def matches(self) -> Matches:
        """The matches that were used."""
        return self.trace.matches


def outcome(study: Study, network: Network, change: Change) -> Outcome:
    """What the network makes of a picture under a change of its matches.

    Only blocks from the first one changed on are computed.

    Raises:
        ValueError: If the change does not fit the network or the picture.
    """

    def made() -> Outcome:
        normal = traced(study, network)
        trace = normal
        if not change.nothing:
            assert isinstance(network.model, HPINet)
            blocks = len(network.model.blocks)
            hr = None if study.hr is None else from_uint8(study.hr)
            if change.kind == "hr" and hr is None:
                raise ValueError(
                    'Matches by the true picture need an original: choose "restore" on the left.'
                )
            trace = intervene(network.model, normal, change.intervention(blocks), hr=hr)
        pixels = to_uint8(trace.sr.clamp(0, 1))
        return Outcome(replace(trace, inputs=()), pixels)

    return _outcomes.compute((study.key, network.label, change), made)


def effect_of(study: Study, network: Network, change: Change, window: Window) -> Effect:
    """What a change did to the SR picture, and to the PSNR where the original is known."""
    normal, changed = outcome(study, network, Change()), outcome(study, network, change)
    hr = None if study.hr is None else from_uint8(study.hr)
    place = (window.left, window.top, window.size)
    return effect(normal.trace.sr, changed.trace.sr, hr, network.scale, place)


def statistics_of(study: Study, matches: Matches, number: int) -> BlockStatistics:
    """One block's matches in numbers, with runners-up where all similarities are known.

    Args:
        study: The picture.
        matches: Of it.
        number: The block's, from 1.
    """
    block = matches.blocks[number - 1]
    assert block is not None
    return block_statistics(block, study.size, number - 1, RUNNERS_UP)


def maps_of_change(
    study: Study, network: Network, change: Change, window: Window, how: How
) -> Iterator[tuple[attribution.Result, attribution.Result | None]]:
    """The window's maps with the normal and with the changed matches, refined step by step.

    Blocks left alone keep along the path the matches that they have on the sharp picture, in both.

    Raises:
        ValueError: If the change does not fit, or the picture is too large to be attributed whole.
    """
    how = replace(how, matches="frozen", method="lam")
    region = attribution.region_around(window, "whole", study.size, network.scale)
    changed = outcome(study, network, change)
    assert isinstance(network.model, HPINet)
    model, lr = network.model, study.lr.rgb
    intervention = change.intervention(len(model.blocks))
    normal: Any = None
    for normal in attribution.attributed(study, network, None, window, region, how):
        yield normal, None
    if normal is None or not normal.finished:
        return
    forced = changed_network(model, changed.trace, intervention)
    key = (study.key, network.label, change, window, region, how)

    def begin() -> Iterator[attribution.Result]:
        return LocalAttribution(forced).attribute_progressively(
            lr, window, n_steps=how.steps, matches=how.matches
        )

    for result in attribution.followed(key, begin):
        yield normal, result


def signed_grey(difference: torch.Tensor) -> np.ndarray:
    """A difference of pictures (1, 3, h, w) as the mean of its channels, in 8-bit grey levels."""
    return np.asarray(255 * difference[0].mean(0).float().cpu().numpy())
