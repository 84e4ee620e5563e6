"""The layers of `modeling.attention` for CPUs: some patches at a time, nothing kept but the input.

On CPUs memory is slow and multiply-adds are cheap. Scores, queries, keys, values and hidden
channels of a few patches stay in the processor's cache; a backward pass computes them again instead
of fetching them from memory. Results and gradients are those of the plain formulas.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SCORES = 1 << 20  # attention scores at once; a backward pass holds them and their gradients
_ROWS = 1 << 12  # pixels at once where there is no attention


def attention(x: Tensor, other: Tensor | None, layer: Any) -> Tensor:
    """What a `PatchAttention` makes of (B, N, L, C) patches, of ``other`` or of themselves."""
    flat = x.flatten(0, 1)
    return _Attention.apply(
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
    return _FeedForward.apply(
        x.flatten(0, -2),
        *_normalised_by(layer.norm),
        *_linear(layer.expand),
        *_linear(layer.reduce),
        _precision(x),
    ).view(x.shape)


def scores_held(patches: int, patch_size: int) -> int:
    """Attention scores in memory while so many patches are computed without gradients."""
    return min(patches, max(1, _SCORES // patch_size**4)) * patch_size**4


def _normalised_by(norm: nn.LayerNorm) -> tuple[Tensor, Tensor, float]:
    return norm.weight, norm.bias, norm.eps


def _linear(layer: nn.Linear) -> tuple[Tensor, Tensor]:
    return layer.weight, layer.bias


def _precision(x: Tensor) -> torch.dtype:
    """The type that products are computed in: autocast's, or the tensor's own."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


