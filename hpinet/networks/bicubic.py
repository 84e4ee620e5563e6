"""Bicubic interpolation as a network, the baseline of every comparison."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from hpinet.errors import NetworkError

BICUBIC = "bicubic"
_LARGEST_SCALE = 16


class Bicubic(nn.Module):
    """Bicubic interpolation: Pillow's (a = -0.5), as `hpinet.bicubic`, without its rounding.

    A linear map, whose attribution is known: an SR pixel depends on the LR pixels within 2 pixels
    of it. A network should depend on more.

    Args:
        scale: SR pixels per LR pixel, 1 to 16.

    Raises:
        NetworkError: If the scale is not such a number.
    """

    name = BICUBIC

    def __init__(self, scale: int) -> None:
        super().__init__()
        if scale not in range(1, _LARGEST_SCALE + 1):
            raise NetworkError(
                f"the scale must be a whole number from 1 to {_LARGEST_SCALE}, got {scale!r}"
            )
        self.scale = scale
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, h, w) to (B, 3, sh, sw)."""
        return resized(x, (x.shape[-2] * self.scale, x.shape[-1] * self.scale))


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, h, w) to (B, C, *size) by bicubic interpolation, antialiased where it shrinks."""
    # PyTorch's other bicubic has a = -0.75; the antialiased one follows Pillow in all else too.
    return F.interpolate(x, size=size, mode="bicubic", antialias=True)
