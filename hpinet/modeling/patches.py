"""Cascaded Patch Division and Patch Aggregation (Eq. 2, 4, 5): pixels to patches and back.

Every patch of a division has the same size, and the last one of a row or column is flush with the
border, so no pixel is padded. Rows and columns divide independently: a division is two short index
tables, and dividing is one gather along each axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


def axis_origins(length: int, patch_size: int, overlap: int) -> tuple[int, ...]:
    """Where the patches start along one axis.

    Args:
        length: Pixels along the axis, at least ``patch_size``.
        patch_size: P.
        overlap: Pixels that neighbours share. With 0 these are Eq. 4-5: u % P = 0 or u = H - P.

    Returns:
        Origins in pixels, ascending, the last one ``length - patch_size``.

    Raises:
        ValueError: If no patch fits.
    """
    if length < patch_size:
        raise ValueError(
            f"{length} pixels cannot hold a patch of {patch_size}: pad the picture first"
        )
    starts = range(0, length - overlap, patch_size - overlap)
    return tuple(sorted({min(start, length - patch_size) for start in starts}))


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
        patch_size: P, in pixels.
        origins: (N, 2) int64, (top, left) of every patch in pixels.
        rows: (R * P,) int64, the source row of every row of patches; ``columns`` alike.
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
    def wide(self) -> int:
        """Patches in a row of patches."""
        return len(self.columns) // self.patch_size

    def divide(self, x: Tensor) -> Tensor:
        """Cut (B, H, W, C) into (B, N, P * P, C)."""
        b, p = len(x), self.patch_size
        x = x.index_select(1, self.rows).index_select(2, self.columns)
        x = x.view(b, len(self.rows) // p, p, len(self.columns) // p, p, -1)
        return x.transpose(2, 3).reshape(b, self.count, p * p, -1)

    def gather(self, x: Tensor, numbers: Tensor) -> Tensor:
        """Cut only some patches out of (B, H, W, C).

        Args:
            x: The map.
            numbers: (B, M) or, for all pictures alike, (1, M) patch numbers.

        Returns:
            (B, M, P * P, C).
        """
        b, high, wide, c = x.shape
        steps = torch.arange(self.patch_size, device=x.device)
        inside = (steps[:, None] * wide + steps).flatten()
        corners = self.origins[:, 0] * wide + self.origins[:, 1]
        pictures = torch.arange(b, device=x.device)[:, None] * (high * wide)
        pixels = (corners[numbers] + pictures)[..., None] + inside
        taken = x.reshape(b * high * wide, c).index_select(0, pixels.flatten())
        return taken.view(b, -1, self.patch_size**2, c)

    def paste(self, total: Tensor, patches: Tensor, row: int) -> None:
        """Add whole rows of patches to a map that is being summed up.

        Args:
            total: (B, H, W, C), changed in place. When all rows are in, their product with
                ``weight`` is what `aggregate` returns.
            patches: (B, R * wide, P * P, C).
            row: The first row of patches.
        """
        b, p, c = len(patches), self.patch_size, patches.shape[-1]
        rows = self.rows[row * p : row * p + patches.shape[1] // self.wide * p]
        x = patches.view(b, -1, self.wide, p, p, c).transpose(2, 3)
        x = x.reshape(b, len(rows), self.wide * p, c)
        x = x.new_zeros(b, len(rows), self.width, c).index_add_(2, self.columns, x)
        if len(rows) == p:  # one row of patches: no index is needed
            top = int(self.origins[row * self.wide, 0])
            total[:, top : top + p] += x
        else:
            total.index_add_(1, rows, x)

    def aggregate(self, patches: Tensor) -> Tensor:
        """Paste (B, N, P * P, C) back to (B, H, W, C); where patches overlap, their mean."""
        b, p, c = len(patches), self.patch_size, patches.shape[-1]
        high, wide = len(self.rows) // p, len(self.columns) // p
        x = patches.view(b, high, wide, p, p, c).transpose(2, 3).reshape(b, high * p, wide * p, c)
        # Columns first: then each row is one long contiguous run.
        x = x.new_zeros(b, high * p, self.width, c).index_add(2, self.columns, x)
        x = x.new_zeros(b, self.height, self.width, c).index_add(1, self.rows, x)
        return x * self.weight.to(x.dtype)


@lru_cache(maxsize=64)
def division(
    height: int, width: int, patch_size: int, overlap: int, device: torch.device | str = "cpu"
) -> Division:
    """The division of an H x W map into patches, cached per size and device.

    Raises:
        ValueError: If the map is smaller than a patch.
    """
    # Tables made inside inference mode could not be saved for a later backward pass.
    with torch.inference_mode(False):
        tops = torch.tensor(axis_origins(height, patch_size, overlap))
        lefts = torch.tensor(axis_origins(width, patch_size, overlap))
        offsets = torch.arange(patch_size)
        rows, columns = ((o[:, None] + offsets).flatten() for o in (tops, lefts))
        covered_rows = torch.bincount(rows, minlength=height).float()
        covered_columns = torch.bincount(columns, minlength=width).float()
        weight = 1 / (covered_rows[:, None, None] * covered_columns[None, :, None])
        tensors = (torch.cartesian_prod(tops, lefts), rows, columns, weight)
        return Division(height, width, patch_size, *(t.to(device) for t in tensors))


def pad_to_patch(x: Tensor, least: int) -> Tensor:
    """Pad at the right and bottom to at least ``least`` pixels a side.

    By reflection, which keeps texture going; by replication where there is too little to reflect.
    """
    down, right = max(0, least - x.shape[-2]), max(0, least - x.shape[-1])
    for padding, length in (((0, right, 0, 0), x.shape[-1]), ((0, 0, 0, down), x.shape[-2])):
        if any(padding):
            mode = "reflect" if max(padding) < length else "replicate"
            x = F.pad(x, padding, mode=mode)
    return x
