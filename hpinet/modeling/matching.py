"""Global Pixel Access: which patch each patch looks at (Eq. 8), as data to read and to change.

`HPINet.forward` returns `Matches` and takes them back: that is the one seam through which the
explorer shows matches, LAM freezes them, and a person takes one away or forces another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from hpinet.config import HPINetConfig

from .patches import division

_MATRIX_BUDGET = 1 << 24  # similarity entries held at once: 64 MB in float32


@dataclass(frozen=True, eq=False)
class BlockMatches:
    """The matches of one block.

    Attributes:
        patch_size: P, in LR pixels.
        origins: (N, 2) int64, (top, left) of every patch in LR pixels, row-major.
        index: (B, N) int64, the patch that each patch looks at; its own number means
            "nowhere else".
        similarity: (B, N) float32, similarity to that patch; NaN where nobody computed it.
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
            raise ValueError(f"matches are patch numbers, not {index.dtype}: pass integers")
        index = index.long().reshape(-1, index.shape[-1] if index.ndim else 1)
        if index.shape[-1] != n:
            raise ValueError(
                f"this block has {n} patches, but {index.shape[-1]} matches were given"
            )
        if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < n:
            worst = int(index.max()) if int(index.max()) >= n else int(index.min())
            raise ValueError(f"there is no patch {worst}: numbers run from 0 to {n - 1}")
        similarity = torch.full(index.shape, torch.nan, device=index.device)
        if self.matrix is not None and len(self.matrix) == len(index):
            similarity = self.matrix.gather(-1, index[..., None])[..., 0]
        return replace(self, index=index, similarity=similarity)

    def own(self) -> BlockMatches:
        """Every patch as its own match: Global Pixel Access off, weights untouched."""
        return self.with_index(torch.arange(len(self.origins)).expand(len(self.index), -1))


