"""Training images, decoded once into a memory-mapped file that crops are read from.

A cache is a folder of two files. ``pixels.bin`` holds uint8 RGB, for each image HR (H, W, 3) and
then LR (H / scale, W / scale, 3), row-major and without padding. ``index.json`` says where; it is
written last, so that a cache with one is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from filelock import FileLock
from tqdm import tqdm

from hpinet.errors import UserError
from hpinet.imaging.files import write_bytes
from hpinet.imaging.images import PictureError, read_picture, shrink, to_uint8

from .pairs import Pair, Pairing, pair_training_images

_FORMAT = 3  # part of a cache's name: raise it when the layout or the reading of images changes
_INDEX, _PIXELS, _LOCK = "index.json", "pixels.bin", "lock"


class CachedPair(NamedTuple):
    """Where one image lies in the cache: (height, width) and byte offset, of HR and of LR."""

    name: str
    hr_size: tuple[int, int]
    hr_offset: int
    lr_size: tuple[int, int]
    lr_offset: int


class CacheDamagedError(Exception):
    """A cache that cannot be read; it is built again."""


def _read_pair(name: str, hr: list[int], hr_at: int, lr: list[int], lr_at: int) -> CachedPair:
    """An entry of index.json, where JSON made lists of tuples."""
    return CachedPair(name, (hr[0], hr[1]), hr_at, (lr[0], lr[1]), lr_at)


class ImageCache:
    """Decoded images in one memory-mapped file. Made by `open_cache`.

    Attributes:
        pairs: Where each image lies.
        skipped: Names of files that were left out, with the reason.

    Raises:
        CacheDamagedError: If its files do not fit together.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            index = json.loads((folder / _INDEX).read_text())
            self.pairs = [_read_pair(*entry) for entry in index["pairs"]]
            self.skipped: dict[str, str] = dict(index["skipped"])
            self._bytes = np.memmap(folder / _PIXELS, np.uint8, "r")
            sound = len(self._bytes) == index["bytes"] and all(map(self._is_inside, self.pairs))
        except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise CacheDamagedError(str(folder)) from error
        if not sound:
            raise CacheDamagedError(str(folder))

    def _is_inside(self, pair: CachedPair) -> bool:
        places = ((pair.hr_offset, pair.hr_size), (pair.lr_offset, pair.lr_size))
        return all(
            at >= 0 and min(size) > 0 and at + size[0] * size[1] * 3 <= len(self._bytes)
            for at, size in places
        )

    def __reduce__(self) -> tuple[type[ImageCache], tuple[Path]]:
        """Pickle the folder only, for loader processes: a pickled map would copy all its pixels."""
        return ImageCache, (self._folder,)

    def hr(self, number: int) -> np.ndarray:
        """HR image, uint8 (H, W, 3), a view into the file."""
        pair = self.pairs[number]
        return self._view(pair.hr_offset, pair.hr_size)

    def lr(self, number: int) -> np.ndarray:
        """LR image, uint8 (H / scale, W / scale, 3), a view into the file."""
        pair = self.pairs[number]
        return self._view(pair.lr_offset, pair.lr_size)

    def _view(self, offset: int, size: tuple[int, int]) -> np.ndarray:
        height, width = size
        return self._bytes[offset : offset + height * width * 3].reshape(height, width, 3)


def open_cache(
    folder: str | Path,
    scale: int,
    crop: int,
    cache: str | Path,
    progress: bool = True,
    pairing: Pairing | None = None,
) -> ImageCache:
    """Decode a folder of images once; later calls only map the file.

    The cache's name holds a hash of every source's name, size and modification time, so a changed
    folder makes a new cache. Of several processes one builds it while the others wait. One that is
    damaged is built again.

    Args:
        folder: The images, see `pairs.pair_training_images`.
        scale: 2, 3 or 4, HR pixels per LR pixel.
        crop: HR pixels that an image must have on each side; smaller ones are skipped.
        cache: Folder for caches.
        progress: Whether to show a progress bar.
        pairing: The images of the folder, where they are known already.

    Returns:
        The mapped cache, with at least one image.

    Raises:
        UserError: If no usable image is left.
        OSError: If the cache cannot be written.
    """
    found = pairing or pair_training_images(folder, scale)
    lr = [pair.lr for pair in found.pairs if pair.lr is not None]
    files = [*(pair.hr for pair in found.pairs), *lr]
    stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    listing = [_FORMAT, scale, crop, *stats]
    key = hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:16]
    source = Path(folder).resolve()
    target = Path(cache) / f"{source.name}-x{scale}-{key}"
    images = _mapped(target, found.pairs, source, scale, crop, progress)
    if not images.pairs:
        reason = next(iter(images.skipped.items()))
        raise UserError(
            f"none of the {len(found.pairs)} images in {folder} can be used ({': '.join(reason)})"
        )
    return images


