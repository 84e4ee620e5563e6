"""What is asked about a window of the super-resolved image, as one number.

A detector is any function of the SR images (B, 3, H, W) and a `Window` that returns (B,) numbers
and can be differentiated.

It may carry an attribute ``halo``: how many SR pixels around the window it reads, on each side. All
detectors with a name have one. Then it may be given any part of the SR image that holds window
and halo, as far as the halo lies inside the image, so that the rest need not be computed; without
the attribute it is given the whole SR image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hpinet.errors import UserError
from lam.window import Window

Detector = Callable[[Tensor, Window], Tensor]


_Detector = TypeVar("_Detector", bound=Detector)


def reads(halo: int) -> Callable[[_Detector], _Detector]:
    """Mark a detector as one that reads no further than ``halo`` SR pixels around the window."""

    def mark(detector: _Detector) -> _Detector:
        detector.halo = halo  # type: ignore[attr-defined]
        return detector

    return mark


@reads(halo=1)
def gradient_detector(sr: Tensor, window: Window) -> Tensor:
    """Sum of the gradient's magnitude over window and channels: is there an edge or texture?

    LAM's detector, with forward differences as its demo takes them: a pixel in the last row or
    column of the whole image has none and does not count. Cropped first, so that what lies
    outside the window cannot disturb its gradient; where the image is flat the derivative is 0,
    not NaN.

    Args:
        sr: (B, 3, H, W).
        window: A window inside.

    Returns:
        (B,), in units of the image's range.
    """
    # |grad|[y, x] = sqrt((I[y + 1, x] - I[y, x]) ** 2 + (I[y, x + 1] - I[y, x]) ** 2): one row and
    # one column more than the window, where the image has them. (B, 3, size + 1, size + 1)
    crop = window.crop(sr, halo=1)
    here = crop[..., :-1, :-1]
    square = (crop[..., 1:, :-1] - here) ** 2 + (crop[..., :-1, 1:] - here) ** 2
    return _root(square).sum((1, 2, 3))


def _root(square: Tensor) -> Tensor:
    """The square root, with a derivative of 0 instead of infinity at 0.

    d sqrt(x) / dx = 1 / (2 sqrt(x)) is infinite at 0, and the chain rule's infinity times 0 (the
    derivative of the square) would be NaN. Zeros are replaced before the root, and again after it,
    which also stops their gradient.
    """
    zero = square == 0
    return square.masked_fill(zero, 1).sqrt().masked_fill(zero, 0)


@reads(halo=0)
def sum_detector(sr: Tensor, window: Window) -> Tensor:
    """Sum of all values in the window, (B,)."""
    return window.crop(sr).sum((1, 2, 3))


@reads(halo=0)
def mean_colour_detector(sr: Tensor, window: Window) -> Tensor:
    """Mean of all values in the window, over pixels and channels, (B,)."""
    return window.crop(sr).mean((1, 2, 3))


@dataclass(frozen=True)
class GaborDetector:
    """How much of one wavelength is in the window: stripes, weaves and lettering, not lone edges.

    At each pixel of the window and in each channel, the magnitude of a quadrature pair: a cosine
    and a sine wave under a Gaussian, so that it does not matter where exactly the stripes lie. The
    cosine's mean is taken out, so that a plain area answers 0. Magnitudes are summed over pixels,
    channels and orientations. A grating of amplitude 1 at wavelength and orientation answers 1 a
    pixel and channel (for one orientation; up to the truncation of the Gaussian). Where the
    magnitude is 0 its derivative is 0. Beyond the border of the image its last pixel is repeated.

    The default wavelength of 8 SR pixels is the finest that the LR image of a x4 network can
    hold, 2 of its pixels; sigma is then half of it, a bandwidth of about one octave.

    Attributes:
        wavelength: In SR pixels, at least 2.
        orientations: Where the waves travel, in degrees from the rows: 0 is for upright stripes,
            90 for level ones, 45 for those that a step right and a step down cross.
        sigma: Standard deviation of the Gaussian, in SR pixels; half the wavelength by default.

    Raises:
        ValueError: If a number is not finite, the wavelength below 2, sigma not positive or there
            is no orientation.
    """

    wavelength: float = 8.0
    orientations: tuple[float, ...] = (0.0, 45.0, 90.0, 135.0)
    sigma: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "orientations", tuple(self.orientations))
        if not (math.isfinite(self.wavelength) and self.wavelength >= 2):
            raise UserError(
                f"the wavelength must be at least 2 pixels, not {self.wavelength}: "
                f"pixels hold nothing finer"
            )
        if self.sigma is None:
            object.__setattr__(self, "sigma", self.wavelength / 2)
        if not (math.isfinite(self._sigma) and self._sigma > 0):
            raise UserError(f"sigma must be a positive number of pixels, not {self.sigma}")
        if not self.orientations or not all(map(math.isfinite, self.orientations)):
            raise UserError(f"orientations must be angles in degrees, not {self.orientations}")

    @property
    def halo(self) -> int:
        """Radius of the kernel in SR pixels: 2.5 sigma, where the Gaussian has fallen to 4%."""
        return math.ceil(2.5 * self._sigma)

    def describe(self) -> dict[str, Any]:
        """What reproduces the detector, as plain values."""
        return {"name": "gabor", **asdict(self), "orientations": list(self.orientations)}

    def __call__(self, sr: Tensor, window: Window) -> Tensor:
        """The detector's values (B,) for SR images (B, 3, H, W), in units of their range."""
        around = _surroundings(sr, window, self.halo)  # (B, 3, size + 2 halo, size + 2 halo)
        kernels = self._kernels().to(sr.dtype).to(sr.device)
        # Channels are filtered one by one: (3B, 1, ...) to (3B, 2 * orientations, size, size).
        waves = F.conv2d(around.flatten(0, 1)[:, None], kernels)
        cosine, sine = waves.chunk(2, dim=1)
        # The magnitude does not depend on the phase, as cos ** 2 + sin ** 2 does not.
        return _root(cosine**2 + sine**2).sum((1, 2, 3)).unflatten(0, sr.shape[:2]).sum(1)

    @property
    def _sigma(self) -> float:
        assert self.sigma is not None
        return self.sigma

    def _kernels(self) -> Tensor:
        """All cosines, then all sines: (2 * orientations, 1, 2 * halo + 1, 2 * halo + 1)."""
        steps = torch.arange(-self.halo, self.halo + 1, dtype=torch.float64)
        gauss = torch.exp(-(steps**2) / (2 * self._sigma**2))
        envelope = gauss[:, None] * gauss  # exp(-(x ** 2 + y ** 2) / (2 sigma ** 2))
        envelope = envelope / envelope.sum()
        cosines, sines = [], []
        for orientation in self.orientations:
            angle = math.radians(orientation)
            phase = math.cos(angle) * steps + math.sin(angle) * steps[:, None]
            phase = 2 * math.pi / self.wavelength * phase
            # A cos(p) = A / 2 (exp(ip) + exp(-ip)): the pair answers to one of the two terms, so a
            # factor of 2 makes the answer A.
            cosine = 2 * envelope * phase.cos()
            # Without its mean, so that a plain area answers 0; the sine's is 0 by symmetry.
            cosines.append(cosine - envelope * cosine.sum())
            sines.append(2 * envelope * phase.sin())
        return torch.stack(cosines + sines)[:, None]


