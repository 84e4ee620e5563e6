"""Pictures at the boundary: reading, writing, conversion, and MATLAB's bicubic.

Everything below this boundary is RGB float32 in [0, 1], shaped (B, 3, H, W).
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from .files import write_bytes
from .resize import Border, crop_to_multiple, matlab_imresize

MAX_PIXELS = 64_000_000  # camera pictures pass; a decompression bomb does not

# What Pillow's decoders raise on damaged files, besides OSError.
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


class PictureError(ValueError):
    """A picture that cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True)
class Picture:
    """A picture as the network sees it.

    Attributes:
        rgb: (1, 3, H, W) float32 in [0, 1].
        alpha: (1, 1, H, W) float32 in [0, 1], or None where the picture is opaque by format.
        notes: what was converted on reading, one plain sentence each.
    """

    rgb: Tensor
    alpha: Tensor | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rgb.shape[-2], self.rgb.shape[-1]


def read_picture(
    source: str | Path | Image.Image, *, max_pixels: int | None = MAX_PIXELS
) -> Picture:
    """Read a picture of any common format and say what was converted.

    EXIF orientation is applied, grey becomes RGB, transparency is kept as alpha, 16-bit grey is
    scaled by its bit depth (never by its maximum), and of an animation the first frame is taken.

    Args:
        source: a file name, or an image that Pillow has already opened (then the current frame).
        max_pixels: refuse larger pictures before decoding them; None for no limit.

    Raises:
        PictureError: the file is missing, damaged, no picture, too large, or has no valid pixels.
    """
    if isinstance(source, Image.Image):
        return _convert(source, "the picture", max_pixels)
    path = Path(source)
    if path.is_dir():
        raise PictureError(f"{source} is a folder, not a picture.")
    if not path.exists():
        raise PictureError(f"{source} does not exist.")
    if path.stat().st_size == 0:
        raise PictureError(f"{path.name} is empty (0 bytes).")
    with _opened(path) as image:
        return _convert(image, path.name, max_pixels)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            # Pillow warns about large pictures; the limit of read_picture is the one that counts.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
    except UnidentifiedImageError:
        raise PictureError(f"{path.name} is not a picture that can be read.") from None
    except Image.DecompressionBombError:
        raise PictureError(f"{path.name} is too large to be opened safely.") from None
    except PermissionError:
        raise PictureError(f"{path.name} may not be read (permission denied).") from None
    except _DECODER_ERRORS:
        raise PictureError(f"{path.name} is damaged and cannot be read.") from None
    with image:
        yield image


def _convert(image: Image.Image, name: str, max_pixels: int | None) -> Picture:
    width, height = image.size
    if width < 1 or height < 1:
        raise PictureError(f"{name} has no pixels ({width}x{height}).")
    if max_pixels is not None and width * height > max_pixels:
        raise PictureError(
            f"{name} has {width}x{height} pixels; the limit is {max_pixels / 1e6:g} million: "
            "crop or shrink it first."
        )
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
    return Picture(rgb_tensor, alpha_tensor, tuple(notes + turned + converted))


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
    """Return rgb (H, W, 3) and alpha (H, W) or None, float32 in [0, 1], and notes."""
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
    """Modes I;16* and I: Pillow hands out 16-bit grey in either, depending on its version."""
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise PictureError(
            f"{name} holds integers from {low} to {high}, which is neither 8-bit nor 16-bit: "
            "scale them to 0-65535 first."
        )
    grey = (values.astype(np.float64) / 65535).astype(np.float32)
    return _grey_to_rgb(grey), None, ["16-bit grey scaled by 65535 and converted to RGB"]


def _float_grey(image: Image.Image, name: str) -> _Channels:
    grey = np.asarray(image, np.float32)
    if not np.isfinite(grey).all():
        raise PictureError(f"{name} holds values that are not numbers (NaN or infinite).")
    low, high = float(grey.min()), float(grey.max())
    # A little overshoot is what resampling leaves; anything beyond is another range than [0, 1],
    # and to guess which one would falsify the picture.
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


def check_rgb(rgb: Tensor) -> Tensor:
    """Return `rgb` if it is (B, 3, H, W) floating point, not empty and finite.

    Raises:
        PictureError: it is not.
    """
    if rgb.ndim != 4 or rgb.shape[1] != 3 or not rgb.is_floating_point():
        raise PictureError(
            f"A picture must be floats shaped (B, 3, H, W), not {rgb.dtype} {tuple(rgb.shape)}."
        )
    if rgb.numel() == 0:
        raise PictureError(f"A picture must have pixels; this one is shaped {tuple(rgb.shape)}.")
    if not bool(torch.isfinite(rgb).all()):
        raise PictureError("The picture holds values that are not numbers (NaN or infinite).")
    return rgb


