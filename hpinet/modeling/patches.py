"""Cascaded Patch Division and Patch Aggregation (Eq. 2, 4, 5): pixels to patches and back.

Every patch of a division has the same size, and the last one of a row or column is flush with the
border, so no pixel is padded. With a map as (H * W, C), patches are gathered by one `index_select`
of their pixels and summed up by one `index_add`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from hpinet.errors import UserError


def axis_origins(length: int, patch_size: int, overlap: int) -> tuple[int, ...]:
    """Where the patches start along one axis: Eq. 4 for rows, Eq. 5 for columns.

    The origins are the multiples of the step P - overlap, except that a patch that would reach
    over the border is moved back to ``length - P``.

    Args:
        length: H or W, pixels along the axis, at least ``patch_size``.
        patch_size: P in pixels.
        overlap: Pixels that neighbours share. With 0 these are Eq. 4-5: u % P = 0 or u = H - P.

    Returns:
        Origins in pixels, ascending, the last one ``length - patch_size``.

    Raises:
        ValueError: If no patch fits.
    """
    if length < patch_size:
        raise UserError(f"{length} pixels cannot hold a patch of {patch_size}: pad the image first")
    # From length - overlap on, the patch before reaches the border already.
    starts = range(0, length - overlap, patch_size - overlap)
    return tuple(min(start, length - patch_size) for start in starts)


def pixels_worked_on(length: int, patch_sizes: Sequence[int], overlap: int) -> float:
    """Pixels that a block computes for each pixel of a square map, as the mean of the blocks.

    Overlapping patches compute what they share several times; the last patch of a row, flush with
    the border, may share much.

    Args:
        length: Pixels of a side, at least the largest patch.
        patch_sizes: P of each block.
        overlap: Pixels that neighbours share.
    """
    counts = (len(axis_origins(length, p, overlap)) * p for p in patch_sizes)
    return sum(count**2 for count in counts) / len(patch_sizes) / length**2


@lru_cache(maxsize=256)
def fitting_size(asked: int, patch_sizes: tuple[int, ...], overlap: int, most: int) -> int:
    """The side near the one asked for on which patches compute the fewest pixels twice.

    Args:
        asked: Pixels; the answer is at most 15% larger or smaller, and of equals the nearest.
        patch_sizes: P of each block.
        overlap: Pixels that neighbours share.
        most: The answer is not above this.

    Returns:
        A side in pixels; ``asked``, or ``most`` if that is less, where no side near it holds the
        largest patch.
    """
    least = max(math.ceil(0.85 * asked), max(patch_sizes))
    sides = range(least, min(math.floor(1.15 * asked), most) + 1)
    if not sides:
        return min(asked, most)
    cost = {side: pixels_worked_on(side, patch_sizes, overlap) for side in sides}
    return min(sides, key=lambda side: (cost[side], abs(side - asked)))


@dataclass(frozen=True, eq=False)
class Division:
    """One way to cut an H x W feature map into N patches, row-major. Made by `division`.

    Attributes:
        height: H in pixels.
        width: W in pixels.
        patch_size: P in pixels.
        origins: (N, 2) int64, (top, left) of every patch in pixels.
        weight: (H, W, 1) float32, 1 / (number of patches that cover the pixel).
    """

    height: int
    width: int
    patch_size: int
    origins: Tensor
    weight: Tensor

    @property
    def count(self) -> int:
        """Number N of patches."""
        return len(self.origins)

    @property
    def numbers(self) -> Tensor:
        """(N,) int64, the numbers of all patches."""
        return torch.arange(self.count, device=self.origins.device)

    def divide(self, x: Tensor) -> Tensor:
        """Cut (B, H, W, C) into (B, N, P * P, C); the pixels of a patch are row-major."""
        return self.gather(x, self.numbers[None])

    def gather(self, x: Tensor, numbers: Tensor) -> Tensor:
        """Cut M of the patches out of (B, H, W, C).

        Args:
            x: (B, H, W, C).
            numbers: (B, M) patch numbers in [0, N), or (1, M) for every image of the batch.

        Returns:
            (B, M, P * P, C).
        """
        b, c = len(x), x.shape[-1]
        flat = x.reshape(b * self.height * self.width, c)
        patches = flat.index_select(0, self._pixels(numbers, b))
        return patches.view(b, -1, self.patch_size**2, c)

    def add(self, total: Tensor, patches: Tensor, numbers: Tensor) -> Tensor:
        """Add M of the patches to a sum over patches, the numerator of the mean in `aggregate`.

        Args:
            total: (B * H * W, C), changed in place.
            patches: (B, M, P * P, C).
            numbers: (M,) their numbers.

        Returns:
            The sum.
        """
        pixels = self._pixels(numbers[None], len(patches))
        return total.index_add_(0, pixels, patches.reshape(len(pixels), -1))

    def mean(self, total: Tensor) -> Tensor:
        """The sum over all patches (B * H * W, C) to the mean (B, H, W, C), in place."""
        total = total.view(-1, self.height, self.width, total.shape[-1])
        return total.mul_(self.weight.to(total.dtype))

    def aggregate(self, patches: Tensor) -> Tensor:
        """Patch Aggregation of Eq. 2: (B, N, P * P, C) back to (B, H, W, C).

        A pixel becomes the mean over the 1 to 9 patches that cover it. The count is the true one:
        the released code divides by 4 also where the last patch, moved back to the border, makes
        it 3.
        """
        total = patches.new_zeros(len(patches) * self.height * self.width, patches.shape[-1])
        return self.mean(self.add(total, patches, self.numbers))

    def _pixels(self, numbers: Tensor, batch: int) -> Tensor:
        """(B or 1, M) patch numbers to (B * M * P * P,) rows of a batch's (B * H * W, C) pixels."""
        steps = torch.arange(self.patch_size, device=self.origins.device)
        within_patch = (steps[:, None] * self.width + steps).flatten()  # (P * P,)
        corners = self.origins[:, 0] * self.width + self.origins[:, 1]  # (N,)
        images = torch.arange(batch, device=corners.device) * (self.height * self.width)
        corner = corners[numbers.to(corners.device)] + images[:, None]  # (B, M)
        return (corner[..., None] + within_patch).flatten()


