"""Images in memory: RGB float32 in [0, 1], (B, 3, H, W), to and from 8 bit, and LR images."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from hpinet.errors import UserError

from .files import write_bytes
from .resize import Border, matlab_imresize


class PictureError(UserError):
    """An image that cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True)
class Picture:
    """An image as the network sees it.

    Attributes:
        rgb: (1, 3, H, W) float32 in [0, 1]; of a file that was read, colours under full
            transparency are those of the nearest visible pixels.
        alpha: (1, 1, H, W) float32 in [0, 1], or None where the image is opaque by format.
        notes: What was converted on reading, one phrase each.
    """

    rgb: Tensor
    alpha: Tensor | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rgb.shape[-2], self.rgb.shape[-1]

    @property
    def opaque(self) -> np.ndarray | None:
        """(H, W) bool, the pixels that scores count; None where these are all."""
        return None if self.alpha is None else (self.alpha[0, 0] == 1).cpu().numpy()

    def crop(self, top: int, left: int, height: int, width: int) -> Picture:
        """A part of the image, with its alpha and notes."""
        inside = (..., slice(top, top + height), slice(left, left + width))
        alpha = None if self.alpha is None else self.alpha[inside].clone()
        return replace(self, rgb=self.rgb[inside].clone(), alpha=alpha)


def check_rgb(rgb: Tensor) -> Tensor:
    """Return ``rgb`` if it is (B, 3, H, W) floating point, not empty and finite, or raise."""
    if rgb.ndim != 4 or rgb.shape[1] != 3 or not rgb.is_floating_point() or rgb.numel() == 0:
        raise PictureError(
            f"An image must be floats shaped (B, 3, H, W) and have pixels, not {rgb.dtype} "
            f"{tuple(rgb.shape)}."
        )
    if not bool(torch.isfinite(rgb).all()):
        raise PictureError("The image holds values that are not numbers (NaN or infinite).")
    return rgb


def to_uint8(rgb: Tensor) -> np.ndarray:
    """Round one image to 8 bit: (1, 3, H, W) or (3, H, W) in [0, 1] to (H, W, 3) uint8.

    Values are clipped and halves rounded up, as MATLAB does.

    Raises:
        PictureError: The shape does not fit, or values are not finite.
    """
    batch = check_rgb(rgb if rgb.ndim == 4 else rgb[None])
    if len(batch) != 1:
        raise PictureError(f"One image is needed, not a batch of {len(batch)}.")
    return _plane_to_uint8(batch[0].permute(1, 2, 0))


def _plane_to_uint8(values: Tensor) -> np.ndarray:
    scaled = values.detach().float().clamp(0, 1) * 255 + 0.5  # + 0.5, then floor: halves go up
    return np.ascontiguousarray(scaled.floor().to(torch.uint8).cpu().numpy())


def from_uint8(array: np.ndarray) -> Tensor:
    """Turn (H, W, 3) RGB or (H, W) grey uint8 into (1, 3, H, W) float32 in [0, 1].

    Raises:
        PictureError: The array has another dtype or shape, or no pixels.
    """
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise PictureError(f"Expected uint8 (H, W, 3) pixels, not {array.dtype} {array.shape}.")
    planes = np.ascontiguousarray(array.transpose(2, 0, 1))
    return torch.from_numpy(planes)[None].float() / 255


def to_pil(rgb: Tensor | Picture, alpha: Tensor | None = None) -> Image.Image:
    """Turn (1, 3, H, W) and alpha (1, 1, H, W) or None, in [0, 1], into an 8-bit RGB(A) image.

    A `Picture` brings its own alpha.

    Raises:
        PictureError: A shape does not fit, or values are not finite.
    """
    if isinstance(rgb, Picture):
        alpha = rgb.alpha if alpha is None else alpha
        rgb = rgb.rgb
    pixels = to_uint8(rgb)
    if alpha is None:
        return Image.fromarray(pixels)
    if alpha.shape[-2:] != rgb.shape[-2:] or alpha.numel() != pixels[..., 0].size:
        raise PictureError(f"alpha {tuple(alpha.shape)} does not fit the image {tuple(rgb.shape)}.")
    plane = _plane_to_uint8(alpha.reshape(*alpha.shape[-2:], 1))  # (H, W, 1)
    return Image.fromarray(np.concatenate([pixels, plane], axis=2))


def check_png_path(path: str | Path) -> Path:
    """Return ``path`` if it can name a PNG file, or raise."""
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise PictureError(f"{path} is not named .png: images are written as PNG, losslessly.")
    if path.is_dir():
        raise PictureError(f"{path} is a folder: name a file.")
    return path


def png_bytes(image: Image.Image, level: int = 6) -> bytes:
    """An 8-bit image as a PNG file marked as sRGB, compressed at a level of 0 to 9."""
    chunks = PngInfo()
    chunks.add(b"sRGB", b"\x01")  # the intent: relative colorimetric
    encoded = io.BytesIO()
    image.save(encoded, format="PNG", pnginfo=chunks, compress_level=level)
    return encoded.getvalue()


def write_picture(path: str | Path, rgb: Tensor | Picture, alpha: Tensor | None = None) -> None:
    """Write an 8-bit PNG, marked as sRGB, whole or not at all; missing folders are made.

    Args:
        path: The file, named .png.
        rgb: (1, 3, H, W) in [0, 1]; values outside are clipped. A `Picture` brings its own alpha.
        alpha: (1, 1, H, W) in [0, 1], or None.

    Raises:
        PictureError: The name or the pixels do not fit.
        OSError: The disk is full, or the folder cannot be written.
    """
    write_bytes(check_png_path(path), png_bytes(to_pil(rgb, alpha)))


def shrink(image: Tensor | np.ndarray, scale: int, border: Border = "clamp") -> Tensor:
    """Make the LR image of super-resolution benchmarks: crop to a multiple, MATLAB's bicubic.

    Args:
        image: RGB, (1, 3, H, W) in [0, 1] (rounded to 8 bit first) or uint8 (H, W, 3).
        scale: HR pixels per LR pixel, a whole number from 1 up.
        border: As for `matlab_imresize`.

    Returns:
        (1, 3, H // scale, W // scale) float32 in [0, 1], of 8-bit values.

    Raises:
        UserError: The image is smaller than ``scale`` pixels a side, or does not fit.
    """
    pixels = image if isinstance(image, np.ndarray) else to_uint8(image)
    height, width = pixels.shape[:2]
    if scale < 1 or min(height, width) < scale:
        raise UserError(f"An image of {width}x{height} pixels cannot be shrunk {scale} times.")
    size = (height // scale, width // scale)
    return from_uint8(matlab_imresize(pixels[: size[0] * scale, : size[1] * scale], size, border))
