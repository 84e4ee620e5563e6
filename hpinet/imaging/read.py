"""Reading image files: Pillow decodes them, and what comes out is upright sRGB in [0, 1]."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageOps, PngImagePlugin
from PIL import UnidentifiedImageError as UnknownFormat

from .images import Picture, PictureError

MAX_PIXELS = 64_000_000
"""Largest image that is read by default: photos pass, decompression bombs do not."""

SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".avif", ".tif", ".tiff"),
    *(".gif", ".bmp", ".dib", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    *(".tga", ".qoi", ".dds"),
)
"""Suffixes of the image files in a folder, in lower case."""

# Of all formats that Pillow knows, these: others start programs or are not images of pixels.
_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF", "BMP", "DIB", "JPEG2000", "PPM", "TGA",
            "QOI", "DDS")  # fmt: skip

PngImagePlugin.MAX_TEXT_CHUNK = 16 * 2**20  # bytes; with Pillow's 1 MB long texts refuse an image

_UNREADABLE = "is not an image that can be read: convert it to PNG first"
_FAULTS = {
    FileNotFoundError: "does not exist",
    IsADirectoryError: "is a folder, not an image",
    PermissionError: "may not be read (permission denied)",
    UnknownFormat: _UNREADABLE,
    Image.DecompressionBombError: "has too many pixels to be opened safely: shrink it first",
    MemoryError: "needs more memory than there is: shrink it first",
}
_NAMES = {"1": "black and white", "L": "grey", "LA": "grey", "P": "palette colours"}
_SUBFILE_TAG, _BITS_TAG, _PHOTOMETRIC_TAG, _DNG_TAG = 254, 258, 262, 50706  # of TIFF

_ALIKE = 2  # levels of 255 by which a profile of sRGB may change a pixel
_HIDDEN = 3.5 / 255  # alpha of 3 levels and less: the colour below cannot be seen


def read_picture(
    source: str | Path | Image.Image, *, max_pixels: int = MAX_PIXELS, managed: bool = True
) -> Picture:
    """Read an image of any common format as networks see it.

    The image is turned upright (EXIF), colours are converted to sRGB by the file's ICC profile
    (relative colorimetric), grey becomes RGB, and 16-bit grey is scaled by its depth (never by its
    maximum). Alpha is kept; colours under full transparency are replaced by the nearest visible
    ones, which keeps them out of the edges of what is visible. Of an animation the first frame is
    taken.

    Args:
        source: A file, or an image that Pillow has opened (then its current frame).
        max_pixels: Larger images are refused before they are decoded.
        managed: False takes colours as they are stored, whatever the profile says.

    Raises:
        PictureError: The file is missing, damaged, too large, not an image, or of a format that is
            not read; the message names it.
    """
    name = "the image" if isinstance(source, Image.Image) else Path(source).name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of large images and damaged metadata
            if isinstance(source, Image.Image):
                return _decoded(source, name, max_pixels, managed)
            with Image.open(source, formats=_FORMATS) as image:
                return _decoded(image, name, max_pixels, managed)
    except PictureError:
        raise
    except Exception as error:  # decoders meet damage with errors of any kind
        known = (text for kind, text in _FAULTS.items() if isinstance(error, kind))
        text = next(known, "is damaged: its pixels cannot be decoded")
        raise PictureError(f"{name} {text}.") from None


def _decoded(image: Image.Image, name: str, max_pixels: int, managed: bool) -> Picture:
    """Decode the current frame."""
    width, height = image.size
    if not 0 < width * height <= max_pixels:
        raise PictureError(
            f"{name} has {width}x{height} pixels; the limit is {max_pixels / 1e6:g} million: "
            "crop or shrink it first."
        )
    tags: Any = getattr(image, "tag_v2", {})
    other_suffix = Path(name).suffix.lower() not in (*SUFFIXES, "")
    # A TIFF that is a camera's raw file begins with a preview.
    if tags and (other_suffix or tags.get(_SUBFILE_TAG, 0) & 1 or _DNG_TAG in tags):
        raise PictureError(f"{name} {_UNREADABLE}.")
    notes = _notes(image)
    upright = ImageOps.exif_transpose(image)
    profile = image.info.get("icc_profile") if managed else None
    if managed and not profile and abs(image.info.get("gamma", 1 / 2.2) - 1 / 2.2) > 0.02:
        notes.append(f"gamma {image.info['gamma']:g} ignored: colours taken as sRGB")
    if upright.mode.startswith(("I", "F")):
        rgb, alpha = _deep(upright, tags, profile, notes, name)
    else:
        rgb, alpha = _shallow(upright, profile, notes)
    if alpha is not None:
        rgb = fill_hidden(rgb, alpha)
    planes = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None]
    return Picture(
        planes, None if alpha is None else torch.from_numpy(alpha)[None, None], (*notes,)
    )


def _notes(image: Image.Image) -> list[str]:
    """What is converted whatever the colours are."""
    notes, frames = [], getattr(image, "n_frames", 1)
    if frames > 1:
        notes.append(f"frame {image.tell() + 1} of {frames} taken")
    if image.mode in ("RGB", "RGBA", "LA") and ";16" in str(getattr(image, "tile", "")):
        notes.append("16 bits per channel reduced to 8")  # all that Pillow keeps
    if image.getexif().get(ExifTags.Base.Orientation) in range(2, 9):
        notes.append("turned upright (EXIF orientation)")
    if "transparency" in image.info and image.mode != "P":
        notes.append(f"colour {image.info['transparency']} declared transparent: now alpha")
    return notes


def _shallow(
    image: Image.Image, profile: bytes | None, notes: list[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    """RGB (H, W, 3) and alpha (H, W) or None, in [0, 1], of 8 bits a channel and less."""
    mode = image.mode
    if mode not in ("RGB", "RGBA"):
        notes.append(f"{_NAMES.get(mode, mode)} converted to RGB")
    alpha = None
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA").getchannel("A"), np.float32) / np.float32(255)
    kept = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK"}.get(mode, "RGB")
    colours = _to_srgb(image.convert(kept), profile, notes)
    return np.asarray(colours, np.float32) / np.float32(255), alpha


def _deep(
    image: Image.Image, tags: Any, profile: bytes | None, notes: list[str], name: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """The same of grey of 12, 16 or 32 bits, or of floats."""
    values = np.asarray(image)
    floats = image.mode == "F"
    bits = 12 if tags.get(_BITS_TAG) == (12,) else 16
    most = 1 if floats else 2**bits - 1  # the depth's, as the image's own would brighten it
    slack = 0.5 if floats else 0  # resampled floats overshoot
    low, high = values.min(), values.max()
    if not (low >= -slack and high <= most + slack):  # nor is NaN
        raise PictureError(
            f"{name} holds values from {low:g} to {high:g}, which must be 0 to {most}: scale them."
        )
    notes.append(f"{'floating-point' if floats else f'{bits}-bit'} grey converted to RGB")
    if floats and (low < 0 or high > 1):
        notes.append(f"values from {low:g} to {high:g} clipped to [0, 1]")
    grey = (values.astype(np.float64) / most).clip(0, 1).astype(np.float32)
    if tags.get(_PHOTOMETRIC_TAG) == 0:  # white is 0; Pillow inverts 8 bits only
        grey = 1 - grey
    key = image.info.get("transparency")
    alpha = None if key is None else (values != key).astype(np.float32)
    if not profile:
        return np.repeat(grey[..., None], 3, axis=2), alpha
    ramp = _to_srgb(Image.fromarray(np.arange(256, dtype=np.uint8)[None]), profile, notes)
    curve = np.asarray(ramp)[0] / 255  # (256, 3), what the profile makes of 256 greys
    knots = np.linspace(0, 1, 256)
    planes = [np.interp(grey, knots, curve[:, c]).astype(np.float32) for c in range(3)]
    return np.stack(planes, axis=2), alpha


def _to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """An image of mode L, RGB or CMYK as RGB, by its profile if that is not sRGB's."""
    rgb = image.convert("RGB")
    if not profile:
        return rgb
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        given = rgb if source.profile.xcolor_space.strip() == "RGB" else image
        converted: Any = ImageCms.profileToProfile(
            given, source, ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB",
        )  # fmt: skip
        label = " ".join(ImageCms.getProfileDescription(source).split())[:60]
    except (ImageCms.PyCMSError, OSError):
        notes.append("its colour profile cannot be used and was ignored")
        return rgb
    if np.max(ImageChops.difference(converted, rgb).getextrema()) <= _ALIKE:
        return rgb
    notes.append(f"colours converted from {label or 'its profile'} to sRGB")
    return converted


def fill_hidden(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Give pixels (H, W, 3) that alpha (H, W) hides the colour of the nearest visible one.

    Under full transparency files hold any colour, mostly black, which a filter or a network mixes
    into the edge of what is visible.
    """
    hidden = alpha <= _HIDDEN
    if hidden.all() or not hidden.any():
        return rgb
    from scipy.ndimage import distance_transform_edt  # takes its time to import

    rows, columns = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    return rgb[rows, columns]
