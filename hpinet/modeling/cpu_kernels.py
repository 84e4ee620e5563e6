"""The layers of `modeling.attention` for CPUs: some patches at a time, little kept but the input.

On CPUs memory is slow and multiply-adds are cheap. Scores and hidden channels of a few patches stay
in the processor's cache; a backward pass computes them again instead of fetching them from memory,
except where a layer is trained on few pixels (`pays`). Results and gradients are those of
the plain formulas.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SCORES = 1 << 19  # attention scores that a thread has at once; backward, also their gradients
_ROWS = 1 << 12  # pixels at once where there is no attention
_FEW = 1 << 24  # numbers; a trained layer that would keep fewer of them is computed plainly


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


def pays(x: Tensor, layer: nn.Module) -> bool:
    """Whether a layer goes through (B, N, L, C) patches in chunks, and not plainly.

    Plainly, about L + 8 C numbers a pixel are kept for the backward pass. Where a trained layer has
    few pixels, that takes less time than to compute them again, as measured on S with six crops of
    38x38; eight of M of 48x48 are too many. An attribution trains nothing: it keeps inputs only,
    for as many steps as fit at once.
    """
    if x.device.type != "cpu":
        return False
    trained = torch.is_grad_enabled() and any(p.requires_grad for p in layer.parameters())
    length, channels = x.shape[-2:]
    return not trained or x.numel() // channels * (length + 8 * channels) >= _FEW


def scores_held(patches: int, patch_size: int) -> int:
    """Attention scores in memory while so many patches are computed without gradients."""
    return min(patches, _patches_at_once(patch_size**2)) * patch_size**4


def _patches_at_once(length: int) -> int:
    """As many for every thread: a product of patches is shared out by whole patches."""
    return torch.get_num_threads() * max(1, _SCORES // length**2)


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
        parts = _slices(len(x), _patches_at_once(length))
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
        x, other, gain, shift, query, key, value = ctx.saved_tensors
        dtype, d = ctx.dtype, len(query)
        joint = _joint(query, key, value, dtype)
        norm = _NormGradient(gain, shift, ctx.eps, any(ctx.needs_input_grad[2:4]))
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
        parts = _slices(len(x), _ROWS)
        hidden = up.new_empty(3, parts[0].stop, len(up))
        for some in parts:
            before, after, to_hidden = hidden[:, : some.stop - some.start]
            z, statistics = norm.forward(x[some])
            z, grad = z.to(dtype), grads[0][some].to(dtype)
            torch.addmm(up_bias, z, up.T, out=before)
            torch.mm(grad, down, out=to_hidden)
            torch.ops.aten.gelu_backward(to_hidden, before, grad_input=to_hidden)
            if of_weights:
                torch.ops.aten.gelu(before, out=after)
                sums[0] += to_hidden.T @ z
                sums[1] += to_hidden.sum(0, dtype=shift.dtype)
                sums[2] += grad.T @ after
                sums[3] += grad.sum(0, dtype=shift.dtype)
            to_z = norm.backward(to_hidden @ up, x[some], statistics)
            torch.add(to_z, grads[0][some], out=to_x[some])
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
    parts = _slices(len(grad), _patches_at_once(length))
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
