"""The decoder (Eq. 3) in bands of rows: features of the whole image in, SR pixels out.

A level is a 3x3 convolution from C to C * s^2 channels at one resolution, a pixel shuffle by s and
a leaky ReLU; x4 has two levels of s = 2, x2 and x3 have one. The last convolution, C to 3 channels,
runs at the SR resolution. Held whole, the (B, C * s^2, H, W) maps are by far the most memory of a
pass. For a band of SR rows only the rows that its convolutions read are computed:

    SR rows [a, b)  <-  last convolution reads [a - 1, b + 1)  <-  shuffle by s of the rows
    [floor((a - 1) / s), ceil((b + 1) / s))  <-  whose convolution reads one row more on each side

and so on down to the LR features. The pixels are those of the whole maps: at a cut between bands
the convolutions read the true rows, and zeros are padded only at the border of the image.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Rows(NamedTuple):
    """Rows [first, last) of the map at one resolution."""

    first: int
    last: int

    def around(self, height: int) -> _Rows:
        """The rows that a 3x3 convolution reads to make these, within a map of this height."""
        return _Rows(max(0, self.first - 1), min(height, self.last + 1))

    def before(self, step: int) -> _Rows:
        """The rows that a pixel shuffle makes these from: each becomes ``step`` rows."""
        return _Rows(self.first // step, -(-self.last // step))


def add_residual(
    sr: Tensor,
    features: Tensor,
    upsamplers: Iterable[nn.Module],
    steps: Sequence[int],
    last: nn.Module,
    band: int,
) -> None:
    """Add f_Decoder(x_K) to the up-sampled LR image (Eq. 3), band by band.

    Args:
        sr: (B, 3, sH, sW), changed in place. Where the LR image was padded to a patch, the features
            are larger than H x W, and what belongs to the padding is cut off.
        features: (B, C, H', W'), the output x_K of the last block.
        upsamplers: The convolutions before the pixel shuffles, C to C * s^2 channels.
        steps: The factor s of each pixel shuffle.
        last: The last convolution, C to 3 channels.
        band: LR rows at a time.
    """
    scale = math.prod(steps)
    height = sr.shape[-2] // scale
    convolutions = [*upsamplers, last]
    for top in range(0, height, band):
        out = _Rows(top * scale, min(height, top + band) * scale)  # SR rows of this band
        read, made = _plan(out, steps, features.shape[-2])
        x = features[..., read[0].first : read[0].last, :]  # (B, C, rows, W')
        for level, convolution in enumerate(convolutions):
            x = _convolve(convolution, x, read[level], made[level])
            if level == len(steps):
                break
            step, above = steps[level], read[level + 1]
            # Before the shuffle, so that it runs in place; it treats every number alike.
            x = F.pixel_shuffle(F.leaky_relu_(x, 0.1), step)
            # The shuffle made whole groups of `step` rows; the next convolution reads `above`.
            start = made[level].first * step
            x = x[..., above.first - start : above.last - start, :]
        sr[..., out.first : out.last, :] += x[..., : sr.shape[-1]]


def add_convolution(x: Tensor, convolution: nn.Module, add: Tensor, band: int) -> Tensor:
    """``add + convolution(x)`` of whole maps (the end of Eq. 2), band by band.

    The convolution library copies its input into a layout of its own; of a band the copy is small.

    Args:
        x: (B, C, H, W), the aggregated patches.
        convolution: A 3x3 convolution from C to C channels.
        add: (B, C, H, W), the block's input.
        band: Rows at a time.

    Returns:
        (B, C, H, W), channels last in memory.
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
    """The rows that each convolution reads and makes for SR rows ``out``.

    Args:
        out: SR rows.
        steps: The factor of each pixel shuffle.
        height: H' of the features.

    Returns:
        Two lists over the convolutions, from the one on the features to the last: the rows of its
        input and of its output, each at that convolution's resolution.
    """
    heights = [height]
    for step in steps:
        heights.append(heights[-1] * step)
    # Back from the last convolution: what it reads are the rows that the level below has to make.
    read, made = [out.around(heights[-1])], [out]
    for step, rows in zip(reversed(steps), reversed(heights[:-1]), strict=True):
        made.insert(0, read[0].before(step))
        read.insert(0, made[0].around(rows))
    return read, made


def _convolve(convolution: Any, x: Tensor, read: _Rows, made: _Rows) -> Tensor:
    """A 3x3 convolution from rows ``read`` to rows ``made``.

    It needs [made.first - 1, made.last + 1). Rows outside of the image are not in ``read`` and
    are padded by zeros, as the convolution of the whole map pads them.
    """
    above, below = read.first - (made.first - 1), (made.last + 1) - read.last  # 0 or 1 each
    if above or below:
        x = F.pad(x, (0, 0, above, below))
    return F.conv2d(x, convolution.weight, convolution.bias, padding=(0, 1))
