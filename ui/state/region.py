"""Which LR pixels are attributed, and where a window lies among them."""

from __future__ import annotations

import numpy as np

from hpinet.errors import UserError
from lam import Window

Region = tuple[int, int, int, int]
"""(left, top, height, width) in LR pixels."""

LAM_PIXELS = 160 * 160
"""The most LR pixels that are attributed at once: memory and time both grow with them."""

WHOLE_UP_TO = 96 * 96
"""LR pixels that are attributed whole unless a crop is asked for."""


def region_around(window: Window, choice: str, size: tuple[int, int], scale: int) -> Region:
    """Which LR pixels to attribute: the whole image, or a square around the window.

    Args:
        window: In SR pixels of the whole image.
        choice: ``"auto"``, ``"whole"`` or the side of a square in LR pixels.
        size: Height and width of the LR image.
        scale: SR pixels per LR pixel.

    Returns:
        (left, top, height, width) in LR pixels.

    Raises:
        ValueError: If the whole is too large, or the choice is none.
    """
    height, width = size
    if choice == "auto":
        choice = "whole" if height * width <= WHOLE_UP_TO else "64"
    if choice == "whole":
        if height * width > LAM_PIXELS:
            raise UserError(
                f"The whole image of {width}x{height} LR pixels is too large to be attributed "
                f"(limit {LAM_PIXELS}): choose a crop around the window."
            )
        return 0, 0, height, width
    if not choice.isdigit() or not 16 <= int(choice) <= 128:
        raise UserError(f"The region is auto, whole, or 16 to 128 LR pixels, not {choice!r}.")
    high, wide = min(int(choice), height), min(int(choice), width)
    left = round((window.left + window.size / 2) / scale - wide / 2)
    top = round((window.top + window.size / 2) / scale - high / 2)
    return int(np.clip(left, 0, width - wide)), int(np.clip(top, 0, height - high)), high, wide


def window_inside(window: Window, region: Region, scale: int) -> Window:
    """A window of the SR image in SR pixels of a region, which is in LR pixels."""
    left, top = (v * scale for v in region[:2])
    return Window(window.left - left, window.top - top, window.size)
