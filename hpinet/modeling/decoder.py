"""The decoder (Eq. 3) in bands of rows: features of the whole picture in, SR pixels out.

After the last block the maps are up to ``scale ** 2`` times as large as before, and four times as
deep before each pixel shuffle: held whole, they are by far the most memory of a pass. A band with
the rows around it that its convolutions read gives the same pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Rows(NamedTuple):
    """Rows of one level's map: from ``first`` up to, without, ``last``."""

    first: int
    last: int

    def around(self, height: int) -> _Rows:
        """What a 3x3 convolution reads for them inside a map of this height."""
        return _Rows(max(0, self.first - 1), min(height, self.last + 1))

    def before(self, step: int) -> _Rows:
        """The rows that a pixel shuffle makes them of."""
        return _Rows(self.first // step, -(-self.last // step))


def add_residual(
    sr: Tensor,
    features: Tensor,
    upsamplers: Iterable[nn.Module],
    steps: Sequence[int],
    last: nn.Module,
    band: int,
) -> None:
    """Add what the decoder makes of the features to a picture, band by band.

    Args:
        sr: (B, 3, sH, sW), changed in place; smaller than the features where those were padded.
        features: (B, C, H', W').
        upsamplers: The convolutions before the pixel shuffles.
        steps: Each pixel shuffle's factor.
        last: The last convolution.
        band: LR rows at a time.
    """
    scale = math.prod(steps)
    height = sr.shape[-2] // scale
    convolutions = [*upsamplers, last]
    for top in range(0, height, band):
        out = _Rows(top * scale, min(height, top + band) * scale)
        read, made = _plan(out, steps, features.shape[-2])
        x = features[..., read[0].first : read[0].last, :]
        for level, convolution in enumerate(convolutions):
            x = _convolve(convolution, x, read[level], made[level])
            if level == len(steps):
                break
            step, above = steps[level], read[level + 1]
            x = F.pixel_shuffle(F.leaky_relu_(x, 0.1), step)
            start = made[level].first * step
            x = x[..., above.first - start : above.last - start, :]
        sr[..., out.first : out.last, :] += x[..., : sr.shape[-1]]


def convolved(x: Tensor, convolution: nn.Module, add: Tensor, band: int) -> Tensor:
    """``add + convolution(x)`` of whole maps, band by band.

    The library turns copies of what it convolves: of a band they are small.

    Args:
        x: (B, C, H, W).
        convolution: A 3x3 convolution of as many channels.
        add: (B, C, H, W).
        band: Rows at a time.
    """
    height = x.shape[-2]
    out = torch.empty_like(add, memory_format=torch.channels_last)
    for top in range(0, height, band):
        made = _Rows(top, min(height, top + band))
        read = made.around(height)
        rows = slice(made.first, made.last)
        y = _convolve(convolution, x[..., read.first : read.last, :], read, made)
        torch.add(add[..., rows, :], y, out=out[..., rows, :])
    return out


def _plan(out: _Rows, steps: Sequence[int], height: int) -> tuple[list[_Rows], list[_Rows]]:
    """The rows that each convolution reads and makes, from the first one on."""
    heights = [height]
    for step in steps:
        heights.append(heights[-1] * step)
    read, made = [out.around(heights[-1])], [out]
    for step, rows in zip(reversed(steps), reversed(heights[:-1]), strict=True):
        made.insert(0, read[0].before(step))
        read.insert(0, made[0].around(rows))
    return read, made


def _convolve(convolution: Any, x: Tensor, read: _Rows, made: _Rows) -> Tensor:
    """A 3x3 convolution of some rows: zeros are padded only where the picture ends."""
    above, below = read.first - made.first + 1, made.last + 1 - read.last
    if above or below:
        x = F.pad(x, (0, 0, above, below))
    return F.conv2d(x, convolution.weight, convolution.bias, padding=(0, 1))
