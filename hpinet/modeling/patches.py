"""Cascaded Patch Division and Patch Aggregation (Eq. 2, 4, 5): pixels to patches and back.

Every patch of a division has the same size, and the last one of a row or column is flush with the
border, so no pixel is padded. Rows and columns divide independently: a division is two index
tables, (R * P,) rows and (S * P,) columns of the map, and the N = R * S patches are what one
`index_select` along each axis gathers.
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

from .direct_access import recorded


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
    """One way to cut an H x W feature map into N = R * S patches, row-major. Made by `division`.

    Attributes:
        height: H in pixels.
        width: W in pixels.
        patch_size: P in pixels.
        origins: (N, 2) int64, (top, left) of every patch in pixels.
        rows: (R * P,) int64: the map's rows that the R rows of patches consist of, one after
            the other; rows that two of them share occur twice.
        columns: (S * P,) int64: the same for the S columns of patches.
        weight: (H, W, 1) float32, 1 / (number of patches that cover the pixel).
    """

    height: int
    width: int
    patch_size: int
    origins: Tensor
    rows: Tensor
    columns: Tensor
    weight: Tensor

    @property
    def count(self) -> int:
        """Number N of patches."""
        return len(self.origins)

    @property
    def per_row(self) -> int:
        """Number S of patches in a row of patches."""
        return len(self.columns) // self.patch_size

    def divide(self, x: Tensor) -> Tensor:
        """Cut (B, H, W, C) into (B, N, P * P, C); the pixels of a patch are row-major."""
        b, p = len(x), self.patch_size
        x = x.index_select(1, self.rows).index_select(2, self.columns)  # (B, R * P, S * P, C)
        x = x.view(b, len(self.rows) // p, p, self.per_row, p, -1)
        # (B, R, P, S, P, C) -> (B, R, S, P, P, C): the patch before its pixels.
        return x.transpose(2, 3).reshape(b, self.count, p * p, -1)

    def gather(self, x: Tensor, numbers: Tensor) -> Tensor:
        """Cut M of the patches out of (B, H, W, C), without the (B, N, P * P, C) of all.

        Args:
            x: (B, H, W, C).
            numbers: (B, M) patch numbers in [0, N), or (1, M) for every image of the batch.

        Returns:
            (B, M, P * P, C).
        """
        b, height, width, c = x.shape
        # In x as (B * H * W, C), pixel (i, j) of the patch at (top, left) of image k is row
        # k * H * W + (top * W + left) + (i * W + j).
        steps = torch.arange(self.patch_size, device=x.device)
        within_patch = (steps[:, None] * width + steps).flatten()  # (P * P,)
        corners = self.origins[:, 0] * width + self.origins[:, 1]  # (N,)
        images = torch.arange(b, device=x.device)[:, None] * (height * width)  # (B, 1)
        pixels = (corners[numbers] + images)[..., None] + within_patch  # (B, M, P * P)
        taken = x.reshape(b * height * width, c).index_select(0, pixels.flatten())
        return taken.view(b, -1, self.patch_size**2, c)

    def paste(self, total: Tensor, patches: Tensor, row: int) -> None:
        """Add T whole rows of patches to the sum over all patches, the numerator of the mean.

        Args:
            total: (B, H, W, C), changed in place. Once all R rows are added, ``total * weight``
                is what `aggregate` returns.
            patches: (B, T * S, P * P, C).
            row: Number of the first of these rows of patches, in [0, R).
        """
        b, p, c = len(patches), self.patch_size, patches.shape[-1]
        rows = self.rows[row * p : row * p + patches.shape[1] // self.per_row * p]  # (T * P,)
        # (B, T, S, P, P, C) -> (B, T, P, S, P, C) -> (B, T * P, S * P, C)
        x = patches.view(b, -1, self.per_row, p, p, c).transpose(2, 3)
        x = x.reshape(b, len(rows), self.per_row * p, c)
        x = x.new_zeros(b, len(rows), self.width, c).index_add_(2, self.columns, x)
        if len(rows) == p:  # one row of patches covers P consecutive rows of the map
            top = int(self.origins[row * self.per_row, 0])
            total[:, top : top + p] += x
        else:
            total.index_add_(1, rows, x)

    def aggregate(self, patches: Tensor) -> Tensor:
        """Patch Aggregation of Eq. 2: (B, N, P * P, C) back to (B, H, W, C).

        A pixel becomes the mean over the 1 to 9 patches that cover it. The count is the true one:
        the released code divides by 4 also where the last patch, moved back to the border, makes
        it 3.
        """
        b, p, c = len(patches), self.patch_size, patches.shape[-1]
        down, across = len(self.rows) // p, self.per_row
        # (B, R, S, P, P, C) -> (B, R, P, S, P, C) -> (B, R * P, S * P, C), undoing `divide`
        x = patches.view(b, down, across, p, p, c).transpose(2, 3)
        x = x.reshape(b, down * p, across * p, c)
        # Sum what falls on one pixel, columns first: then each row is one long contiguous run.
        x = x.new_zeros(b, down * p, self.width, c).index_add(2, self.columns, x)
        x = x.new_zeros(b, self.height, self.width, c).index_add(1, self.rows, x)
        return x * self.weight.to(x.dtype)


def division(
    height: int, width: int, patch_size: int, overlap: int, device: torch.device | str = "cpu"
) -> Division:
    """The division of an H x W map into patches, kept for the next call.

    Args:
        height: H in pixels.
        width: W in pixels.
        patch_size: P in pixels.
        overlap: Pixels that neighbouring patches share.
        device: Where its tables are used.

    Raises:
        ValueError: If the map is smaller than a patch.
    """
    # What is made while a graph is recorded belongs to that graph.
    divide = _divide if recorded() else _kept
    return divide(height, width, patch_size, overlap, device)


def _divide(
    height: int, width: int, patch_size: int, overlap: int, device: torch.device | str
) -> Division:
    tops = axis_origins(height, patch_size, overlap)
    lefts = axis_origins(width, patch_size, overlap)
    # rows[r * P + i] = tops[r] + i
    rows, columns = ([o + i for o in line for i in range(patch_size)] for line in (tops, lefts))
    # Autograd refuses to save tensors made in inference mode, and these outlive this call.
    with torch.inference_mode(False):
        origins = torch.tensor([(top, left) for top in tops for left in lefts], device=device)
        covered = torch.tensor(_times(rows, height), dtype=torch.float32, device=device)
        across = torch.tensor(_times(columns, width), dtype=torch.float32, device=device)
        # A pixel lies in as many patches as the product of how often its row and column occur.
        weight = 1 / (covered[:, None, None] * across[None, :, None])
        down, right = torch.tensor(rows, device=device), torch.tensor(columns, device=device)
        return Division(height, width, patch_size, origins, down, right, weight)


def _times(line: Sequence[int], length: int) -> list[int]:
    """How often each number below ``length`` occurs."""
    times = [0] * length
    for number in line:
        times[number] += 1
    return times


@lru_cache(maxsize=64)
def _kept(
    height: int, width: int, patch_size: int, overlap: int, device: torch.device | str
) -> Division:
    return _divide(height, width, patch_size, overlap, device)


@torch.jit.script_if_tracing
def pin_size(x: Tensor, batch: int, height: int, width: int) -> Tensor:
    """Images (B, 3, H, W) as they are; a traced graph refuses those of another size by this.

    `torch.jit.trace` records which pixels form a patch as they are for the traced images.
    """
    if x.shape[0] != batch or x.shape[-2] != height or x.shape[-1] != width:
        raise ValueError(
            f"this network was traced for {batch} images of {width}x{height} pixels, "
            f"not {x.shape[0]} of {x.shape[-1]}x{x.shape[-2]}: trace it for these"
        )
    return x


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
