"""HPINet (Fig. 3): encoder, hierarchical pixel integration blocks, decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, overload

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import FeedForward, PatchAttention, PatchDepthwise
from .config import HPINetConfig
from .matching import (
    BlockMatches,
    Matches,
    best_matches,
    gumbel_matches,
    own_matches,
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
    ) -> tuple[Tensor, BlockMatches | None]:
        """One block.

        Args:
            x: (B, C, H, W) features.
            given: Matches to use instead of this block's own choice.
            matrix: Whether to keep the whole similarity matrix.
            seeds: One seed a picture for the random matches of training.

        Returns:
            (B, C, H, W) features, and the matches used (None without GPA).
        """
        cut = division(*x.shape[-2:], self.patch_size, self.overlap, x.device)
        patches = cut.divide(x.permute(0, 2, 3, 1))
        other, used = self._matched(patches, cut, given, matrix, seeds)
        for attention, feed_forward in zip(self.attentions, self.feed_forwards, strict=True):
            patches = feed_forward(attention(patches, other))
            other = None  # only the first attention looks elsewhere
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
    ) -> tuple[Tensor | None, BlockMatches | None]:
        if self.match_norm is None:
            return None, None
        if given is not None:
            _check_fit(given, cut, len(patches))
            return take(patches, given.index), given
        # Matching stays in float32 under autocast: near-ties must not switch with the precision.
        with torch.autocast(patches.device.type, enabled=False):
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
                other = take(patches, index)
        kept = scores.detach() if matrix and scores is not None else None
        return other, BlockMatches(cut.patch_size, cut.origins, index, value.detach(), kept)


class HPINet(nn.Module):
    """Hierarchical Pixel Integration Network.

    Args:
        config: Which network; the paper's M for x4 by default.

    Attributes:
        config: The configuration.
        scale: Up-scaling factor.
    """

    def __init__(self, config: HPINetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or HPINetConfig()
        self.scale = config.scale
        self.encoder = nn.Conv2d(3, config.dim, 3, padding=1)
        self.blocks = nn.ModuleList(HPIBlock(config, p) for p in config.patch_sizes)
        # x4 goes up in two steps of 2, as the released network does.
        steps = (2, 2) if config.scale == 4 else (config.scale,)
        self.steps = steps
        self.upsamplers = nn.ModuleList(
            nn.Conv2d(config.dim, config.dim * s * s, 3, padding=1) for s in steps
        )
        self.last = nn.Conv2d(config.dim, 3, 3, padding=1)

    @overload
    def forward(
        self,
        x: Tensor,
        matches: Matches | None = ...,
        return_matches: Literal[False] = ...,
        similarity_matrix: bool = ...,
        seeds: Sequence[int] | None = ...,
    ) -> Tensor: ...

    @overload
    def forward(
        self,
        x: Tensor,
        matches: Matches | None = ...,
        *,
        return_matches: Literal[True],
        similarity_matrix: bool = ...,
        seeds: Sequence[int] | None = ...,
    ) -> tuple[Tensor, Matches]: ...

    def forward(
        self,
        x: Tensor,
        matches: Matches | None = None,
        return_matches: bool = False,
        similarity_matrix: bool = False,
        seeds: Sequence[int] | None = None,
    ) -> Tensor | tuple[Tensor, Matches]:
        """Super-resolve (Eq. 1-3).

        Args:
            x: (B, 3, H, W) RGB in [0, 1], any size from 1x1 up.
            matches: Matches to use, as an earlier call returned them, whole or changed; a block
                whose entry is None decides for itself. A batch of one serves every picture.
            return_matches: Also return the matches that were used.
            similarity_matrix: Keep each block's N x N similarities in what is returned.
            seeds: One seed a picture for the random matches of training, so that they do not
                depend on how a batch is split over devices; the global generator by default.

        Returns:
            (B, 3, sH, sW) RGB, not clamped; with ``return_matches`` also the `Matches`.

        Raises:
            ValueError: If the picture's shape or the matches do not fit.
        """
        if x.ndim != 4 or x.shape[1] != 3 or 0 in x.shape:
            raise ValueError(
                f"expected pictures of shape (B, 3, H, W) with at least one pixel, "
                f"got {tuple(x.shape)}"
            )
        height, width = x.shape[-2:]
        padded = pad_to_patch(x, max(self.config.patch_sizes))
        features, used = self._features(padded, matches, similarity_matrix, seeds)
        residual = self._decode(features)[..., : height * self.scale, : width * self.scale]
        base = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        sr = base + residual
        return (sr, used) if return_matches else sr

    def _features(
        self,
        x: Tensor,
        matches: Matches | None,
        similarity_matrix: bool,
        seeds: Sequence[int] | None,
    ) -> tuple[Tensor, Matches]:
        size = (x.shape[-2], x.shape[-1])
        given = self._given(matches, size)
        features = self.encoder(x.contiguous(memory_format=torch.channels_last))
        used = []
        for i, (block, block_matches) in enumerate(zip(self.blocks, given, strict=True)):
            noise = None if seeds is None else [seed + i for seed in seeds]
            features, found = block(features, block_matches, similarity_matrix, noise)
            used.append(found)
        return features, Matches(tuple(used) if self.config.gpa else (), size)

    def _given(self, matches: Matches | None, size: tuple[int, int]) -> tuple:
        if matches is None or not self.config.gpa:
            if matches is not None and matches.blocks:
                raise ValueError("this network has no Global Pixel Access, so it takes no matches")
            return (None,) * len(self.blocks)
        if len(matches.blocks) != len(self.blocks) or matches.size != size:
            raise ValueError(
                f"matches of {len(matches.blocks)} blocks on {matches.size} pixels do not fit "
                f"{len(self.blocks)} blocks on {size}: "
                f"take them from a forward pass of this network on a picture of this size"
            )
        return matches.blocks

    def _decode(self, features: Tensor) -> Tensor:
        for step, upsampler in zip(self.steps, self.upsamplers, strict=True):
            features = F.leaky_relu(F.pixel_shuffle(upsampler(features), step), 0.1)
        return self.last(features)


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


def _check_fit(given: BlockMatches, cut: Division, batch: int) -> None:
    shape = tuple(given.index.shape)
    if given.patch_size != cut.patch_size or shape[-1] != cut.count or shape[0] not in (1, batch):
        raise ValueError(
            f"matches of shape {shape} for patches of {given.patch_size} do not fit "
            f"{batch} pictures of {cut.count} patches of {cut.patch_size}"
        )


class OwnPatches(nn.Module):
    """A network trained with Global Pixel Access, run with it off: every patch is its own match.

    The weights stay as they are. Not the same as a network trained without: that one never learnt
    to expect a raw second patch.

    Args:
        model: The network, with ``config.gpa``.
    """

    def __init__(self, model: HPINet) -> None:
        super().__init__()
        self.model = model
        self.config = model.config
        self.scale = model.scale
        self.training = model.training  # a wrapper must not wake a network in evaluation mode

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 3, sH, sW)."""
        return self.model(x, matches=own_matches(self.config, *x.shape[-2:]))
