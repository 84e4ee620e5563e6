"""From what a visitor gives to what is super-resolved: files, examples, modes and limits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hpinet import Picture, PictureError, read_picture
from hpinet.errors import UserError
from hpinet.imaging.images import from_uint8, shrink, to_uint8

from .examples import Example

Pixels = NDArray[np.uint8]

RESTORE, ENLARGE = "restore", "enlarge"
LIMITS = {RESTORE: 2_000_000, ENLARGE: 250_000}
"""Pixels that an image may have, by mode: what two CPU cores do in well under a minute."""

LONGEST = {RESTORE: 16384, ENLARGE: 4096}
"""Pixels that a side may have, by mode: a browser shows no image much longer than 16384."""

LIMIT_MB = 40  # of an image's file
LIMIT_CUT = 40_000_000  # pixels of an image of which the middle may be taken: decoding takes memory
MIDDLE = "Too large? Take its middle"
"""What is ticked to have the middle of an image that is too large."""


@dataclass(frozen=True, eq=False)
class Source:
    """What the visitor gave, before the mode decides what it is.

    Attributes:
        name: A short name for files.
        image: The pixels, as read.
        window: (left, top, size) of a telling window in this image's pixels, if known.
        file: Whether the visitor uploaded it.
        middle: Whether its middle is to be taken where it is too large.
        full: Height and width that it had before its middle was taken; None where it is whole.
    """

    name: str
    image: Picture
    window: tuple[int, int, int] | None = None
    file: bool = False
    middle: bool = False
    full: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Study:
    """A low-resolution image to super-resolve, and what it is to be compared with.

    Attributes:
        name: A short name for files.
        mode: `RESTORE` or `ENLARGE`.
        lr: What the network sees.
        hr: The original, uint8 (sh, sw, 3), where it is known.
        notes: What was converted, one sentence each.
        key: Changes with the content.
        hr_alpha: The original's alpha, (1, 1, sh, sw), where it has one.
    """

    name: str
    mode: str
    lr: Picture
    hr: Pixels | None
    notes: tuple[str, ...]
    key: str
    hr_alpha: Tensor | None = None

    @property
    def original_picture(self) -> Picture | None:
        """The original with its alpha, as scores take it, where it is known."""
        return None if self.hr is None else Picture(from_uint8(self.hr), self.hr_alpha)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the LR image."""
        return self.lr.size

    def part(self, region: tuple[int, int, int, int]) -> Tensor:
        """A part of the LR image, (1, 3, height, width) in [0, 1].

        Args:
            region: (left, top, height, width) in LR pixels.
        """
        left, top, height, width = region
        return self.lr.rgb[..., top : top + height, left : left + width].contiguous()

    def original(self, region: tuple[int, int, int, int], scale: int) -> Tensor | None:
        """A part of the original, (1, 3, sh, sw) in [0, 1], where it is known.

        Args:
            region: (left, top, height, width) in LR pixels.
            scale: SR pixels per LR pixel.
        """
        if self.hr is None:
            return None
        left, top, height, width = (scale * v for v in region)
        return from_uint8(self.hr[top : top + height, left : left + width])


def from_example(example: Example) -> Source:
    """An example as a source."""
    return Source(example.name, Picture(from_uint8(example.pixels().copy())), example.window)


def from_file(path: str | None, mode: str, middle: bool = False) -> Source:
    """A file as a source.

    Args:
        path: The file.
        mode: `RESTORE` or `ENLARGE`, which decides how large it may be.
        middle: Whether to take the middle of an image that is too large.

    Raises:
        PictureError: No file, no image, or too large for the mode.
    """
    if not path:
        raise PictureError("No image was given: upload one or choose an example.")
    checked_mode(mode)
    file = Path(path)
    size = file.stat().st_size if file.is_file() else 0
    if size > LIMIT_MB * 10**6:
        raise PictureError(
            f"{file.name} has {size / 1e6:.0f} MB; the limit is {LIMIT_MB} MB: save it as PNG or "
            "JPEG, or crop it."
        )
    limit = LIMIT_CUT if middle else LIMITS[mode]
    try:
        image = read_picture(file, max_pixels=limit)
    except PictureError as error:
        if "the limit is" not in str(error):
            raise
        raise PictureError(f"{error} {'' if middle else _WAY_OUT}".strip()) from None
    whole = image.size
    image = _middle(image, LIMITS[RESTORE], LONGEST[RESTORE])  # no more than that is ever needed
    cut = None if image.size == whole else whole
    return Source(file.stem, image, file=True, middle=middle, full=cut)


_WAY_OUT = (
    f"Tick '{MIDDLE}' and choose it again, or enlarge all of it with `python -m hpinet upscale`."
)


def _middle(image: Picture, limit: int, longest: int) -> Picture:
    """The middle of an image, as near to a square as its sides allow.

    Args:
        image: The whole.
        limit: Pixels that it may have.
        longest: Pixels that a side may have.
    """
    height, width = image.size
    if height * width <= limit and max(height, width) <= longest:
        return image
    side = int(limit**0.5)
    high = min(height, longest, max(side, limit // width))
    wide = min(width, longest, limit // high)
    top, left = (height - high) // 2, (width - wide) // 2
    return image.crop(top, left, high, wide)


def make_study(source: Source, mode: str, scale: int) -> Study:
    """What is to be super-resolved.

    Raises:
        PictureError: Too large for the mode, or too small to be shrunk.
        ValueError: No such mode.
    """
    height, width = source.image.size
    limit = LIMITS[checked_mode(mode)]
    longest = LONGEST[mode]
    if (height * width > limit or max(height, width) > longest) and not source.middle:
        raise PictureError(
            f"The image has {width}x{height} pixels; in the mode {mode} this page takes up to "
            f"{limit / 1e6:g} million, and up to {longest} a side. {_WAY_OUT}"
        )
    full = source.full or (height, width)
    source = replace(source, image=_middle(source.image, limit, longest))
    height, width = source.image.size
    notes = list(source.image.notes)
    if (height, width) != full:
        notes.append(f"the middle {width}x{height} of {full[1]}x{full[0]} pixels taken")
    hr, lr, hr_alpha = None, source.image, None
    if mode == RESTORE:
        if min(height, width) < scale:
            raise PictureError(
                f"An image of {width}x{height} pixels is too small to be shrunk {scale} times: "
                "choose Enlarge instead."
            )
        whole = source.image.crop(0, 0, height - height % scale, width - width % scale)
        hr, hr_alpha = to_uint8(whole.rgb), whole.alpha
        lr = Picture(shrink(hr, scale))
        if whole.size != (height, width):
            notes.append(f"cropped to {whole.size[1]}x{whole.size[0]}, a multiple of {scale}")
        if hr_alpha is not None:
            notes.append("transparency left out: colours are restored, opaque pixels scored")
    elif lr.alpha is not None:
        notes.append("transparency enlarged bicubically and kept in the download; not shown here")
    digest = hashlib.sha256(lr.rgb.numpy().tobytes())
    for part in (lr.alpha, None if hr is None else from_uint8(hr), hr_alpha):
        digest.update(b"-" if part is None else part.numpy().tobytes())
    key = f"{digest.hexdigest()} {lr.size}"
    return Study(source.name, mode, replace(lr, notes=()), hr, tuple(notes), key, hr_alpha)


def checked_mode(mode: str) -> str:
    """The mode, if there is such a one.

    Raises:
        ValueError: There is not.
    """
    if mode not in LIMITS:
        raise UserError(f"The mode is {' or '.join(LIMITS)}, not {mode!r}.")
    return mode
