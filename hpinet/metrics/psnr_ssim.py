"""PSNR and SSIM on the luma channel by the paper's protocol, and LPIPS."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from hpinet.imaging.images import to_uint8

SSIM_WINDOW = 11  # a Gaussian of sigma 1.5 cut off at 3.5 sigma, as skimage does


Pixels = np.ndarray | Tensor  # uint8 (H, W, 3), or floats (1, 3, H, W) in [0, 1]


def to_y(rgb: Pixels) -> np.ndarray:
    """Luma of BT.601 in studio swing (16-235), rounded to 8 bit as MATLAB's rgb2ycbcr does.

    Args:
        rgb: uint8 (H, W, 3), or floats (1, 3, H, W) in [0, 1], which are rounded to 8 bit first.

    Returns:
        (H, W) uint8.
    """
    weights = np.array([65.481, 128.553, 24.966]) / 255
    return np.floor(_pixels(rgb) @ weights + 16.5).astype(np.uint8)


def psnr_y(sr: Pixels, hr: Pixels, crop: int) -> float:
    """Peak signal-to-noise ratio of the luma in dB; infinite for equal pictures.

    Args:
        sr: the result; see `to_y` for the kinds of pixels.
        hr: the original, of the same size.
        crop: border pixels left out on each side; the scale, by convention.

    Raises:
        ValueError: different sizes, or nothing left after cropping.
    """
    a, b = _cropped_luma(sr, hr, crop, 1)
    error = float(np.mean((a - b) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim_y(sr: Pixels, hr: Pixels, crop: int) -> float:
    """Structural similarity of the luma: 11x11 Gaussian of sigma 1.5, population covariance.

    Args and errors as `psnr_y`; at least 11 pixels a side must be left after cropping.
    """
    from skimage.metrics import structural_similarity

    a, b = _cropped_luma(sr, hr, crop, SSIM_WINDOW)
    return float(
        structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
        )
    )


def _pixels(rgb: Pixels) -> np.ndarray:
    return to_uint8(rgb) if isinstance(rgb, Tensor) else rgb


def _check_sizes(sr: np.ndarray, hr: np.ndarray) -> None:
    if sr.shape != hr.shape:
        raise ValueError(
            f"The pictures differ in size: {sr.shape[1]}x{sr.shape[0]} "
            f"and {hr.shape[1]}x{hr.shape[0]} pixels."
        )


def _cropped_luma(sr: Pixels, hr: Pixels, crop: int, least: int) -> tuple[np.ndarray, np.ndarray]:
    a, b = _pixels(sr), _pixels(hr)
    _check_sizes(a, b)
    height, width = a.shape[:2]
    if crop < 0 or min(height, width) - 2 * crop < least:
        raise ValueError(
            f"A picture of {width}x{height} pixels is too small to be compared without "
            f"{crop} border pixels: at least {least + 2 * crop} a side are needed."
        )
    inner = (slice(crop, height - crop), slice(crop, width - crop))
    return to_y(a)[inner].astype(np.float64), to_y(b)[inner].astype(np.float64)
