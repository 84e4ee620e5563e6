"""How widely an attribution map spreads: the diffusion index (Gu & Dong 2021) and areas.

With the n importances of a map in ascending order, x_1 <= ... <= x_n, the Gini coefficient is the
mean absolute difference of all pairs over twice the mean:

    G = sum over i, j of |x_i - x_j| / (2 n sum of x) = sum of (2 i - n - 1) x_i / (n sum of x),

where the second form needs no pairs: x_i is the larger of a pair i - 1 times and the smaller n - i
times. The diffusion index is (1 - G) * 100.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpinet.errors import UserError
from lam.window import Window

_EPSILON = 1e-7  # the demo adds this to the map, whose maximum is 1


def importance_map(attribution: ArrayLike) -> NDArray[np.float32]:
    """The importance of each pixel: the absolute sum of its channels' attributions, as in the demo.

    Args:
        attribution: (C, h, w), signed.

    Returns:
        (h, w) float32, not negative.
    """
    return np.abs(np.sum(np.asarray(attribution, np.float64), axis=0)).astype(np.float32)


def gini(importance: ArrayLike) -> float:
    """Gini coefficient of a map: 0 when all pixels matter alike, near 1 when one does.

    Args:
        importance: Numbers of any shape, finite and not negative. Their scale does not matter.

    Returns:
        A number in [0, 1); NaN for a map without mass, about whose spread nothing can be said.

    Raises:
        ValueError: If the map is empty or holds negative or non-finite numbers.
    """
    values = np.sort(checked_importance(importance).ravel())
    if values[-1] == 0:
        return float("nan")
    values = values / values[-1] + _EPSILON
    n = len(values)
    # (n,): -(n - 1), ..., n - 1 in steps of 2.
    rank = 2 * np.arange(1, n + 1) - n - 1
    return float((rank * values).sum() / (n * values.sum()))


def diffusion_index(importance: ArrayLike) -> float:
    """LAM's diffusion index, ``(1 - gini) * 100``: larger when more pixels are involved.

    It depends on the size of the LR image and is no rank of quality: compare equal sizes only.

    Args:
        importance: (h, w), finite and not negative.

    Returns:
        A number in (0, 100]; NaN for a map without mass. Rounding errors count like any other map
        here; `LocalAttributionResult.importance` knows the detector and is zeros then.

    Raises:
        ValueError: If the map is empty or holds negative or non-finite numbers.
    """
    return (1 - gini(importance)) * 100


def area_fractions(
    importance: ArrayLike, masses: Sequence[float] = (0.5, 0.8, 0.95)
) -> tuple[float, ...]:
    """The smallest shares of the image that hold given shares of the mass.

    Args:
        importance: (h, w), finite and not negative.
        masses: Shares of the mass, in (0, 1].

    Returns:
        One share of the pixels each, in (0, 1]; NaN for a map without mass.

    Raises:
        ValueError: If the map or a share is not valid.
    """
    for mass in masses:
        if not 0 < mass <= 1:
            raise UserError(f"a share of the mass must be in (0, 1], not {mass}")
    values = np.sort(checked_importance(importance).ravel())[::-1]
    total = np.cumsum(values)
    if total[-1] == 0:
        return tuple(float("nan") for _ in masses)
    # Rounding in the sum must not ask for one pixel more.
    reached = [int(np.argmax(total >= mass * total[-1] * (1 - 1e-12))) + 1 for mass in masses]
    return tuple(count / len(values) for count in reached)


def mean_distance(importance: ArrayLike, window: Window, scale: float) -> float:
    """How far from the window the mass lies, on average.

    Args:
        importance: (h, w), finite and not negative.
        window: The window, in SR pixels.
        scale: SR pixels per LR pixel.

    Returns:
        Mean Euclidean distance from the pixels' centres to the window (0 inside), in LR pixels,
        weighted by importance; NaN for a map without mass.

    Raises:
        ValueError: If the map is not valid.
    """
    values = checked_map(importance)
    if values.sum() == 0:
        return float("nan")
    down = _outside(values.shape[0], window.top / scale, window.size / scale)
    across = _outside(values.shape[1], window.left / scale, window.size / scale)
    distance = np.hypot(down[:, None], across[None])
    return float((distance * values).sum() / values.sum())


def _outside(length: int, start: float, size: float) -> NDArray[np.float64]:
    """Along one axis: the distance from each pixel's centre to the window, 0 inside."""
    centre = np.arange(length) + 0.5
    return np.maximum(0, np.maximum(start - centre, centre - start - size))


def checked_importance(importance: ArrayLike) -> NDArray[np.float64]:
    """The map in double precision.

    Raises:
        ValueError: If the map is empty or holds negative or non-finite numbers.
    """
    values = np.asarray(importance, np.float64)
    if values.size == 0:
        raise UserError("the map is empty: an importance map has at least one pixel")
    if not np.isfinite(values).all() or values.min() < 0:
        raise UserError(
            "the map holds negative or non-finite numbers: pass the importance, not the attribution"
        )
    return values


def checked_map(importance: ArrayLike) -> NDArray[np.float64]:
    """The map in double precision, (h, w).

    Raises:
        ValueError: If it has another shape, is empty or holds negative or non-finite numbers.
    """
    values = checked_importance(importance)
    if values.ndim != 2:
        raise UserError(f"an importance map is shaped (h, w), not {values.shape}")
    return values
