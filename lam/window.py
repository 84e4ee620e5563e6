"""The square of the super-resolved image that is asked about."""

from __future__ import annotations

import operator
from dataclasses import dataclass

from torch import Tensor

from hpinet.errors import UserError


@dataclass(frozen=True)
class Window:
    """A square of the super-resolved image.

    Attributes:
        left: Columns from the left border to the window, in SR pixels.
        top: Rows from the upper border to the window, in SR pixels.
        size: Side of the square, in SR pixels.

    Raises:
        ValueError: If a number is not whole, the corner is negative or the size not positive.
    """

    left: int
    top: int
    size: int = 16

    def __post_init__(self) -> None:
        for name in ("left", "top", "size"):
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, operator.index(value))
            except TypeError:
                raise UserError(
                    f"the window's {name} must be whole pixels, not {value!r}"
                ) from None
        if self.size < 1:
            raise UserError(f"the window's size must be at least 1 pixel, not {self.size}")
        if self.left < 0 or self.top < 0:
            raise UserError(
                f"the window begins outside the image, at left {self.left}, top {self.top}: "
                f"count pixels from 0 at the upper left corner"
            )

    def check_inside(self, height: int, width: int) -> None:
        """Make sure that the window lies in an SR image.

        Args:
            height: Rows of the SR image in pixels.
            width: Its columns.

        Raises:
            ValueError: If it reaches outside.
        """
        if self.left + self.size > width or self.top + self.size > height:
            raise UserError(
                f"the window of {self.size} pixels at left {self.left}, top {self.top} reaches "
                f"outside the super-resolved image ({width} pixels wide, {height} high)"
            )

    def crop(self, sr: Tensor, halo: int = 0) -> Tensor:
        """The window of (B, C, H, W) images, and ``halo`` pixels more at its right and bottom."""
        side = self.size + halo
        return sr[..., self.top : self.top + side, self.left : self.left + side]
