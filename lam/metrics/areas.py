"""Where the importance lies: the paper's Area of Interest (Fig. 2c), and all figures together.

The paper draws three areas and gives no rule: the most important pixels lie "in a fine area of a
patch", less important ones "in a coarse area of the whole image", and a box marks the highest
interest. Ours:

- **box of highest interest**: the smallest square that holds `BOX_SHARE` of the importance. A
  square, because its side then compares with the patch size P.
- **fine area**: the smallest area that holds `FINE_SHARE` of the importance's density.
- **coarse area**: what must be added to it to hold `COARSE_SHARE`.

The paper's coarse and fine "describe the density of important pixels". Density is the map smoothed
by a Gaussian of `SMOOTHING` LR pixels, which makes areas out of single pixels and, far narrower
than a patch, does not blur one patch into the next. The smallest area of a given mass is the set of
pixels above some density. Shares of a map's own mass, and not thresholds on its values, make the
areas independent of the map's unit, so that the maps of two networks compare.

The shares: half for the fine area, all but the noise for both. A fifth for the box is what lets it
lie inside the fine area (96-100% of it on six maps of the released S-x4), so that the three are a
hierarchy as in the paper; a square with half the mass would be as wide as the fine area itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter

from .diffusion import area_fractions, checked_map, diffusion_index, gini, mean_distance
from .patch_shares import block_shares, plain

if TYPE_CHECKING:
    from hpinet import Matches
    from lam.window import Window

BOX_SHARE, FINE_SHARE, COARSE_SHARE = 0.2, 0.5, 0.95
"""Shares of the importance that the three areas hold."""

SMOOTHING = 1.5
"""Standard deviation of the Gaussian behind fine and coarse area, in LR pixels."""

_ROUNDING = 1e-9  # relative: sums of equal numbers count as equal


@dataclass(frozen=True, eq=False)
class AreaOfInterest:
    """The paper's Area of Interest (Fig. 2c), by the rule above.

    Attributes:
        box: (left, top, width, height) in LR pixels. A square, unless the image is too short for
            it and cuts it off.
        fine: (h, w) bool, the fine area.
        coarse: (h, w) bool, the coarse area; it leaves the fine area out.
        box_mass: Share of the importance in the box, in (0, 1].
        fine_mass: Share of the importance itself, not smoothed, in the fine area.
        coarse_mass: That in the coarse area.
    """

    box: tuple[int, int, int, int]
    fine: NDArray[np.bool_]
    coarse: NDArray[np.bool_]
    box_mass: float
    fine_mass: float
    coarse_mass: float


def area_of_interest(importance: ArrayLike) -> AreaOfInterest | None:
    """Box of highest interest, fine and coarse area of a map (Fig. 2c).

    Equally dense pixels are in or out together, and of equally heavy squares the one nearest to the
    centre of mass is the box. So a flat map has all its pixels in the fine area and its box in the
    middle.

    Args:
        importance: (h, w), finite and not negative.

    Returns:
        The areas; None for a map without mass, which has none.

    Raises:
        ValueError: If the map is not valid.
    """
    values = checked_map(importance)
    total = values.sum()
    if total == 0:
        return None
    values = values / total
    # Mirrored at the border, edge pixel included, so that no mass gets lost there.
    density = gaussian_filter(values, SMOOTHING, mode="reflect")
    fine = _densest(density, FINE_SHARE)
    coarse = _densest(density, COARSE_SHARE) & ~fine
    box = _box(values, BOX_SHARE)
    masses = (float(values[area].sum()) for area in (_slices(box), fine, coarse))
    return AreaOfInterest(box, fine, coarse, *masses)


def _densest(density: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """The smallest set of pixels that holds a share of the mass; equal pixels are in together."""
    # The smallest set of a given mass takes the densest pixels first: all down to some density.
    ordered = np.sort(density.ravel())[::-1]
    held = np.cumsum(ordered)  # mass of the 1, 2, ... densest pixels
    last = int(np.argmax(held >= share * held[-1] * (1 - _ROUNDING)))
    found: NDArray[np.bool_] = density >= ordered[last] - _ROUNDING * ordered[0]
    return found


def _box(values: NDArray[np.float64], share: float) -> tuple[int, int, int, int]:
    """The smallest square with a share of the mass (of sum 1): left, top, width, height."""
    # Integral image (h + 1, w + 1): S[y, x] is the mass above and left of the corner (y, x).
    integral = np.pad(values.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    low, high = 1, max(values.shape)
    # Bisection: a larger square holds any smaller one inside it, so the greatest mass of a square
    # never falls as the side grows.
    while low < high:
        side = (low + high) // 2
        if _sums(integral, side).max() >= share * (1 - _ROUNDING):
            high = side
        else:
            low = side + 1
    sums = _sums(integral, low)
    height, width = (min(low, length) for length in values.shape)
    tops, lefts = np.nonzero(sums >= sums.max() * (1 - _ROUNDING))
    # Of equally heavy squares the one whose centre is nearest to the centre of mass.
    rows, columns = (np.arange(length) + 0.5 for length in values.shape)
    down = tops + height / 2 - rows @ values.sum(1)
    across = lefts + width / 2 - columns @ values.sum(0)
    nearest = int(np.argmin(np.round(down**2 + across**2, 6)))
    return int(lefts[nearest]), int(tops[nearest]), width, height


def _sums(integral: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Mass of every square of a side, cut to the map where that is shorter.

    By the integral image S: S[bottom, right] - S[top, right] - S[bottom, left] + S[top, left].
    """
    height, width = (min(side, length - 1) for length in integral.shape)
    found: NDArray[np.float64] = (
        integral[height:, width:]
        - integral[:-height, width:]
        - integral[height:, :-width]
        + integral[:-height, :-width]
    )
    return found


