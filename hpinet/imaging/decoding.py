"""Image files of any common format to RGB floats, and a sentence for each conversion made."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from hpinet.errors import UserError

# What Pillow's decoders raise on damaged files.
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


class PictureError(UserError):
    """An image that cannot be used; the message is one sentence for the user."""


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file with Pillow, without decoding its pixels yet.

    Raises:
        PictureError: no image, damaged, too large for Pillow, or not readable.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns about large images; `decode` refuses them by its own limit.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
    except UnidentifiedImageError:
        raise PictureError(f"{path.name} is not an image that can be read.") from None
    except Image.DecompressionBombError:
        raise PictureError(f"{path.name} is too large to be opened safely.") from None
    except PermissionError:
        raise PictureError(f"{path.name} may not be read (permission denied).") from None
    except _DECODER_ERRORS:
        raise PictureError(f"{path.name} is damaged and cannot be read.") from None
    with image:
        yield image


def decode(
    image: Image.Image, name: str, max_pixels: int | None
) -> tuple[Tensor, Tensor | None, tuple[str, ...]]:
    """Decode the current frame of an image.

    Args:
        image: opened by Pillow.
        name: what to call it in an error.
        max_pixels: refuse larger images before decoding them; None for no limit.

    Returns:
        RGB (1, 3, H, W) and alpha (1, 1, H, W) or None, float32 in [0, 1], and a note for each
        conversion.

    Raises:
        PictureError: damaged, too large, or without valid pixels.
    """
    _check_size(image.size, name, max_pixels)
    try:
        notes = _frame_notes(image)
        if ";16" in str(getattr(image, "tile", "")) and image.mode in ("RGB", "RGBA", "LA"):
            notes.append("16 bits per channel reduced to 8")  # Pillow keeps the high byte
        image.load()
        image, turned = _upright(image)
        rgb, alpha, converted = _channels(image, name)
    except PictureError:
        raise
    except _DECODER_ERRORS:
        raise PictureError(f"{name} is damaged: its pixels cannot be decoded.") from None
    rgb_tensor = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None]
    alpha_tensor = None if alpha is None else torch.from_numpy(alpha)[None, None]
    return rgb_tensor, alpha_tensor, (*notes, *turned, *converted)


def _check_size(size: tuple[int, int], name: str, max_pixels: int | None) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PictureError(f"{name} has no pixels ({width}x{height}).")
    if max_pixels is not None and width * height > max_pixels:
        raise PictureError(
            f"{name} has {width}x{height} pixels; the limit is {max_pixels / 1e6:g} million: "
            "crop or shrink it first."
        )


def _frame_notes(image: Image.Image) -> list[str]:
    frames = getattr(image, "n_frames", 1)
    if frames <= 1:
        return []
    frame = image.tell() + 1
    return [f"{'first' if frame == 1 else f'frame {frame}'} of {frames} frames taken"]


def _upright(image: Image.Image) -> tuple[Image.Image, list[str]]:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        if orientation not in range(2, 9):
            return image, []
        return ImageOps.exif_transpose(image), ["turned upright as its EXIF orientation says"]
    except _DECODER_ERRORS:  # a damaged EXIF block is no reason to refuse sound pixels
        return image, ["its EXIF block is damaged and was ignored"]


def _channels(image: Image.Image, name: str) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """RGB (H, W, 3) and alpha (H, W) or None, float32 in [0, 1], and notes, by Pillow's mode."""
    mode = image.mode
    if mode.startswith("I"):
        return _deep_grey(image, name)
    if mode == "F":
        return _float_grey(image, name)
    if mode == "LAB":
        raise PictureError(f"{name} is in CIELAB colours: convert it to RGB first.")
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        notes = {
            "RGBA": [],
            "LA": ["grey converted to RGB"],
            "La": ["grey converted to RGB"],
            "PA": ["palette colours converted to RGB"],
            "P": ["palette colours converted to RGB, transparency to alpha"],
        }.get(mode, ["transparency converted to alpha"])
        straight = image.convert("LA") if mode == "La" else image
        values = np.asarray(straight.convert("RGBA"), np.float32) / np.float32(255)
        return values[..., :3], np.ascontiguousarray(values[..., 3]), notes
    notes = {
        "RGB": [],
        "L": ["grey converted to RGB"],
        "1": ["black and white (1 bit) converted to RGB"],
        "P": ["palette colours converted to RGB"],
        "CMYK": ["CMYK converted to RGB without a colour profile"],
    }.get(mode, [f"{mode} converted to RGB"])
    return np.asarray(image.convert("RGB"), np.float32) / np.float32(255), None, notes


_Channels = tuple[np.ndarray, None, list[str]]


def _deep_grey(image: Image.Image, name: str) -> _Channels:
    """16-bit grey: Pillow's modes I;16* and I, either of them depending on its version."""
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise PictureError(
            f"{name} holds integers from {low} to {high}, which is neither 8-bit nor 16-bit: "
            "scale them to 0-65535 first."
        )
    # By the bit depth, 2^16 - 1, not by the maximum, which would brighten dark images.
    grey = (values.astype(np.float64) / 65535).astype(np.float32)
    return _grey_to_rgb(grey), None, ["16-bit grey scaled by 65535 and converted to RGB"]


def _float_grey(image: Image.Image, name: str) -> _Channels:
    grey = np.asarray(image, np.float32)
    if not np.isfinite(grey).all():
        raise PictureError(f"{name} holds values that are not numbers (NaN or infinite).")
    low, high = float(grey.min()), float(grey.max())
    # Resampling overshoots a little. What is further outside was scaled to another range than
    # [0, 1], and a guess which one could be wrong.
    if low < -0.5 or high > 1.5:
        raise PictureError(
            f"{name} holds floats from {low:g} to {high:g}; floats must lie in [0, 1]: "
            "divide by the range first."
        )
    notes = ["floating-point grey converted to RGB"]
    if low < 0 or high > 1:
        notes.append(f"values from {low:g} to {high:g} clipped to [0, 1]")
    return _grey_to_rgb(grey.clip(0, 1)), None, notes


def _grey_to_rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)
