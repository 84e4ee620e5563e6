"""How sure a mean over images is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def interval(
    values: Sequence[float] | NDArray[np.float64], confidence: float = 0.95
) -> tuple[float, float] | None:
    """Student's t interval of a mean; None below two values.

    Not a bootstrap: with the five images of a small benchmark, resampling them gives intervals
    that are too narrow.

    Args:
        values: The sample; NaN counts nowhere.
        confidence: How often such an interval holds the true mean, in (0, 1).
    """
    from scipy.special import stdtrit

    sample = np.asarray(values, np.float64)
    sample = sample[~np.isnan(sample)]
    count = len(sample)
    if count < 2:
        return None
    mean, error = sample.mean(), sample.std(ddof=1) / math.sqrt(count)
    reach = float(stdtrit(count - 1, (1 + confidence) / 2)) * error
    return float(mean - reach), float(mean + reach)
