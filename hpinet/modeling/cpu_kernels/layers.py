"""The layers of `modeling.attention` for CPUs: some patches at a time, little kept but the input.

On CPUs memory is slow and multiply-adds are cheap. Scores and hidden channels of a few patches stay
in the processor's cache; a backward pass computes them again instead of fetching them from memory,
except where a layer is trained on few pixels (`pays`). Results and gradients are those of
the plain formulas.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hpinet.modeling.direct_access import can_be_read

from .attention import AttentionKernel
from .chunks import sizes
from .feed_forward import FeedForwardKernel


def attention(x: Tensor, other: Tensor | None, layer: Any) -> Tensor:
    """What a `PatchAttention` makes of (B, N, L, C) patches, of ``other`` or of themselves."""
    flat = x.flatten(0, 1)
    return AttentionKernel.apply(
        flat,
        None if other is None else other.to(x.dtype).reshape(flat.shape),
        *_normalised_by(layer.norm),
        layer.query.weight,
        layer.key.weight,
        layer.value.weight,
        _precision(x),
    ).view(x.shape)


def feed_forward(x: Tensor, layer: Any) -> Tensor:
    """What a `FeedForward` makes of (..., C)."""
    return FeedForwardKernel.apply(
        x.flatten(0, -2),
        *_normalised_by(layer.norm),
        *_linear(layer.expand),
        *_linear(layer.reduce),
        _precision(x),
    ).view(x.shape)


def pays(x: Tensor, layer: nn.Module) -> bool:
    """Whether a layer goes through (B, N, L, C) patches in chunks, and not plainly.

    A layer that is not as `modeling.attention` made it never does (`direct_access`). Plainly, about
    L + 8 C numbers a pixel are kept for the backward pass. Where a trained layer has few pixels,
    that takes less time than to compute them again, as measured on S with six crops of 38x38; eight
    of M of 48x48 are too many. An attribution trains nothing: it keeps inputs only, for as many
    steps as fit at once.
    """
    if x.device.type != "cpu" or not _is_known(layer, x) or not can_be_read(layer, x):
        return False
    trained = torch.is_grad_enabled() and any(p.requires_grad for p in layer.parameters())
    length, channels = x.shape[-2:]
    return not trained or x.numel() // channels * (length + 8 * channels) >= sizes.few


def _is_known(layer: Any, x: Tensor) -> bool:
    """Whether a layer has the parts that the kernels below read, in types that they compute in."""
    attends = hasattr(layer, "query")
    linear = [layer.query, layer.key, layer.value] if attends else [layer.expand, layer.reduce]
    if type(layer.norm) is not nn.LayerNorm or layer.norm.bias is None:
        return False
    if any(type(part) is not nn.Linear or (part.bias is None) != attends for part in linear):
        return False
    types = {p.dtype for p in layer.parameters()}
    if not torch.is_autocast_enabled(x.device.type):
        types.add(x.dtype)
    return types in ({torch.float32}, {torch.float64})


def _normalised_by(norm: nn.LayerNorm) -> tuple[Tensor, Tensor, float]:
    return norm.weight, norm.bias, norm.eps


def _linear(layer: nn.Linear) -> tuple[Tensor, Tensor]:
    return layer.weight, layer.bias


def _precision(x: Tensor) -> torch.dtype:
    """The type that products are computed in: autocast's, or the tensor's own."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
