"""What one picture's matches look like in numbers: hubs, distances, pairs, how much is ever used.

Matches are known to collapse on hubs, patches that nearly all others look at; in-degrees and the
entropy of their distribution say how far. All of it follows from the index tables, without another
pass of the network.

>>> sr, matches = model(lr, return_matches=True, similarity_matrix=True)
>>> block_statistics(matches.blocks[7], size=lr.shape[-2:]).summary()
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from hpinet.modeling.matching import BlockMatches, Matches

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

SUMMARY = (
    *("patches", "distinct", "hub_share", "entropy", "evenness", "mutual_share", "own_share"),
    *("mean_distance", "chance_distance", "coverage", "mean_similarity"),
)
"""The numbers of `BlockStatistics.summary`, beside ``block`` and ``patch_size``."""


@dataclass(frozen=True, eq=False)
class BlockStatistics:
    """The matches of one block for one picture of N patches.

    Attributes:
        block: Block number from 0.
        patch_size: P in LR pixels.
        origins: (N, 2), (top, left) of every patch in LR pixels.
        index: (N,) the match of every patch.
        similarity: (N,) similarity to it, NaN where unknown.
        runners_up: (N, k) the most similar patches after the match, best first; (N, 0) where the
            similarity matrix is not there.
        runner_up_similarity: (N, k).
        in_degree: (N,) how many patches look at each.
        distance: (N,) from patch to match, centre to centre, in LR pixels.
        mutual: (N,) whether the match looks back; a patch that looks at itself has no partner.
        used: (H, W) whether a pixel lies in a patch that another one looks at.
        chance_distance: Mean distance to another patch drawn evenly; NaN for a lone patch.
    """

    block: int
    patch_size: int
    origins: Integers
    index: Integers
    similarity: Floats
    runners_up: Integers
    runner_up_similarity: Floats
    in_degree: Integers
    distance: Floats
    mutual: NDArray[np.bool_]
    used: NDArray[np.bool_]
    chance_distance: float

    @property
    def entropy(self) -> float:
        """Of the targets' distribution in bits: 0 where all look at one, log2 N where at N."""
        return entropy(self.in_degree)

    @property
    def hub(self) -> int:
        """The patch that most look at."""
        return int(self.in_degree.argmax())

    def summary(self) -> dict[str, Any]:
        """The block in plain numbers.

        Returns:
            ``block`` (from 1, as in the paper and on the page), ``patch_size`` (LR pixels),
            ``patches`` N, ``distinct`` (number of patches that are looked at at all), ``hub_share``
            (share of the patches that look at the greatest hub), ``entropy`` (bits), ``evenness``
            (entropy as a share of log2 N, None for one patch), ``mutual_share``, ``own_share``
            (shares of the patches in a mutual pair, and that look at themselves),
            ``mean_distance``, ``chance_distance`` (LR pixels, as the attributes), ``coverage``
            (share of the picture in patches that others look at), ``mean_similarity``. What is
            undefined is None.
        """
        n = len(self.index)
        known = self.similarity[np.isfinite(self.similarity)]
        numbers = (
            *(n, int((self.in_degree > 0).sum()), self.in_degree.max() / n, self.entropy),
            self.entropy / math.log2(n) if n > 1 else None,
            *(self.mutual.mean(), (self.index == np.arange(n)).mean()),
            *(self.distance.mean(), self.chance_distance, self.used.mean()),
            known.mean() if len(known) else None,
        )
        plain = (v if v is None or isinstance(v, int) else _finite(v) for v in numbers)
        named = dict(zip(SUMMARY, plain, strict=True))
        return {"block": self.block + 1, "patch_size": self.patch_size, **named}

    def to_rows(self) -> list[dict[str, Any]]:
        """A row a patch, plain values for a table.

        Returns:
            ``block`` (from 1), ``patch`` (from 0), ``top``, ``left``, ``patch_size`` (LR pixels),
            ``match``, ``match_top``, ``match_left``, ``similarity``, ``distance`` (LR pixels),
            ``in_degree``, ``mutual``, and ``runner_up_1``, ``similarity_1`` and so on.
        """
        tops, lefts = self.origins.T
        columns: dict[str, Any] = {
            "patch": range(len(self.index)),
            "top": tops.tolist(),
            "left": lefts.tolist(),
            "match": self.index.tolist(),
            "match_top": tops[self.index].tolist(),
            "match_left": lefts[self.index].tolist(),
            "similarity": [_finite(v) for v in self.similarity],
            "distance": self.distance.tolist(),
            "in_degree": self.in_degree.tolist(),
            "mutual": self.mutual.tolist(),
        }
        for rank in range(self.runners_up.shape[1]):
            columns[f"runner_up_{rank + 1}"] = self.runners_up[:, rank].tolist()
            columns[f"similarity_{rank + 1}"] = self.runner_up_similarity[:, rank].tolist()
        fixed = {"block": self.block + 1, "patch_size": self.patch_size}
        rows = zip(*columns.values(), strict=True)
        return [{**fixed, **dict(zip(columns, row, strict=True))} for row in rows]


