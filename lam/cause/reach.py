"""Which part of the LR image a window can depend on, so that no more is computed.

In a network without global access each SR pixel depends on the LR pixels of a limited area. With
NaN everywhere outside a box, the window is finite only if nothing outside the box enters into it:
every sum or product with NaN is NaN. The smallest such box is found by bisection, and a crop to it
is used only if the network makes the same window of it as of the whole image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hpinet.inference.memory_errors import is_out_of_memory
from lam.attribution.matching_network import MatchingNetwork
from lam.window import Window

from .sampling import Mask

_WORTH = 32 * 32  # LR pixels: finding the box costs more than it saves in a smaller image
_SHARE = 0.75  # of the image: nor does a larger box save much
_SAME = 1e-5  # of [0, 1]: float rounding, which differs with the size of an image


@dataclass(frozen=True)
class Box:
    """A part of the LR image, in LR pixels: rows top to bottom, columns left to right."""

    top: int
    left: int
    bottom: int
    right: int

    def crop(self, images: Tensor) -> Tensor:
        """(B, 3, h, w) to (B, 3, bottom - top, right - left)."""
        return images[..., self.top : self.bottom, self.left : self.right]

    def only(self, images: Tensor, other: Tensor) -> Tensor:
        """Images with what lies outside replaced by another image's, or by a number."""
        changed = other.expand_as(images).clone()
        self.crop(changed).copy_(self.crop(images))
        return changed

    def blocks(self, shape: tuple[int, int], block: int) -> Mask:
        """(rows, columns): which blocks of a side in LR pixels lie in it, at least in part."""
        rows = _meets(shape[0], block, self.top, self.bottom)
        return np.asarray(rows[:, None] & _meets(shape[1], block, self.left, self.right))

    def window(self, window: Window, scale: int) -> Window:
        """A window of the whole SR image, as it is counted in the crop's."""
        return Window(window.left - self.left * scale, window.top - self.top * scale, window.size)


@torch.no_grad()
def find_reach(network: MatchingNetwork, image: Tensor, window: Window, scale: float) -> Box | None:
    """The part of the LR image that suffices for a window.

    Costs one pass where the network sees all of the image, else about ten.

    Args:
        network: Of one image size or any; what fails on a crop is computed whole.
        image: (1, 3, h, w), LR.
        window: In SR pixels.
        scale: SR pixels per LR pixel.

    Returns:
        A box of which the network makes the same window as of the whole image, up to float
        rounding; None where there is none that is worth it.
    """
    height, width = (int(side) for side in image.shape[-2:])
    if height * width < _WORTH or scale != int(scale) or network.can_crop:
        return None  # what crops by itself is an HPINet, each block of which sees far

    def around(margin: int) -> Box:
        first, step = window, int(scale)
        return Box(
            max(0, first.top // step - margin),
            max(0, first.left // step - margin),
            min(height, -(-(first.top + first.size) // step) + margin),
            min(width, -(-(first.left + first.size) // step) + margin),
        )

    def area(margin: int) -> int:
        box = around(margin)
        return (box.bottom - box.top) * (box.right - box.left)

    def suffices(margin: int) -> bool:
        probe = around(margin).only(image, torch.full_like(image, torch.nan))
        return bool(window.crop(network(probe)[0]).isfinite().all())

    worth = [m for m in range(max(height, width)) if area(m) <= _SHARE * height * width]
    try:
        if not worth or not suffices(worth[-1]):
            return None
        low, high = -1, worth[-1]  # the margin sought lies above low, and high suffices
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if suffices(middle) else (middle, high)
        box = around(high)
        return box if _is_enough(network, image, window, int(scale), box) else None
    except Exception as error:  # a network may refuse such images in any way: then all is computed
        if is_out_of_memory(error):
            raise
        return None


def _meets(count: int, block: int, first: int, end: int) -> Mask:
    starts = np.arange(count) * block
    return np.asarray((starts < end) & (starts + block > first))


def _is_enough(
    network: MatchingNetwork, image: Tensor, window: Window, scale: int, box: Box
) -> bool:
    """Whether a crop to the box gives the window of the whole image, whatever lies outside."""
    other = 1 - image
    place = box.window(window, scale)
    for whole in (image, other, box.only(image, other)):
        expected = window.crop(network(whole)[0])
        found = place.crop(network(box.crop(whole))[0])
        if not torch.allclose(found, expected, rtol=0, atol=_SAME):
            return False
    return True
