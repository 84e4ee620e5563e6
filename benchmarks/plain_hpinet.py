"""HPINet a second time, plainly: the paper's formulas one after another, for checking and timing.

Patches are sliced one by one, attention is three matrix operations, and the random match of
training multiplies all patches by a matrix. `HPINet` must give the same numbers in less time and
memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hpinet.errors import UserError
from hpinet.modeling.hpinet import HPINet


class PlainHPINet(nn.Module):
    """The network of an `HPINet`, with that network's own parameters.

    Images must be at least one patch large.

    Raises:
        ValueError: If the network's self-attentions or its convolutions are ablated.
    """

    def __init__(self, model: HPINet) -> None:
        super().__init__()
        if model.config.ipsa != "attention" or not model.config.conv:
            raise UserError("plain formulas are written down for blocks with IPSA and convolution")
        self.model = model
        self.scale = model.scale

    def forward(self, x: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """(B, 3, H, W) to (B, 3, sH, sW), Eq. 1-3; seeds as in `HPINet.forward`."""
        features = self.model.encoder(x)
        for i, block in enumerate(self.model.blocks):
            noise = None if seeds is None else [seed + i for seed in seeds]
            features = _block(block, features, noise)
        for step, upsampler in zip(self.model.steps, self.model.upsamplers, strict=True):
            features = F.leaky_relu(F.pixel_shuffle(upsampler(features), step), 0.1)
        skip = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return skip + self.model.last(features)


def _block(block: Any, x: Tensor, seeds: Sequence[int] | None) -> Tensor:
    p, height, width = block.patch_size, x.shape[2], x.shape[3]
    places = [(u, v) for u in _starts(height, block) for v in _starts(width, block)]
    cut = [x[:, :, u : u + p, v : v + p].flatten(2).transpose(1, 2) for u, v in places]
    z = torch.stack(cut, 1)  # (B, N, P * P, C)
    other = _matched(block, z, seeds) if block.match_norm is not None else None
    for attention, feed_forward in zip(block.attentions, block.feed_forwards, strict=True):
        z = _feed_forward(feed_forward, _attention(attention, z, other))
        other = None
    total, count = torch.zeros_like(x), torch.zeros_like(x)
    for n, (u, v) in enumerate(places):
        total[:, :, u : u + p, v : v + p] += z[:, n].transpose(1, 2).unflatten(2, (p, p))
        count[:, :, u : u + p, v : v + p] += 1
    return x + block.conv(total / count)


def _starts(length: int, block: Any) -> list[int]:
    """Eq. 4-5, with the overlap of the released networks."""
    starts = range(0, length - block.overlap, block.patch_size - block.overlap)
    return sorted({min(start, length - block.patch_size) for start in starts})


def _matched(block: Any, z: Tensor, seeds: Sequence[int] | None) -> Tensor:
    """Eq. 8: the most similar other patch; in training a random one (Gumbel-softmax)."""
    b, n, _, c = z.shape
    if n == 1:
        return z
    with torch.autocast(z.device.type, enabled=False):
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        t = block.match_norm(z.mean(2))
        similarity = t @ t.transpose(1, 2) * c**-0.5
        itself = torch.eye(n, dtype=torch.bool, device=z.device)
        similarity = similarity.masked_fill(itself, -torch.inf)
        choice = similarity
        if block.training:
            choice = torch.softmax(similarity - _exponential(b, n, seeds).to(z).log(), -1)
        hard = F.one_hot(choice.argmax(-1), n).to(z.dtype)
        if block.training:
            hard = hard - choice.detach() + choice
        return (hard @ z.flatten(2)).view_as(z)


def _exponential(b: int, n: int, seeds: Sequence[int] | None) -> Tensor:
    if seeds is None:
        return torch.empty(b, n, n).exponential_()
    draw = [torch.Generator().manual_seed(seed) for seed in seeds]
    return torch.stack([torch.empty(n, n).exponential_(generator=g) for g in draw])


def _attention(layer: Any, z: Tensor, other: Tensor | None) -> Tensor:
    """Eq. 6, 7 and 9."""
    normed = layer.norm(z)
    other = normed if other is None else other
    query, key, value = layer.query(normed), layer.key(other), layer.value(other)
    weight = torch.softmax(query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5, -1)
    return z + weight @ value


def _feed_forward(layer: Any, z: Tensor) -> Tensor:
    return z + layer.reduce(F.gelu(layer.expand(layer.norm(z))))
