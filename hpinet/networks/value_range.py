"""Whether a network takes pixels from 0 to 1 or from 0 to 255, found out on an image.

A network that is given the wrong range often returns something like its input, and its attribution
map looks right. What it makes of an image tells: shrunk back, it must be that image.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .bicubic import resized

PROBE = 48
"""Side of the image that networks are tried on, in pixels."""

DOUBTFUL = 34.0
"""In dB: below this, what a network makes does not look like its input in either range."""

_CORNER, _FACTOR = (20, 130), 4  # (top, left) of the face in the photograph; pixels averaged


@lru_cache(maxsize=1)
def probe_image() -> Tensor:
    """A photograph of `PROBE` x `PROBE` pixels, (1, 3, h, w) RGB in [0, 1]."""
    from skimage.data import astronaut

    (top, left), side = _CORNER, PROBE * _FACTOR
    part = Image.fromarray(astronaut()[top : top + side, left : left + side])
    small = np.asarray(part.resize((PROBE, PROBE), Image.Resampling.BICUBIC))
    return torch.from_numpy(small.copy()).permute(2, 0, 1)[None].float() / 255


def likeness(sr: Tensor, lr: Tensor) -> float:
    """PSNR in dB of an SR image shrunk to its LR image (antialiased bicubic) against that.

    Args:
        sr: (1, 3, sh, sw) in the range of ``lr``.
        lr: (1, 3, h, w) in [0, 1].

    Returns:
        Minus infinity where the SR image is not finite.
    """
    small = resized(sr.detach().cpu().float(), (lr.shape[-2], lr.shape[-1]))
    error = float((small - lr.cpu()).square().mean())
    if not math.isfinite(error):
        return -math.inf
    return -10 * math.log10(max(error, 1e-10))
