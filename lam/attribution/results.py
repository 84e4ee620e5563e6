"""What an attribution says, and how far it can be trusted."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lam.metrics.diffusion import diffusion_index, gini, importance_map

Result = TypeVar("Result")

_SUMMARY = (
    "diffusion_index",
    "detector_start",
    "detector_end",
    "integral",
    "match_jumps",
    "residual",
    "non_finite",
    "seconds",
)
_SMALL_CHANGE = 1e-4  # of the detector's size: below it a relative residual is noise over noise


class AttributionMap:
    """What every method's map says of itself.

    Attributes:
        attribution: (3, h, w) float32, signed.
        progress: Share of the work done, 1 for the final result.
    """

    attribution: NDArray[np.float32]
    progress: float

    @cached_property
    def importance(self) -> NDArray[np.float32]:
        """(h, w) float32: absolute sum over the channels, as in the LAM demo."""
        return importance_map(self.attribution)

    @cached_property
    def gini(self) -> float:
        """Gini coefficient of the importance; NaN for a map of zeros."""
        return gini(self.importance)

    @cached_property
    def diffusion_index(self) -> float:
        """``(1 - gini) * 100``: compare only maps of equal size. NaN for a map of zeros."""
        return diffusion_index(self.importance)

    @property
    def no_index(self) -> str:
        """Why there is no diffusion index, in a sentence; empty where there is one."""
        if np.isfinite(self.diffusion_index):
            return ""
        return (
            "The map has no mass but rounding errors, so it has no diffusion index: nothing in the "
            "window depends on a detail of the image."
        )

    @property
    def finished(self) -> bool:
        """Whether this is the final result."""
        return self.progress >= 1

    def summary(self) -> dict[str, float | int | None]:
        """The figures that ``python -m lam --json`` prints.

        None for what is undefined (NaN) and what the method does not have.
        """
        values = {name: getattr(self, name, None) for name in _SUMMARY}
        return {k: v if v is not None and np.isfinite(v) else None for k, v in values.items()}


@dataclass(frozen=True, eq=False)
class MatchSwitches:
    """Where along the path a network changed its hard matches, and what each change did.

    Attributes:
        alphas: (K,) positions of the knots, from 0 to 1.
        shares: (K, blocks) share of each block's patches that switched there, in [0, 1].
        jumps: (K,) detector with the new matches less the detector with the old ones, on the
            image at the knot; 0 where nothing switched.
    """

    alphas: NDArray[np.float64]
    shares: NDArray[np.float64]
    jumps: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LocalAttributionResult(AttributionMap):
    """A local attribution map.

    Completeness: an attribution should sum to the change of what it explains. Here
    ``detector_end - detector_start = integral + match_jumps + residual``: hard matches switch along
    the path, each switch is a jump without a gradient that no pixel can be credited with, and what
    then remains is the error of the quadrature.

    Attributes:
        attribution: (3, h, w) float32, signed contribution of each channel of each LR pixel, in
            units of the detector.
        detector_start: The detector where the path begins (blurred).
        detector_end: The detector on the image itself.
        match_jumps: Sum of the jumps at switches of matches. 0 where matches cannot switch; NaN in
            an unfinished result, which has not computed them yet, and where they cannot be counted.
        non_finite: How many elements of the gradients were not finite; they count as 0 in the map.
        seconds: Time spent computing.
        n_steps: Steps asked for.
        steps_done: Steps that were taken so far.
        progress: Share of all work done, 1 for the final result.
        map_change: How far the last level of nodes moved the map, relatively (Euclidean norm): an
            upper estimate of what is still missing. NaN before the second level.
        path_alphas: (steps_done,) positions of the gradients taken, ascending.
        path_values: (steps_done,) the detector there.
        switches: Where matches switched; None where they cannot, or not finished.
        params: Everything that reproduces the map, as plain values that fit into JSON.
        jumps_counted: False where a network with matches is inside a function or module that does
            not hand them on. Then jumps lie in the residual.
    """

    attribution: NDArray[np.float32]
    detector_start: float
    detector_end: float
    match_jumps: float
    non_finite: int
    seconds: float
    n_steps: int
    steps_done: int
    progress: float
    map_change: float
    path_alphas: NDArray[np.float64]
    path_values: NDArray[np.float64]
    switches: MatchSwitches | None
    params: dict[str, Any]
    jumps_counted: bool = True

    @property
    def is_flat(self) -> bool:
        """Whether the map is no more than rounding errors: its mass is nothing to the detector.

        So it is where the image is as flat as its blurred version; nothing can be said of a
        spread.
        """
        mass = float(importance_map(self.attribution).sum(dtype=np.float64))
        return mass <= _SMALL_CHANGE * max(abs(self.detector_start), abs(self.detector_end))

    @cached_property
    def importance(self) -> NDArray[np.float32]:
        """(h, w) float32: absolute sum over the channels; zeros where the map `is_flat`."""
        found = importance_map(self.attribution)
        return np.zeros_like(found) if self.is_flat else found

    @cached_property
    def integral(self) -> float:
        """Sum of the attribution, in units of the detector."""
        return float(self.attribution.sum(dtype=np.float64))

    @property
    def change(self) -> float:
        """``detector_end - detector_start``: what is to be explained."""
        return self.detector_end - self.detector_start

    @property
    def residual(self) -> float:
        """``change - integral - match_jumps``: what neither pixels nor switches account for.

        With the jumps in it where they cannot be counted (``jumps_counted``).
        """
        return self.change - self.integral - (self.match_jumps if self.jumps_counted else 0.0)

    @property
    def relative_residual(self) -> float:
        """Residual over change; NaN where the change is next to nothing."""
        size = abs(self.detector_start) + abs(self.detector_end)
        if not abs(self.change) > _SMALL_CHANGE * size:
            return float("nan")
        return self.residual / self.change


@dataclass(frozen=True, eq=False)
class MethodResult(AttributionMap):
    """A map by another method than LAM.

    Attributes:
        attribution: (3, h, w) float32, signed. Saliency: the detector's gradient, per unit of
            brightness. The others: in units of the detector.
        detector_end: The detector on the image itself.
        non_finite: How many elements were not finite; they count as 0 in the map.
        seconds: Time spent computing.
        progress: Share of the work done, 1 for the final result.
        params: Everything that reproduces the map, as plain values that fit into JSON.
    """

    attribution: NDArray[np.float32]
    detector_end: float
    non_finite: int
    seconds: float
    progress: float
    params: dict[str, Any]


def last(results: Iterator[Result]) -> Result:
    """The final one of results on the way."""
    return deque(results, maxlen=1).pop()