def _slices(box: tuple[int, int, int, int]) -> tuple[slice, slice]:
    left, top, width, height = box
    return slice(top, top + height), slice(left, left + width)


def area_report(
    importance: ArrayLike, window: Window, scale: float, matches: Matches | None = None
) -> dict[str, Any]:
    """Everything that is said of where a map's importance lies, as plain values that fit into JSON.

    Args:
        importance: (h, w), finite and not negative.
        window: The window, in SR pixels.
        scale: SR pixels per LR pixel.
        matches: The matches of this image; without them nothing is said of patches.

    Returns:
        What is undefined, as everything is for a map without mass, is None.

        - ``diffusion_index``: (0, 100]; ``gini``: [0, 1).
        - ``area_50``, ``area_80``, ``area_95``: smallest shares of the image's pixels that hold
          that many percent of the importance, (0, 1].
        - ``mean_distance``: of the importance from the window, in LR pixels.
        - ``box``: ``[left, top, width, height]`` of the box of highest interest, in LR pixels;
          ``box_mass``: share of the importance in it.
        - ``fine_area``, ``coarse_area``: shares of the image's pixels; ``fine_mass``,
          ``coarse_mass``: shares of the importance in them.
        - ``outside_patch``, ``in_match``: means of ``blocks``, the list of `block_shares`; None
          and an empty list without matches.

    Raises:
        ValueError: If the map or the matches do not fit.
    """
    spread = area_fractions(importance)
    areas = area_of_interest(importance)
    blocks = [] if matches is None else block_shares(importance, matches, window, scale)
    return {
        "diffusion_index": plain(diffusion_index(importance)),
        "gini": plain(gini(importance)),
        **{f"area_{p}": plain(s) for p, s in zip((50, 80, 95), spread, strict=True)},
        "mean_distance": plain(mean_distance(importance, window, scale)),
        "box": None if areas is None else list(areas.box),
        "box_mass": None if areas is None else areas.box_mass,
        "fine_area": None if areas is None else float(areas.fine.mean()),
        "fine_mass": None if areas is None else areas.fine_mass,
        "coarse_area": None if areas is None else float(areas.coarse.mean()),
        "coarse_mass": None if areas is None else areas.coarse_mass,
        "outside_patch": _mean(blocks, "outside_patch"),
        "in_match": _mean(blocks, "in_match"),
        "blocks": blocks,
    }


def _mean(blocks: list[dict[str, Any]], name: str) -> float | None:
    values = [block[name] for block in blocks if block[name] is not None]
    return sum(values) / len(values) if values else None
