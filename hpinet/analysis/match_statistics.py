"""Statistics of one image's matches: hubs, distances, mutual pairs, coverage.

Matches collapse on hubs, patches that nearly all others attend to; in-degrees and the entropy of
their distribution measure how far. All of it follows from the indices, without another pass of the
network.

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

from hpinet.errors import UserError
from hpinet.modeling.matches import BlockMatches, Matches

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

SUMMARY = (
    *("patches", "distinct", "hub_share", "entropy", "evenness", "mutual_share", "own_share"),
    *("mean_distance", "chance_distance", "coverage", "mean_similarity"),
)
"""The numbers of `BlockStatistics.summary`, beside ``block`` and ``patch_size``."""


@dataclass(frozen=True, eq=False)
class BlockStatistics:
    """The matches of one block for one image of N patches.

    Attributes:
        block: Block number from 0.
        patch_size: P in LR pixels.
        origins: (N, 2), (top, left) of every patch in LR pixels.
        index: (N,) the match of every patch.
        similarity: (N,) similarity to it, NaN where unknown.
        runners_up: (N, k) the most similar patches after the match, best first; (N, 0) where the
            similarity matrix is not there.
        runner_up_similarity: (N, k).
        in_degree: (N,) how many patches attend to each.
        distance: (N,) from patch to match, centre to centre, in LR pixels.
        mutual: (N,) whether the match attends to the patch in turn; false for a patch that attends
            to itself.
        used: (H, W) whether a pixel lies in a patch that another one attends to.
        chance_distance: Mean distance to another patch drawn uniformly, in LR pixels; NaN for a
            lone patch.
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
        """Entropy of the matches' distribution in bits, from 0 (all attend to one) to log2 N."""
        return entropy(self.in_degree)

    @property
    def hub(self) -> int:
        """The patch that most attend to."""
        return int(self.in_degree.argmax())

    def summary(self) -> dict[str, Any]:
        """The block in plain numbers.

        Returns:
            ``block`` (from 1, as in the paper and on the page), ``patch_size`` (LR pixels),
            ``patches`` N, ``distinct`` (number of patches that any attends to), ``hub_share``
            (share of the patches that attend to the greatest hub), ``entropy`` (bits), ``evenness``
            (entropy as a share of log2 N, None for one patch), ``mutual_share``, ``own_share``
            (shares of the patches in a mutual pair, and that attend to themselves),
            ``mean_distance``, ``chance_distance`` (LR pixels, as the attributes), ``coverage``
            (share of the image in patches that others attend to), ``mean_similarity``. What is
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
        """One row for each patch, plain values for a table.

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


def image_statistics(
    matches: Matches, size: Sequence[int] | None = None, k: int = 3
) -> tuple[BlockStatistics, ...]:
    """All blocks of one image.

    Args:
        matches: What `HPINet.forward` returned, for one image; with ``similarity_matrix=True``
            runners-up are known.
        size: (height, width) of the LR image, where it is smaller than a patch and was padded.
        k: Number of runners-up for each patch.

    Raises:
        ValueError: If there are no matches, or those of several images.
    """
    if not matches.blocks or None in matches.blocks:
        raise UserError(
            "there are no matches to count: take them from a forward pass of a network "
            "with Global Pixel Access"
        )
    area = matches.size if size is None else (int(size[0]), int(size[1]))
    known = [block for block in matches.blocks if block is not None]
    return tuple(block_statistics(block, area, i, k) for i, block in enumerate(known))


def block_statistics(
    matches: BlockMatches, size: Sequence[int], block: int = 0, k: int = 3
) -> BlockStatistics:
    """One block of one image.

    Args:
        matches: The block's.
        size: (height, width) of the LR image.
        block: The block's number from 0.
        k: Number of runners-up for each patch, N - 2 at most.

    Raises:
        ValueError: If these are the matches of several images, or k is negative.
    """
    if len(matches.index) != 1:
        raise UserError(
            f"matches of {len(matches.index)} images were given: take matches.image(number)"
        )
    if k < 0:
        raise UserError(f"the number of runners-up must be 0 or more, not {k}")
    origins, index = matches.origins.cpu().numpy(), matches.index[0].cpu().numpy()
    runners_up, values = _runners_up(matches, k)
    counts = in_degree(index)
    others = in_degree(index[index != np.arange(len(index))], len(index))
    return BlockStatistics(
        block=block,
        patch_size=matches.patch_size,
        origins=origins,
        index=index,
        similarity=matches.similarity[0].cpu().double().numpy(),
        runners_up=runners_up,
        runner_up_similarity=values,
        in_degree=counts,
        distance=match_distance(origins, index),
        mutual=mutual(index),
        used=covered(origins[others > 0], matches.patch_size, size),
        chance_distance=chance_distance(origins),
    )