def picture_statistics(
    matches: Matches, size: Sequence[int] | None = None, k: int = 3
) -> tuple[BlockStatistics, ...]:
    """All blocks of one picture.

    Args:
        matches: What `HPINet.forward` returned, for one picture; with ``similarity_matrix=True``
            runners-up are known.
        size: (height, width) of the LR picture, where it is smaller than a patch and was padded.
        k: Runners-up a patch.

    Raises:
        ValueError: If there are no matches, or those of several pictures.
    """
    if not matches.blocks or None in matches.blocks:
        raise ValueError(
            "there are no matches to count: take them from a forward pass of a network "
            "with Global Pixel Access"
        )
    area = matches.size if size is None else (int(size[0]), int(size[1]))
    known = [block for block in matches.blocks if block is not None]
    return tuple(block_statistics(block, area, i, k) for i, block in enumerate(known))


def block_statistics(
    matches: BlockMatches, size: Sequence[int], block: int = 0, k: int = 3
) -> BlockStatistics:
    """One block of one picture.

    Args:
        matches: The block's.
        size: (height, width) of the LR picture.
        block: The block's number from 0.
        k: Runners-up a patch; there are at most N - 2.

    Raises:
        ValueError: If these are the matches of several pictures, or k is negative.
    """
    if len(matches.index) != 1:
        raise ValueError(
            f"matches of {len(matches.index)} pictures were given: take matches.image(number)"
        )
    if k < 0:
        raise ValueError(f"the number of runners-up must be 0 or more, not {k}")
    origins, index = matches.origins.cpu().numpy(), matches.index[0].cpu().numpy()
    runners_up, values = _runners_up(matches, k)
    counts = in_degree(index)
    others = in_degree(index[index != np.arange(len(index))], len(index))
    return BlockStatistics(
        block=block,
        patch_size=matches.patch_size,
        origins=origins,
        index=index,
        similarity=matches.similarity[0].double().cpu().numpy(),
        runners_up=runners_up,
        runner_up_similarity=values,
        in_degree=counts,
        distance=match_distance(origins, index),
        mutual=mutual(index),
        used=covered(origins[others > 0], matches.patch_size, size),
        chance_distance=chance_distance(origins),
    )


def in_degree(index: ArrayLike, count: int | None = None) -> Integers:
    """How many patches chose each patch: (N,) match numbers to (count or N,) counts."""
    matches = np.ravel(np.asarray(index))
    return np.bincount(matches, minlength=len(matches) if count is None else count)


def match_distance(origins: ArrayLike, index: ArrayLike) -> Floats:
    """Distance of each patch to its match, centre to centre, in pixels.

    Args:
        origins: (N, 2), (top, left) of every patch in pixels; all patches are of one size.
        index: (N,) the match of every patch.
    """
    corners = np.asarray(origins, np.float64)
    return np.hypot(*(corners[np.ravel(np.asarray(index))] - corners).T)


def mutual(index: ArrayLike) -> NDArray[np.bool_]:
    """Which patches look at one that looks back: (N,) match numbers to (N,) booleans.

    A patch that is its own match has no partner, so it is not mutual.
    """
    matches = np.ravel(np.asarray(index))
    own = np.arange(len(matches))
    return (matches[matches] == own) & (matches != own)


def entropy(counts: ArrayLike) -> float:
    """Entropy of a distribution in bits.

    Args:
        counts: How often each outcome was seen, not negative, not all 0.
    """
    values = np.asarray(counts, np.float64)
    shares = values[values > 0] / values.sum()
    # Without the sum a certain outcome would have entropy -0.
    return float(max(0.0, -(shares * np.log2(shares)).sum()))


def covered(origins: ArrayLike, patch_size: int, size: Sequence[int]) -> NDArray[np.bool_]:
    """Which pixels lie in at least one of some patches.

    Args:
        origins: (M, 2), (top, left) in pixels.
        patch_size: P.
        size: (height, width) of the picture; what lies outside does not count.

    Returns:
        (height, width).
    """
    tops, lefts = np.asarray(origins, np.int64).reshape(-1, 2).T
    height, width = size[0], size[1]
    # +1 where a patch begins and -1 where it ends: the running sum counts the patches over a pixel.
    edges = np.zeros((height + 1, width + 1), np.int64)
    for down, sign in ((tops, 1), (tops + patch_size, -1)):
        for across, other in ((lefts, 1), (lefts + patch_size, -1)):
            places = (down.clip(0, height), across.clip(0, width))
            np.add.at(edges, places, sign * other)
    return edges.cumsum(0).cumsum(1)[:height, :width] > 0


def chance_distance(origins: ArrayLike) -> float:
    """Mean distance from a patch to another one drawn evenly, in pixels; NaN for a lone patch.

    Matches that are no nearer than this do not care for distance.

    Args:
        origins: (N, 2), (top, left) of every patch of a division.
    """
    corners = np.asarray(origins)
    n = len(corners)
    if n < 2:
        return float("nan")
    # A division is a grid: few differences of rows and columns occur, each many times.
    (down, often), (across, times) = (
        np.unique(np.abs(start[:, None] - start), return_counts=True)
        for start in (np.unique(corners[:, 0]), np.unique(corners[:, 1]))
    )
    total = (np.hypot(down[:, None], across) * (often[:, None] * times)).sum()
    return float(total / (n * (n - 1)))


def _runners_up(matches: BlockMatches, k: int) -> tuple[Integers, Floats]:
    n = len(matches.origins)
    if matches.matrix is None or n < 3:
        return np.zeros((n, 0), np.int64), np.zeros((n, 0))
    # An intervention may have made a patch look elsewhere: whatever it looks at is left out.
    rest = matches.matrix[0].scatter(-1, matches.index[0][:, None], -torch.inf)
    found = rest.topk(min(k, n - 2), dim=-1)
    return found.indices.cpu().numpy(), found.values.double().cpu().numpy()


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
