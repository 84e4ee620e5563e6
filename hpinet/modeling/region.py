"""What a region of the SR image depends on: only the patches that reach it are computed.

An attribution asks about a window of few pixels. Going back from it, the decoder reads the LR
features under the window and a halo of 2 pixels, the last block computes only the patches that
cover those, and the block before it only the patches that cover these patches and their matches.
No other patch can change the window, so the region comes out as in a whole pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hpinet.config import HPINetConfig
from hpinet.errors import UserError

from .matches import BlockMatches
from .patches import Division, division


@dataclass(frozen=True)
class Box:
    """A rectangle of an image or feature map, in its pixels.

    Attributes:
        top: First row, from 0.
        left: First column, from 0.
        height: Number of rows.
        width: Number of columns.

    Raises:
        ValueError: If a side is not positive or the corner is negative.
    """

    top: int
    left: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if min(self.top, self.left) < 0 or min(self.height, self.width) < 1:
            raise UserError(
                f"a region is (top, left, height, width) with a positive size inside the image, "
                f"not {(self.top, self.left, self.height, self.width)}"
            )

    def crop(self, x: Tensor) -> Tensor:
        """This part of (..., H, W), a view (..., height, width)."""
        bottom, right = self.top + self.height, self.left + self.width
        return x[..., self.top : bottom, self.left : right]

    def check_inside(self, height: int, width: int) -> None:
        """Refuse a rectangle that reaches outside an image of this size, in pixels.

        Raises:
            ValueError: If it does.
        """
        if self.top + self.height > height or self.left + self.width > width:
            raise UserError(
                f"the region of {self.width}x{self.height} pixels at left {self.left}, top "
                f"{self.top} reaches outside the image of {width}x{height}"
            )

    def moved(self, top: int, left: int) -> Box:
        """The same rectangle in coordinates whose origin is (top, left)."""
        return Box(self.top - top, self.left - left, self.height, self.width)


def decoder_box(region: Box, scale: int, height: int, width: int) -> Box:
    """What the decoder reads for a region of the SR image, at one of its resolutions.

    A 3x3 convolution reads one pixel around what it computes, and before a pixel shuffle by s that
    pixel is 1 / s of one: two pixels around the region suffice at every resolution.

    Args:
        region: In SR pixels.
        scale: SR pixels per pixel of the map.
        height: Rows of the map.
        width: Columns of the map.

    Returns:
        The map's pixels under the region and two around them, as far as they are in the map.
    """
    top, left = max(0, region.top // scale - 2), max(0, region.left // scale - 2)
    bottom = min(height, -(-(region.top + region.height) // scale) + 2)
    right = min(width, -(-(region.left + region.width) // scale) + 2)
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
            all of the block's input is needed, since Eq. 8 compares all patches.
        conv: Whether blocks end in their 3x3 convolution.

    Returns:
        Ascending patch numbers of each block, (M,) int64; None for all of them.
    """
    # mask: (H, W), 1 where a pixel of block i's output is needed, for i from the last block back.
    needed: list[Tensor | None] = [None] * len(cuts)
    device = cuts[-1].origins.device
    mask = torch.zeros(cuts[-1].height, cuts[-1].width, device=device)
    box.crop(mask).fill_(1)
    for i in reversed(range(len(cuts))):
        cut, index = cuts[i], indices[i]
        # Eq. 2 from its end: block i's output at u is x_{i-1} at u plus a 3x3 convolution, which
        # reads the aggregated patches up to one pixel around u: dilate by one pixel.
        if conv:
            mask = F.max_pool2d(mask[None, None], 3, 1, 1)[0, 0]
        # A patch is computed if any of its pixels is needed: (1, N, P * P, 1) -> (N,).
        read = cut.divide(mask[None, ..., None]).amax((0, 2, 3)) > 0
        numbers = read.nonzero()[:, 0]
        if len(numbers) == cut.count:
            break  # the blocks before need all of their patches too
        needed[i] = numbers
        if index is None:
            break  # the decision reads the whole input
        # These patches read the whole of themselves (which includes x_{i-1} at u) and of their
        # matches: of what the block before has to put out, the mask is the union of both.
        read[index.to(device)[:, numbers].flatten()] = True
        pixels = read.float()[None, :, None, None].expand(1, -1, cut.patch_size**2, 1)
        mask = (cut.aggregate(pixels)[0, ..., 0] > 0).float()
    return needed


def patches_of_region(
    region: Box,
    config: HPINetConfig,
    matches: Sequence[BlockMatches | None],
    size: tuple[int, int],
    device: torch.device,
) -> list[Tensor | None]:
    """Which patches each block of a network has to compute for a region of the SR image.

    Args:
        region: In SR pixels.
        config: The network's configuration.
        matches: Each block's matches, None where the network is still to decide.
        size: (height, width) of the feature map in LR pixels.
        device: Where the network is.

    Returns:
        As `needed_patches`.
    """
    cuts = [division(*size, p, config.overlap, device) for p in config.patch_sizes]
    if config.gpa:
        indices = [None if block is None else block.index for block in matches]
    else:  # a patch attends to itself only
        indices = [torch.arange(cut.count, device=device)[None] for cut in cuts]
    return needed_patches(decoder_box(region, config.scale, *size), cuts, indices, config.conv)
