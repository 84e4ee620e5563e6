"""Image files of any common format to RGB floats, and a sentence for each conversion made."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import ExifTags, Image
from torch import Tensor

from .colour import grey_curve, to_srgb
from .errors import PictureError, guarded
from .formats import FORMATS, HEAD, main_frame, not_read, refuse
from .metadata import Metadata, metadata_note, read_metadata
from .png_chunks import SIGNATURE, slim
from .transparency import keyed_alpha

Array = np.ndarray

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns an image upright, by its EXIF orientation."""

_WITH_ALPHA = {
    "RGBA": [],
    "LA": ["grey converted to RGB"],
    "La": ["grey converted to RGB"],
    "PA": ["palette colours converted to RGB"],
    "P": ["palette colours converted to RGB, transparency to alpha"],
}
_MODES_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_OPAQUE = {
    "RGB": [],
    "L": ["grey converted to RGB"],
    "1": ["black and white (1 bit) converted to RGB"],
    "P": ["palette colours converted to RGB"],
    "CMYK": ["CMYK converted to RGB without a colour profile"],
}


@dataclass(frozen=True)
class Decoded:
    """An image's pixels and what was done to have them.

    Attributes:
        rgb: (1, 3, H, W) float32 in [0, 1].
        alpha: (1, 1, H, W) float32 in [0, 1], or None.
        notes: A phrase for each conversion.
        metadata: What else the file says, where it is to be kept.
    """

    rgb: Tensor
    alpha: Tensor | None
    notes: tuple[str, ...]
    metadata: Metadata | None


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file with Pillow, without decoding its pixels yet.

    Raises:
        PictureError: no image, damaged, of a format that is not read, too large, or not readable.
    """
    with guarded(path.name), path.open("rb") as file:
        head = file.read(HEAD)
        refuse(head, path.name)
        rest = file.read() if head.startswith(SIGNATURE) else b""
    chunks = slim(head + rest) if head.startswith(SIGNATURE) else None
    source = path if chunks is None else io.BytesIO(chunks.data)
    with guarded(path.name, not_read(head, path.name)), warnings.catch_warnings():
        # Pillow warns about large images; `decode` refuses them by its own limit.
        warnings.simplefilter("ignore")
        image = Image.open(source, formats=list(FORMATS))
    with image:
        if chunks is not None:
            image.info["texts"] = chunks.texts
            image.info["icc_profile"] = b"damaged" if chunks.damaged_profile else chunks.profile
        with guarded(path.name):
            main_frame(image, path.name)
        yield image


def decode(
    image: Image.Image,
    name: str,
    max_pixels: int | None,
    *,
    managed: bool = True,
    keep_metadata: bool = False,
) -> Decoded:
    """Decode the current frame of an image.

    Args:
        image: opened by Pillow.
        name: what to call it in an error.
        max_pixels: refuse larger images before decoding them; None for no limit.
        managed: convert colours to sRGB where the file says that they are others.
        keep_metadata: hand over EXIF and density.

    Raises:
        PictureError: damaged, too large, or without valid pixels.
    """
    _check_size(image.size, name, max_pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of damaged EXIF and the like
        reading = _Reading(image, name, managed)
        rgb, alpha = reading.pixels()
        with guarded(name):
            metadata, others = read_metadata(image)
    notes = (*reading.notes, *metadata_note(metadata, others, keep_metadata))
    planes = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None]
    mask = None if alpha is None else torch.from_numpy(np.ascontiguousarray(alpha))[None, None]
    return Decoded(planes, mask, notes, metadata if keep_metadata and metadata else None)


def _check_size(size: tuple[int, int], name: str, max_pixels: int | None) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PictureError(f"{name} has no pixels ({width}x{height}).")
    if max_pixels is not None and width * height > max_pixels:
        raise PictureError(
            f"{name} has {width}x{height} pixels; the limit is {max_pixels / 1e6:g} million: "
            "crop or shrink it first."
        )


class _Reading:
    """One image on its way from Pillow's mode to RGB and alpha, and the notes made on it."""

    def __init__(self, image: Image.Image, name: str, managed: bool) -> None:
        self.image, self.name, self.managed = image, name, managed
        self.notes: list[str] = []

    def pixels(self) -> tuple[Array, Array | None]:
        """RGB (H, W, 3) and alpha (H, W) or None, float32 in [0, 1], upright."""
        image = self.image
        with guarded(self.name):
            self.notes += _frame_notes(image)
            if ";16" in str(getattr(image, "tile", "")) and image.mode in ("RGB", "RGBA", "LA"):
                self.notes.append("16 bits per channel reduced to 8")  # Pillow keeps the high byte
            mask, said = keyed_alpha(image)
            image.load()
            turn = self._turn()
        if image.mode.startswith("I") or image.mode == "F":
            rgb, alpha = self._deep(), None
        else:
            rgb, alpha = self._shallow(mask is not None)
        if mask is not None:
            alpha = mask.astype(np.float32) / np.float32(255)
            self.notes.append(said)
        return _turned(rgb, turn), None if alpha is None else _turned(alpha, turn)

    def _turn(self) -> Image.Transpose | None:
        try:
            turn = _TURNS.get(self.image.getexif().get(ExifTags.Base.Orientation, 1))
        except Exception:  # a damaged EXIF block is no reason to refuse sound pixels
            self.notes.append("its EXIF block is damaged and was ignored")
            return None
        if turn is not None:
            self.notes.append("turned upright as its EXIF orientation says")
        return turn

    def _shallow(self, has_mask: bool) -> tuple[Array, Array | None]:
        """Modes of 8 bit and less."""
        image, mode = self.image, self.image.mode
        if mode == "LAB":
            raise PictureError(f"{self.name} is in CIELAB colours: convert it to RGB first.")
        alpha = None
        with guarded(self.name):
            if mode in _MODES_WITH_ALPHA or ("transparency" in image.info and not has_mask):
                notes = _WITH_ALPHA.get(mode, ["transparency converted to alpha"])
                straight = image.convert("LA") if mode == "La" else image
                rgba = straight.convert("RGBA")
                alpha = np.asarray(rgba.getchannel("A"), np.float32) / np.float32(255)
                colours = straight.getchannel("L") if "L" in straight.mode else rgba.convert("RGB")
            else:
                notes = _OPAQUE.get(mode, [f"{mode} converted to RGB"])
                colours = image if mode in ("RGB", "L", "CMYK") else image.convert("RGB")
        converted, said = to_srgb(colours, image) if self.managed else (colours, [])
        if mode == "CMYK" and converted is not colours:
            notes = []  # `said` names the profile
        self.notes += [*notes, *said]
        return np.asarray(converted.convert("RGB"), np.float32) / np.float32(255), alpha

    def _deep(self) -> Array:
        """Grey of 16 bits, integer 32 bits or floating point."""
        grey = self._float() if self.image.mode == "F" else self._integer()
        if _tag(self.image, _PHOTOMETRIC) == 0:  # white is 0; Pillow turns 8 bits and less round
            grey = 1 - grey
        if self.managed:
            curve, said = grey_curve(self.image)
            self.notes += said
            if curve is not None:
                knots = np.linspace(0, 1, len(curve))
                planes = [np.interp(grey, knots, curve[:, c]) for c in range(3)]
                return np.stack(planes, axis=2).astype(np.float32)
        return np.repeat(grey[..., None], 3, axis=2)

    def _integer(self) -> Array:
        """Pillow's modes I;16* and I, either of them depending on its version."""
        values = np.asarray(self.image)
        low, high = int(values.min()), int(values.max())
        if low < 0 or high > 65535:
            raise PictureError(
                f"{self.name} holds integers from {low} to {high}, which is neither 8-bit nor "
                "16-bit: scale them to 0-65535 first."
            )
        # By the bit depth, 2^16 - 1, not by the maximum, which would brighten dark images.
        bits = 12 if _tag(self.image, _BITS) == 12 else 16
        most = 2**bits - 1
        self.notes.append(f"{bits}-bit grey scaled by {most} and converted to RGB")
        return (values.astype(np.float64) / most).astype(np.float32)

    def _float(self) -> Array:
        grey = np.asarray(self.image, np.float32)
        if not np.isfinite(grey).all():
            raise PictureError(f"{self.name} holds values that are not numbers (NaN or infinite).")
        low, high = float(grey.min()), float(grey.max())
        # Resampling overshoots a little. What is further outside was scaled to another range than
        # [0, 1], and a guess which one could be wrong.
        if low < -0.5 or high > 1.5:
            raise PictureError(
                f"{self.name} holds floats from {low:g} to {high:g}; floats must lie in [0, 1]: "
                "divide by the range first."
            )
        self.notes.append("floating-point grey converted to RGB")
        if low < 0 or high > 1:
            self.notes.append(f"values from {low:g} to {high:g} clipped to [0, 1]")
        return grey.clip(0, 1)


