"""The LAM authors' procedure, to measure against.

The demo of Gu & Dong (2021) takes one step at a time and lets autograd compute the gradients of the
parameters too. The network is the paper's formulas one after another
(`benchmarks.plain_hpinet.PlainHPINet`); a network that is no HPINet serves as it is.
"""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from hpinet import HPINet
from hpinet.errors import UserError
from lam import GaussianBlurPath, Window
from lam.attribution.detectors import gradient_detector

from .plain_hpinet import PlainHPINet


class DemoProcedure:
    """Gradients as the demo takes them: one step at a time, those of the parameters too.

    The network, from (B, 3, h, w) to (B, 3, sh, sw), is copied; the image is (1, 3, h, w).

    Raises:
        ValueError: If the image is smaller than a patch of the plain formulas.
    """

    def __init__(self, model: nn.Module, image: Tensor, window: Window) -> None:
        network = copy.deepcopy(model).requires_grad_(True)
        if isinstance(network, HPINet):
            patch = max(network.config.patch_sizes)
            if min(image.shape[-2:]) < patch:
                raise UserError(
                    f"the plain formulas need an image of at least {patch} LR pixels a side, "
                    f"a patch, not {image.shape[-1]}x{image.shape[-2]}"
                )
            network = PlainHPINet(network)
        self._network, self._image, self._window = network, image, window

    def gradient(self, alpha: float) -> NDArray[np.float64]:
        """The detector's gradient (3, h, w) at one position of the blur path."""
        x = GaussianBlurPath().at(self._image, np.array([alpha])).requires_grad_()
        self._network.zero_grad()
        gradient_detector(self._network(x), self._window).sum().backward()
        assert x.grad is not None
        return x.grad[0].double().cpu().numpy()
