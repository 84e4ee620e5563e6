"""One block of HPINet (Fig. 3): global pixel access, intra-patch self-attention, convolution.

Shapes in this file: B images, C channels, a feature map of H x W pixels, N patches of P x P pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hpinet.config import HPINetConfig
from hpinet.errors import UserError

from .attention import FeedForward, PatchAttention, PatchDepthwise, gradients_wanted
from .decoder import add_convolution
from .direct_access import can_be_read, is_plain_convolution
from .matches import BlockMatches
from .matching import best_matches, gumbel_matches, similarity, take, take_straight_through
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
        chunks: Chunks | None = None,
    ) -> tuple[Tensor, BlockMatches | None]:
        """One block, x_{i-1} to x_i of Eq. 2.

        Args:
            x: (B, C, H, W) features.
            given: Matches to use instead of those that this block finds.
            matrix: Whether to keep the whole similarity matrix.
            seeds: One seed an image for the random matches of training.
            needed: (M,) numbers of the patches to compute; the output is right only where no other
                patch reaches. All of them by default.
            chunks: How much to compute at once where no gradient is needed;
                `memory.default_chunks` by default.

        Returns:
            (B, C, H, W) features, and the matches used (None without GPA).

        Raises:
            ValueError: If the given matches do not fit.
        """
        height, width = x.shape[-2:]
        cut = division(height, width, self.patch_size, self.overlap, x.device)
        wanted = self.training or gradients_wanted(x, *self.parameters())
        if not wanted and self._can_be_chunked(x):
            return self._forward_in_chunks(x, cut, given, matrix, needed, chunks)
        patches = cut.divide(x.permute(0, 2, 3, 1))  # (B, H, W, C) -> (B, N, P * P, C)
        matched, used = self._match(patches, cut, given, matrix, seeds, needed)
        if needed is not None:
            patches = patches.index_select(1, needed)  # (B, M, P * P, C)
        patches = self._attend(patches, matched)
        if needed is not None:
            patches = _scatter(patches, needed, cut)  # back to (B, N, P * P, C)
        y = cut.aggregate(patches).permute(0, 3, 1, 2)  # (B, C, H, W)
        # Without the convolution nothing scales the branch, which carries x itself through its
        # residuals: adding x once more would double it block by block.
        return (y if self.conv is None else x + self.conv(y)), used

    def _can_be_chunked(self, x: Tensor) -> bool:
        """Whether nobody can tell that parts of x go through the layers one after the other."""
        return (self.conv is None or is_plain_convolution(self.conv)) and can_be_read(self, x)

    def _forward_in_chunks(
        self,
        x: Tensor,
        cut: Division,
        given: BlockMatches | None,
        matrix: bool,
        needed: Tensor | None,
        chunks: Chunks | None,
    ) -> tuple[Tensor, BlockMatches | None]:
        """The same where no gradient is needed: the N patches are never held at once.

        Matches first, since they compare all patches; then `chunks.patches` patches at a time go
        through attention, and whole rows of patches are added to the sum that `aggregate` makes.
        """
        chunks = chunks or default_chunks(x.device)
        if torch.is_autocast_enabled(_autocast_device(x)):
            x = x.float()  # residuals are summed in float32, so that matches hardly change
        features = x.permute(0, 2, 3, 1)  # (B, H, W, C)
        at_once = chunks.patches(self.patch_size, len(x))
        used = self._match_in_chunks(features, cut, given, matrix, chunks)

        def attended(numbers: Tensor) -> Tensor:
            """(M,) patch numbers to (B, M, P * P, C), `at_once` patches at a time."""
            done = []
            for part in numbers.split(at_once):
                matched = None if used is None else cut.gather(features, used.index[:, part])
                done.append(self._attend(cut.gather(features, part[None]), matched))
            return torch.cat(done, 1)

        numbers = torch.arange(cut.count, device=x.device)
        if needed is not None:
            total = cut.aggregate(_scatter(attended(needed), needed, cut))
        else:
            # The sum of all patches where they lie, (B, H, W, C), then times 1 / (their number).
            total = torch.zeros_like(features)
            for i, rows in enumerate(numbers.split(cut.per_row * chunks.rows)):
                cut.paste(total, attended(rows), i * chunks.rows)
            total *= cut.weight.to(x.dtype)
        y = total.permute(0, 3, 1, 2)  # (B, C, H, W)
        if self.conv is None:
            return y, used
        return add_convolution(y, self.conv, x, chunks.map_rows(x.shape[-1])), used

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

    def _match_in_chunks(
        self,
        features: Tensor,
        cut: Division,
        given: BlockMatches | None,
        matrix: bool,
        chunks: Chunks,
    ) -> BlockMatches | None:
        """The given matches, or those of (B, H, W, C) features without holding all patches."""
        if self.match_norm is None:
            return None
        if given is not None:
            _check_fit(given, cut, len(features))
            return given
        numbers = torch.arange(cut.count, device=features.device)[None]
        exact = torch.promote_types(features.dtype, torch.float32)
        with torch.autocast(_autocast_device(features), enabled=False):
            # Pool each patch, (B, M, P * P, C) -> (B, M, C): N tokens are small, N patches are not.
            pooled = [
                cut.gather(features, part).to(exact).mean(2)
                for part in numbers.split(chunks.patches(self.patch_size, len(features)), 1)
            ]
            tokens = self._tokens(torch.cat(pooled, 1))
            index, value = best_matches(tokens, chunks.similarity)
            kept = similarity(tokens) if matrix and cut.count > 1 else None
        return BlockMatches(cut.patch_size, cut.origins, index, value, kept)

    def _tokens(self, pooled: Tensor) -> Tensor:
        """L(X_i) of Eq. 8: (B, N, C) means of the patches' pixels, normalised, of the same type."""
        assert self.match_norm is not None
        weight = next(self.match_norm.parameters(), pooled)  # of a half-precision network: half
        tokens: Tensor = self.match_norm(pooled.to(weight.dtype)).to(pooled.dtype)
        return tokens

    def _match(
        self,
        patches: Tensor,
        cut: Division,
        given: BlockMatches | None,
        matrix: bool,
        seeds: Sequence[int] | None,
        needed: Tensor | None,
    ) -> tuple[Tensor | None, BlockMatches | None]:
        """The matched patches, differentiable, and the matches.

        In training the choice is drawn (`gumbel_matches`) and its gradient flows; otherwise it is
        the most similar patch, without a gradient.

        Returns:
            (B, M, P * P, C) for the M patches in ``needed``, or all N; and the matches of all N.
            None twice without GPA.
        """
        if self.match_norm is None:
            return None, None
        rows = slice(None) if needed is None else needed
        if given is not None:
            _check_fit(given, cut, len(patches))
            return take(patches, given.index[:, rows]), given
        # Matching stays in float32 under autocast: near-ties must not switch with the precision.
        with torch.autocast(_autocast_device(patches), enabled=False):
            exact = torch.promote_types(patches.dtype, torch.float32)
            tokens = self._tokens(patches.to(exact).mean(2))
            scores = None  # (B, N, N), held only where all pairs are asked for
            if cut.count > 1 and (self.training or matrix):
                scores = similarity(tokens)
            if self.training and scores is not None:
                index, soft = gumbel_matches(scores, seeds)
                matched = take_straight_through(patches, soft[:, rows], index[:, rows])
                value = scores.gather(-1, index[..., None])[..., 0]
            else:
                index, value = best_matches(tokens)
                matched = take(patches, index[:, rows])
        kept = scores.detach() if matrix and scores is not None else None
        return matched, BlockMatches(cut.patch_size, cut.origins, index, value.detach(), kept)


def _scatter(patches: Tensor, needed: Tensor, cut: Division) -> Tensor:
    """(B, M, P * P, C) to (B, N, P * P, C): the patches ``needed`` at their numbers, else zeros."""
    b, _, length, c = patches.shape
    return patches.new_zeros(b, cut.count, length, c).index_copy(1, needed, patches)


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
