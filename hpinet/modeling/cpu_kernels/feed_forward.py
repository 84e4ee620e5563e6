"""The feed-forward network with its own backward pass: hidden channels of some rows at a time."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .chunks import sizes, slices
from .gradients import NormGradient, differentiable


class FeedForwardKernel(torch.autograd.Function):
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
        """The output (R, C)."""
        ctx.save_for_backward(x, gain, shift, expand, expand_bias, reduce, reduce_bias)
        ctx.eps, ctx.dtype = eps, dtype
        parts = [part.to(dtype) for part in (expand, expand_bias, reduce, reduce_bias)]
        out = torch.empty_like(x)
        with torch.autocast(x.device.type, enabled=False):
            for some in slices(len(x), sizes.rows):
                z = F.layer_norm(x[some], x.shape[-1:], gain, shift, eps).to(dtype)
                hidden = F.gelu(F.linear(z, parts[0], parts[1]))
                torch.add(x[some], F.linear(hidden, parts[2], parts[3]), out=out[some])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        """The gradient of each argument of `forward`."""
        x, gain, shift, expand, expand_bias, reduce, _ = ctx.saved_tensors
        dtype = ctx.dtype
        if torch.is_grad_enabled():  # a gradient of this gradient is wanted
            plain = partial(_plain_feed_forward, eps=ctx.eps, dtype=dtype)
            to_inputs = differentiable(plain, ctx.saved_tensors, grads[0])
            return (*to_inputs[:3], None, *to_inputs[3:], None)
        up, up_bias, down = (part.to(dtype) for part in (expand, expand_bias, reduce))
        of_weights = any(ctx.needs_input_grad[4:8])
        sums = [torch.zeros_like(w) for w in (expand, expand_bias, reduce, shift)]
        norm = NormGradient(gain, shift, ctx.eps, any(ctx.needs_input_grad[1:3]))
        to_x = torch.empty_like(x)
        parts = slices(len(x), sizes.rows)
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


def _plain_feed_forward(
    x: Tensor,
    gain: Tensor,
    shift: Tensor,
    expand: Tensor,
    expand_bias: Tensor,
    reduce: Tensor,
    reduce_bias: Tensor,
    eps: float,
    dtype: torch.dtype,
) -> Tensor:
    """`FeedForwardKernel` in operations that autograd knows."""
    z = F.layer_norm(x, x.shape[-1:], gain, shift, eps).to(dtype)
    hidden = F.gelu(F.linear(z, expand.to(dtype), expand_bias.to(dtype)))
    return x + F.linear(hidden, reduce.to(dtype), reduce_bias.to(dtype))