def _mapped(
    target: Path, pairs: list[Pair], source: Path, scale: int, crop: int, progress: bool
) -> ImageCache:
    """The cache in a folder, built there by the first process that finds it missing or damaged."""
    target.mkdir(parents=True, exist_ok=True)
    with FileLock(target / _LOCK):
        if (target / _INDEX).is_file():
            try:
                found = ImageCache(target)
            except CacheDamagedError:
                tqdm.write(f"the cache {target} is damaged: it is built again")
            else:
                os.utime(target / _INDEX)  # still in use
                return found
        _build(target, pairs, source, scale, crop, progress)
        return ImageCache(target)


def _build(
    target: Path, pairs: list[Pair], source: Path, scale: int, crop: int, progress: bool
) -> None:
    """Make the cache ``target``; without its index it counts as none."""
    (target / _INDEX).unlink(missing_ok=True)
    with (target / f"{_PIXELS}.part").open("wb") as pixels:
        index = _write_pixels(pixels, pairs, scale, crop, progress)
    (target / f"{_PIXELS}.part").replace(target / _PIXELS)
    index["source"] = str(source)
    write_bytes(target / _INDEX, json.dumps(index).encode())


def _write_pixels(
    pixels: BinaryIO, pairs: list[Pair], scale: int, crop: int, progress: bool
) -> dict[str, Any]:
    """Decode all images into a file and return what index.json is to hold."""
    placed: list[CachedPair] = []
    skipped: dict[str, str] = {}
    offset = 0
    for pair in tqdm(pairs, "decoding", unit="image", disable=not progress):
        name = pair.hr.name
        try:
            hr, lr = _decode(pair, scale, crop)
        except PictureError as error:
            skipped[name] = str(error)
            continue
        placed.append(CachedPair(name, hr.shape[:2], offset, lr.shape[:2], offset + hr.size))
        offset += hr.size + lr.size
        pixels.write(hr.tobytes() + lr.tobytes())
    if not placed:
        pixels.write(b"\0")  # an empty file cannot be mapped
    return {"pairs": placed, "skipped": skipped, "bytes": offset or 1}


def _decode(pair: Pair, scale: int, crop: int) -> tuple[np.ndarray, np.ndarray]:
    """HR, cropped to a multiple of the scale, and LR of one image, uint8 (H, W, 3).

    Colours are those of `pairs.load_pair`.

    Raises:
        PictureError: If it cannot be used; the message is kept as the reason for skipping it.
    """
    managed = pair.lr is None
    hr = to_uint8(read_picture(pair.hr, max_pixels=None, managed=managed).rgb)
    height, width = (side // scale * scale for side in hr.shape[:2])
    if min(height, width) < crop:
        raise PictureError(f"{width}x{height} pixels are too few for crops of {crop}")
    hr = hr[:height, :width]
    if pair.lr is None:
        return hr, to_uint8(shrink(hr, scale))
    lr = to_uint8(read_picture(pair.lr, max_pixels=None, managed=managed).rgb)
    if (lr.shape[0] * scale, lr.shape[1] * scale) != (height, width):
        raise PictureError(f"{pair.lr.name} is not 1/{scale} of its HR image")
    return hr, lr


# --- caches that are there -------------------------------------------------------------------


class KnownCache(NamedTuple):
    """A cache on disk: its name, the folder that its images came from, bytes, days unused."""

    name: str
    source: str
    size: int
    days: float


def list_caches(cache: str | Path) -> list[KnownCache]:
    """The caches in a folder, the longest unused first."""
    found = []
    now = time.time()
    for folder in sorted(Path(cache).glob("*-x[234]-" + "[0-9a-f]" * 16)):
        files = [path.stat() for path in folder.iterdir() if path.is_file()]
        used = max((file.st_mtime for file in files), default=folder.stat().st_mtime)
        size = sum(file.st_size for file in files)
        found.append(KnownCache(folder.name, _source(folder), size, max(0.0, now - used) / 86400))
    return sorted(found, key=lambda known: -known.days)


def _source(folder: Path) -> str:
    try:
        return str(json.loads((folder / _INDEX).read_text())["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown"


def remove_cache(cache: str | Path, name: str) -> None:
    """Delete a cache; the images that it was made from stay.

    Raises:
        UserError: If there is none of this name.
    """
    if name not in [known.name for known in list_caches(cache)]:
        raise UserError(f"there is no cache {name!r} in {cache}")
    folder = Path(cache) / name
    for file in (_INDEX, _PIXELS, f"{_PIXELS}.part", _LOCK):
        (folder / file).unlink(missing_ok=True)
    folder.rmdir()