class _Attention(torch.autograd.Function):
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
        ctx.save_for_backward(x, other, gain, shift, query, key, value)
        ctx.eps, ctx.dtype = eps, dtype
        joint = _joint(query, key, value, dtype)
        out, length = torch.empty_like(x), x.shape[1]
        parts = _slices(len(x), _SCORES // length**2)
        room = x.new_empty(parts[0].stop, length, length, dtype=dtype)
        with torch.autocast(x.device.type, enabled=False):
            for some in parts:
                z = F.layer_norm(x[some], x.shape[-1:], gain, shift, eps).to(dtype)
                q, k, v = _projected(z, None if other is None else other[some], joint, len(query))
                scores = _scores(q, k, room)
                if dtype == x.dtype:
                    torch.baddbmm(x[some], scores, v, out=out[some])
                else:
                    torch.add(x[some], torch.bmm(scores, v), out=out[some])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        x, other, gain, shift, query, key, value = ctx.saved_tensors
        dtype, d = ctx.dtype, len(query)
        joint = _joint(query, key, value, dtype)
        of_norm, of_weights = any(ctx.needs_input_grad[2:4]), any(ctx.needs_input_grad[5:8])
        to_x = torch.empty_like(x)
        to_other = None if other is None else torch.empty_like(other)
        to_joint = torch.zeros_like(joint, dtype=query.dtype) if of_weights else None
        norm = _NormGradient(gain, shift, ctx.eps, of_norm)
        parts = _slices(len(x), _SCORES // x.shape[1] ** 2)
        rooms = x.new_empty(2, parts[0].stop, x.shape[1], x.shape[1], dtype=dtype)
        for some in parts:
            z, statistics = norm.forward(x[some])
            z = z.to(dtype)
            matched = None if other is None else other[some].to(dtype)
            q, k, v = _projected(z, matched, joint, d)
            to_q, to_k, to_v = _attention_gradient(q, k, v, grads[0][some].to(dtype), rooms)
            source = z if matched is None else matched
            to_query, to_pair = to_q.flatten(0, 1), torch.cat([to_k, to_v], -1).flatten(0, 1)
            if to_joint is not None:
                to_joint[:d] += to_query.T @ z.flatten(0, 1)
                to_joint[d:] += to_pair.T @ source.flatten(0, 1)
            to_z = to_query @ joint[:d]
            if to_other is None:
                to_z = to_z.addmm_(to_pair, joint[d:])
            else:
                to_other[some] = (to_pair @ joint[d:]).view_as(z)
            to_x[some] = norm.backward(to_z.view_as(z), x[some], statistics)
        to_x += grads[0]
        to_weights: tuple[Tensor | None, ...] = (None, None, None)
        if to_joint is not None:
            to_weights = (to_joint[:d] * d**-0.5, to_joint[d : 2 * d], to_joint[2 * d :])
        return to_x, to_other, norm.to_gain, norm.to_shift, None, *to_weights, None


class _FeedForward(torch.autograd.Function):
    """`FeedForward`: ``x + reduce(gelu(expand(LN(x))))``.

    Takes x (R, C), the norm's weight, bias and epsilon, weight and bias of both linear layers, and
    the type to multiply in.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        gain: Tensor,
        shift: Tensor,
        eps: float,
        expand: Tensor,
        expand_bias: Tensor,
        reduce: Tensor,
        reduce_bias: Tensor,
        dtype: torch.dtype,
    ) -> Tensor:
        ctx.save_for_backward(x, gain, shift, expand, expand_bias, reduce)
        ctx.eps, ctx.dtype = eps, dtype
        parts = [part.to(dtype) for part in (expand, expand_bias, reduce, reduce_bias)]
        out = torch.empty_like(x)
        with torch.autocast(x.device.type, enabled=False):
            for some in _slices(len(x), _ROWS):
                z = F.layer_norm(x[some], x.shape[-1:], gain, shift, eps).to(dtype)
                hidden = F.gelu(F.linear(z, parts[0], parts[1]))
                torch.add(x[some], F.linear(hidden, parts[2], parts[3]), out=out[some])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        x, gain, shift, expand, expand_bias, reduce = ctx.saved_tensors
        dtype = ctx.dtype
        up, up_bias, down = (part.to(dtype) for part in (expand, expand_bias, reduce))
        of_weights = any(ctx.needs_input_grad[4:8])
        sums = [torch.zeros_like(w) for w in (expand, expand_bias, reduce, shift)]
        norm = _NormGradient(gain, shift, ctx.eps, any(ctx.needs_input_grad[1:3]))
        to_x = torch.empty_like(x)
        for some in _slices(len(x), _ROWS):
            z, statistics = norm.forward(x[some])
            z, grad = z.to(dtype), grads[0][some].to(dtype)
            before = F.linear(z, up, up_bias)
            to_hidden = torch.ops.aten.gelu_backward(grad @ down, before)
            if of_weights:
                sums[0] += to_hidden.T @ z
                sums[1] += to_hidden.sum(0, dtype=shift.dtype)
                sums[2] += grad.T @ F.gelu(before)
                sums[3] += grad.sum(0, dtype=shift.dtype)
            to_x[some] = norm.backward(to_hidden @ up, x[some], statistics)
        to_x += grads[0]
        to_weights = sums if of_weights else [None] * 4
        return to_x, norm.to_gain, norm.to_shift, None, *to_weights, None


class _NormGradient:
    """Layer normalisation, and its gradient summed up over chunks."""

    def __init__(self, gain: Tensor, shift: Tensor, eps: float, wanted: bool) -> None:
        self._gain, self._shift, self._eps, self._wanted = gain, shift, eps, wanted
        self.to_gain = torch.zeros_like(gain) if wanted else None
        self.to_shift = torch.zeros_like(shift) if wanted else None

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The normalised rows, and the means and deviations that `backward` takes."""
        z, mean, deviation = torch.native_layer_norm(
            x, x.shape[-1:], self._gain, self._shift, self._eps
        )
        return z, (mean, deviation)

    def backward(self, grad: Tensor, x: Tensor, statistics: tuple[Tensor, Tensor]) -> Tensor:
        """The gradient of the rows."""
        mask = [True, self._wanted, self._wanted]
        to_x, to_gain, to_shift = torch.ops.aten.native_layer_norm_backward(
            grad.to(x.dtype), x, x.shape[-1:], *statistics, self._gain, self._shift, mask
        )
        if self.to_gain is not None and self.to_shift is not None:
            self.to_gain += to_gain
            self.to_shift += to_shift
        return to_x


def _slices(count: int, at_once: int) -> list[slice]:
    step = max(1, at_once)
    return [slice(first, min(count, first + step)) for first in range(0, count, step)]


def _joint(query: Tensor, key: Tensor, value: Tensor, dtype: torch.dtype) -> Tensor:
    """The three weights as one, the softmax's scale in the first."""
    return torch.cat([query * len(query) ** -0.5, key, value]).to(dtype)


def _projected(z: Tensor, other: Tensor | None, joint: Tensor, d: int) -> tuple[Tensor, ...]:
    """Query, key and value; one product for what shares its input."""
    if other is None:
        return F.linear(z, joint).split([d, d, len(joint) - 2 * d], -1)
    pair = F.linear(other.to(z.dtype), joint[d:]).split([d, len(joint) - 2 * d], -1)
    return (F.linear(z, joint[:d]), *pair)


def _scores(query: Tensor, key: Tensor, room: Tensor) -> Tensor:
    """Attention weights, written where there is room."""
    scores = torch.bmm(query, key.transpose(1, 2), out=room[: len(query)])
    return torch.softmax(scores, -1, out=scores)


def _attention_gradient(
    query: Tensor, key: Tensor, value: Tensor, grad: Tensor, rooms: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of a (scaled) query, key and value."""
    scores = _scores(query, key, rooms[0])
    to_value = torch.bmm(scores.transpose(1, 2), grad)
    to_scores = torch.bmm(grad, value.transpose(1, 2), out=rooms[1][: len(query)])
    to_scores = torch.ops.aten._softmax_backward_data(to_scores, scores, -1, scores.dtype)
    return torch.bmm(to_scores, key), torch.bmm(to_scores.transpose(1, 2), query), to_value
