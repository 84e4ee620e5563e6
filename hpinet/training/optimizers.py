"""The optimizers of a recipe: Adam, or Muon for matrices and kernels with Adam for the rest."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hpinet.modeling.hpinet import HPINet

from .recipes import Recipe

_ITERATION = (3.4445, -4.7750, 2.0315)  # steep at 0: five steps bring singular values near 1
_ITERATIONS = 5
_MOMENTUM = 0.95
_ADAM_SHARE = 0.5  # of the learning rate, for what is no matrix


def make_optimizer(model: HPINet, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimizer that a recipe names, for all of a network's parameters.

    Muon takes every matrix and every kernel except those of the first and the last convolution,
    which map from and to RGB.

    Args:
        model: The network.
        recipe: Its ``optimizer``, ``lr``, ``betas`` and ``weight_decay`` are read.
    """
    if recipe.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), recipe.lr, betas=recipe.betas)
    ends = {model.encoder.weight, model.last.weight}
    hidden = [p for p in model.parameters() if p.ndim >= 2 and p not in ends]
    known = set(hidden)
    rest = [p for p in model.parameters() if p not in known]
    return Muon(hidden, rest, recipe.lr, recipe.betas, recipe.weight_decay)


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised by Newton-Schulz (Jordan et al. 2024); Adam where there is no matrix.

    A kernel (out, in, kh, kw) counts as the matrix (out, in * kh * kw). With G the gradient and
    B <- 0.95 B + 0.05 G, a matrix W of r rows and c columns becomes

        W <- (1 - lr * weight_decay) W - lr * 0.2 * sqrt(max(r, c)) * NS(0.05 G + 0.95 B)

    where NS(X) is near U V^T of X = U S V^T; the factor gives the update about the root mean
    square of Adam's (Liu et al. 2025). `torch.optim.Muon` takes no kernels, and multiplies in
    bfloat16, which not every processor does fast.

    Args:
        matrices: Parameters of two or more dimensions.
        others: Parameters that Adam takes at half the learning rate.
        lr: Learning rate.
        betas: Adam's decay rates.
        weight_decay: Decoupled decay of the matrices.
    """

    def __init__(
        self,
        matrices: Sequence[nn.Parameter],
        others: Sequence[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
    ) -> None:
        groups: list[dict[str, Any]] = [
            {"params": list(matrices), "weight_decay": weight_decay},
            {"params": list(others), "betas": betas},
        ]
        super().__init__([group for group in groups if group["params"]], {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if "betas" in group:
                self._adam(params, _ADAM_SHARE * group["lr"], *group["betas"])
            else:
                self._muon(params, group["lr"], group["weight_decay"])
        return loss

    def _muon(self, params: list[Tensor], lr: float, weight_decay: float) -> None:
        alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for p in params:
            if weight_decay:
                p.mul_(1 - lr * weight_decay)
            alike[p.shape].append(p)
        for some in alike.values():  # matrices of one shape in one batch of products
            update = torch.stack([self._momentum(p).flatten(1) for p in some])
            scale = 0.2 * math.sqrt(max(update.shape[1:]))
            for p, change in zip(some, orthogonalised(update), strict=True):
                p.add_(change.view(p.shape), alpha=-lr * scale)

    def _momentum(self, p: Tensor) -> Tensor:
        """Nesterov's: the running mean, looked at one step ahead."""
        state, grad = self.state[p], p.grad
        assert grad is not None
        if not state:
            state["mean"] = torch.zeros_like(p)
        state["mean"].lerp_(grad, 1 - _MOMENTUM)
        return grad.lerp(state["mean"], _MOMENTUM)

    def _adam(self, params: list[Tensor], lr: float, beta1: float, beta2: float) -> None:
        for p in params:
            state, grad = self.state[p], p.grad
            assert grad is not None
            if not state:
                state.update(step=0, mean=torch.zeros_like(p), square=torch.zeros_like(p))
            state["step"] += 1
            state["mean"].lerp_(grad, 1 - beta1)
            state["square"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
            root = (state["square"] / (1 - beta2 ** state["step"])).sqrt_().add_(1e-8)
            p.addcdiv_(state["mean"], root, value=-lr / (1 - beta1 ** state["step"]))


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices with their singular values brought near 1, by five steps of Newton-Schulz.

    Each step is ``X <- a X + (b A + c A^2) X`` with ``A = X X^T``: the singular values s become
    ``a s + b s^3 + c s^5``, the singular vectors stay.

    Args:
        matrices: (B, r, c), any scale.

    Returns:
        (B, r, c); singular values that were not far below the largest end within 0.7 to 1.2.
    """
    a, b, c = _ITERATION
    turned = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if turned else matrices  # the smaller product X X^T
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(_ITERATIONS):
        square = x @ x.transpose(1, 2)
        x = a * x + (b * square + c * square @ square) @ x
    return x.transpose(1, 2) if turned else x
