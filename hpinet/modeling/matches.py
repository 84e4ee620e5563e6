"""The decisions of Global Pixel Access as data: which patch each patch attends to (Eq. 8).

`HPINet.forward` returns `Matches` and takes them back, whole or changed. Showing matches, keeping
them fixed along a path, switching them off and forcing others all go through these two arguments;
there are no hooks and no global state. How a network decides is in `hpinet.modeling.matching`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from hpinet.config import HPINetConfig
from hpinet.errors import UserError

from .patches import division


@dataclass(frozen=True, eq=False)
class BlockMatches:
    """The matches of one block.

    Attributes:
        patch_size: P, in LR pixels.
        origins: (N, 2) int64, (top, left) of every patch in LR pixels, row-major.
        index: (B, N) int64 in [0, N), the patch that each patch attends to; a patch that attends
            to itself has its own number.
        similarity: (B, N) float32, similarity to that patch (Eq. 8); NaN where it is not known.
        matrix: (B, N, N) float32 similarities of all pairs, -inf on the diagonal; None unless
            asked for.
    """

    patch_size: int
    origins: Tensor
    index: Tensor
    similarity: Tensor
    matrix: Tensor | None = None

    def with_index(self, index: Tensor) -> BlockMatches:
        """A copy with other matches; similarities are looked up where the matrix is known.

        Args:
            index: (B, N) or (N,) integers in [0, N).

        Raises:
            ValueError: If the shape or a value does not fit the division.
        """
        n = len(self.origins)
        index = torch.as_tensor(index, device=self.index.device)
        if index.dtype.is_floating_point or index.dtype == torch.bool:
            raise UserError(f"matches are patch numbers, not {index.dtype}: pass integers")
        index = index.long().reshape(-1, index.shape[-1] if index.ndim else 1)
        if index.shape[-1] != n:
            raise UserError(f"this block has {n} patches, but {index.shape[-1]} matches were given")
        if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < n:
            worst = int(index.max()) if int(index.max()) >= n else int(index.min())
            raise UserError(f"there is no patch {worst}: numbers run from 0 to {n - 1}")
        similarity = torch.full(index.shape, torch.nan, device=index.device)
        if self.matrix is not None and len(self.matrix) == len(index):
            similarity = self.matrix.gather(-1, index[..., None])[..., 0]
        return replace(self, index=index, similarity=similarity)

    def own(self) -> BlockMatches:
        """A copy in which every patch is its own match: Global Pixel Access off."""
        return self.with_index(torch.arange(len(self.origins)).expand(len(self.index), -1))


@dataclass(frozen=True, eq=False)
class Matches:
    """The matches of a whole forward pass.

    Attributes:
        blocks: One entry a block; with None the network decides anew there. Empty for a network
            without Global Pixel Access.
        size: (height, width) of the divided feature map in LR pixels. Larger than the LR image
            only where that is smaller than a patch and had to be padded.
    """

    blocks: tuple[BlockMatches | None, ...]
    size: tuple[int, int]

    def with_block(self, block: int, index: Any) -> Matches:
        """A copy in which one block has other matches.

        Args:
            block: Block number from 0.
            index: (B, N) or (N,) patch numbers.

        Raises:
            ValueError: If there is no such block or the numbers do not fit.
        """
        known = self._known(block)
        return self._replaced({block: known.with_index(torch.as_tensor(index))})

    def own(self, blocks: Iterable[int] | None = None) -> Matches:
        """A copy in which every patch is its own match, in the given blocks or in all.

        Args:
            blocks: Block numbers from 0.

        Raises:
            ValueError: If there is no such block or it has no matches.
        """
        numbers = range(len(self.blocks)) if blocks is None else blocks
        return self._replaced({i: self._known(i).own() for i in numbers})

    def live(self, blocks: Iterable[int]) -> Matches:
        """A copy in which the network decides anew in the given blocks, numbered from 0."""
        return self._replaced(dict.fromkeys(blocks))

    def image(self, number: int) -> Matches:
        """The matches of one image of the batch, numbered from 0, as a batch of one."""
        one = slice(number, number + 1)

        def cut(b: BlockMatches) -> BlockMatches:
            matrix = None if b.matrix is None else b.matrix[one]
            return replace(b, index=b.index[one], similarity=b.similarity[one], matrix=matrix)

        return replace(self, blocks=tuple(None if b is None else cut(b) for b in self.blocks))

    def for_network(
        self, config: HPINetConfig, size: tuple[int, int]
    ) -> tuple[BlockMatches | None, ...]:
        """The entry of every block of a network, once they fit it.

        Args:
            config: The network's configuration.
            size: (height, width) of its feature map in LR pixels.

        Raises:
            ValueError: If these are not matches of such a network on a map of this size.
        """
        if not config.gpa:
            if self.blocks:
                raise UserError("this network has no Global Pixel Access, so it takes no matches")
            return (None,) * config.blocks
        if len(self.blocks) != config.blocks or self.size != size:
            raise UserError(
                f"matches of {len(self.blocks)} blocks on {self.size} pixels do not fit "
                f"{config.blocks} blocks on {size}: "
                f"take them from a forward pass of this network on an image of this size"
            )
        return self.blocks

    def _known(self, block: int) -> BlockMatches:
        if not 0 <= block < len(self.blocks):
            raise UserError(
                f"there is no block {block}: numbers run from 0 to {len(self.blocks) - 1}"
            )
        found = self.blocks[block]
        if found is None:
            raise UserError(
                f"block {block} has no matches here: take them from a forward pass first"
            )
        return found

    def _replaced(self, changes: dict[int, BlockMatches | None]) -> Matches:
        blocks = (changes.get(i, b) for i, b in enumerate(self.blocks))
        return replace(self, blocks=tuple(blocks))


def own_matches(config: HPINetConfig, height: int, width: int) -> Matches:
    """Matches that switch Global Pixel Access off everywhere, without a forward pass.

    Args:
        config: The network's configuration.
        height: H, rows of the LR image in pixels.
        width: W, columns of the LR image in pixels.

    Returns:
        A batch of one, which `HPINet.forward` takes for a batch of any size. No blocks for a
        network without Global Pixel Access.
    """
    least = max(config.patch_sizes)
    height, width = max(height, least), max(width, least)
    blocks = []
    for patch_size in config.patch_sizes if config.gpa else ():
        origins = division(height, width, patch_size, config.overlap).origins
        index = torch.arange(len(origins))[None]
        blocks.append(BlockMatches(patch_size, origins, index, torch.full(index.shape, torch.nan)))
    return Matches(tuple(blocks), (height, width))
