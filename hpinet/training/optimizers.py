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
            if not params:
                continue
            if "betas" in group:
                self._adam(params, _ADAM_SHARE * group["lr"], *group["betas"])
            else:
                self._muon(params, group["lr"], group["weight_decay"])
        return loss

    # One call for many tensors at a time: on a GPU a call takes longer than its work.

    def _muon(self, params: list[Tensor], lr: float, weight_decay: float) -> None:
        means = self._kept(params, "mean")
        grads = _gradients(params)
        torch._foreach_lerp_(means, grads, 1 - _MOMENTUM)
        ahead = torch._foreach_lerp(grads, means, _MOMENTUM)  # Nesterov's: one step further
        if weight_decay:
            torch._foreach_mul_(params, 1 - lr * weight_decay)
        alike: dict[torch.Size, list[int]] = defaultdict(list)
        for n, p in enumerate(params):
            alike[p.shape].append(n)
        for shape, places in alike.items():  # matrices of one shape in one batch of products
            update = orthogonalised(torch.stack([ahead[n].flatten(1) for n in places]))
            scale = 0.2 * math.sqrt(max(update.shape[1:]))
            changes = list(update.view(-1, *shape).unbind())
            torch._foreach_add_([params[n] for n in places], changes, alpha=-lr * scale)

    def _adam(self, params: list[Tensor], lr: float, beta1: float, beta2: float) -> None:
        means, squares = self._kept(params, "mean"), self._kept(params, "square")
        grads = _gradients(params)
        torch._foreach_lerp_(means, grads, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, grads, grads, 1 - beta2)
        steps = []
        for p in params:
            self.state[p]["step"] = self.state[p].get("step", 0) + 1
            steps.append(self.state[p]["step"])
        roots = torch._foreach_div(squares, [1 - beta2**step for step in steps])
        torch._foreach_sqrt_(roots)
        torch._foreach_add_(roots, 1e-8)
        rates = [-lr / (1 - beta1**step) for step in steps]
        torch._foreach_addcdiv_(params, means, roots, rates)

    def _kept(self, params: list[Tensor], name: str) -> list[Tensor]:
        """What is kept of each parameter from step to step; zeros at first."""
        for p in params:
            if name not in self.state[p]:
                self.state[p][name] = torch.zeros_like(p)
        return [self.state[p][name] for p in params]


def _gradients(params: list[Tensor]) -> list[Tensor]:
    return [p.grad for p in params if p.grad is not None]


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
