"""Attention reach: which pixels attend to which under three ways of division (the paper's Fig. 4).

Two pixels reach each other directly in a block if they lie in one patch, within which attention
joins all pixels. Computed from the index tables that the network divides by. Global Pixel Access
and convolutions, which lead out of the patch, are left out, as in the figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpinet.errors import UserError
from hpinet.modeling.patches import axis_origins

Mask = NDArray[np.bool_]

STRATEGIES = ("vanilla", "shifted", "cascaded")
"""Ways of division.

``vanilla``: one patch size in all blocks.
``shifted``: the same, but every second block divides the map rolled by half a patch, as Swin does;
pixels that the roll brings together from opposite borders do not attend to each other, as under
Swin's mask.
``cascaded``: the network's: another patch size from block to block.
"""

VANILLA_SIZE = 18
"""P of the paper's ablation without cascaded division (Table 2)."""


@dataclass(frozen=True)
class BlockDivision:
    """How one block divides.

    Attributes:
        patch_size: P in LR pixels.
        shift: By how many pixels the map is rolled before, 0 for not at all.
    """

    patch_size: int
    shift: int = 0


@dataclass(frozen=True, eq=False)
class Reach:
    """What one pixel reaches.

    Attributes:
        strategy: One of `STRATEGIES`.
        pixel: (row, column) in LR pixels.
        divisions: How each block divides.
        blocks: (K, H, W) the pixels reached directly in each block, the pixel itself included.
        two_hops: (H, W) the pixels that the pixel depends on through one block, or through two, an
            earlier and a later one.
    """

    strategy: str
    pixel: tuple[int, int]
    divisions: tuple[BlockDivision, ...]
    blocks: Mask
    two_hops: Mask

    @property
    def direct(self) -> Mask:
        """(H, W) the pixels reached directly in any block."""
        return np.asarray(self.blocks.any(0))

    @property
    def blind(self) -> Mask:
        """(H, W) the blind spot: pixels never reached directly in any block."""
        return ~self.direct

    def blind_share(self, radius: int) -> float:
        """Share of the pixels around that are never reached directly, in [0, 1].

        Args:
            radius: How many rows and columns away the pixels are at most, from 1 up; with 1 these
                are the eight neighbours, fewer at the border.

        Raises:
            ValueError: If the radius is below 1, or there is no other pixel.
        """
        if radius < 1 or self.direct.size < 2:
            raise UserError(f"the surroundings need a radius of 1 or more, not {radius}")
        row, column = self.pixel
        around = (
            slice(max(0, row - radius), row + radius + 1),
            slice(max(0, column - radius), column + radius + 1),
        )
        near = self.blind[around]
        return float(near.sum() / (near.size - 1))  # the pixel itself is no other

    def summary(self, radius: int = 12) -> dict[str, Any]:
        """Plain numbers for JSON; ``pixel`` is (x, y) in LR pixels.

        Args:
            radius: As in `blind_share`, in LR pixels; the same for all strategies that are to be
                compared.
        """
        return {
            "strategy": self.strategy,
            "pixel": [self.pixel[1], self.pixel[0]],
            "patch_sizes": [d.patch_size for d in self.divisions],
            "shifts": [d.shift for d in self.divisions],
            "reached": int(self.direct.sum()),
            "reached_share": float(self.direct.mean()),
            "reached_in_two_share": float(self.two_hops.mean()),
            "blind_neighbours_share": self.blind_share(1),
            "radius": radius,
            "blind_share_within_radius": self.blind_share(radius),
        }


def divisions(
    strategy: str, patch_sizes: Sequence[int], vanilla_size: int = VANILLA_SIZE
) -> tuple[BlockDivision, ...]:
    """How the blocks divide under a strategy.

    Args:
        strategy: One of `STRATEGIES`.
        patch_sizes: P of every block of the network; vanilla and shifted take only their number.
        vanilla_size: P of all blocks in vanilla and shifted.

    Raises:
        ValueError: If there is no such strategy.
    """
    if strategy not in STRATEGIES:
        raise UserError(f"a strategy is one of {', '.join(STRATEGIES)}, not {strategy!r}")
    if strategy == "cascaded":
        return tuple(BlockDivision(p) for p in patch_sizes)
    half = vanilla_size // 2 if strategy == "shifted" else 0
    return tuple(BlockDivision(vanilla_size, half * (i % 2)) for i in range(len(patch_sizes)))


def reach(
    size: tuple[int, int],
    row: int,
    column: int,
    blocks: Sequence[BlockDivision],
    overlap: int = 0,
    strategy: str = "cascaded",
) -> Reach:
    """What one pixel reaches, in each block and in two.

    Args:
        size: (height, width) of the LR image, at least a patch a side.
        row: The pixel's, from 0.
        column: The pixel's, from 0.
        blocks: How each block divides, see `divisions`.
        overlap: Pixels that neighbouring patches share; 0 is the paper's Eq. 4-5, the released
            networks have 2.
        strategy: The name that the result carries.

    Raises:
        ValueError: If the pixel lies outside, or a patch does not fit into the image.
    """
    height, width = size
    if not (0 <= row < height and 0 <= column < width):
        raise UserError(
            f"the pixel x {column}, y {row} lies outside the image of {width}x{height}: "
            f"x runs to {width - 1} and y to {height - 1}"
        )
    if not blocks:
        raise UserError("there is no block to reach anything in")
    # Rows and columns divide independently: (r, c) reaches (r', c') if r reaches r' and c reaches
    # c'. So the (H, W) mask is the outer product of a (H,) and a (W,) mask.
    down = [axis_reach(height, b.patch_size, overlap, b.shift) for b in blocks]
    across = [axis_reach(width, b.patch_size, overlap, b.shift) for b in blocks]
    direct = np.stack([np.outer(d[row], a[column]) for d, a in zip(down, across, strict=True)])
    # Two steps: the pixel attends in block `last` to pixels that attended in block `first` before.
    # A union over rectangles in between is again rows times columns.
    two = np.asarray(direct.any(0))
    for last in range(len(blocks)):
        for first in range(last):
            rows = down[first][down[last][row]].any(0)
            columns = across[first][across[last][column]].any(0)
            two |= np.outer(rows, columns)
    return Reach(strategy, (row, column), tuple(blocks), direct, two)


def axis_reach(length: int, patch_size: int, overlap: int, shift: int = 0) -> Mask:
    """Which rows (or columns) share a patch.

    Args:
        length: Pixels along the axis, at least ``patch_size``.
        patch_size: P.
        overlap: Pixels that neighbours share.
        shift: By how many pixels the axis is rolled before it is divided.

    Returns:
        (length, length), symmetric, true on the diagonal.

    Raises:
        ValueError: If no patch fits.
    """
    # (R, P) rows of each patch -> (R, length) whether a row is in it -> any patch with both rows.
    table = np.add.outer(axis_origins(length, patch_size, overlap), np.arange(patch_size))
    inside = np.zeros((len(table), length), bool)
    inside[np.arange(len(table))[:, None], table] = True
    joined = np.asarray((inside[:, :, None] & inside[:, None, :]).any(0))
    # The roll moves row i to (i - shift) mod length: row `shift` comes first. The rows before it,
    # moved behind the last, are apart from the rest (Swin's mask).
    rolled = (np.arange(length) - shift) % length
    wrapped = np.arange(length) < shift
    return joined[rolled[:, None], rolled] & (wrapped[:, None] == wrapped)
