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
from hpinet.errors import UserError
from hpinet.evaluation.candidates import device_of
from hpinet.imaging.images import from_uint8, to_uint8
from hpinet.modeling.hpinet import Trace
from lam import LocalAttribution, Window
from lam.match_analysis.diffusion_change import changed_network
from ui.networks.network import Network
from ui.state.inputs import Pixels, Study
from ui.state.options import Change, How
from ui.state.record import Result
from ui.state.region import region_around
from ui.storage.cache import Cache

from .device import moved
from .maps.attribution import Attribution

TRACE_PIXELS = 256 * 256
"""The most LR pixels of an image whose features in every block are kept, to change matches."""

RUNNERS_UP = 3


@dataclass(frozen=True, eq=False)
class Outcome:
    """An image super-resolved with some matches.

    Attributes:
        trace: SR image and matches; what went into each block is not kept.
        pixels: The SR image in 8 bit, (sh, sw, 3).
    """

    trace: Trace
    pixels: Pixels

    @property
    def matches(self) -> Matches:
        """The matches that were used."""
        return self.trace.matches


class MatchChanges:
    """Computes matches and images with changed ones, and keeps them.

    Args:
        attribution: Computes the maps of changed networks.
        trace_pixels: The most LR pixels of an image whose matches can be changed.
    """

    def __init__(self, attribution: Attribution, trace_pixels: int = TRACE_PIXELS) -> None:
        self._attribution, self._trace_pixels = attribution, trace_pixels
        self._matches: Cache[Matches] = Cache(32, limit=128 * 2**20)
        # Where the network is, to be taken up again; up to 200 MB each.
        self._traces: Cache[Trace] = Cache(3, limit=768 * 2**20)
        self._outcomes: Cache[Outcome] = Cache(32, limit=256 * 2**20)

    def of(self, study: Study, network: Network, change: Change | None = None) -> Matches:
        """Which patch each patch attends to, in every block, under a change of the matches.

        With all similarities where the image is small enough.
        """
        if not network.has_gpa:
            return Matches((), study.size)
        if change is not None and not change.nothing:
            return self.outcome(study, network, change).matches
        if study.size[0] * study.size[1] <= self._trace_pixels:
            return moved(self.traced(study, network).matches, "cpu")

        def work() -> Matches:
            with torch.no_grad():
                lr = study.lr.rgb.to(device_of(network.model))
                found: Matches = network.model(lr, return_matches=True)[1]
                return moved(found, "cpu")

        return self._matches.compute((study.key, network.label), work)

    def traced(self, study: Study, network: Network) -> Trace:
        """A pass that can be taken up again at any block.

        Raises:
            ValueError: If the image is too large for that, or the network has no matches.
        """
        height, width = study.size
        if not network.has_gpa or not isinstance(network.model, HPINet):
            raise UserError(f"{network.label} has no Global Pixel Access, so it has no matches.")
        if height * width > self._trace_pixels:
            raise UserError(
                f"Matches can be changed in images of up to {self._trace_pixels} LR pixels; this "
                f"one has {width}x{height}: crop it, or use `python -m lam intervene`."
            )
        model, lr = network.model, study.lr.rgb.to(device_of(network.model))
        return self._traces.compute(
            (study.key, network.label), lambda: model.trace(lr, similarity_matrix=True)
        )

    def outcome(self, study: Study, network: Network, change: Change) -> Outcome:
        """What the network makes of an image under a change of its matches.

        Only blocks from the first one changed on are computed.

        Raises:
            ValueError: If the change does not fit the network or the image.
        """

        def made() -> Outcome:
            trace = normal = self.traced(study, network)
            if not change.nothing:
                assert isinstance(network.model, HPINet)
                blocks = len(network.model.blocks)
                hr = None if study.hr is None else from_uint8(study.hr).to(normal.sr.device)
                if change.kind == "hr" and hr is None:
                    raise UserError(
                        'Matches by the true image need an original: choose "restore" on the left.'
                    )
                trace = intervene(network.model, normal, change.intervention(blocks), hr=hr)
            pixels = to_uint8(trace.sr.clamp(0, 1))
            return Outcome(moved(replace(trace, inputs=()), "cpu"), pixels)

        return self._outcomes.compute((study.key, network.label, change), made)

    def effect(self, study: Study, network: Network, change: Change, window: Window) -> Effect:
        """What a change did to the SR image, and to the PSNR where the original is known."""
        normal, changed = (self.outcome(study, network, c) for c in (Change(), change))
        hr = None if study.hr is None else from_uint8(study.hr)
        place = (window.left, window.top, window.size)
        return effect(normal.trace.sr, changed.trace.sr, hr, network.scale, place)

    def maps(
        self, study: Study, network: Network, change: Change, window: Window, how: How
    ) -> Iterator[tuple[Result, Result | None]]:
        """The window's maps with the normal and with the changed matches, refined step by step.

        Blocks left alone keep along the path the matches that they have on the sharp image, in
        both.

        Raises:
            ValueError: If the change does not fit, or the image is too large to be attributed
                whole.
        """
        how = replace(how, matches="frozen", method="lam")
        region = region_around(window, "whole", study.size, network.scale)
        changed = self.outcome(study, network, change)
        assert isinstance(network.model, HPINet)
        model, lr = network.model, study.lr.rgb
        intervention = change.intervention(len(model.blocks))
        normal: Any = None
        for normal in self._attribution.attributed(study, network, None, window, region, how):
            yield normal, None
        if normal is None or not normal.finished:
            return
        forced = changed_network(model, moved(changed.trace, device_of(model)), intervention)
        key = (study.key, network.label, change, window, region, how)

        def begin() -> Iterator[Result]:
            return LocalAttribution(forced).attribute_progressively(
                lr, window, n_steps=how.steps, matches=how.matches
            )

        for result in self._attribution.followed(key, begin):
            yield normal, result


def statistics_of(study: Study, matches: Matches, number: int) -> BlockStatistics:
    """One block's matches in numbers, with runners-up where all similarities are known.

    Args:
        study: The image.
        matches: Of it.
        number: The block's, from 1.
    """
    block = matches.blocks[number - 1]
    assert block is not None
    return block_statistics(block, study.size, number - 1, RUNNERS_UP)


def checked_block(matches: Matches, block: int) -> int:
    """The block's number from 1; 1 for a network without blocks to match in.

    Raises:
        ValueError: There is no such block.
    """
    count = len(matches.blocks)
    if count and not 1 <= int(block) <= count:
        raise UserError(f"There is no block {block}: they are numbered 1 to {count}.")
    return int(block) if count else 1


def signed_grey(difference: torch.Tensor) -> np.ndarray:
    """A difference of images (1, 3, h, w) as the mean of its channels, in 8-bit grey levels."""
    return np.asarray(255 * difference[0].mean(0).float().cpu().numpy())