def division(
    height: int, width: int, patch_size: int, overlap: int, device: torch.device | str = "cpu"
) -> Division:
    """The division of an H x W map into patches.

    Args:
        height: H in pixels.
        width: W in pixels.
        patch_size: P in pixels.
        overlap: Pixels that neighbouring patches share.
        device: Where its tables are used.

    Raises:
        ValueError: If the map is smaller than a patch.
    """
    lengths = (height, width)
    axes = [torch.tensor(axis_origins(n, patch_size, overlap), device=device) for n in lengths]
    rows, columns = (_times_covered(n, a, patch_size) for n, a in zip(lengths, axes, strict=True))
    # A pixel lies in as many patches as the product of how often its row and column are covered.
    weight = 1 / (rows[:, None, None] * columns[None, :, None]).float()
    return Division(height, width, patch_size, torch.cartesian_prod(*axes), weight)


def _times_covered(length: int, origins: Tensor, patch_size: int) -> Tensor:
    """(length,) int64, how many patches along an axis cover each of its pixels."""
    within = torch.arange(length, device=origins.device) - origins[:, None]
    return ((within >= 0) & (within < patch_size)).sum(0)


def pad_to_patch(x: Tensor, least: int) -> Tensor:
    """Pad (B, C, H, W) at the right and bottom to at least ``least`` pixels a side.

    By reflection, which continues texture; by replication where fewer pixels are there than
    reflection needs (it cannot repeat the border pixel).
    """
    below, right = max(0, least - x.shape[-2]), max(0, least - x.shape[-1])
    for padding, length in (((0, right, 0, 0), x.shape[-1]), ((0, 0, 0, below), x.shape[-2])):
        if any(padding):
            mode = "reflect" if max(padding) < length else "replicate"
            x = F.pad(x, padding, mode=mode)
    return x