def in_degree(index: ArrayLike, count: int | None = None) -> Integers:
    """How many patches attend to each patch: (N,) match numbers to (count or N,) counts."""
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
    """Which patches attend to one that attends to them: (N,) match numbers to (N,) booleans.

    index[index[i]] = i; a patch that is its own match is not counted.
    """
    matches = np.ravel(np.asarray(index))
    own = np.arange(len(matches))
    return (matches[matches] == own) & (matches != own)


def entropy(counts: ArrayLike) -> float:
    """Entropy -sum p log2 p of a distribution, in bits.

    Args:
        counts: How often each outcome was seen, not negative, not all 0.
    """
    values = np.asarray(counts, np.float64)
    shares = values[values > 0] / values.sum()
    # A certain outcome has the sum 0 and would have entropy -0.0 without max().
    return float(max(0.0, -(shares * np.log2(shares)).sum()))


def covered(origins: ArrayLike, patch_size: int, size: Sequence[int]) -> NDArray[np.bool_]:
    """Which pixels lie in at least one of M patches.

    Args:
        origins: (M, 2), (top, left) in pixels.
        patch_size: P.
        size: (height, width) of the image; what lies outside does not count.

    Returns:
        (height, width).
    """
    tops, lefts = np.asarray(origins, np.int64).reshape(-1, 2).T
    height, width = size[0], size[1]
    # A patch [t, t + P) x [l, l + P) is the double running sum of +1 at (t, l) and (t + P, l + P)
    # and -1 at (t + P, l) and (t, l + P), so the running sum of all counts the patches at a pixel.
    edges = np.zeros((height + 1, width + 1), np.int64)
    for down, sign in ((tops, 1), (tops + patch_size, -1)):
        for across, other in ((lefts, 1), (lefts + patch_size, -1)):
            places = (down.clip(0, height), across.clip(0, width))
            np.add.at(edges, places, sign * other)
    return edges.cumsum(0).cumsum(1)[:height, :width] > 0


def chance_distance(origins: ArrayLike) -> float:
    """Mean distance from a patch to another one drawn uniformly, in pixels; NaN for a lone patch.

    Matches with a mean distance near this do not depend on distance.

    Args:
        origins: (N, 2), (top, left) of every patch of a division.
    """
    corners = np.asarray(origins)
    n = len(corners)
    if n < 2:
        return float("nan")
    # A division is a grid of R x S patches: sum over the distinct |dy| and |dx| with how many pairs
    # have them, instead of over all N^2 pairs. The pairs of a patch with itself add 0.
    (down, often), (across, times) = (
        np.unique(np.abs(start[:, None] - start), return_counts=True)
        for start in (np.unique(corners[:, 0]), np.unique(corners[:, 1]))
    )
    total = (np.hypot(down[:, None], across) * (often[:, None] * times)).sum()
    return float(total / (n * (n - 1)))


def _runners_up(matches: BlockMatches, k: int) -> tuple[Integers, Floats]:
    """The k best after the match: numbers and similarities, (N, k) each, or (N, 0)."""
    n = len(matches.origins)
    if matches.matrix is None or n < 3:
        return np.zeros((n, 0), np.int64), np.zeros((n, 0))
    # The match is left out by its number: after an intervention it need not be the most similar.
    rest = matches.matrix[0].scatter(-1, matches.index[0][:, None], -torch.inf)
    found = rest.topk(min(k, n - 2), dim=-1)
    return found.indices.cpu().numpy(), found.values.cpu().double().numpy()


def _finite(value: Any) -> float | None:
    """A plain float, None for NaN and infinity, which JSON does not have."""
    number = float(value)
    return number if math.isfinite(number) else None
