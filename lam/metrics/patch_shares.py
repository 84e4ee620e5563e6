"""How much of the importance lies outside the window's patch, and how much in its match.

In a block, let Q be the pixels of the query patch (the one that holds the window), M those of its
match, and a the importance. With sums over pixels,

    share outside the patch = a outside Q / all a,    share in the match = a in M without Q / all a.

Patches overlap, so M without Q counts only what the match added to what the patch itself holds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpinet.errors import UserError

from .diffusion import checked_map

if TYPE_CHECKING:
    from hpinet import HPINetConfig, Matches
    from lam.window import Window


def patch_at(origins: ArrayLike, patch_size: int, row: float, column: float) -> int:
    """The patch whose centre is nearest to a point: patches overlap, so several may hold it.

    Args:
        origins: (N, 2), (top, left) of every patch in LR pixels.
        patch_size: P.
        row: Of the point, in LR pixels.
        column: Of the point, in LR pixels.
    """
    centres = np.asarray(origins, np.float64) + patch_size / 2  # (N, 2), (row, column)
    return int(((centres - (row, column)) ** 2).sum(1).argmin())


def own_patch(origins: ArrayLike, patch_size: int, window: Window, scale: float) -> int:
    """The window's patch in a block: the one whose centre is nearest to the window's.

    Args:
        origins: (N, 2), (top, left) of every patch in LR pixels.
        patch_size: P, in LR pixels.
        window: The window, in SR pixels.
        scale: SR pixels per LR pixel.
    """
    row, column = ((start + window.size / 2) / scale for start in (window.top, window.left))
    return patch_at(origins, patch_size, row, column)


def share_outside_patch(
    importance: ArrayLike, origins: ArrayLike, patch_size: int, window: Window, scale: float
) -> float:
    """Share of the importance outside the window's patch in a block.

    Convolutions and the other blocks' patches carry some of it, GPA the rest: the same share
    without GPA is what to compare it with.

    Args:
        importance: (h, w), finite and not negative.
        origins: (N, 2), (top, left) of every patch in LR pixels.
        patch_size: P, in LR pixels.
        window: The window, in SR pixels.
        scale: SR pixels per LR pixel.

    Returns:
        A number in [0, 1]; NaN for a map without mass.

    Raises:
        ValueError: If the map is not valid.
    """
    values = checked_map(importance)
    own = _patch_mask(
        values.shape, origins, patch_size, own_patch(origins, patch_size, window, scale)
    )
    return _share(values, ~own)


def share_in_match(
    importance: ArrayLike,
    origins: ArrayLike,
    patch_size: int,
    index: ArrayLike,
    window: Window,
    scale: float,
) -> float:
    """Share of the importance in the match of the window's patch, but outside the patch itself.

    Pixels that the window attends to in this block by Global Pixel Access (Eq. 8) alone.

    Args:
        importance: (h, w), finite and not negative.
        origins: (N, 2), (top, left) of every patch in LR pixels.
        patch_size: P, in LR pixels.
        index: (N,) the match of every patch.
        window: The window, in SR pixels.
        scale: SR pixels per LR pixel.

    Returns:
        A number in [0, 1], 0 where the patch is matched to itself; NaN for a map without mass.

    Raises:
        ValueError: If the map is not valid.
    """
    values = checked_map(importance)
    number = own_patch(origins, patch_size, window, scale)
    match = _patch_mask(values.shape, origins, patch_size, int(np.asarray(index)[number]))
    return _share(values, match & ~_patch_mask(values.shape, origins, patch_size, number))


def _patch_mask(
    shape: tuple[int, ...], origins: ArrayLike, patch_size: int, number: int
) -> NDArray[np.bool_]:
    """The pixels of a patch as a mask (h, w); what was padded is cut off."""
    top, left = (int(v) for v in np.asarray(origins)[number])
    inside = np.zeros(shape, bool)
    inside[top : top + patch_size, left : left + patch_size] = True
    return inside


def _share(values: NDArray[np.float64], area: NDArray[np.bool_]) -> float:
    total = values.sum()
    return float(values[area].sum() / total) if total else float("nan")


def patches_of(config: HPINetConfig, height: int, width: int) -> Matches:
    """Every block's patches, each matched to itself: for a network trained without GPA, too.

    Args:
        config: The network's configuration.
        height: Rows of the LR image in pixels.
        width: Columns of the LR image in pixels.
    """
    from hpinet import own_matches

    return own_matches(replace(config, gpa=True), height, width)


def block_shares(
    importance: ArrayLike, matches: Matches, window: Window, scale: float
) -> list[dict[str, Any]]:
    """`share_outside_patch` and `share_in_match` of every block.

    Args:
        importance: (h, w), finite and not negative.
        matches: The matches of one image, from `hpinet.HPINet` or `patches_of`.
        window: The window, in SR pixels.
        scale: SR pixels per LR pixel.

    Returns:
        For every block whose matches are known: ``block`` (from 1), ``patch_size`` (LR pixels),
        ``patch`` and ``match`` (numbers from 0), ``outside_patch`` and ``in_match`` (shares of the
        importance, None for a map without mass).

    Raises:
        ValueError: If the map is not valid or the matches are those of several images.
    """
    found = []
    for number, block in enumerate(matches.blocks, 1):
        if block is None:
            continue
        if len(block.index) != 1:
            raise UserError(
                f"matches of {len(block.index)} images for one map: take matches.image(number)"
            )
        origins, index = block.origins.cpu().numpy(), block.index[0].cpu().numpy()
        own = own_patch(origins, block.patch_size, window, scale)
        where = (importance, origins, block.patch_size)
        found.append(
            {
                "block": number,
                "patch_size": block.patch_size,
                "patch": own,
                "match": int(index[own]),
                "outside_patch": plain(share_outside_patch(*where, window, scale)),
                "in_match": plain(share_in_match(*where, index, window, scale)),
            }
        )
    return found


def plain(value: float) -> float | None:
    """The number, or None where it is undefined: JSON has no NaN."""
    return value if np.isfinite(value) else None
