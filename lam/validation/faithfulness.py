"""Faithfulness of a map to its network: deletion and insertion curves (Petsiuk et al. 2018).

A map says which pixels matter. The curves test that by taking pixels away, or putting them back, in
the order of their importance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import trapezoid
from torch import Tensor

from hpinet.errors import UserError
from lam.attribution.detectors import Detector
from lam.attribution.memory_plan import batch_size
from lam.attribution.paths import AttributionPath, GaussianBlurPath
from lam.attribution.quadrature import Array
from lam.attribution.target import Target
from lam.metrics.diffusion import checked_importance
from lam.window import Window

_SMALL_CHANGE = 1e-4  # of the detector's size: below it a normalised curve is noise over noise

Progress = Callable[[float], None]
"""Called with the share of the work done, from 0 to 1."""


@dataclass(frozen=True, eq=False)
class Curve:
    """The detector while pixels are taken away or put back.

    Attributes:
        fractions: (K,) shares of the pixels, from 0 to 1.
        values: (K,) the detector.
        area: Area under the curve, with the detector on the baseline as 0 and on the image as 1;
            NaN where the two are next to equal.
    """

    fractions: Array
    values: Array
    area: float


@dataclass(frozen=True, eq=False)
class FaithfulnessResult:
    """Deletion and insertion (Petsiuk et al. 2018) of LR pixels, against random orders.

    The faithful map has a small area under deletion (what it names is missed at once) and a large
    one under insertion (what it names suffices). Compare each with ``random_area``: in an image
    where every pixel counts alike, nothing beats chance.

    Attributes:
        deletion: From the image to the baseline, the most important pixels first.
        insertion: From the baseline to the image, the most important pixels first.
        random_deletions: (S, K) the detector while pixels are deleted in S random orders.
        detector_start: The detector on the baseline.
        detector_end: The detector on the image.
        seeds: (S,) of the random orders.
        params: What reproduces the curves, as plain values.
    """

    deletion: Curve
    insertion: Curve
    random_deletions: Array
    detector_start: float
    detector_end: float
    seeds: tuple[int, ...]
    params: dict[str, Any]

    @property
    def random_insertions(self) -> Array:
        """(S, K): inserting in a random order is deleting in the reverse one, read backwards.

        Up to the rounding of the steps to whole pixels.
        """
        return self.random_deletions[:, ::-1]

    @property
    def random_areas(self) -> Array:
        """(S,) areas under the random deletions, normalised as those of the curves."""
        fractions, start, end = self.deletion.fractions, self.detector_start, self.detector_end
        return np.array([_area(fractions, row, start, end) for row in self.random_deletions])

    def summary(self) -> dict[str, float | None]:
        """Areas in numbers; None for what is undefined. ``random_*`` are of deletion.

        An area of insertion compares with one less the area of random deletion.
        """
        areas = self.random_areas
        spread = float(areas.std(ddof=1)) if len(areas) > 1 else math.nan
        values = {
            "deletion_area": self.deletion.area,
            "insertion_area": self.insertion.area,
            "random_deletion_area": float(areas.mean()) if len(areas) else math.nan,
            "random_insertion_area": float(1 - areas.mean()) if len(areas) else math.nan,
            "random_area_spread": spread,
        }
        return {name: value if math.isfinite(value) else None for name, value in values.items()}

    def curves(self) -> dict[str, list[float | None]]:
        """All points as lists of (K,) plain numbers; None for what is not finite."""
        random, many = self.random_deletions, len(self.random_deletions)
        nothing = np.full(len(self.deletion.values), math.nan)
        values = {
            "fractions": self.deletion.fractions,
            "deletion": self.deletion.values,
            "insertion": self.insertion.values,
            "random_deletion_mean": random.mean(0) if many else nothing,
            "random_deletion_spread": random.std(0, ddof=1) if many > 1 else nothing,
        }
        return {
            name: [value if math.isfinite(value) else None for value in points.tolist()]
            for name, points in values.items()
        }


def faithfulness_curves(
    forward_func: Callable[..., Any],
    inputs: Tensor,
    window: Window,
    importance: ArrayLike,
    *,
    detector: str | Detector = "gradient",
    matches: str = "live",
    path: AttributionPath | None = None,
    steps: int = 20,
    random_orders: int = 5,
    seed: int = 0,
    internal_batch_size: int | None = None,
    progress: Progress | None = None,
) -> FaithfulnessResult:
    """Deletion and insertion curves of a map.

    Args:
        forward_func: The network that the map is of; it is not changed.
        inputs: The LR image, (1, 3, h, w) or (3, h, w).
        window: The map's window, in SR pixels.
        importance: The map, (h, w), finite and not negative. Equal pixels come in random order.
        detector: The map's detector.
        matches: One of `lam.MATCHES`.
        path: Its beginning is what pixels are replaced with; the blurred image by default.
        steps: Steps from none to all of the pixels.
        random_orders: How many random orders to compare with.
        seed: Of the first random order; the others count up from it.
        internal_batch_size: Images computed at once; by default by the image's size.
        progress: Called with the share of the work done.

    Raises:
        ValueError: If the map does not fit the image, or an option is out of range.
    """
    path = path or GaussianBlurPath()
    for name, count, least in (("steps", steps, 1), ("random_orders", random_orders, 0)):
        if isinstance(count, bool) or not isinstance(count, int) or count < least:
            raise UserError(f"{name} must be a whole number from {least} up, not {count!r}")
    target = Target(forward_func, inputs, window, detector, matches)
    target.check_repeatable()
    order = _order(importance, tuple(target.image.shape[-2:]), seed)
    counts = np.rint(np.linspace(0, len(order), min(steps, len(order)) + 1)).astype(int)
    seeds = tuple(range(seed, seed + random_orders))
    shuffled = [np.random.default_rng([s, len(order)]).permutation(len(order)) for s in seeds]
    # Insertion is deletion in the reverse order, read backwards: only one kind is computed.
    reverse = len(order) - counts[::-1]
    jobs = [(order, counts), (order[::-1], reverse), *((o, counts) for o in shuffled)]
    baseline = path.at(target.image, np.zeros(1))
    batch = batch_size(internal_batch_size, target.image)
    found = []
    for number, (pixels, deleted) in enumerate(jobs, 1):
        found.append(_deleted(target, baseline, pixels, deleted, batch))
        if progress is not None:
            progress(number / len(jobs))
    end, start = found[0][0], found[0][-1]
    deletion, insertion = found[0], found[1][::-1]
    fractions = counts / len(order)
    return FaithfulnessResult(
        deletion=Curve(fractions, deletion, _area(fractions, deletion, start, end)),
        insertion=Curve(fractions, insertion, _area(fractions, insertion, start, end)),
        random_deletions=np.array(found[2:]).reshape(-1, len(counts)),
        detector_start=float(start),
        detector_end=float(end),
        seeds=seeds,
        params={**target.params, "path": path.describe(), "steps": steps, "seed": seed},
    )


def _order(importance: ArrayLike, size: tuple[int, ...], seed: int) -> NDArray[np.intp]:
    """Pixel numbers, the most important first; equal ones in random order, not row by row."""
    values = checked_importance(importance)
    if values.shape != size:
        raise UserError(f"the map is {values.shape}, but the LR image {size}: they must agree")
    ties = np.random.default_rng(seed).random(values.size)
    return np.lexsort((ties, -values.ravel()))


def _deleted(
    target: Target, baseline: Tensor, order: NDArray[Any], counts: NDArray[Any], batch: int
) -> Array:
    """The detector with the first pixels of an order replaced, for each count of pixels."""
    image, values = target.image, []
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))  # rank[p]: when pixel p is deleted, from 0
    ranks = torch.as_tensor(rank.reshape(image.shape[-2:]), device=image.device)
    for first in range(0, len(counts), batch):
        many = torch.as_tensor(counts[first : first + batch], device=image.device)
        gone = ranks < many[:, None, None, None]  # (B, 1, h, w)
        with torch.no_grad():
            values += target(torch.where(gone, baseline, image)).cpu().double().tolist()
    return np.array(values)


def _area(fractions: Array, values: Array, start: float, end: float) -> float:
    """Area under (values - start) / (end - start), by the trapezoidal rule."""
    change = end - start
    if not abs(change) > _SMALL_CHANGE * (abs(start) + abs(end)):
        return math.nan
    return float(trapezoid((values - start) / change, fractions))
