"""How sure a mean over images is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Student's t interval of a mean; None below two values.

    Not a bootstrap: with the five images of a small benchmark, resampling them gives intervals
    that are too narrow.

    Args:
        values: The sample.
        confidence: How often such an interval holds the true mean, in (0, 1).
    """
    from scipy.stats import t

    if len(values) < 2:
        return None
    mean, error = np.mean(values), np.std(values, ddof=1) / math.sqrt(len(values))
    reach = float(t.ppf((1 + confidence) / 2, len(values) - 1)) * error
    return float(mean - reach), float(mean + reach)
