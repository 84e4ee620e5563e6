"""PSNR and SSIM on the luma channel, by the protocol of the paper's tables.

Both images are rounded to 8 bit and converted to luma, which is rounded to 8 bit again; much of the
field leaves it as it is. By convention ``scale`` pixels on each side are left out.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from hpinet.errors import UserError
from hpinet.imaging.images import Picture, to_uint8
from hpinet.imaging.value_range import RESULT_SLACK, check_value_range

SSIM_WINDOW = 11  # skimage's Gaussian of sigma 1.5, cut off at 3.5 sigma: 2 * 5 + 1 pixels

ROUNDED, EXACT = "rounded", "exact"
LUMAS = (ROUNDED, EXACT)
"""Luma rounded to 8 bit, as MATLAB's rgb2ycbcr gives it, or as the formula does (BasicSR)."""

Pixels = np.ndarray | Tensor | Picture
"""uint8 (H, W, 3), or floats (1, 3, H, W) in [0, 1], which are rounded to 8 bit first.

Of an original that is a `Picture`, PSNR and SSIM count the opaque pixels only.
"""


def to_y(rgb: Pixels, luma: str = ROUNDED) -> np.ndarray:
    """Luma of BT.601 in studio swing, Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255.

    Y lies in 16 to 235. By default it is rounded to 8 bit, halves up, as MATLAB's rgb2ycbcr does on
    uint8.

    Args:
        rgb: uint8 (H, W, 3) in 0 to 255, or floats (1, 3, H, W) in [0, 1].
        luma: One of `LUMAS`.

    Returns:
        (H, W) uint8, or float64 where it is exact.
    """
    weights = np.array([65.481, 128.553, 24.966]) / 255
    exact = eight_bit(rgb) @ weights + 16
    return exact if luma == EXACT else np.floor(exact + 0.5).astype(np.uint8)


def psnr_y(sr: Pixels, hr: Pixels, crop: int, luma: str = ROUNDED) -> float:
    """Peak signal-to-noise ratio of the luma, 10 log10(255^2 / MSE) in dB.

    Infinite for equal images.

    Args:
        sr: the SR image; see `to_y` for the kinds of pixels.
        hr: the original, of the same size.
        crop: border pixels left out on each side; the scale, by convention.
        luma: one of `LUMAS`.

    Raises:
        UserError: different sizes, or nothing opaque left after cropping.
    """
    a, b = _cropped_luma(sr, hr, crop, 1, luma)
    error = _mean((a - b) ** 2, hr, crop)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim_y(sr: Pixels, hr: Pixels, crop: int, luma: str = ROUNDED) -> float:
    """Structural similarity of the luma, at most 1 (Wang et al. 2004).

    Means, variances and covariance under an 11x11 Gaussian of sigma 1.5, not corrected for the
    sample size, with dynamic range 255. Args and errors as `psnr_y`; at least 11 pixels a side must
    be left after cropping.
    """
    from skimage.metrics import structural_similarity

    a, b = _cropped_luma(sr, hr, crop, SSIM_WINDOW, luma)
    _, similarity = structural_similarity(
        a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255,
        full=True,
    )  # fmt: skip
    edge = SSIM_WINDOW // 2  # where the window reaches beyond the image
    return _mean(similarity[edge:-edge, edge:-edge], hr, crop + edge)


def _mean(values: np.ndarray, hr: Pixels, border: int) -> float:
    """The mean over the original's opaque pixels, of values without its border."""
    opaque = hr.opaque if isinstance(hr, Picture) else None
    if opaque is not None:
        height, width = opaque.shape
        values = values[opaque[border : height - border, border : width - border]]
        if not values.size:
            raise UserError("The original has no opaque pixels to compare.")
    return float(np.mean(values))


def eight_bit(rgb: Pixels) -> np.ndarray:
    """Either kind of pixels as uint8 (H, W, 3).

    Raises:
        UserError: Another kind, or floats far outside [0, 1].
    """
    if isinstance(rgb, Picture):
        rgb = rgb.rgb
    if isinstance(rgb, Tensor):
        check_value_range(rgb, "an image that is compared", RESULT_SLACK)
        return to_uint8(rgb)
    if rgb.dtype != np.uint8:
        raise UserError(
            f"an image that is compared is uint8 (H, W, 3), or a tensor of floats in [0, 1], not "
            f"an array of {rgb.dtype}"
        )
    return rgb


def check_sizes(sr: np.ndarray, hr: np.ndarray) -> None:
    """Refuse images (H, W, 3) of different sizes.

    Raises:
        UserError: If they differ.
    """
    if sr.shape != hr.shape:
        raise UserError(
            f"The images differ in size: {sr.shape[1]}x{sr.shape[0]} "
            f"and {hr.shape[1]}x{hr.shape[0]} pixels."
        )


def _cropped_luma(
    sr: Pixels, hr: Pixels, crop: int, least: int, luma: str
) -> tuple[np.ndarray, np.ndarray]:
    """Both lumas without the border, float64 (H - 2 crop, W - 2 crop) in 16 to 235."""
    a, b = eight_bit(sr), eight_bit(hr)
    check_sizes(a, b)
    height, width = a.shape[:2]
    if crop < 0 or min(height, width) - 2 * crop < least:
        raise UserError(
            f"An image of {width}x{height} pixels is too small to be compared without "
            f"{crop} border pixels: at least {least + 2 * crop} a side are needed."
        )
    inner = (slice(crop, height - crop), slice(crop, width - crop))
    # 8-bit differences would wrap around below 0.
    return to_y(a, luma)[inner].astype(np.float64), to_y(b, luma)[inner].astype(np.float64)