_BITS, _PHOTOMETRIC = 258, 262


def _tag(image: Image.Image, tag: int) -> int | None:
    """A TIFF's tag, of its first channel."""
    value: Any = getattr(image, "tag_v2", {}).get(tag)
    return value[0] if isinstance(value, tuple) and value else value


def _frame_notes(image: Image.Image) -> list[str]:
    frames = getattr(image, "n_frames", 1)
    if frames <= 1:
        return []
    frame = image.tell() + 1
    return [f"{'first' if frame == 1 else f'frame {frame}'} of {frames} frames taken"]


def _turned(values: Array, turn: Image.Transpose | None) -> Array:
    """An array (H, W, ...) turned as Pillow turns an image."""
    if turn is None:
        return values
    if turn in (Image.Transpose.TRANSPOSE, Image.Transpose.TRANSVERSE):
        values = values.swapaxes(0, 1)
        return values if turn == Image.Transpose.TRANSPOSE else values[::-1, ::-1]
    quarter = {
        Image.Transpose.ROTATE_90: 1,
        Image.Transpose.ROTATE_180: 2,
        Image.Transpose.ROTATE_270: 3,
    }.get(turn)
    if quarter is not None:
        return np.rot90(values, quarter)
    return values[:, ::-1] if turn == Image.Transpose.FLIP_LEFT_RIGHT else values[::-1]
