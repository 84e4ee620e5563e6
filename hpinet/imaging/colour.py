"""Colours as the file means them, in sRGB: what networks, filters and scores take pixels for.

A file says what its numbers mean by a profile (ICC), by a PNG's gamma and primaries, or by EXIF's
mark of Adobe RGB. A file that says nothing is sRGB.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms

Array = np.ndarray

_ALIKE = 2  # levels of 255: profiles that differ less from sRGB are sRGB, written another way
_CHANNELS = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_WHITE = (0.3127, 0.3290)  # D65
_SRGB = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)  # x and y of red, green and blue
_ADOBE = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_ADOBE_GAMMA = 256 / 563
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def to_srgb(image: Image.Image, source: Image.Image) -> tuple[Image.Image, list[str]]:
    """Convert an image without alpha to sRGB, by relative colorimetric intent.

    Args:
        image: The colours, of mode L, RGB or CMYK (8 bit).
        source: The file as Pillow opened it, which says what they mean.

    Returns:
        The image, of mode RGB where its colours were converted, else as it was; and a note.
    """
    profile = source.info.get("icc_profile")
    if profile:
        return _by_profile(image, profile)
    found = _meaning(source)
    if found is None or image.mode not in ("L", "RGB"):
        return image, []
    gamma, primaries, what = found
    pixels = np.asarray(image.convert("RGB"), np.float32) / np.float32(255)
    converted = _by_numbers(pixels, gamma, primaries)
    return Image.fromarray(np.round(converted * 255).astype(np.uint8)), [_note(what)]


def grey_curve(image: Image.Image) -> tuple[Array | None, list[str]]:
    """What the file's grey values are in sRGB.

    Args:
        image: Grey of any depth.

    Returns:
        (256, 3) float64 in [0, 1], the colour of 256 greys from 0 to full; None where they are
        sRGB already. And a note.
    """
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    converted, notes = to_srgb(ramp, image)
    if converted.mode != "RGB":
        return None, notes
    curve = np.asarray(converted)[0] / 255
    if np.ptp(curve, axis=1).max() <= _ALIKE / 255:  # a neutral axis, but for rounding
        curve = np.repeat(curve.mean(axis=1, keepdims=True), 3, axis=1)
    return curve, notes


def _note(what: str) -> str:
    return f"colours converted from {what} to sRGB"


# --- by profile ------------------------------------------------------------------------------


def _by_profile(image: Image.Image, profile: bytes) -> tuple[Image.Image, list[str]]:
    ignored = ["its colour profile cannot be used and was ignored"]
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _CHANNELS.get(source.profile.xcolor_space.strip())
        name = " ".join(str(source.profile.profile_description or "").split("\x00")[0].split())
        if mode is None or (mode == "CMYK") != (image.mode == "CMYK"):
            return image, ignored
        if mode == "L" and image.mode != "L":
            return image, ignored
        transform: Any = ImageCms.buildTransform(
            source, _srgb_profile(), mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
        if mode != "CMYK" and _changes_nothing(transform, mode):
            return image, []
        given = image if image.mode == mode else image.convert(mode)
        converted = ImageCms.applyTransform(given, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, ignored
    assert converted is not None
    return converted, [_note(name[:60] or "its colour profile")]


@lru_cache(1)
def _srgb_profile() -> Any:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _changes_nothing(transform: Any, mode: str) -> bool:
    """Whether a transform to sRGB leaves a lattice of colours as it is, but for rounding."""
    levels = np.linspace(0, 255, 18).astype(np.uint8)
    if mode == "L":
        lattice = levels[None]
        expected = np.repeat(lattice[..., None], 3, axis=2)
    else:
        expected = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(18, -1, 3)
        lattice = expected
    converted: Any = ImageCms.applyTransform(Image.fromarray(lattice), transform)
    return int(np.abs(np.asarray(converted).astype(int) - expected).max()) <= _ALIKE


# --- by numbers ------------------------------------------------------------------------------


def _meaning(image: Image.Image) -> tuple[float, tuple[float, ...], str] | None:
    """Gamma, primaries (and white) and a name, where they are said and are not those of sRGB."""
    info = image.info
    if "srgb" in info:
        return None
    gamma, primaries = info.get("gamma"), info.get("chromaticity")
    if isinstance(gamma, float) and 0.05 < gamma <= 5:
        # The PNG's order: white, red, green, blue.
        known: Any = primaries if _are_primaries(primaries) else (*_WHITE, *_SRGB)
        same = np.allclose(known, (*_WHITE, *_SRGB), atol=0.005)
        if abs(gamma - 1 / 2.2) < 0.02 and same:
            return None
        return gamma, tuple(known), f"gamma {gamma:g}" + ("" if same else " and its primaries")
    if image.format in ("JPEG", "MPO", "TIFF") and image.mode == "RGB" and _is_adobe(image):
        return _ADOBE_GAMMA, (*_WHITE, *_ADOBE), "Adobe RGB"
    return None


def _are_primaries(found: Any) -> bool:
    """Whether eight numbers are a white and a triangle of colours."""
    if not isinstance(found, tuple) or len(found) != 8 or not np.isfinite(found).all():
        return False
    x, y = np.array(found).reshape(4, 2).T
    area = (x[2] - x[1]) * (y[3] - y[1]) - (x[3] - x[1]) * (y[2] - y[1])
    return bool((y > 0.01).all() and (y < 1).all() and (x >= 0).all() and abs(area) > 0.01)


def _is_adobe(image: Image.Image) -> bool:
    """EXIF's mark: colour space 2, or "uncalibrated" with the interoperability index R03."""
    exif = image.getexif()
    space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
    index = exif.get_ifd(ExifTags.IFD.Interop).get(1) if space == 0xFFFF else None
    return space == 2 or index in ("R03", b"R03\x00")


def _by_numbers(rgb: Array, gamma: float, primaries: tuple[float, ...]) -> Array:
    """Values v of light v^(1/gamma) between primaries, as sRGB; (H, W, 3) in [0, 1]."""
    light = rgb ** np.float32(1 / gamma)
    to_xyz, of_srgb = _xyz_matrix(primaries), _xyz_matrix((*_WHITE, *_SRGB))
    # White stays white: cone responses (Bradford) are scaled from one white to the other.
    cones = (_BRADFORD @ of_srgb.sum(1)) / (_BRADFORD @ to_xyz.sum(1))
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD
    matrix = np.linalg.inv(of_srgb) @ adapted @ to_xyz
    light = (light @ matrix.T.astype(np.float32)).clip(0, 1)
    # IEC 61966-2-1: 12.92 l up to 0.0031308, 1.055 l^(1/2.4) - 0.055 above.
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _xyz_matrix(primaries: tuple[float, ...]) -> Array:
    """RGB light to XYZ, (3, 3), such that RGB (1, 1, 1) is the white of luminance 1."""
    x, y = np.array(primaries, float).reshape(4, 2).T
    xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])  # (3, 4), white first
    return xyz[:, 1:] * np.linalg.solve(xyz[:, 1:], xyz[:, 0])
