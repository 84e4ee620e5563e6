"""What a change of the matches did to the SR image: the difference, and where PSNR changed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hpinet.errors import UserError
from hpinet.metrics.psnr_ssim import psnr_y, to_y
from hpinet.modeling.region import Box


@dataclass(frozen=True, eq=False)
class Effect:
    """What an intervention did to the SR image.

    Attributes:
        difference: (1, 3, sH, sW), changed less normal, not clamped.
        mean_difference: Mean of its absolute values, in 8-bit grey levels (times 255).
        max_difference: Maximum of its absolute values, in 8-bit grey levels.
        psnr: PSNR-Y of the changed image in dB, as `psnr_ssim.psnr_y` with ``scale`` border
            pixels cut off; None without HR or where infinite.
        psnr_change: Changed less normal, in dB.
        window_psnr: PSNR-Y in the window in dB, no border cut off.
        window_psnr_change: Changed less normal in the window, in dB.
    """

    difference: Tensor
    mean_difference: float
    max_difference: float
    psnr: float | None = None
    psnr_change: float | None = None
    window_psnr: float | None = None
    window_psnr_change: float | None = None

    def summary(self) -> dict[str, float | None]:
        """The numbers, for JSON and tables."""
        return {name: getattr(self, name) for name in EFFECTS}


EFFECTS = (
    *("mean_difference", "max_difference"),
    *("psnr", "psnr_change", "window_psnr", "window_psnr_change"),
)
"""The numbers of an `Effect`."""


def effect(
    normal: Tensor,
    changed: Tensor,
    hr: Tensor | None = None,
    scale: int = 4,
    window: tuple[int, int, int] | None = None,
) -> Effect:
    """Compare an SR image with the normal one.

    Args:
        normal: (1, 3, sH, sW), not clamped.
        changed: The same with other matches.
        hr: The true image in [0, 1], of the same shape.
        scale: Border pixels left out of the PSNR of the whole image.
        window: (left, top, size) in SR pixels.

    Raises:
        ValueError: If sizes do not fit or the window reaches outside.
    """
    if normal.shape != changed.shape or len(normal) != 1:
        raise UserError(
            f"one image is compared with another of its size, not {tuple(changed.shape)} "
            f"with {tuple(normal.shape)}"
        )
    difference = changed - normal
    sizes = 255 * difference.abs()
    mean, largest = float(sizes.mean()), float(sizes.max())
    box = None
    if window is not None:
        box = Box(window[1], window[0], window[2], window[2])
        box.check_inside(*normal.shape[-2:])
    if hr is None:
        return Effect(difference, mean, largest)
    images = [x.float().clamp(0, 1).cpu() for x in (normal, changed, hr)]
    whole = _psnrs(images, scale)
    inside = (None, None) if box is None else _psnrs([box.crop(x) for x in images], 0)
    return Effect(difference, mean, largest, *whole, *inside)


def _psnrs(images: list[Tensor], crop: int) -> tuple[float | None, float | None]:
    """PSNR-Y of the second image and its change from the first, both against the third, in dB."""
    before, after = (psnr_y(image, images[2], crop) for image in images[:2])
    change = after - before if math.isfinite(before) and math.isfinite(after) else None
    return (after if math.isfinite(after) else None), change


def window_psnrs(
    normal: Tensor, changed: Tensor, hr: Tensor, size: int = 48
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """PSNR-Y window by window: a mean over the image hides where much changes.

    Args:
        normal: (1, 3, sH, sW), not clamped.
        changed: The same with other matches.
        hr: The true image in [0, 1], of the same shape.
        size: Side of the windows in SR pixels; they do not overlap, and what is left at the right
            and below belongs to none.

    Returns:
        The normal image's and the changed one's, (sH // size, sW // size) each, in dB; infinite
        where a window equals the original.

    Raises:
        ValueError: If no window fits into the image.
    """
    if not 1 <= size <= min(normal.shape[-2:]):
        raise UserError(
            f"windows of {size} pixels do not fit into an image of "
            f"{normal.shape[-1]}x{normal.shape[-2]}"
        )
    luma, first, second = (
        to_y(x.float().clamp(0, 1).cpu()).astype(np.float64) for x in (hr, normal, changed)
    )
    return _window_psnr(first - luma, size), _window_psnr(second - luma, size)


def _window_psnr(error: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """(sH, sW) differences of luma, 0 to 255, to (sH // size, sW // size) PSNRs in dB."""
    down, across = (side // size for side in error.shape)
    # (rows, size, columns, size): the mean over the second and the last axis is one a window.
    cells = error[: down * size, : across * size].reshape(down, size, across, size)
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(255**2 / (cells**2).mean((1, 3))))


def extreme_windows(
    before: NDArray[np.float64], after: NDArray[np.float64], size: int
) -> dict[str, float | int | None]:
    """The windows whose PSNR drops and rises most.

    Args:
        before: PSNR-Y of every window, (rows, columns) in dB.
        after: The same of the changed image.
        size: Side of the windows in SR pixels.

    Returns:
        ``worst_window_left``, ``worst_window_top`` (SR pixels), ``worst_window_psnr`` (before, dB)
        and ``worst_window_change`` (after less before, dB), and the same for ``best``; None where
        no window has a finite PSNR.
    """
    known = np.isfinite(before) & np.isfinite(after)
    # Not after - before: infinity less infinity would warn.
    change = np.where(known, after, 0) - np.where(known, before, 0)
    found: dict[str, float | int | None] = {}
    for name, place in (
        ("worst", np.where(known, change, np.inf).argmin()),
        ("best", np.where(known, change, -np.inf).argmax()),
    ):
        row, column = (int(v) for v in np.unravel_index(place, change.shape))
        here = bool(known.any())
        found[f"{name}_window_left"] = column * size if here else None
        found[f"{name}_window_top"] = row * size if here else None
        found[f"{name}_window_psnr"] = float(before[row, column]) if here else None
        found[f"{name}_window_change"] = float(change[row, column]) if here else None
    return found
