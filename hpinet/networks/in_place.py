"""Gradients through networks that write into tensors which their backward pass needs.

Code made for inference alone does so: ``z = sigmoid(y); w = z * z; z.mul_(2)`` computes the right
image, and PyTorch then refuses to differentiate it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Run = Callable[[Tensor], Tensor]

PLAIN, SAVED, FUNCTIONAL = "plain", "saved", "functional"
"""Unchanged; with saved tensors cloned before they are written to; or with every write replaced by
a new tensor, which also allows writing to one of several views."""

_SIGNS = ("inplace", "in-place")  # in what PyTorch says of such networks
_TURN = threading.Lock()  # PyTorch's context below is one for the whole process


def gradient_mode(run: Run, x: Tensor) -> str:
    """How a network can be differentiated: one of `PLAIN`, `SAVED`, `FUNCTIONAL`.

    Args:
        run: The network, from (B, 3, h, w) to (B, 3, sh, sw).
        x: A small image to try it on.
    """
    with torch.inference_mode(False), torch.enable_grad():
        x = x.detach().clone()
        try:
            _plain_gradient(run, x)
            return PLAIN
        except Exception as error:
            if not any(sign in str(error) for sign in _SIGNS):
                return PLAIN  # another failure shows when the network is used
        try:
            _gradient(run, SAVED, x)
            return SAVED
        except Exception:
            return FUNCTIONAL


def differentiable(run: Run, mode: str, x: Tensor) -> Tensor:
    """What ``run`` makes of ``x``, differentiable.

    The forward pass keeps nothing but its input; the backward pass runs the network once more,
    where it may write in place.

    Args:
        run: The network.
        mode: `SAVED` or `FUNCTIONAL`.
        x: (B, 3, h, w).
    """
    found: Tensor = _Recomputed.apply(x, run, mode)
    return found


class _Recomputed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, run: Run, mode: str) -> Tensor:
        ctx.run, ctx.mode = run, mode
        ctx.save_for_backward(x)
        with torch.no_grad():
            return run(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return _gradient(ctx.run, ctx.mode, x, gradients[0]), None, None


def _gradient(run: Run, mode: str, x: Tensor, gradient: Tensor | None = None) -> Tensor:
    if mode == FUNCTIONAL:
        return _plain_gradient(torch.func.functionalize(run), x, gradient)
    with _TURN, torch.autograd.graph.allow_mutation_on_saved_tensors():
        return _plain_gradient(run, x, gradient)


def _plain_gradient(run: Run, x: Tensor, gradient: Tensor | None = None) -> Tensor:
    with torch.enable_grad():
        inner = x.detach().requires_grad_()
        sr = run(inner)
        weights = torch.ones_like(sr) if gradient is None else gradient
        return torch.autograd.grad(sr, inner, weights)[0]