@dataclass(frozen=True, eq=False)
class Matches:
    """The matches of a whole forward pass.

    Attributes:
        blocks: One entry a block; None lets the network decide anew there. Empty for a network
            without Global Pixel Access.
        size: (height, width) of the divided map in LR pixels. Larger than the picture only where
            that is smaller than a patch and had to be padded.
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
        """A copy in which every patch is its own match, in the given blocks or in all."""
        numbers = range(len(self.blocks)) if blocks is None else blocks
        return self._replaced({i: self._known(i).own() for i in numbers})

    def live(self, blocks: Iterable[int]) -> Matches:
        """A copy in which the network decides anew in the given blocks."""
        return self._replaced(dict.fromkeys(blocks))

    def image(self, number: int) -> Matches:
        """The matches of one picture of the batch, as a batch of one."""

        def cut(b: BlockMatches) -> BlockMatches:
            one = slice(number, number + 1)
            matrix = None if b.matrix is None else b.matrix[one]
            return replace(b, index=b.index[one], similarity=b.similarity[one], matrix=matrix)

        blocks = tuple(None if b is None else cut(b) for b in self.blocks)
        return replace(self, blocks=blocks)

    def _known(self, block: int) -> BlockMatches:
        if not 0 <= block < len(self.blocks):
            raise ValueError(
                f"there is no block {block}: numbers run from 0 to {len(self.blocks) - 1}"
            )
        found = self.blocks[block]
        if found is None:
            raise ValueError(
                f"block {block} has no matches here: take them from a forward pass first"
            )
        return found

    def _replaced(self, changes: dict[int, BlockMatches | None]) -> Matches:
        blocks = (changes.get(i, b) if i in changes else b for i, b in enumerate(self.blocks))
        return replace(self, blocks=tuple(blocks))


def own_matches(config: HPINetConfig, height: int, width: int) -> Matches:
    """Matches that switch Global Pixel Access off everywhere, without a forward pass.

    Args:
        config: The network's configuration.
        height: Rows of the LR picture in pixels.
        width: Columns of the LR picture in pixels.
    """
    least = max(config.patch_sizes)
    height, width = max(height, least), max(width, least)
    blocks = []
    for patch_size in config.patch_sizes if config.gpa else ():
        origins = division(height, width, patch_size, config.overlap).origins
        index = torch.arange(len(origins))[None]
        blocks.append(BlockMatches(patch_size, origins, index, torch.full(index.shape, torch.nan)))
    return Matches(tuple(blocks), (height, width))


def similarity(tokens: Tensor, rows: slice = slice(None), out: Tensor | None = None) -> Tensor:
    """Similarity of normalised patch tokens (Eq. 8), a patch to itself -inf.

    Scaled by C ** -0.5 as in the released network, which matters to the Gumbel noise of training.

    Args:
        tokens: (B, N, C) pooled and normalised patches.
        rows: Which patches to compare with all; all of them by default.
        out: (B, R, N), where to write them if no gradient is needed.

    Returns:
        (B, R, N).
    """
    scaled = tokens[:, rows] * tokens.shape[-1] ** -0.5
    scores = torch.bmm(scaled, tokens.transpose(1, 2), out=out)
    scores.diagonal(rows.start or 0, 1, 2).fill_(-torch.inf)
    return scores


def best_matches(tokens: Tensor, budget: int = _MATRIX_BUDGET) -> tuple[Tensor, Tensor]:
    """Most similar other patch of each patch, without holding all pairs when there are many.

    Args:
        tokens: (B, N, C) pooled and normalised patches.
        budget: Similarities held at once.

    Returns:
        Index (B, N) int64 and similarity (B, N). A lone patch matches itself, similarity NaN.
    """
    b, n, _ = tokens.shape
    if n == 1:
        return tokens.new_zeros(b, 1, dtype=torch.long), tokens.new_full((b, 1), torch.nan)
    tokens = tokens.detach()  # which patch is the most similar has no gradient
    chunk = min(n, max(1, budget // (b * n)))
    # One room for all: taken one after another, with results between them, the heap grew by each.
    room = tokens.new_empty(b, chunk, n)
    index, value = tokens.new_empty(b, n, dtype=torch.long), tokens.new_empty(b, n)
    for first in range(0, n, chunk):
        rows = slice(first, min(n, first + chunk))
        scores = similarity(tokens, rows, room[:, : rows.stop - first])
        torch.max(scores, -1, out=(value[:, rows], index[:, rows]))
    return index, value


def gumbel_matches(scores: Tensor, seeds: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
    """A random match by the Gumbel-max trick, and the soft choice whose gradient stands in for it.

    Args:
        scores: (B, N, N) similarities, -inf on the diagonal. N at least 2.
        seeds: One seed a picture, so that its draws do not depend on the rest of the batch; the
            global generator by default.

    Returns:
        Index (B, N) int64 and probabilities (B, N, N), temperature 1 (Jang et al. 2016).
    """
    if seeds is None:
        draws = torch.empty_like(scores).exponential_()
    else:  # drawn on the CPU: the same numbers on every device
        generators = (torch.Generator().manual_seed(seed) for seed in seeds)
        shape = scores.shape[1:]
        draws = torch.stack([torch.empty(shape).exponential_(generator=g) for g in generators])
    noise = -draws.to(scores).log()  # Gumbel; -inf stays -inf
    soft = torch.softmax(scores + noise, -1)
    return soft.argmax(-1), soft


def take(patches: Tensor, index: Tensor) -> Tensor:
    """The matched patches.

    Args:
        patches: (B, N, L, C).
        index: (B, M) patch numbers, or (1, M) for the whole batch.

    Returns:
        (B, M, L, C), each picture's own patches.
    """
    b, n, length, c = patches.shape
    offset = torch.arange(b, device=patches.device)[:, None] * n
    flat = (index.to(patches.device) + offset).flatten()
    return patches.reshape(b * n, length * c).index_select(0, flat).view(b, -1, length, c)


class _StraightThrough(torch.autograd.Function):
    """``one_hot(index) @ patches`` forward, gradient to the soft choice as if that had been used.

    The plain formula multiplies an N x N matrix by all N x (L C) pixels to pick N rows of them.
    Here the rows are gathered; the product remains only where it carries information, in the
    gradient of the choice.
    """

    @staticmethod
    def forward(ctx: Any, patches: Tensor, soft: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(patches, index)
        ctx.soft_dtype = soft.dtype
        return take(patches, index)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        patches, index = ctx.saved_tensors
        b, n, length, c = patches.shape
        offset = torch.arange(b, device=grad.device)[:, None] * n
        flat = grad.reshape(b * n, length * c)
        to_patches = torch.zeros_like(flat).index_add_(0, (index + offset).flatten(), flat)
        to_soft = grad.reshape(b, n, -1) @ patches.reshape(b, n, -1).transpose(1, 2)
        return to_patches.view_as(patches), to_soft.to(ctx.soft_dtype), None


def take_straight_through(patches: Tensor, soft: Tensor, index: Tensor) -> Tensor:
    """Matched patches whose gradient also reaches the choice (Gumbel-softmax, straight-through).

    Args:
        patches: (B, N, L, C).
        soft: (B, N, N) probabilities.
        index: (B, N) the hard choice.

    Returns:
        (B, N, L, C); gradients equal those of ``(one_hot - soft.detach() + soft) @ patches``.
    """
    return _StraightThrough.apply(patches, soft, index)
