"""What a window loses when some LR pixels are replaced by their blurred ones.

Attribution says how much of the window's detail came from these pixels; taking their detail away
says how much is lost without them. The two need not agree: that is what there is to see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from lam.attribution.detectors import gradient_detector
from lam.attribution.paths import GaussianBlurPath
from lam.window import Window


@dataclass(frozen=True)
class BlurringEffect:
    """A window without the detail of some pixels.

    Attributes:
        lost: Share of the window's detail (the gradient detector) that goes with theirs: 1 is all
            of it, below 0 there is more; NaN where the window has none.
        mean: Mean change of the window's values, in grey levels of 255.
        largest: The largest one.
    """

    lost: float
    mean: float
    largest: float


def blurring_effect(
    forward_func: Callable[..., Any], image: Tensor, window: Window, mask: ArrayLike
) -> BlurringEffect:
    """Blur pixels as LAM's path begins them, and see what that does to a window.

    Only detail is taken away, and no edge is added.

    Args:
        forward_func: From (1, 3, h, w) RGB in [0, 1] to (1, 3, sh, sw).
        image: (1, 3, h, w), the LR image.
        window: In SR pixels.
        mask: (h, w) bool, the pixels.
    """
    chosen = torch.as_tensor(np.asarray(mask, bool))[None, None]
    changed = torch.where(chosen, GaussianBlurPath().at(image, np.zeros(1)), image)
    with torch.no_grad():
        before, after = (forward_func(x).clamp(0, 1) for x in (image, changed))
    detail, rest = (float(gradient_detector(sr, window)) for sr in (before, after))
    difference = 255 * window.crop((after - before).abs())
    lost = 1 - rest / detail if detail else float("nan")
    return BlurringEffect(lost, float(difference.mean()), float(difference.max()))
