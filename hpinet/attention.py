"""Attention among the pixels of patches (Eq. 6, 7, 9) and the feed-forward network after it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def attend(query: Tensor, key: Tensor, value: Tensor, fused: bool | None = None) -> Tensor:
    """Softmax attention, SA of Eq. 7, by whichever implementation is faster here.

    Args:
        query: (..., L, d).
        key: (..., L, d).
        value: (..., L, C).
        fused: Whether to compute it in one fused kernel; None for the faster of the two.

    Returns:
        (..., L, C).
    """
    scale = query.shape[-1] ** -0.5
    if not (_fused_pays(query, value) if fused is None else fused):
        return torch.softmax((query * scale) @ key.transpose(-1, -2), -1) @ value
    # The fused kernels want keys and values of one width: zeros change no score.
    pad = value.shape[-1] - query.shape[-1]
    if pad > 0:
        query, key = F.pad(query, (0, pad)), F.pad(key, (0, pad))
    return F.scaled_dot_product_attention(query, key, value, scale=scale)


def _fused_pays(query: Tensor, value: Tensor) -> bool:
    """Whether fused attention is the faster one, as measured at this network's patch sizes.

    On CPUs in half precision the plain matrix products win by 3 to 6 times; where gradients are
    needed, small patches lose more to the second computation of their scores than they save.
    """
    if query.device.type != "cpu":
        return True
    if query.dtype in (torch.bfloat16, torch.float16):
        return False
    gradients = torch.is_grad_enabled() and (query.requires_grad or value.requires_grad)
    return not gradients or query.shape[-2] >= 256


def attend_in_place(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Softmax attention where no gradient is needed, for few patches at a time.

    On CPUs two batched products with the softmax between them, written over the scores, beat the
    fused kernel as long as the scores stay in the cache: that is what the caller's chunks are for.

    Args:
        query: (B, N, L, d), already scaled by ``d ** -0.5``.
        key: (B, N, L, d).
        value: (B, N, L, C).

    Returns:
        (B, N, L, C).
    """
    if query.device.type != "cpu":
        pad = value.shape[-1] - query.shape[-1]
        if pad > 0:
            query, key = F.pad(query, (0, pad)), F.pad(key, (0, pad))
        return F.scaled_dot_product_attention(query, key, value, scale=1.0)
    b, n, length, c = value.shape
    flat = [x.reshape(b * n, length, -1) for x in (query, key, value)]
    scores = torch.bmm(flat[0], flat[1].transpose(1, 2))
    torch.softmax(scores, -1, out=scores)
    return torch.bmm(scores, flat[2]).view(b, n, length, c)


def gradients_wanted(*tensors: Tensor) -> bool:
    """Whether anything computed from these tensors is to be differentiated."""
    return torch.is_grad_enabled() and any(t.requires_grad for t in tensors)


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
        if gradients_wanted(patches, *self.parameters()):
            other = z if other is None else other.to(z.dtype)
            return patches + attend(self.query(z), self.key(other), self.value(other))
        query, key, value = self.query.weight, self.key.weight, self.value.weight
        # One product for what shares its input; the softmax's scale goes into the weights.
        widths = [len(query), len(key), len(value)]
        query = query * len(query) ** -0.5
        if other is None:
            parts = F.linear(z, torch.cat([query, key, value])).split(widths, -1)
        else:
            pair = F.linear(other.to(z.dtype), torch.cat([key, value])).split(widths[1:], -1)
            parts = (F.linear(z, query), *pair)
        return patches + attend_in_place(*parts)


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
        """(B, N, P * P, C) to the same shape. There is no other patch to look at."""
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