def _surroundings(sr: Tensor, window: Window, halo: int) -> Tensor:
    """The window and ``halo`` pixels on every side, the image's last pixels repeated beyond."""
    height, width = sr.shape[-2:]
    top, left = max(0, window.top - halo), max(0, window.left - halo)
    bottom, right = window.top + window.size + halo, window.left + window.size + halo
    crop = sr[..., top:bottom, left:right]
    # (left, top), (right, bottom): what of the halo lies beyond the border of the image.
    before = (left - window.left + halo, top - window.top + halo)
    after = (max(0, right - width), max(0, bottom - height))
    if not any((*before, *after)):
        return crop
    return F.pad(crop, (before[0], after[0], before[1], after[1]), mode="replicate")


DETECTORS: dict[str, Detector] = {
    "gradient": gradient_detector,
    "sum": sum_detector,
    "mean_colour": mean_colour_detector,
    "gabor": GaborDetector(),
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
        raise UserError(
            f"there is no detector {detector!r}: choose one of {', '.join(DETECTORS)}, "
            f"or pass a function"
        )
    return detector, DETECTORS[detector]


def describe_detector(detector: str | Detector) -> str | dict[str, Any]:
    """What names or reproduces a detector, as plain values: its name, or its ``describe()``.

    Raises:
        ValueError: If there is no detector of that name.
    """
    name, function = get_detector(detector)
    if name in DETECTORS or not hasattr(function, "describe"):
        return name
    described: dict[str, Any] = function.describe()
    return described


def detect(detector: Detector, sr: Tensor, window: Window) -> Tensor:
    """A detector's values, checked.

    Args:
        detector: The function.
        sr: (B, 3, H, W).
        window: A window inside.

    Returns:
        (B,).

    Raises:
        ValueError: If the detector returns anything but one number per image.
    """
    values = detector(sr, window)
    if not isinstance(values, torch.Tensor) or values.shape != (len(sr),):
        found = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
        raise UserError(
            f"a detector must return one number per image, of shape ({len(sr)},), not {found}: "
            f"reduce over channels and pixels only"
        )
    return values
