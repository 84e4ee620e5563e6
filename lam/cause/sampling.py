"""What was drawn so far: every block's mean effect and its standard error; and when to stop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Tally:
    """Running moments of the changes that interventions made, block by block (Welford 1962).

    Several quantities are tallied side by side, such as the effect with live and with frozen
    matches and their difference; the first one decides what is sampled further.

    Args:
        shape: (rows, columns) of blocks.
        quantities: How many numbers an intervention gives.

    Attributes:
        count: (rows, columns), draws that the mean is over.
        draws: (rows, columns), draws in all, those of an earlier stage included.
        mean: (quantities, rows, columns).
        largest: (rows, columns), the largest size of a change of the first quantity.
        spread: (quantities, rows, columns), from a larger block around: its change, shared out
            evenly over the blocks in it. It stands for the mean where ``count`` is 0.
        spread_error: (quantities, rows, columns), its standard error; NaN where unknown.
    """

    def __init__(self, shape: tuple[int, int], quantities: int = 1) -> None:
        self.count = np.zeros(shape, np.int64)
        self.draws = np.zeros(shape, np.int64)
        self.mean = np.zeros((quantities, *shape))
        self.largest = np.zeros(shape)
        self.spread = np.zeros((quantities, *shape))
        self.spread_error = np.full((quantities, *shape), np.nan)
        self._squares = np.zeros((quantities, *shape))

    def add(self, row: int, column: int, change: Array) -> None:
        """Take in one draw.

        Args:
            row: Of the block.
            column: Of the block.
            change: (quantities,), the untouched window's quality less the changed one's.
        """
        here = (slice(None), row, column)
        self.count[row, column] += 1
        self.draws[row, column] += 1
        step = change - self.mean[here]
        self.mean[here] += step / self.count[row, column]
        self._squares[here] += step * (change - self.mean[here])
        self.largest[row, column] = max(self.largest[row, column], abs(float(change[0])))

    def begin_anew(self, blocks: Mask) -> None:
        """Forget the means of some blocks: their next draws alone count; ``draws`` goes on."""
        self.count[blocks] = 0
        self.spread[:, blocks] = self.mean[:, blocks]
        self.spread_error[:, blocks] = self._standard_error()[:, blocks]
        self.mean[:, blocks] = 0
        self._squares[:, blocks] = 0

    def estimate(self) -> Array:
        """(quantities, rows, columns): the mean, or what a larger block says where none is."""
        return np.where(self.count > 0, self.mean, self.spread)

    def standard_error(self) -> Array:
        """(quantities, rows, columns): s / sqrt(n), NaN below two draws.

        The draws count as independent. Where they are stratified the true error is smaller.
        """
        return np.where(self.count > 0, self._standard_error(), self.spread_error)

    def _standard_error(self) -> Array:
        n = np.maximum(self.count, 2)
        found = np.sqrt(self._squares / (n - 1) / n)
        return np.where(self.count > 1, found, np.nan)


def decided(tally: Tally, tolerance: float, confidence: float) -> Mask:
    """Which blocks need no more draws: the interval lies on one side of the tolerance.

    The interval is Student's, mean ± t s / sqrt(n); it lies within ± tolerance, or wholly above
    it, or wholly below -tolerance, and then its sign is known as well. A block whose changes are
    all 0 has the interval [0, 0].

    Args:
        tally: What was drawn; its first quantity decides.
        tolerance: Effects of this size count as zero.
        confidence: Of an interval that is looked at once, in (0, 1). The look after every draw
            makes it hold less often, stratified draws more often.

    Returns:
        (rows, columns).
    """
    from scipy.stats import t

    size, error = np.abs(tally.mean[0]), tally.standard_error()[0]
    enough = tally.count > 1
    reach = t.ppf((1 + confidence) / 2, np.maximum(tally.count - 1, 1)) * np.nan_to_num(error)
    return enough & ((size - reach > tolerance) | (size + reach <= tolerance))
