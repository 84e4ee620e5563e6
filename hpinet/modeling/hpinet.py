"""HPINet (Fig. 3): encoder, hierarchical pixel integration blocks, decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, overload

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recomputed

from hpinet.config import HPINetConfig
from hpinet.errors import UserError

from .block import HPIBlock
from .matches import BlockMatches, Matches
from .patches import pad_to_patch
from .region import Box, decoder_box, patches_of_region

BAND = 3 << 20
"""Numbers of a map with C channels at SR resolution that are decoded at once."""


@dataclass(frozen=True, eq=False)
class Trace:
    """A forward pass that `HPINet.resume` can continue from any block.

    Attributes:
        lr: (B, 3, H, W) RGB in [0, 1], the input.
        inputs: The input of each block, (B, C, H', W') each, H' and W' at least the largest patch.
        matches: The matches used.
        sr: (B, 3, sH, sW) RGB, not clamped, the output.
    """

    lr: Tensor
    inputs: tuple[Tensor, ...]
    matches: Matches
    sr: Tensor


class HPINet(nn.Module):
    """Hierarchical Pixel Integration Network.

    Args:
        config: Which network; the paper's M for x4 by default.

    Attributes:
        config: The configuration.
        scale: s, SR pixels per LR pixel.
        steps: The factor of each pixel shuffle; their product is the scale.
    """

    def __init__(self, config: HPINetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or HPINetConfig()
        self.scale = config.scale
        self.encoder = nn.Conv2d(3, config.dim, 3, padding=1)
        self.blocks = nn.ModuleList(HPIBlock(config, p) for p in config.patch_sizes)
        # x4 goes up in two steps of 2, as the released network does.
        self.steps = (2, 2) if config.scale == 4 else (config.scale,)
        self.upsamplers = nn.ModuleList(
            nn.Conv2d(config.dim, config.dim * s * s, 3, padding=1) for s in self.steps
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
        region: tuple[int, int, int, int] | None = ...,
        checkpoint: bool = ...,
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
        region: tuple[int, int, int, int] | None = ...,
        checkpoint: bool = ...,
    ) -> tuple[Tensor, Matches]: ...

    def forward(
        self,
        x: Tensor,
        matches: Matches | None = None,
        return_matches: bool = False,
        similarity_matrix: bool = False,
        seeds: Sequence[int] | None = None,
        region: tuple[int, int, int, int] | None = None,
        checkpoint: bool = False,
    ) -> Tensor | tuple[Tensor, Matches]:
        """Super-resolve (Eq. 1-3).

        Args:
            x: (B, 3, H, W) RGB in [0, 1], any size from 1x1 up.
            matches: Matches to use, as an earlier call returned them, whole or changed; a block
                whose entry is None decides for itself. A batch of one serves every image.
            return_matches: Also return the matches that were used.
            similarity_matrix: Keep each block's N x N similarities in what is returned.
            seeds: One seed an image for the random matches of training, so that they do not
                depend on how a batch is split over devices; the global generator by default.
            region: (top, left, height, width) in SR pixels: compute only this part, and in the
                last blocks only the patches that reach it.
            checkpoint: Keep only what goes into each block for a backward pass and compute the
                rest again there: a third more time, a fraction of the memory.

        Returns:
            (B, 3, sH, sW) RGB, not clamped, or the region of it; with ``return_matches`` also the
            `Matches`.

        Raises:
            ValueError: If the image's shape, the matches or the region do not fit.
        """
        features = self._encode(x)  # (B, C, H', W'), x_0 of Eq. 1
        given = self._given(matches, features)
        part = None if region is None else Box(*region)
        needed: list[Tensor | None] = [None] * len(self.blocks)
        if part is not None:
            part.check_inside(x.shape[-2] * self.scale, x.shape[-1] * self.scale)
            needed = patches_of_region(part, self.config, given, _size(features), x.device)
        used = []
        for i, block in enumerate(self.blocks):  # Eq. 2: x_{i-1} to x_i, all (B, C, H', W')
            # Blocks differ in their draws; an image's do not depend on the rest of the batch.
            noise = None if seeds is None else [seed + i for seed in seeds]
            options = (given[i], similarity_matrix, noise, needed[i])
            if checkpoint and torch.is_grad_enabled():  # keep x_{i-1} only, compute again backward
                features, found = recomputed(block, features, *options, use_reentrant=False)
            else:
                features, found = block(features, *options)
            used.append(found)
        sr = self._decode(features, x, part)
        return (sr, self._matches(used, features)) if return_matches else sr

    @torch.no_grad()
    def trace(
        self, x: Tensor, matches: Matches | None = None, similarity_matrix: bool = False
    ) -> Trace:
        """A forward pass that keeps the input of each block, without gradients.

        Args:
            x: (B, 3, H, W) RGB in [0, 1].
            matches: As in `forward`.
            similarity_matrix: As in `forward`.

        Returns:
            The pass; its ``sr`` is what `forward` returns.

        Raises:
            ValueError: If the image's shape or the matches do not fit.
        """
        return self._continue(x, (self._encode(x),), (), matches, similarity_matrix)

    @torch.no_grad()
    def resume(
        self,
        trace: Trace,
        block: int,
        matches: Matches | None = None,
        similarity_matrix: bool = False,
    ) -> Trace:
        """Run a pass again from a block on, without gradients; the blocks before are not computed.

        Args:
            trace: What `trace` or an earlier `resume` of this network returned.
            block: The first block to compute anew, from 0. The number of blocks computes nothing
                and returns the trace.
            matches: Matches for the blocks from there on (entries before are ignored); None, or an
                entry of None, lets the network decide.
            similarity_matrix: As in `forward`.

        Returns:
            The changed pass.

        Raises:
            ValueError: If there is no such block or the matches do not fit.
        """
        if not 0 <= block <= len(self.blocks):
            raise UserError(
                f"there is no block {block} to resume at: numbers run from 0 to {len(self.blocks)}"
            )
        if block == len(self.blocks):
            return trace
        known = trace.matches.blocks[:block]
        inputs = trace.inputs[: block + 1]
        return self._continue(trace.lr, inputs, known, matches, similarity_matrix)

    def _continue(
        self,
        lr: Tensor,
        inputs: tuple[Tensor, ...],
        known: Sequence[BlockMatches | None],
        matches: Matches | None,
        similarity_matrix: bool,
    ) -> Trace:
        """Compute from the block whose input is the last of ``inputs``.

        Args:
            lr: (B, 3, H, W).
            inputs: The inputs of blocks 0 to i, (B, C, H', W') each.
            known: The matches of blocks 0 to i - 1.
            matches: As in `resume`.
            similarity_matrix: As in `forward`.
        """
        features, used, seen = inputs[-1], list(known), list(inputs)
        first = len(inputs) - 1
        given = self._given(matches, features)[first:]
        for block, block_matches in zip(self.blocks[first:], given, strict=True):
            features, found = block(features, block_matches, similarity_matrix)
            used.append(found)
            seen.append(features)  # the input of the block after; the last goes to the decoder
        sr = self._decode(features, lr, None)
        return Trace(lr, tuple(seen[:-1]), self._matches(used, features), sr)

    def _encode(self, x: Tensor) -> Tensor:
        """Eq. 1: (B, 3, H, W) to (B, C, H', W'), padded to at least the largest patch."""
        if x.ndim != 4 or x.shape[1] != 3 or 0 in x.shape:
            raise UserError(
                f"expected images of shape (B, 3, H, W) with at least one pixel, "
                f"got {tuple(x.shape)}"
            )
        features = self.encoder(pad_to_patch(x, max(self.config.patch_sizes)))
        # Pixel after pixel in memory, as patches are gathered: then no block copies its input.
        features = features.permute(0, 2, 3, 1).contiguous()
        return features.permute(0, 3, 1, 2)

    def _matches(self, used: Sequence[BlockMatches | None], features: Tensor) -> Matches:
        return Matches(tuple(used) if self.config.gpa else (), _size(features))

    def _given(self, matches: Matches | None, features: Tensor) -> tuple[BlockMatches | None, ...]:
        """What each block is given: matches, or None where it decides for itself."""
        if matches is None:
            return (None,) * len(self.blocks)
        return matches.for_network(self.config, _size(features))

    def _decode(self, features: Tensor, x: Tensor, region: Box | None) -> Tensor:
        """Eq. 3: I_SR = up(I_LR) + f_Decoder(x_K), or a region of it.

        Args:
            features: (B, C, H', W'), the output x_K of the last block.
            x: (B, 3, H, W), I_LR. Up-sampling is bilinear, as in the released network.
            region: In SR pixels; None for the whole image.
        """
        base = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        height, width = _size(base)
        # Bands of rows: the C-channel maps at SR resolution are by far the largest of a pass.
        band = max(1, BAND // (len(x) * width * self.config.dim))
        bands = (
            [region]
            if region
            else [Box(top, 0, min(band, height - top), width) for top in range(0, height, band)]
        )
        return torch.cat([one.crop(base) + self._residual(features, one) for one in bands], -2)

    def _residual(self, features: Tensor, region: Box) -> Tensor:
        """f_Decoder of Eq. 3 for a region in SR pixels: (B, C, H', W') to (B, 3, height, width).

        At each resolution the pixels under the region are computed, and those around them that the
        convolutions read (`decoder_box`). At a border of the box that is not one of the image they
        read zeros instead; what that changes is cut off.
        """
        left, size = self.scale, _size(features)
        box = decoder_box(region, left, *size)
        x = box.crop(features)
        for step, upsampler in zip(self.steps, self.upsamplers, strict=True):
            x = F.leaky_relu(F.pixel_shuffle(upsampler(x), step), 0.1, inplace=True)
            left, size = left // step, (size[0] * step, size[1] * step)
            inner = decoder_box(region, left, *size)
            x = inner.moved(box.top * step, box.left * step).crop(x)
            box = inner
        return region.moved(box.top, box.left).crop(self.last(x))


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[-2], x.shape[-1]
