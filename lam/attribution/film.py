"""The steps of a map, kept: what each adds, and the matches there, so that the path can be seen."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import nn

from hpinet import HPINet
from lam.metrics.patch_shares import patches_of

from .matching_network import Choice

MOST_FRAMES = 32
"""Steps that the browser is sent; neighbours are put together where more were taken."""

Patches = tuple[NDArray[np.int16], int]

Step = tuple[float, Choice, NDArray[np.float16]]


@dataclass(eq=False)
class Film:
    """Steps of LAM's path in the order of their computation.

    Attributes:
        steps: Alpha: detector, matches, contribution to the attribution (3, h, w) over its unit.
        units: Alpha: that unit.
    """

    steps: dict[float, Step] = field(default_factory=dict)
    units: dict[float, float] = field(default_factory=dict)

    def add(
        self, alpha: float, detector: float, matches: Choice, contribution: NDArray[np.float64]
    ) -> None:
        """Keep a step, as `lam.LocalAttribution.attribute_progressively` tells of it."""
        unit = float(np.abs(contribution).max()) or 1.0
        self.units[alpha] = unit
        self.steps[alpha] = detector, matches, (contribution / unit).astype(np.float16)

    def frames(self, model: nn.Module) -> Frames:
        """The steps along the path, at most `MOST_FRAMES`, of a network."""
        alphas = np.array(sorted(self.steps))
        groups = np.array_split(alphas, min(MOST_FRAMES, len(alphas)))
        ends = [self.steps[float(group[-1])] for group in groups]
        added = np.stack(
            [
                np.sum([self.units[a] * self.steps[a][2].astype(np.float32) for a in group], axis=0)
                for group in groups
            ]
        )  # (K, 3, h, w)
        blocks = [
            np.stack([np.asarray(b[0].cpu(), np.uint16) for b in found if b is not None])
            for found in zip(*(choice for _, choice, _ in ends), strict=True)
            if all(b is not None for b in found)
        ]
        return Frames(
            np.array([group[-1] for group in groups]),
            np.array([value for value, _, _ in ends]),
            added,
            tuple(blocks),
            _patches(model, added.shape[-2:]) if blocks else (),
        )


def _patches(model: nn.Module, size: tuple[int, ...]) -> tuple[Patches, ...]:
    assert isinstance(model, HPINet)
    return tuple(
        (block.origins.numpy().astype(np.int16), block.patch_size)
        for block in patches_of(model.config, *size).blocks
        if block is not None
    )


@dataclass(frozen=True, eq=False)
class Frames:
    """A film as the browser draws it.

    Attributes:
        alphas: (K,) ascending positions.
        values: (K,) the detector there.
        steps: (K, 3, h, w) what is added up to each position; their sum is the attribution.
        matches: For each block, (K, N) the match of every patch; none where matches cannot switch.
        patches: For each of these blocks, the patches' (top, left) in LR pixels (N, 2), and their
            side.
    """

    alphas: NDArray[np.float64]
    values: NDArray[np.float64]
    steps: NDArray[np.float32]
    matches: tuple[NDArray[np.uint16], ...]
    patches: tuple[Patches, ...]
