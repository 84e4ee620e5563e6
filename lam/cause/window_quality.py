"""How good a window of the SR image is: PSNR against the original, or how far it moved."""

from __future__ import annotations

import torch
from torch import Tensor

from hpinet.errors import UserError
from hpinet.imaging.value_range import check_value_range
from lam.window import Window


class WindowQuality:
    """A detector of the window's 8-bit RGB values: PSNR in dB, or the change in grey levels.

    The first image that it sees is the untouched one, whose window is kept. Until an original is
    set, the value is the root mean square difference from that window, in grey levels (0 to 255);
    afterwards it is PSNR = 10 log10(255^2 / MSE) in dB, over the window's 3 n^2 values. An MSE of 0
    counts as 1 / (3 n^2), one value off by one grey level, the least that 8 bit can tell: the PSNR
    stays finite and no other value changes.

    Attributes:
        halo: It reads nothing outside the window; see `lam.attribution.detectors.reads`.
        normal: (1, 3, n, n) float64, the untouched window in grey levels; None before it is seen.
        original: (1, 3, n, n) float64, the original's window in grey levels, or None.
    """

    halo = 0

    def __init__(self) -> None:
        self.normal: Tensor | None = None
        self.original: Tensor | None = None

    def __call__(self, sr: Tensor, window: Window) -> Tensor:
        """The window's quality.

        Args:
            sr: (B, 3, H, W) RGB, not clamped.
            window: A window inside.

        Returns:
            (B,) float64 on the CPU.
        """
        found = grey_levels(window.crop(sr))
        if self.normal is None:
            self.normal = found[:1]
        if self.original is None:
            return mean_square(found, self.normal).sqrt()
        return psnr(found, self.original)

    def compare_with(self, hr: Tensor, window: Window) -> float:
        """Measure PSNR against an original from now on.

        Args:
            hr: (1, 3, sH, sW) RGB in [0, 1].
            window: The window in pixels of the whole SR image.

        Returns:
            The untouched window's PSNR in dB.
        """
        assert self.normal is not None  # the untouched image comes first
        self.original = grey_levels(window.crop(hr))
        return float(psnr(self.normal, self.original))

    def describe(self) -> str:
        """What `lam.cause` calls it in its parameters."""
        return "window_change" if self.original is None else "window_psnr_rgb"


def grey_levels(rgb: Tensor) -> Tensor:
    """(B, 3, n, n) in [0, 1] to 8-bit values 0 to 255, clipped, halves up; float64 on the CPU.

    The rounding is that of `hpinet.imaging.images.to_uint8`.
    """
    return (rgb.detach().float().clamp(0, 1) * 255 + 0.5).floor().cpu().double()


def mean_square(images: Tensor, other: Tensor) -> Tensor:
    """Mean of the squared differences over all but the first axis: (B, 3, n, n) to (B,)."""
    return (images - other).square().flatten(1).mean(1)


def psnr(images: Tensor, original: Tensor) -> Tensor:
    """PSNR in dB of (B, 3, n, n) grey levels; see `WindowQuality` for an MSE of 0.

    Returns:
        (B,) float64.
    """
    least = 1 / original[0].numel()
    return 10 * torch.log10(255**2 / mean_square(images, original).clamp_min(least))


def check_original(hr: Tensor, size: tuple[int, int]) -> Tensor:
    """The original as (1, 3, sH, sW), once it fits the SR image.

    Args:
        hr: (1, 3, sH, sW) or (3, sH, sW), RGB in [0, 1].
        size: (height, width) of the SR image.

    Raises:
        UserError: If it is no image in [0, 1] of that size.
    """
    if not isinstance(hr, Tensor) or not hr.dtype.is_floating_point:
        kind = hr.dtype if isinstance(hr, Tensor) else type(hr).__name__
        raise UserError(f"the original must be a tensor of floats in [0, 1], not {kind}")
    image = hr[None] if hr.ndim == 3 else hr
    if image.shape != (1, 3, *size):
        raise UserError(
            f"the original of shape {tuple(hr.shape)} does not fit the super-resolved image of "
            f"{size[1]}x{size[0]} pixels: pass (1, 3, {size[0]}, {size[1]}), or None"
        )
    if not torch.isfinite(image).all():
        raise UserError("the original holds values that are not finite")
    check_value_range(image, "the original")
    return image
