"""What one visitor is looking at."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpinet import Picture, PictureError, read_picture
from hpinet.images import from_uint8, shrink, to_uint8
from hpinet.resize import crop_to_multiple
from lam import LocalAttributionResult, MethodResult, Window

from .choices import Explored, How, Look
from .examples import Example

Pixels = NDArray[np.uint8]

RESTORE, ENLARGE = "restore", "enlarge"
LIMITS = {RESTORE: 2_000_000, ENLARGE: 250_000}
"""Pixels that a picture may have, by mode: what two CPU cores do in well under a minute."""

LIMIT_MB = 40  # of a picture's file


@dataclass(frozen=True, eq=False)
class Source:
    """What the visitor gave, before the mode decides what it is.

    Attributes:
        name: A short name for files.
        picture: The pixels, as read.
        window: (left, top, size) of a telling window in this picture's pixels, if known.
        file: Whether the visitor uploaded it.
    """

    name: str
    picture: Picture
    window: tuple[int, int, int] | None = None
    file: bool = False


@dataclass(frozen=True, eq=False)
class Study:
    """A low-resolution picture to super-resolve, and what it is to be compared with.

    Attributes:
        name: A short name for files.
        mode: `RESTORE` or `ENLARGE`.
        lr: What the network sees.
        hr: The original, uint8 (sh, sw, 3), where it is known.
        notes: What was converted, one sentence each.
        key: Changes with the content.
    """

    name: str
    mode: str
    lr: Picture
    hr: Pixels | None
    notes: tuple[str, ...]
    key: str

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the LR picture."""
        return self.lr.size


@dataclass
class Session:
    """One visitor: small, changed in place, so that running work sees that it is out of date.

    Attributes:
        source: What was given.
        study: What is being looked at.
        network: Label of the network.
        own: Label of the network that the visitor brought.
        window: The window, in SR pixels.
        maps: The latest results: with GPA, without it, and of bicubic interpolation.
        region: (left, top, height, width) of the attributed LR pixels.
        way: How the second of the maps is without GPA; None where there is no second.
        look: How the maps are drawn.
        how: How the maps were computed.
        explored: What is looked at and changed among the matches.
        run: Counts attributions; a running one ends when it is no longer the latest.
        ended: The latest attribution that came to its end.
        stopped: Whether the latest was asked to stop.
        patience: Seconds that the next one may take without being asked for once more.
        asked: Counts the pictures asked for; one that was overtaken is not shown.
        clicks: When each thing was last clicked, in the browser's milliseconds.
    """

    source: Source | None = None
    study: Study | None = None
    network: str = ""
    own: str | None = None
    window: Window | None = None
    maps: list[LocalAttributionResult | MethodResult | None] = field(
        default_factory=lambda: [None, None, None]
    )
    region: tuple[int, int, int, int] = (0, 0, 0, 0)
    way: str | None = None
    look: Look = field(default_factory=Look)
    how: How = field(default_factory=How)
    explored: Explored = field(default_factory=Explored)
    run: int = 0
    ended: int = 0
    stopped: bool = False
    patience: float = float("inf")
    asked: int = 0
    clicks: dict[str, float] = field(default_factory=dict)


def from_example(example: Example) -> Source:
    """An example as a source."""
    return Source(example.name, Picture(from_uint8(example.pixels().copy())), example.window)


def from_file(path: str | None, mode: str) -> Source:
    """A file as a source.

    Raises:
        PictureError: No file, no picture, or too large for the mode.
    """
    if not path:
        raise PictureError("No picture was given: upload one or choose an example.")
    limit = LIMITS[checked_mode(mode)]
    size = Path(path).stat().st_size if Path(path).is_file() else 0
    if size > LIMIT_MB * 10**6:
        raise PictureError(
            f"{Path(path).name} has {size / 1e6:.0f} MB; the limit is {LIMIT_MB} MB: save it as "
            "PNG or JPEG, or crop it."
        )
    try:
        picture = read_picture(path, max_pixels=limit)
    except PictureError as error:
        if "too large to be opened" in str(error):
            raise PictureError(
                f"{Path(path).name} is too large to be opened safely; the limit is "
                f"{limit / 1e6:g} million pixels: crop or shrink it first."
            ) from None
        if "the limit is" not in str(error):
            raise
        raise PictureError(
            f"{error} For whole large pictures there is the command `python -m hpinet upscale`."
        ) from None
    return Source(Path(path).stem, picture, file=True)


