"""Attention among the pixels of patches (Eq. 6, 7, 9) and the feed-forward network after it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """SA of Eq. 7: query and key (B, N, L, d), value (B, N, L, C) to (B, N, L, C)."""
    scale = query.shape[-1] ** -0.5
    # The fused kernels want keys and values of one width: zeros change no score.
    pad = value.shape[-1] - query.shape[-1]
    if pad > 0:
        query, key = F.pad(query, (0, pad)), F.pad(key, (0, pad))
    return F.scaled_dot_product_attention(query, key, value, scale=scale)


class PatchAttention(nn.Module):
    """Pre-norm attention with residual: IPSA, or the cross-attention of GPA.

    The matched patch enters raw, only the patch itself is normalised: so was the released network
    trained. There is no projection after the attention.

    Args:
        dim: Channels C.
        qk_dim: Channels d of query and key.
    """

    def __init__(self, dim: int, qk_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, qk_dim, bias=False)
        self.key = nn.Linear(dim, qk_dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)

    def forward(self, patches: Tensor, other: Tensor | None = None) -> Tensor:
        """(B, N, L, C) patches, attending to ``other`` of the same shape or to themselves."""
        z = self.norm(patches)
        other = z if other is None else other
        return patches + attend(self.query(z), self.key(other), self.value(other))


class PatchDepthwise(nn.Module):
    """What stands in for a self-attention in the ablation "w/o IPSA": a depth-wise convolution.

    It sees one patch at a time, as the attention does.

    Args:
        dim: Channels C.
        kernel: Odd kernel size.
    """

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.conv = nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim)

    def forward(self, patches: Tensor, other: Tensor | None = None) -> Tensor:
        """(B, N, P * P, C) to the same shape. There is no other patch to attend to."""
        b, n, length, c = patches.shape
        side = round(length**0.5)
        z = self.norm(patches).reshape(b * n, side, side, c).permute(0, 3, 1, 2)
        return patches + self.conv(z).permute(0, 2, 3, 1).reshape(patches.shape)


class FeedForward(nn.Module):
    """Pre-norm feed-forward network with residual: two fully connected layers around one GELU."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, hidden)
        self.reduce = nn.Linear(hidden, dim)

    def forward(self, patches: Tensor) -> Tensor:
        """(..., C) to (..., C)."""
        return patches + self.reduce(F.gelu(self.expand(self.norm(patches))))
