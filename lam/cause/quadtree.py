"""Which interventions are made, and in which order: the published protocol, and a cheaper one.

A plan is a generator: it yields interventions and how many passes may still come after them, and
goes on when they have been tallied.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpinet.errors import UserError

from .interventions import Job, cells
from .sampling import Array, Mask, Tally, decided

PROTOCOLS = ("adaptive", "cem")
"""The quadtree with paired draws, and the protocol of Hu et al. 2024."""

CEM_COARSE, CEM_FINE = 3, 50
"""Interventions of the published protocol: everywhere, and where one of the first mattered."""

_LARGE_DRAWS = 2  # of every larger block
_FIRST_DRAWS = 3  # of a single block, after which it may be null at once
_NULL = 0.5  # of the tolerance: how little its first draws may change the window then

Plan = Iterator[tuple[list[Job], int]]


@dataclass(frozen=True)
class Sampling:
    """How much is drawn.

    Attributes:
        protocol: One of `PROTOCOLS`.
        tolerance: Effects below it count as zero, in dB or grey levels.
        confidence: Of the intervals that decide when a block is done; see `sampling.decided`.
        least: Draws that a block gets that is not null at once.
        most: Draws after which an undecided block stays so.
        sides: Of the larger blocks asked first, in blocks.
        passes: The most interventions made in all, by the adaptive protocol; None for no limit.
    """

    protocol: str = "adaptive"
    tolerance: float = 0.01
    confidence: float = 0.9
    least: int = 3
    most: int = 12
    sides: tuple[int, ...] = (16, 8, 4)
    passes: int | None = None

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise UserError(
                f"there is no protocol {self.protocol!r}: choose one of {', '.join(PROTOCOLS)}"
            )
        if not 0 <= self.tolerance < float("inf"):
            raise UserError(f"the tolerance must be a number from 0 up, not {self.tolerance}")
        if not 0 < self.confidence < 1:
            raise UserError(f"the confidence must lie between 0 and 1, not {self.confidence}")
        for side in self.sides:
            _check_whole("the side of larger blocks, in blocks", side, 2)
        _check_whole("draws of a block at least", self.least, 2)
        _check_whole("draws of a block at most", self.most, self.least)
        if self.passes is not None:
            _check_whole("passes", self.passes, 1)

    def plan(self, tally: Tally, kept: Mask, repeats: bool) -> Plan:
        """The interventions.

        Args:
            tally: Where the caller puts what came out, before it asks for more.
            kept: (rows, columns), blocks that are not asked about.
            repeats: Whether all draws are the same, so that one is enough.

        Raises:
            UserError: At once, if ``passes`` is too few, or does not apply.
        """
        if repeats or self.protocol == "cem":
            if self.passes is not None:
                raise UserError(
                    "passes limits the adaptive protocol with natural patches: leave it out, "
                    "for here their number is given"
                )
            return _once(kept) if repeats else cem(tally, kept, self.tolerance)
        levels = self._levels(kept)
        first = len(levels[0]) if levels else int((~kept).sum())
        if self.passes is not None and self.passes < first:
            raise UserError(
                f"a first look at this image takes {first} passes, not {self.passes}: allow more, "
                f"or take larger blocks"
            )
        return _adaptive(self, tally, kept, levels)

    def _levels(self, kept: Mask) -> list[list[tuple[int, int, int]]]:
        """(row, column, side) of the larger blocks, level by level; none as large as the image."""
        rows, columns = kept.shape
        return [
            [
                (row, column, side)
                for row in range(0, rows, side)
                for column in range(0, columns, side)
                if not kept[row : row + side, column : column + side].all()
            ]
            for side in self.sides
            if side < max(rows, columns)
        ]


def cem(tally: Tally, kept: Mask, tolerance: float) -> Plan:
    """3 interventions on every block, then 50 where one of them changed the window by enough.

    Where there are 50 the effect is their mean alone, as in the authors' demo: the three that
    chose the block do not count, so that the choice does not bias it.

    Args:
        tally: See `Sampling.plan`.
        kept: See `Sampling.plan`.
        tolerance: Of the change that one intervention makes.
    """
    blocks = np.argwhere(~kept)
    for draw in range(CEM_COARSE):
        later = len(blocks) * (CEM_COARSE - draw - 1 + CEM_FINE)
        yield _single(blocks, draw), later
    mattered = (tally.largest >= tolerance) & ~kept
    tally.begin_anew(mattered)
    blocks = np.argwhere(mattered)
    for draw in range(CEM_FINE):
        yield _single(blocks, CEM_COARSE + draw), len(blocks) * (CEM_FINE - draw - 1)


def _once(kept: Mask) -> Plan:
    yield _single(np.argwhere(~kept), 0), 0


def _adaptive(
    sampling: Sampling, tally: Tally, kept: Mask, levels: list[list[tuple[int, int, int]]]
) -> Plan:
    """Large blocks first, then single ones until each is decided or the passes are spent."""
    alive = ~kept
    spent = 0
    for level in levels:
        wanted = [
            (row, column, side)
            for row, column, side in level
            if alive[row : row + side, column : column + side].any()
        ]
        tally.largest[:] = 0
        for draw in range(_LARGE_DRAWS):
            if _left(sampling, spent) < len(wanted):
                return
            later = int(alive.sum()) * sampling.least
            yield [Job(*corner, draw) for corner in wanted], min(later, _left(sampling, spent))
            spent += len(wanted)
        # The protocol's own rule, for a large block: what no draw changed by enough is null.
        alive &= tally.largest >= sampling.tolerance
    yield from _rounds(sampling, tally, alive, spent)


def _rounds(sampling: Sampling, tally: Tally, alive: Mask, spent: int) -> Plan:
    """One draw for every block that is not decided, again and again; the largest effects first."""
    undecided = alive.copy()
    tally.largest[:] = 0
    for draw in range(sampling.most):
        if draw == _FIRST_DRAWS:  # among them a darker and a brighter patch
            undecided &= tally.largest >= _NULL * sampling.tolerance
        if draw >= sampling.least:
            undecided &= ~decided(tally, sampling.tolerance, sampling.confidence)
        left = _left(sampling, spent)
        jobs = _single(_largest_first(tally.estimate()[0], undecided), draw)[:left]
        if not jobs:
            return
        spent += len(jobs)
        # A guess: after the least draws, blocks are decided one by one.
        rounds = max(sampling.least - draw - 1, (sampling.most - draw - 1) // 4)
        yield jobs, min(len(jobs) * rounds, _left(sampling, spent))


def _left(sampling: Sampling, spent: int) -> int:
    """How many passes may still be made."""
    return sys.maxsize if sampling.passes is None else sampling.passes - spent


def share_out(tally: Tally, job: Job, kept: Mask, changes: Sequence[Array]) -> None:
    """Put the changes that a large block's interventions made into its blocks.

    Each block of n gets 1 / n of the mean, the first-order guess, until it is asked itself.

    Args:
        tally: Takes them.
        job: The large block.
        kept: (rows, columns), blocks that were not replaced.
        changes: (quantities,) of each draw so far.
    """
    inside = cells(job, kept)
    values = np.stack(changes)  # (draws, quantities)
    n = len(values)
    error = values.std(0, ddof=1) / np.sqrt(n) if n > 1 else np.full(values.shape[1], np.nan)
    for row, column in inside:
        tally.spread[:, row, column] = values.mean(0) / len(inside)
        tally.spread_error[:, row, column] = error / len(inside)
        largest = float(np.abs(values[:, 0]).max())
        tally.largest[row, column] = largest


def _single(blocks: Any, draw: int) -> list[Job]:
    return [Job(int(row), int(column), 1, draw) for row, column in blocks]


def _largest_first(estimate: Array, wanted: Mask) -> Any:
    blocks = np.argwhere(wanted)
    return blocks[np.argsort(-np.abs(estimate[wanted]), kind="stable")]


def _check_whole(what: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UserError(f"{what}: a whole number from {least} up is needed, not {value!r}")
