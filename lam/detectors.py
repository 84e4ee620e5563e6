"""What is asked about a window of the super-resolved picture, as one number.

A detector is any function of the SR pictures (B, 3, H, W) and a `Window` that returns (B,) numbers
and can be differentiated.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Window:
    """A square of the super-resolved picture.

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
                raise ValueError(
                    f"the window's {name} must be whole pixels, not {value!r}"
                ) from None
        if self.size < 1:
            raise ValueError(f"the window's size must be at least 1 pixel, not {self.size}")
        if self.left < 0 or self.top < 0:
            raise ValueError(
                f"the window begins outside the picture, at left {self.left}, top {self.top}: "
                f"count pixels from 0 at the upper left corner"
            )

    def check_inside(self, height: int, width: int) -> None:
        """Make sure that the window lies in an SR picture.

        Args:
            height: Rows of the SR picture in pixels.
            width: Its columns.

        Raises:
            ValueError: If it reaches outside.
        """
        if self.left + self.size > width or self.top + self.size > height:
            raise ValueError(
                f"the window of {self.size} pixels at left {self.left}, top {self.top} reaches "
                f"outside the super-resolved picture ({width} pixels wide, {height} high)"
            )

    def crop(self, sr: Tensor, halo: int = 0) -> Tensor:
        """The window of (B, C, H, W) pictures, and ``halo`` pixels more at its right and bottom."""
        side = self.size + halo
        return sr[..., self.top : self.top + side, self.left : self.left + side]


Detector = Callable[[Tensor, Window], Tensor]


def gradient_detector(sr: Tensor, window: Window) -> Tensor:
    """Sum of the gradient's magnitude over window and channels: is there an edge or texture?

    LAM's detector, with forward differences as its demo takes them: a pixel in the last row or
    column of the whole picture has none and does not count. Cropped first, so that what lies
    outside the window cannot disturb its gradient; where the picture is flat the derivative is 0,
    not NaN.

    Args:
        sr: (B, 3, H, W).
        window: A window inside.

    Returns:
        (B,), in units of the picture's range.
    """
    crop = window.crop(sr, halo=1)
    here = crop[..., :-1, :-1]
    square = (crop[..., 1:, :-1] - here) ** 2 + (crop[..., :-1, 1:] - here) ** 2
    flat = square == 0
    magnitude = square.masked_fill(flat, 1).sqrt().masked_fill(flat, 0)
    return magnitude.sum((1, 2, 3))


def sum_detector(sr: Tensor, window: Window) -> Tensor:
    """Sum of all values in the window, (B,)."""
    return window.crop(sr).sum((1, 2, 3))


def mean_colour_detector(sr: Tensor, window: Window) -> Tensor:
    """Mean of all values in the window, over pixels and channels, (B,)."""
    return window.crop(sr).mean((1, 2, 3))


DETECTORS: dict[str, Detector] = {
    "gradient": gradient_detector,
    "sum": sum_detector,
    "mean_colour": mean_colour_detector,
}
"""The detectors that have a name."""


def get_detector(detector: str | Detector) -> tuple[str, Detector]:
    """A detector and its name.

    Args:
        detector: A key of `DETECTORS`, or a function of (B, 3, H, W) and a `Window` to (B,).

    Raises:
        ValueError: If there is no detector of that name.
    """
    if callable(detector):
        return getattr(detector, "__qualname__", type(detector).__name__), detector
    if detector not in DETECTORS:
        raise ValueError(
            f"there is no detector {detector!r}: choose one of {', '.join(DETECTORS)}, "
            f"or pass a function"
        )
    return detector, DETECTORS[detector]


def detect(detector: Detector, sr: Tensor, window: Window) -> Tensor:
    """A detector's values, checked.

    Args:
        detector: The function.
        sr: (B, 3, H, W).
        window: A window inside.

    Returns:
        (B,).

    Raises:
        ValueError: If the detector returns anything but one number a picture.
    """
    values = detector(sr, window)
    if not isinstance(values, torch.Tensor) or values.shape != (len(sr),):
        found = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
        raise ValueError(
            f"a detector must return one number a picture, of shape ({len(sr)},), not {found}: "
            f"reduce over channels and pixels only"
        )
    return values
