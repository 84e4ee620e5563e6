"""What a part of the super-resolved picture needs: the fewer patches, the less to compute.

An explanation asks about a window of some pixels. Going back from it, the decoder reads a few
pixels around, the last block only the patches that reach those, and the block before it only the
patches that reach these patches and their matches. What lies outside cannot change the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .patches import Division

_DECODER_HALO = 2  # LR pixels: 3x3 convolutions at x1, x2 and x4 read 1 + 1/2 + 1/4 around


@dataclass(frozen=True)
class Box:
    """A rectangle of a picture or feature map, in its pixels.

    Raises:
        ValueError: If a side is not positive or the corner is negative.
    """

    top: int
    left: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if min(self.top, self.left) < 0 or min(self.height, self.width) < 1:
            raise ValueError(
                f"a region is (top, left, height, width) with a positive size inside the picture, "
                f"not {(self.top, self.left, self.height, self.width)}"
            )

    def crop(self, x: Tensor) -> Tensor:
        """This part of (..., H, W)."""
        bottom, right = self.top + self.height, self.left + self.width
        return x[..., self.top : bottom, self.left : right]

    def check_inside(self, height: int, width: int) -> None:
        """Make sure that it lies in a picture of this size.

        Raises:
            ValueError: If it reaches outside.
        """
        if self.top + self.height > height or self.left + self.width > width:
            raise ValueError(
                f"the region of {self.width}x{self.height} pixels at left {self.left}, top "
                f"{self.top} reaches outside the picture of {width}x{height}"
            )

    def moved(self, top: int, left: int) -> Box:
        """The same rectangle, counted from another corner."""
        return Box(self.top - top, self.left - left, self.height, self.width)


def decoder_box(region: Box, scale: int, height: int, width: int) -> Box:
    """The LR features that the decoder reads for a region of the SR picture.

    Args:
        region: In SR pixels.
        scale: SR pixels per LR pixel.
        height: Rows of the feature map in LR pixels.
        width: Its columns.
    """
    top = max(0, region.top // scale - _DECODER_HALO)
    left = max(0, region.left // scale - _DECODER_HALO)
    bottom = min(height, -(-(region.top + region.height) // scale) + _DECODER_HALO)
    right = min(width, -(-(region.left + region.width) // scale) + _DECODER_HALO)
    return Box(top, left, bottom - top, right - left)


def needed_patches(
    box: Box,
    cuts: Sequence[Division],
    indices: Sequence[Tensor | None],
    conv: bool,
) -> list[Tensor | None]:
    """Which patches each block has to compute for a box of the last block's output.

    Args:
        box: In LR pixels.
        cuts: Each block's division.
        indices: Each block's matches (B, N), or None where the network is still to decide: then
            all of the block's input is needed, since the decision compares all patches.
        conv: Whether blocks end in their 3x3 convolution.

    Returns:
        Ascending patch numbers of each block; None for all of them.
    """
    needed: list[Tensor | None] = [None] * len(cuts)
    device = cuts[-1].rows.device
    mask = torch.zeros(cuts[-1].height, cuts[-1].width, device=device)
    box.crop(mask).fill_(1)
    for i in reversed(range(len(cuts))):
        cut, index = cuts[i], indices[i]
        if conv:
            mask = F.max_pool2d(mask[None, None], 3, 1, 1)[0, 0]
        read = cut.divide(mask[None, ..., None]).amax((0, 2, 3)) > 0
        numbers = read.nonzero()[:, 0]
        if len(numbers) == cut.count:
            break  # the blocks before need all of their patches too
        needed[i] = numbers
        if index is None:
            break
        read[index.to(device)[:, numbers].flatten()] = True
        mask = cut.aggregate(read.float()[None, :, None, None].expand(1, -1, cut.patch_size**2, 1))[
            0, ..., 0
        ]
        mask = (mask > 0).float()
    return needed
