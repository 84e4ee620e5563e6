"""One block of HPINet (Fig. 3): global pixel access, intra-patch self-attention, convolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .attention import FeedForward, PatchAttention, PatchDepthwise
from .config import HPINetConfig
from .matching import (
    BlockMatches,
    best_matches,
    gumbel_matches,
    similarity,
    take,
    take_straight_through,
)
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
    ) -> tuple[Tensor, BlockMatches | None]:
        """One block.

        Args:
            x: (B, C, H, W) features.
            given: Matches to use instead of this block's own choice.
            matrix: Whether to keep the whole similarity matrix.
            seeds: One seed a picture for the random matches of training.
            needed: Numbers of the patches to compute; the output is right only where no other
                patch reaches. All of them by default.

        Returns:
            (B, C, H, W) features, and the matches used (None without GPA).
        """
        cut = division(*x.shape[-2:], self.patch_size, self.overlap, x.device)
        patches = cut.divide(x.permute(0, 2, 3, 1))
        other, used = self._matched(patches, cut, given, matrix, seeds, needed)
        if needed is not None:
            patches = patches.index_select(1, needed)
        for attention, feed_forward in zip(self.attentions, self.feed_forwards, strict=True):
            patches = feed_forward(attention(patches, other))
            other = None  # only the first attention looks elsewhere
        if needed is not None:
            b, _, length, c = patches.shape
            patches = patches.new_zeros(b, cut.count, length, c).index_copy(1, needed, patches)
        y = cut.aggregate(patches).permute(0, 3, 1, 2)
        # Without the convolution nothing scales the branch, which carries x itself through its
        # residuals: adding x once more would double it block by block.
        return (y if self.conv is None else x + self.conv(y)), used

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
        # Counting multi-adds runs on the meta device, which autocast does not know.
        device = "cpu" if patches.is_meta else patches.device.type
        with torch.autocast(device, enabled=False):
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


def _check_fit(given: BlockMatches, cut: Division, batch: int) -> None:
    shape = tuple(given.index.shape)
    if given.patch_size != cut.patch_size or shape[-1] != cut.count or shape[0] not in (1, batch):
        raise ValueError(
            f"matches of shape {shape} for patches of {given.patch_size} do not fit "
            f"{batch} pictures of {cut.count} patches of {cut.patch_size}"
        )
