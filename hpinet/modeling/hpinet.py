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

from .attention import gradients_wanted
from .block import HPIBlock
from .decoder import add_residual
from .matching import BlockMatches, Matches, own_matches
from .memory import Chunks, default_chunks, fitting_chunks
from .patches import division, pad_to_patch
from .region import Box, decoder_box, needed_patches


@dataclass(frozen=True, eq=False)
class Trace:
    """A forward pass that can be taken up again at any block (`HPINet.resume`).

    Attributes:
        picture: (B, 3, H, W), what went in.
        inputs: What went into each block, (B, C, H', W') each, H' and W' at least a patch.
        matches: The matches used.
        sr: (B, 3, sH, sW), what came out.
    """

    picture: Tensor
    inputs: tuple[Tensor, ...]
    matches: Matches
    sr: Tensor


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
        region: tuple[int, int, int, int] | None = ...,
        checkpoint: bool = ...,
        memory: int | None = ...,
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
        memory: int | None = ...,
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
        memory: int | None = None,
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
            region: (top, left, height, width) in SR pixels: compute only this part, and in the
                last blocks only the patches that reach it.
            checkpoint: Keep only what goes into each block for a backward pass and compute the
                rest again there: a third more time, a fraction of the memory.
            memory: Bytes that a pass without gradients may use beside the weights, by computing
                less at once; the result does not change. What is fast by default.

        Returns:
            (B, 3, sH, sW) RGB, not clamped, or the region of it; with ``return_matches`` also the
            `Matches`.

        Raises:
            ValueError: If the picture's shape, the matches or the region do not fit, or a pass does
                not fit into the memory.
        """
        chunks = None if memory is None else self._chunks(x, memory)
        features = self._encode(x)
        given = self._given(matches, (features.shape[-2], features.shape[-1]))
        part = None if region is None else Box(*region)
        needed = self._needed(features, given, part, x.shape[-2:])
        used = []
        for i, block in enumerate(self.blocks):
            noise = None if seeds is None else [seed + i for seed in seeds]
            options = (given[i], similarity_matrix, noise, needed[i], chunks)
            if checkpoint and torch.is_grad_enabled():
                features, found = recomputed(block, features, *options, use_reentrant=False)
            else:
                features, found = block(features, *options)
            used.append(found)
        sr = self._decode(features, x, part, chunks)
        return (sr, self._matches(used, features)) if return_matches else sr

    @torch.no_grad()
    def trace(
        self, x: Tensor, matches: Matches | None = None, similarity_matrix: bool = False
    ) -> Trace:
        """A forward pass that remembers what went into each block.

        Args:
            x: (B, 3, H, W) RGB in [0, 1].
            matches: As in `forward`.
            similarity_matrix: As in `forward`.

        Raises:
            ValueError: If the picture's shape or the matches do not fit.
        """
        return self._go_on(x, (self._encode(x),), (), matches, similarity_matrix)

    @torch.no_grad()
    def resume(
        self,
        trace: Trace,
        block: int,
        matches: Matches | None = None,
        similarity_matrix: bool = False,
    ) -> Trace:
        """Run a pass again from a block on; what lies before stays as it was.

        Args:
            trace: What `trace` or an earlier `resume` of this network returned.
            block: The first block to compute anew, from 0; the number of blocks decodes only.
            matches: Matches for the blocks from there on (entries before are not looked at); None,
                or an entry of None, lets the network decide.
            similarity_matrix: As in `forward`.

        Raises:
            ValueError: If there is no such block or the matches do not fit.
        """
        if not 0 <= block <= len(self.blocks):
            raise ValueError(
                f"there is no block {block} to resume at: numbers run from 0 to {len(self.blocks)}"
            )
        if block == len(self.blocks):
            return trace
        known = trace.matches.blocks[:block]
        return self._go_on(
            trace.picture, trace.inputs[: block + 1], known, matches, similarity_matrix
        )

    def _go_on(
        self,
        x: Tensor,
        inputs: tuple[Tensor, ...],
        known: Sequence[BlockMatches | None],
        matches: Matches | None,
        similarity_matrix: bool,
    ) -> Trace:
        """Compute from the block that the last of ``inputs`` goes into."""
        features, used, seen = inputs[-1], list(known), list(inputs)
        given = self._given(matches, (features.shape[-2], features.shape[-1]))
        for block, block_matches in list(zip(self.blocks, given, strict=True))[len(inputs) - 1 :]:
            features, found = block(features, block_matches, similarity_matrix)
            used.append(found)
            seen.append(features)
        sr = self._decode(features, x, None)
        return Trace(x, tuple(seen[:-1]), self._matches(used, features), sr)

    def _chunks(self, x: Tensor, memory: int) -> Chunks:
        size = (x.shape[-2], x.shape[-1])
        return fitting_chunks(self.config, len(x), size, memory, x.device, x.element_size())

    def _encode(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != 3 or 0 in x.shape:
            raise ValueError(
                f"expected pictures of shape (B, 3, H, W) with at least one pixel, "
                f"got {tuple(x.shape)}"
            )
        padded = pad_to_patch(x, max(self.config.patch_sizes))
        features: Tensor = self.encoder(padded.contiguous(memory_format=torch.channels_last))
        return features

    def _matches(self, used: Sequence[BlockMatches | None], features: Tensor) -> Matches:
        size = (features.shape[-2], features.shape[-1])
        return Matches(tuple(used) if self.config.gpa else (), size)

    def _needed(
        self, features: Tensor, given: tuple, region: Box | None, size: Sequence[int]
    ) -> list[Tensor | None]:
        """The patches that each block has to compute, None for all."""
        if region is None:
            return [None] * len(self.blocks)
        region.check_inside(size[0] * self.scale, size[1] * self.scale)
        high, wide = features.shape[-2:]
        overlap, device = self.config.overlap, features.device
        cuts = [division(high, wide, p, overlap, device) for p in self.config.patch_sizes]
        indices = [None if b is None else b.index for b in given]
        if not self.config.gpa:  # nothing is looked at but the patch itself
            indices = [torch.arange(cut.count, device=device)[None] for cut in cuts]
        box = decoder_box(region, self.scale, high, wide)
        return needed_patches(box, cuts, indices, self.config.conv)

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

    def _decode(
        self, features: Tensor, x: Tensor, region: Box | None, chunks: Chunks | None = None
    ) -> Tensor:
        """The SR picture (Eq. 3), or a region of it, from the last block's features."""
        height, width = (side * self.scale for side in x.shape[-2:])
        base = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        if region is None:
            if gradients_wanted(features, x, *self.parameters()):
                return base + self._upsample(features)[..., :height, :width]
            rows = (chunks or default_chunks(x.device)).decoder_rows
            add_residual(base, features, self.upsamplers, self.steps, self.last, rows)
            return base
        # What the crop lacks at its border spoils less than the halo that is cut off again.
        box = decoder_box(region, self.scale, *features.shape[-2:])
        residual = self._upsample(box.crop(features))
        inside = region.moved(box.top * self.scale, box.left * self.scale)
        return region.crop(base) + inside.crop(residual)

    def _upsample(self, features: Tensor) -> Tensor:
        for step, upsampler in zip(self.steps, self.upsamplers, strict=True):
            features = F.leaky_relu(F.pixel_shuffle(upsampler(features), step), 0.1)
        residual: Tensor = self.last(features)
        return residual


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

    @property
    def blocks(self) -> nn.ModuleList:
        """The network's blocks."""
        return self.model.blocks

    def forward(
        self,
        x: Tensor,
        region: tuple[int, int, int, int] | None = None,
        checkpoint: bool = False,
        memory: int | None = None,
    ) -> Tensor:
        """(B, 3, H, W) to (B, 3, sH, sW), or a region of it; see `HPINet.forward`."""
        own = own_matches(self.config, *x.shape[-2:])
        return self.model(x, matches=own, region=region, checkpoint=checkpoint, memory=memory)
