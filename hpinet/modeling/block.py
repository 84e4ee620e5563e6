"""One block of HPINet (Fig. 3): global pixel access, intra-patch self-attention, convolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hpinet.config import HPINetConfig

from .attention import FeedForward, PatchAttention, PatchDepthwise, gradients_wanted
from .decoder import convolved
from .matching import (
    BlockMatches,
    best_matches,
    gumbel_matches,
    similarity,
    take,
    take_straight_through,
)
from .memory import Chunks, default_chunks
from .patches import Division, division


class HPIBlock(nn.Module):
    """One block (Eq. 2): divide, GPA, two times IPSA, aggregate, 3x3 convolution, residual.

    Args:
        config: The network's configuration.
        patch_size: This block's P.
    """

    def __init__(self, config: HPINetConfig, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.overlap = config.overlap
        dim = config.dim

        def attention(first: bool) -> nn.Module:
            if first or config.ipsa == "attention":
                return PatchAttention(dim, config.qk_dim)
            return PatchDepthwise(dim, config.depthwise_kernel)

        # Normalises pooled patches for the similarity (L of Eq. 8).
        self.match_norm = nn.LayerNorm(dim) if config.gpa else None
        self.attentions = nn.ModuleList(attention(first=j == 0) for j in range(3))
        self.feed_forwards = nn.ModuleList(FeedForward(dim, config.ffn_dim) for _ in range(3))
        self.conv = nn.Conv2d(dim, dim, 3, padding=1) if config.conv else None

    def forward(
        self,
        x: Tensor,
        given: BlockMatches | None = None,
        matrix: bool = False,
        seeds: Sequence[int] | None = None,
        needed: Tensor | None = None,
        chunks: Chunks | None = None,
    ) -> tuple[Tensor, BlockMatches | None]:
        """One block.

        Args:
            x: (B, C, H, W) features.
            given: Matches to use instead of this block's own choice.
            matrix: Whether to keep the whole similarity matrix.
            seeds: One seed a picture for the random matches of training.
            needed: Numbers of the patches to compute; the output is right only where no other
                patch reaches. All of them by default.
            chunks: How much to compute at once where no gradient is needed; what is fast by
                default.

        Returns:
            (B, C, H, W) features, and the matches used (None without GPA).
        """
        cut = division(*x.shape[-2:], self.patch_size, self.overlap, x.device)
        if not (self.training or gradients_wanted(x, *self.parameters())):
            return self._inferred(x, cut, given, matrix, needed, chunks)
        patches = cut.divide(x.permute(0, 2, 3, 1))
        other, used = self._matched(patches, cut, given, matrix, seeds, needed)
        if needed is not None:
            patches = patches.index_select(1, needed)
        patches = self._attended(patches, other)
        if needed is not None:
            patches = _spread(patches, needed, cut)
        y = cut.aggregate(patches).permute(0, 3, 1, 2)
        # Without the convolution nothing scales the branch, which carries x itself through its
        # residuals: adding x once more would double it block by block.
        return (y if self.conv is None else x + self.conv(y)), used

    def _inferred(
        self,
        x: Tensor,
        cut: Division,
        given: BlockMatches | None,
        matrix: bool,
        needed: Tensor | None,
        chunks: Chunks | None,
    ) -> tuple[Tensor, BlockMatches | None]:
        """The same without anything kept for a gradient: patches go through in chunks."""
        chunks = chunks or default_chunks(x.device)
        if torch.is_autocast_enabled(_autocast_device(x)):
            x = x.float()  # what blocks add to stays exact, so that matches hardly change
        features = x.permute(0, 2, 3, 1)
        at_once = chunks.patches(self.patch_size, len(x))
        used = self._decided(features, cut, given, matrix, chunks)

        def attended(numbers: Tensor) -> Tensor:
            done = []
            for some in numbers.split(at_once):
                other = None if used is None else cut.gather(features, used.index[:, some])
                done.append(self._attended(cut.gather(features, some[None]), other))
            return torch.cat(done, 1)

        numbers = torch.arange(cut.count, device=x.device)
        if needed is not None:
            total = cut.aggregate(_spread(attended(needed), needed, cut))
        else:
            total = torch.zeros_like(features)
            for row, some in enumerate(numbers.split(cut.wide * chunks.rows)):
                cut.paste(total, attended(some), row * chunks.rows)
            total *= cut.weight.to(x.dtype)
        y = total.permute(0, 3, 1, 2)
        if self.conv is None:
            return y, used
        return convolved(y, self.conv, x, chunks.map_rows(x.shape[-1])), used

    def _attended(self, patches: Tensor, other: Tensor | None) -> Tensor:
        """GPA and two times IPSA; only the first attention looks elsewhere."""
        for attention, feed_forward in zip(self.attentions, self.feed_forwards, strict=True):
            patches = feed_forward(attention(patches, other))
            other = None
        return patches

    def _decided(
        self,
        features: Tensor,
        cut: Division,
        given: BlockMatches | None,
        matrix: bool,
        chunks: Chunks,
    ) -> BlockMatches | None:
        """The matches of (B, H, W, C) features."""
        if self.match_norm is None:
            return None
        if given is not None:
            _check_fit(given, cut, len(features))
            return given
        numbers = torch.arange(cut.count, device=features.device)[None]
        least = torch.promote_types(features.dtype, torch.float32)
        with torch.autocast(_autocast_device(features), enabled=False):
            pooled = [
                cut.gather(features, some).to(least).mean(2)
                for some in numbers.split(chunks.patches(self.patch_size, len(features)), 1)
            ]
            tokens = self.match_norm(torch.cat(pooled, 1))
            index, value = best_matches(tokens, chunks.similarity)
            kept = similarity(tokens) if matrix and cut.count > 1 else None
        return BlockMatches(cut.patch_size, cut.origins, index, value, kept)

    def _matched(
        self,
        patches: Tensor,
        cut: Division,
        given: BlockMatches | None,
        matrix: bool,
        seeds: Sequence[int] | None,
        needed: Tensor | None,
    ) -> tuple[Tensor | None, BlockMatches | None]:
        if self.match_norm is None:
            return None, None
        rows = slice(None) if needed is None else needed
        if given is not None:
            _check_fit(given, cut, len(patches))
            return take(patches, given.index[:, rows]), given
        # Matching stays in float32 under autocast: near-ties must not switch with the precision.
        with torch.autocast(_autocast_device(patches), enabled=False):
            least = torch.promote_types(patches.dtype, torch.float32)
            tokens = self.match_norm(patches.to(least).mean(2))
            scores = None
            if cut.count > 1 and (self.training or matrix):
                scores = similarity(tokens)
            if self.training and scores is not None:
                index, soft = gumbel_matches(scores, seeds)
                other = take_straight_through(patches, soft, index)
                value = scores.gather(-1, index[..., None])[..., 0]
            else:
                index, value = best_matches(tokens)
                other = take(patches, index[:, rows])
        kept = scores.detach() if matrix and scores is not None else None
        return other, BlockMatches(cut.patch_size, cut.origins, index, value.detach(), kept)


def _spread(patches: Tensor, needed: Tensor, cut: Division) -> Tensor:
    """Some patches at their places among all, zeros elsewhere."""
    b, _, length, c = patches.shape
    return patches.new_zeros(b, cut.count, length, c).index_copy(1, needed, patches)


def _autocast_device(x: Tensor) -> str:
    """Counting multi-adds runs on the meta device, which autocast does not know."""
    return "cpu" if x.is_meta else x.device.type


def _check_fit(given: BlockMatches, cut: Division, batch: int) -> None:
    shape = tuple(given.index.shape)
    if given.patch_size != cut.patch_size or shape[-1] != cut.count or shape[0] not in (1, batch):
        raise ValueError(
            f"matches of shape {shape} for patches of {given.patch_size} do not fit "
            f"{batch} pictures of {cut.count} patches of {cut.patch_size}"
        )
