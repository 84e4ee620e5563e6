"""Images at the boundary: reading and writing files, 8 bit to floats and back, and LR images.

Everything below this boundary is RGB float32 in [0, 1], shaped (B, 3, H, W).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from .decoding import decode, opened
from .errors import PictureError
from .files import write_bytes
from .metadata import Metadata
from .resize import Border, crop_to_multiple, matlab_imresize
from .transparency import fill_hidden

MAX_PIXELS = 64_000_000
"""Largest image that is read by default: cameras' images pass, decompression bombs do not."""


@dataclass(frozen=True)
class Picture:
    """An image as the network sees it.

    Attributes:
        rgb: (1, 3, H, W) float32 in [0, 1].
        alpha: (1, 1, H, W) float32 in [0, 1], or None where the image is opaque by format.
        notes: what was converted on reading, one phrase each.
        metadata: what else its file says, where `read_picture` was asked to keep it.
    """

    rgb: Tensor
    alpha: Tensor | None = None
    notes: tuple[str, ...] = ()
    metadata: Metadata | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rgb.shape[-2], self.rgb.shape[-1]

    @property
    def filled(self) -> Tensor:
        """The colours, with those that alpha hides filled in from what is visible beside them."""
        return fill_hidden(self.rgb, self.alpha)


def read_picture(
    source: str | Path | Image.Image,
    *,
    max_pixels: int | None = MAX_PIXELS,
    managed: bool = True,
    keep_metadata: bool = False,
) -> Picture:
    """Read an image of any common format and say what was converted.

    Colours that a profile, a gamma or EXIF declares to be others than sRGB are converted to it.
    EXIF orientation is applied, grey becomes RGB, transparency is kept as alpha, 16-bit grey is
    scaled by its bit depth (never by its maximum), and of an animation the first frame is taken.

    Args:
        source: a file name (of one of `hpinet.imaging.formats.FORMATS`), or an image that Pillow
            has already opened (then the current frame).
        max_pixels: refuse images of more pixels before decoding them; None for no limit.
        managed: False takes the numbers as they are stored, whatever colours they stand for.
        keep_metadata: hand over EXIF and density for `write_picture`.

    Raises:
        PictureError: the file is missing, damaged, no image, of a format that is not read, too
            large, or has no valid pixels.
    """
    if isinstance(source, Image.Image):
        return _decoded(source, "the image", max_pixels, managed, keep_metadata)
    path = Path(source)
    if path.is_dir():
        raise PictureError(f"{source} is a folder, not an image.")
    if not path.exists():
        raise PictureError(f"{source} does not exist.")
    if path.stat().st_size == 0:
        raise PictureError(f"{path.name} is empty (0 bytes).")
    with opened(path) as image:
        return _decoded(image, path.name, max_pixels, managed, keep_metadata)


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width of an image file as it is stored, from its header.

    Raises:
        PictureError: as `read_picture`.
    """
    with opened(Path(path)) as image:
        return image.size[1], image.size[0]


def _decoded(
    image: Image.Image, name: str, max_pixels: int | None, managed: bool, keep_metadata: bool
) -> Picture:
    found = decode(image, name, max_pixels, managed=managed, keep_metadata=keep_metadata)
    return Picture(found.rgb, found.alpha, found.notes, found.metadata)


def check_rgb(rgb: Tensor) -> Tensor:
    """Return `rgb` if it is (B, 3, H, W) floating point, not empty and finite.

    Raises:
        PictureError: it is not.
    """
    if rgb.ndim != 4 or rgb.shape[1] != 3 or not rgb.is_floating_point():
        raise PictureError(
            f"An image must be floats shaped (B, 3, H, W), not {rgb.dtype} {tuple(rgb.shape)}."
        )
    if rgb.numel() == 0:
        raise PictureError(f"An image must have pixels; this one is shaped {tuple(rgb.shape)}.")
    if not bool(torch.isfinite(rgb).all()):
        raise PictureError("The image holds values that are not numbers (NaN or infinite).")
    return rgb


def to_uint8(rgb: Tensor) -> np.ndarray:
    """Round one image to 8 bit: (1, 3, H, W) or (3, H, W) in [0, 1] to (H, W, 3) uint8.

    Values are clipped and halves rounded up, as MATLAB does.

    Raises:
        PictureError: wrong shape, empty, or not finite.
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


def to_pil(rgb: Tensor | Picture, alpha: Tensor | None = None) -> Image.Image:
    """Turn (1, 3, H, W) and alpha (1, 1, H, W) or None, in [0, 1], into an 8-bit RGB(A) image.

    A `Picture` brings its own alpha.

    Raises:
        PictureError: wrong shape, empty, or not finite.
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
    """Return `path` if a PNG may be written there; worth asking before a long computation.

    Raises:
        PictureError: not named .png, or a folder of that name exists.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise PictureError(
            f"{path} is not named .png: images are written as PNG, which loses nothing."
        )
    if path.is_dir():
        raise PictureError(f"{path} is a folder: name a file.")
    return path


def png_bytes(image: Image.Image, level: int = 6, metadata: Metadata | None = None) -> bytes:
    """A PNG file that says that its colours are sRGB, as all colours of this project are.

    Args:
        image: 8-bit RGB, RGBA or grey.
        level: Of compression, 0 to 9.
        metadata: EXIF and density to be written into it.
    """
    chunks = PngInfo()
    chunks.add(b"sRGB", b"\x01")  # the intent: relative colorimetric
    extra: dict[str, Any] = {}
    if metadata is not None and metadata.exif:
        extra["exif"] = metadata.exif
    if metadata is not None and metadata.dpi:
        extra["dpi"] = metadata.dpi
    encoded = io.BytesIO()
    image.save(encoded, format="PNG", pnginfo=chunks, compress_level=level, **extra)
    return encoded.getvalue()


def write_picture(
    path: str | Path,
    rgb: Tensor | Picture,
    alpha: Tensor | None = None,
    metadata: Metadata | None = None,
) -> None:
    """Write an 8-bit PNG, marked as sRGB, whole or not at all; folders on the way are made.

    Args:
        path: the file, named .png.
        rgb: (1, 3, H, W) in [0, 1]; values outside are clipped. A `Picture` brings its own alpha
            and metadata.
        alpha: (1, 1, H, W) in [0, 1], or None.
        metadata: what `read_picture` kept of a file, or None.

    Raises:
        PictureError: the name or the pixels are unfit.
        OSError: the disk is full, or the folder may not be written.
    """
    path = check_png_path(path)
    if isinstance(rgb, Picture):
        metadata = rgb.metadata if metadata is None else metadata
    write_bytes(path, png_bytes(to_pil(rgb, alpha), metadata=metadata))


def shrink(image: Tensor | np.ndarray, scale: int, border: Border = "clamp") -> Tensor:
    """Make the LR image of super-resolution benchmarks: crop to a multiple, MATLAB's bicubic.

    Args:
        image: RGB, (1, 3, H, W) in [0, 1] (rounded to 8 bit first) or uint8 (H, W, 3).
        scale: HR pixels per LR pixel, a whole number from 1 up.
        border: see `matlab_imresize`.

    Returns:
        (1, 3, H // scale, W // scale) float32 in [0, 1], of 8-bit values.

    Raises:
        ValueError: unfit pixels, or smaller than `scale` pixels.
    """
    pixels = image if isinstance(image, np.ndarray) else to_uint8(image)
    cropped = crop_to_multiple(pixels, scale)
    size = (cropped.shape[0] // scale, cropped.shape[1] // scale)
    return from_uint8(matlab_imresize(cropped, size, border))