def make_study(source: Source, mode: str, scale: int) -> Study:
    """What is to be super-resolved.

    Raises:
        PictureError: Too large for the mode, or too small to be shrunk.
        ValueError: No such mode.
    """
    height, width = source.picture.size
    limit = LIMITS[checked_mode(mode)]
    if height * width > limit:
        raise PictureError(
            f"The picture has {width}x{height} pixels; in the mode {mode} this page takes up to "
            f"{limit / 1e6:g} million: crop or shrink it, or use `python -m hpinet upscale`."
        )
    notes = list(source.picture.notes)
    hr, lr = None, source.picture
    if mode == RESTORE:
        if min(height, width) < scale:
            raise PictureError(
                f"A picture of {width}x{height} pixels is too small to be shrunk {scale} times: "
                "choose Enlarge instead."
            )
        hr = crop_to_multiple(to_uint8(source.picture.rgb), scale)
        lr = Picture(shrink(hr, scale))
        if hr.shape[:2] != (height, width):
            notes.append(f"cropped to {hr.shape[1]}x{hr.shape[0]}, a multiple of {scale}")
        if source.picture.alpha is not None:
            notes.append("transparency left out: only colours are restored and scored")
    elif lr.alpha is not None:
        notes.append("transparency enlarged bicubically and kept in the download; not shown here")
    digest = hashlib.sha256(lr.rgb.numpy().tobytes())
    for part in (lr.alpha, None if hr is None else from_uint8(hr)):
        digest.update(b"-" if part is None else part.numpy().tobytes())
    key = f"{digest.hexdigest()} {lr.size}"
    return Study(source.name, mode, replace(lr, notes=()), hr, tuple(notes), key)


def telling_window(source: Source, study: Study, sr: Pixels, scale: int, size: int = 16) -> Window:
    """Where to look first: the example's own window, or the place with the most detail."""
    height, width = sr.shape[:2]
    size = min(size, height, width)
    if source.window is not None:
        left, top, size = source.window
        factor = 1 if study.mode == RESTORE else scale
        return Window(min(left * factor, width - size), min(top * factor, height - size), size)
    grey = sr.astype(np.float64).mean(2)
    detail = np.zeros((height + 1, width + 1))
    down, across = np.abs(np.diff(grey, axis=0)), np.abs(np.diff(grey, axis=1))
    detail[1:height, 1:] += down
    detail[1:, 1:width] += across
    total = detail.cumsum(0).cumsum(1)
    boxes = (
        total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
    )
    best, across_boxes = int(boxes.argmax()), boxes.shape[1]
    return Window(best % across_boxes, best // across_boxes, size)


def clamped_window(left: float, top: float, size: float, height: int, width: int) -> Window:
    """The nearest window inside a picture of this many SR pixels.

    Raises:
        ValueError: If a number is missing or not finite.
    """
    values = (left, top, size)
    if any(v is None or not np.isfinite(v) for v in values):
        raise ValueError("The window needs three numbers: left, top and size in pixels.")
    side = int(np.clip(round(size), 1, min(64, height, width)))
    corner = (round(left), round(top))
    x, y = (int(np.clip(*v)) for v in ((corner[0], 0, width - side), (corner[1], 0, height - side)))
    return Window(x, y, side)


def checked_mode(mode: str) -> str:
    """The mode, if there is such a one.

    Raises:
        ValueError: There is not.
    """
    if mode not in LIMITS:
        raise ValueError(f"The mode is {' or '.join(LIMITS)}, not {mode!r}.")
    return mode
