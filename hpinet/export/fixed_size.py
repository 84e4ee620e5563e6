"""HPINet for images of one size, in operations that every runtime has.

The network's own code computes in chunks and writes in place, which exporters get wrong without a
word. Here a division is two tables of indices, and its aggregation
two products with matrices of zeros and ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hpinet.modeling.attention import FeedForward, PatchAttention
from hpinet.modeling.block import HPIBlock
from hpinet.modeling.hpinet import HPINet
from hpinet.modeling.patches import division, pad_to_patch

_NEVER = -1e9  # a similarity below all others: infinities are not every runtime's


class FixedSize(nn.Module):
    """An HPINet on images of one size.

    Args:
        model: The network, in evaluation mode.
        size: LR height and width in pixels.
    """

    def __init__(self, model: HPINet, size: tuple[int, int]) -> None:
        super().__init__()
        self.model = model
        least = max(model.config.patch_sizes)
        self.padded = (max(least, size[0]), max(least, size[1]))
        self.blocks = nn.ModuleList(_Block(one, self.padded) for one in _blocks(model))
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(1, 3, h, w) to the SR image (1, 3, sh, sw) and each block's matches (N,)."""
        height, width = (side * self.model.scale for side in x.shape[-2:])
        features = self.model.encoder(pad_to_patch(x, max(self.model.config.patch_sizes)))
        matches = []
        for block in self.blocks:
            features, found = block(features)
            matches += [] if found is None else [found]
        for step, upsampler in zip(self.model.steps, self.model.upsamplers, strict=True):
            features = F.leaky_relu(F.pixel_shuffle(upsampler(features), step), 0.1)
        base = F.interpolate(x, size=(height, width), mode="bilinear", align_corners=False)
        return (base + self.model.last(features)[..., :height, :width], *matches)


class _Block(nn.Module):
    """`hpinet.modeling.block.HPIBlock` on features of one size."""

    rows: Tensor
    columns: Tensor
    lower: Tensor
    right: Tensor
    weight: Tensor
    diagonal: Tensor

    def __init__(self, block: HPIBlock, size: tuple[int, int]) -> None:
        super().__init__()
        cut = division(*size, block.patch_size, block.overlap)
        self.block, self.count, self.side = block, cut.count, block.patch_size
        # The map's rows and columns that the rows and columns of patches consist of.
        steps = torch.arange(self.side)
        rows, columns = (one.unique()[:, None] + steps for one in cut.origins.T)
        self.down, self.across = len(rows), len(columns)
        self.register_buffer("rows", rows.flatten())
        self.register_buffer("columns", columns.flatten())
        # (H, R * P) and (W, S * P): which rows and columns of patches fall on one of the map.
        self.register_buffer("lower", F.one_hot(self.rows, size[0]).float().T.contiguous())
        self.register_buffer("right", F.one_hot(self.columns, size[1]).float().T.contiguous())
        self.register_buffer("weight", cut.weight)
        self.register_buffer("diagonal", _NEVER * torch.eye(cut.count))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """(1, C, H, W) to the same, and the matches (N,); None without Global Pixel Access."""
        p, channels = self.side, x.shape[1]
        cut = x[0].permute(1, 2, 0)[self.rows][:, self.columns]  # (R * P, S * P, C)
        patches = cut.reshape(self.down, p, self.across, p, channels).transpose(1, 2)
        patches = patches.reshape(self.count, p * p, channels)
        matched = index = None
        if self.block.match_norm is not None and self.count > 1:
            tokens = self.block.match_norm(patches.mean(1))  # (N, C)
            scores = (tokens * channels**-0.5) @ tokens.T + self.diagonal
            index = scores.argmax(-1)
            matched = patches[index]
        elif self.block.match_norm is not None:
            index, matched = torch.zeros_like(self.rows[:1]), patches
        for attention, after in zip(self.block.attentions, self.block.feed_forwards, strict=True):
            patches = _fed_forward(_attended(patches, matched, attention), after)
            matched = None
        joined = patches.reshape(self.down, self.across, p, p, channels).transpose(1, 2)
        joined = joined.reshape(self.down * p, self.across * p * channels)
        summed = (self.lower @ joined).reshape(-1, self.across * p, channels)  # (H, S * P, C)
        y = (torch.matmul(self.right, summed) * self.weight).permute(2, 0, 1)[None]
        return (y if self.block.conv is None else x + self.block.conv(y)), index


def _blocks(model: HPINet) -> list[HPIBlock]:
    return [block for block in model.blocks if isinstance(block, HPIBlock)]


def _attended(patches: Tensor, matched: Tensor | None, layer: nn.Module) -> Tensor:
    if not isinstance(layer, PatchAttention):
        found: Tensor = layer(patches[None], None if matched is None else matched[None])
        return found[0]
    z = layer.norm(patches)
    other = z if matched is None else matched
    query = layer.query(z) * layer.query.out_features**-0.5
    scores = torch.softmax(query @ layer.key(other).transpose(-1, -2), -1)
    attended: Tensor = patches + scores @ layer.value(other)
    return attended


def _fed_forward(patches: Tensor, layer: nn.Module) -> Tensor:
    assert isinstance(layer, FeedForward)
    hidden = F.gelu(layer.expand(layer.norm(patches)))
    found: Tensor = patches + layer.reduce(hidden)
    return found
