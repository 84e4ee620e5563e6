"""What both kernels' backward passes share: layer normalisation, and gradients of gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class NormGradient:
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


def differentiable(
    plain: Callable[..., Tensor],
    inputs: Sequence[Tensor | None],
    grad: Tensor,
) -> list[Tensor | None]:
    """Gradients of a plain formula that can be differentiated once more.

    Args:
        plain: From the inputs to the output.
        inputs: As the forward pass saved them; autograd knows where they come from.
        grad: Of the output.

    Returns:
        One for each input; None where none is needed.
    """
    with torch.autocast(grad.device.type, enabled=False):
        output = plain(*inputs)
    wanted = [x for x in inputs if x is not None and x.requires_grad]
    found = iter(torch.autograd.grad(output, wanted, grad.to(output.dtype), create_graph=True))
    return [next(found) if x is not None and x.requires_grad else None for x in inputs]
