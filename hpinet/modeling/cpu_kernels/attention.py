"""Attention with its own backward pass: scores (L, L) of a few patches at a time, never of all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .chunks import patches_at_once, slices
from .gradients import NormGradient, differentiable


class AttentionKernel(torch.autograd.Function):
    """`PatchAttention` (Eq. 6, 7, 9): ``x + softmax(q(z) k(other)^T / sqrt(d)) v(other)``.

    There z is the normalised x. Takes x (P, L, C), other (P, L, C) or None for z itself, the norm's
    weight, bias and epsilon, the weights of query (d, C), key (d, C) and value (C, C), and the type
    to multiply in.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        other: Tensor | None,
        gain: Tensor,
        shift: Tensor,
        eps: float,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        dtype: torch.dtype,
    ) -> Tensor:
        """The output (P, L, C)."""
        ctx.save_for_backward(x, other, gain, shift, query, key, value)
        ctx.eps, ctx.dtype = eps, dtype
        joint = _joint(query, key, value, dtype)
        out, length = torch.empty_like(x), x.shape[1]
        parts = slices(len(x), patches_at_once(length))
        room = x.new_empty(parts[0].stop, length, length, dtype=dtype)
        with torch.autocast(x.device.type, enabled=False):
            z = F.layer_norm(x, x.shape[-1:], gain, shift, eps).to(dtype)
            q, k, v = _projected(z, other, joint, len(query))
            for some in parts:
                scores = room[: some.stop - some.start]
                torch.bmm(q[some], k[some].transpose(1, 2), out=scores)
                torch.softmax(scores, -1, out=scores)
                if dtype == x.dtype:
                    torch.baddbmm(x[some], scores, v[some], out=out[some])
                else:
                    torch.add(x[some], torch.bmm(scores, v[some]), out=out[some])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        """The gradient of each argument of `forward`."""
        x, other, gain, shift, query, key, value = ctx.saved_tensors
        dtype, d = ctx.dtype, len(query)
        if torch.is_grad_enabled():  # a gradient of this gradient is wanted
            plain = partial(_plain_attention, eps=ctx.eps, dtype=dtype)
            to_inputs = differentiable(plain, ctx.saved_tensors, grads[0])
            return (*to_inputs[:4], None, *to_inputs[4:], None)
        joint = _joint(query, key, value, dtype)
        norm = NormGradient(gain, shift, ctx.eps, any(ctx.needs_input_grad[2:4]))
        z, statistics = norm.forward(x)
        # What the rows of `joint` are multiplied by: all by z, or the query's alone.
        sources = [(slice(None), z.to(dtype))]
        if other is not None:
            sources = [(slice(d), z.to(dtype)), (slice(d, None), other.to(dtype))]
        projected = [_channels_first(joint[rows], source) for rows, source in sources]
        to_projected = _attention_gradient(
            torch.cat(projected, 1).split([d, d, len(value)], 1), grads[0].to(dtype)
        )
        to_sources, to_joint = [], []
        for rows, source in sources:
            part = to_projected[:, rows]
            shared = joint[rows].expand(len(x), -1, -1)
            to_sources.append(torch.bmm(part.transpose(1, 2), shared))
            if any(ctx.needs_input_grad[5:8]):
                to_joint.append(torch.bmm(part, source).sum(0, dtype=query.dtype))
        to_x = norm.backward(to_sources[0], x, statistics).add_(grads[0])
        to_other = None if other is None else to_sources[1].to(other.dtype)
        to_weights: Sequence[Tensor | None] = (None, None, None)
        if to_joint:
            to_query, to_key, to_value = torch.cat(to_joint).split([d, d, len(value)])
            to_weights = (to_query * d**-0.5, to_key, to_value)
        return to_x, to_other, norm.to_gain, norm.to_shift, None, *to_weights, None


def _joint(query: Tensor, key: Tensor, value: Tensor, dtype: torch.dtype) -> Tensor:
    """The three weights as one, the softmax's scale in the first."""
    return torch.cat([query * len(query) ** -0.5, key, value]).to(dtype)


def _projected(z: Tensor, other: Tensor | None, joint: Tensor, d: int) -> tuple[Tensor, ...]:
    """Query, key and value; one product for what shares its input."""
    if other is None:
        return F.linear(z, joint).split([d, d, len(joint) - 2 * d], -1)
    pair = F.linear(other.to(z.dtype), joint[d:]).split([d, len(joint) - 2 * d], -1)
    return (F.linear(z, joint[:d]), *pair)


def _channels_first(weight: Tensor, x: Tensor) -> Tensor:
    """What a linear layer (D, C) makes of (P, L, C) patches, as (P, D, L)."""
    return torch.bmm(weight.expand(len(x), -1, -1), x.transpose(1, 2))


def _attention_gradient(projected: Sequence[Tensor], grad: Tensor) -> Tensor:
    """The gradient (P, 2 d + C, L) of (scaled) query, key and value.

    Per patch, with ``S = softmax(q k^T)`` and G the output's gradient: ``dv = S^T G``,
    ``dS = S * (G v^T - rowsum(S * G v^T))``, ``dq = dS k`` and ``dk = dS^T q``. With channels
    first, no product has to read the L x L scores across their rows.

    Args:
        projected: Query and key (P, d, L), value (P, C, L).
        grad: G, (P, L, C).
    """
    query, key, value = projected
    d, length = query.shape[1:]
    out = grad.new_empty(len(grad), 2 * d + value.shape[1], length)
    parts = slices(len(grad), patches_at_once(length))
    rooms = grad.new_empty(2, parts[0].stop, length, length)
    for some in parts:
        q, k, v, g = query[some], key[some], value[some], grad[some]
        scores, to_scores = rooms[:, : len(g)]
        torch.bmm(q.transpose(1, 2), k, out=scores)
        torch.softmax(scores, -1, out=scores)
        out[some, 2 * d :] = torch.bmm(g.transpose(1, 2), scores)
        torch.bmm(g, v, out=to_scores)
        torch.ops.aten._softmax_backward_data(
            to_scores, scores, -1, scores.dtype, grad_input=to_scores
        )
        out[some, :d] = torch.bmm(k, to_scores.transpose(1, 2))
        out[some, d : 2 * d] = torch.bmm(q, to_scores)
    return out


def _plain_attention(
    x: Tensor,
    other: Tensor | None,
    gain: Tensor,
    shift: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    eps: float,
    dtype: torch.dtype,
) -> Tensor:
    """`AttentionKernel` in operations that autograd knows."""
    z = F.layer_norm(x, x.shape[-1:], gain, shift, eps).to(dtype)
    q, k, v = _projected(z, other, _joint(query, key, value, dtype), len(query))
    return x + torch.softmax(q @ k.transpose(1, 2), -1) @ v