def to_uint8(rgb: Tensor) -> np.ndarray:
    """Round one picture to 8 bit: (1, 3, H, W) or (3, H, W) in [0, 1] to (H, W, 3) uint8.

    Values are clipped and halves rounded up, as MATLAB does.

    Raises:
        PictureError: wrong shape, empty, or not finite.
    """
    batch = check_rgb(rgb if rgb.ndim == 4 else rgb[None])
    if len(batch) != 1:
        raise PictureError(f"One picture is needed, not a batch of {len(batch)}.")
    return _plane_to_uint8(batch[0].permute(1, 2, 0))


def _plane_to_uint8(values: Tensor) -> np.ndarray:
    scaled = values.detach().float().clamp(0, 1) * 255 + 0.5
    return np.ascontiguousarray(scaled.floor().to(torch.uint8).cpu().numpy())


def from_uint8(array: np.ndarray) -> Tensor:
    """Turn (H, W, 3) RGB or (H, W) grey uint8 into (1, 3, H, W) float32 in [0, 1].

    Raises:
        PictureError: another dtype or shape, or no pixels.
    """
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.size == 0:
        raise PictureError(f"Expected uint8 (H, W, 3) pixels, not {array.dtype} {array.shape}.")
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.shape[2] != 3:
        raise PictureError(f"Expected 3 channels, not {array.shape[2]}.")
    planes = np.ascontiguousarray(array.transpose(2, 0, 1))
    return torch.from_numpy(planes)[None].float() / 255


def to_pil(rgb: Tensor, alpha: Tensor | None = None) -> Image.Image:
    """Turn (1, 3, H, W) and alpha (1, 1, H, W) or None, in [0, 1], into an 8-bit RGB(A) image.

    Raises:
        PictureError: wrong shape, empty, or not finite.
    """
    pixels = to_uint8(rgb)
    if alpha is None:
        return Image.fromarray(pixels)
    if alpha.shape[-2:] != rgb.shape[-2:] or alpha.numel() != pixels[..., 0].size:
        raise PictureError(
            f"alpha {tuple(alpha.shape)} does not fit the picture {tuple(rgb.shape)}."
        )
    plane = _plane_to_uint8(alpha.reshape(*alpha.shape[-2:], 1))
    return Image.fromarray(np.concatenate([pixels, plane], axis=2))


def check_png_path(path: str | Path) -> Path:
    """Return `path` if a PNG may be written there; worth asking before a long computation.

    Raises:
        PictureError: not named .png, or a folder of that name exists.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise PictureError(
            f"{path} is not named .png: pictures are written as PNG, which loses nothing."
        )
    if path.is_dir():
        raise PictureError(f"{path} is a folder: name a file.")
    return path


def write_picture(path: str | Path, rgb: Tensor, alpha: Tensor | None = None) -> None:
    """Write an 8-bit PNG whole or not at all; folders on the way are made.

    Args:
        path: the file, named .png.
        rgb: (1, 3, H, W) in [0, 1]; values outside are clipped.
        alpha: (1, 1, H, W) in [0, 1], or None.

    Raises:
        PictureError: the name or the pixels are unfit.
        OSError: the disk is full, or the folder may not be written.
    """
    path = check_png_path(path)
    image = to_pil(rgb, alpha)
    encoded = io.BytesIO()
    image.save(encoded, format="PNG")
    write_bytes(path, encoded.getvalue())


def shrink(picture: Tensor | np.ndarray, scale: int, border: Border = "clamp") -> Tensor:
    """Make the LR picture of super-resolution benchmarks: crop to a multiple, MATLAB bicubic.

    Args:
        picture: RGB, (1, 3, H, W) in [0, 1] (rounded to 8 bit first) or uint8 (H, W, 3).
        scale: how many times smaller, from 1 up.
        border: see `matlab_imresize`.

    Returns:
        (1, 3, H // scale, W // scale) float32 in [0, 1], of 8-bit values.

    Raises:
        ValueError: unfit pixels, or smaller than `scale` pixels.
    """
    pixels = picture if isinstance(picture, np.ndarray) else to_uint8(picture)
    cropped = crop_to_multiple(pixels, scale)
    size = (cropped.shape[0] // scale, cropped.shape[1] // scale)
    return from_uint8(matlab_imresize(cropped, size, border))
