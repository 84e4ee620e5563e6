"""One block of HPINet (Fig. 3): global pixel access, intra-patch self-attention, convolution.

Shapes in this file: B images, C channels, a feature map of H x W pixels, N patches of P x P pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hpinet.config import HPINetConfig
from hpinet.errors import UserError

from .attention import FeedForward, PatchAttention, PatchDepthwise
from .matches import BlockMatches
from .matching import best_matches, gumbel_matches, similarity, straight_through
from .patches import Division, division

CHUNK = 1 << 14
"""Pixels of patches that go through attention at once, over the whole batch."""


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

        # L of Eq. 8: normalises pooled patches for the similarity.
        self.match_norm = nn.LayerNorm(dim) if config.gpa else None
        # Three pairs of attention and feed-forward network: the first attends to the matched patch
        # (GPA, Eq. 9), the other two to the patch itself (IPSA, Eq. 7).
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
        """One block, x_{i-1} to x_i of Eq. 2.

        Patches go through attention in chunks of about `CHUNK` pixels.

        Args:
            x: (B, C, H, W) features.
            given: Matches to use instead of those that this block finds.
            matrix: Whether to keep the whole similarity matrix.
            seeds: One seed an image for the random matches of training.
            needed: (M,) numbers of the patches to compute; the output is right only where no other
                patch reaches. All of them by default.

        Returns:
            (B, C, H, W) features, and the matches used (None without GPA).

        Raises:
            ValueError: If the given matches do not fit.
        """
        height, width = (int(n) for n in x.shape[-2:])
        cut = division(height, width, self.patch_size, self.overlap, x.device)
        if torch.is_autocast_enabled(_autocast_device(x)):
            x = x.float()  # residuals are summed in float32, so that matches hardly change
        features = x.permute(0, 2, 3, 1)  # (B, H, W, C)
        used, choice = self._match(features, cut, given, matrix, seeds)
        total = features.new_zeros(features.shape[:3].numel(), features.shape[3])  # (B * H * W, C)
        index = None if used is None else used.index.to(x.device)
        for part in self._chunks(cut.numbers if needed is None else needed, len(x)):
            patches = cut.gather(features, part[None])  # (B, M, P * P, C)
            matched = None if index is None else cut.gather(features, index[:, part])
            if matched is not None and choice is not None:
                matched = straight_through(matched, choice[0][:, part], choice[1])
            cut.add(total, self._attend(patches, matched), part)
        y = cut.mean(total).permute(0, 3, 1, 2)  # (B, C, H, W)
        # Without the convolution nothing scales the branch, which carries x itself through its
        # residuals: adding x once more would double it block by block.
        return (y if self.conv is None else x + self.conv(y)), used

    def _chunks(self, numbers: Tensor, batch: int) -> tuple[Tensor, ...]:
        """(M,) patch numbers, split so that no part has many more pixels than `CHUNK`."""
        pixels = batch * len(numbers) * self.patch_size**2
        return numbers.tensor_split(min(len(numbers), -(-pixels // CHUNK)))

    def _attend(self, patches: Tensor, matched: Tensor | None) -> Tensor:
        """GPA (Eq. 9) and two times IPSA (Eq. 7), each with its feed-forward network.

        Args:
            patches: (B, M, P * P, C).
            matched: The patches that they attend to in the first attention, of the same shape;
                None for themselves, which is the network without GPA.

        Returns:
            (B, M, P * P, C).
        """
        for attention, feed_forward in zip(self.attentions, self.feed_forwards, strict=True):
            patches = feed_forward(attention(patches, matched))
            matched = None  # the second and the third attention are IPSA
        return patches

    def _match(
        self,
        features: Tensor,
        cut: Division,
        given: BlockMatches | None,
        matrix: bool,
        seeds: Sequence[int] | None,
    ) -> tuple[BlockMatches | None, tuple[Tensor, Tensor] | None]:
        """The matches of (B, H, W, C) features; None without GPA.

        In training the choice is drawn (`gumbel_matches`), and what its gradient needs is returned
        too: the soft choice (B, N, N) and all patches (B, N, P * P, C). Otherwise it is the most
        similar patch, without a gradient.
        """
        if self.match_norm is None:
            return None, None
        if given is not None:
            _check_fit(given, cut, len(features))
            return given, None
        if not self.training:
            features = features.detach()
        # Matching stays in float32 under autocast: near-ties must not switch with the precision.
        with torch.autocast(_autocast_device(features), enabled=False):
            exact = torch.promote_types(features.dtype, torch.float32)
            parts = self._chunks(cut.numbers, len(features))
            # Pool each patch: (B, M, P * P, C) -> (B, M, C).
            pooled = [cut.gather(features, part[None]).to(exact).mean(2) for part in parts]
            tokens = self._tokens(torch.cat(pooled, 1))
            drawn = self.training and cut.count > 1
            scores = similarity(tokens) if drawn or (matrix and cut.count > 1) else None
            choice = None
            if drawn and scores is not None:
                index, soft = gumbel_matches(scores, seeds)
                value = scores.gather(-1, index[..., None])[..., 0].detach()
                choice = soft, cut.divide(features.detach())
            else:
                index, value = best_matches(tokens)
        kept = scores.detach() if matrix and scores is not None else None
        return BlockMatches(cut.patch_size, cut.origins, index, value, kept), choice

    def _tokens(self, pooled: Tensor) -> Tensor:
        """L(X_i) of Eq. 8: (B, N, C) means of the patches' pixels, normalised, of the same type."""
        assert self.match_norm is not None
        weight = next(self.match_norm.parameters(), pooled)  # of a half-precision network: half
        tokens: Tensor = self.match_norm(pooled.to(weight.dtype)).to(pooled.dtype)
        return tokens


def _autocast_device(x: Tensor) -> str:
    """The type of a tensor's device; "cpu" for "meta", which autocast does not know."""
    return "cpu" if x.is_meta else x.device.type


def _check_fit(given: BlockMatches, cut: Division, batch: int) -> None:
    shape = tuple(given.index.shape)
    if given.patch_size != cut.patch_size or shape[-1] != cut.count or shape[0] not in (1, batch):
        raise UserError(
            f"matches of shape {shape} for patches of {given.patch_size} do not fit "
            f"{batch} images of {cut.count} patches of {cut.patch_size}"
        )
