"""Training images, decoded once into a memory-mapped file that crops are read from.

A cache is a folder of two files. ``pixels.bin`` holds uint8 RGB, for each image HR (H, W, 3) and
then LR (H / scale, W / scale, 3), row-major and without padding. ``index.json`` says where.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from tqdm import tqdm

from hpinet.errors import UserError
from hpinet.imaging.images import PictureError, read_picture, shrink, to_uint8

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")

_FORMAT = 2  # part of a cache's name: raise it when the layout changes


class CachedPair(NamedTuple):
    """Where one image lies in the cache: (height, width) and byte offset, of HR and of LR."""

    name: str
    hr_size: tuple[int, int]
    hr_offset: int
    lr_size: tuple[int, int]
    lr_offset: int


@dataclass(frozen=True)
class Sources:
    """The images of a folder: HR files, and their LR files where the folder has them."""

    hr: tuple[Path, ...]
    lr: tuple[Path, ...] | None


def find_sources(folder: str | Path, scale: int) -> Sources:
    """List training images.

    Args:
        folder: DIV2K's tree (DIV2K_train_HR beside DIV2K_train_LR_bicubic/X2, X3, X4), or any
            folder of images, searched with its subfolders.
        scale: 2, 3 or 4.

    Raises:
        ValueError: If there is no such folder, no image in it, or one of DIV2K's LR images missing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder} with training images")
    div2k = folder / "DIV2K_train_HR"
    hr = _images(div2k if div2k.is_dir() else folder)
    if not hr:
        raise UserError(f"no images in {folder}: expected files ending in {', '.join(_SUFFIXES)}")
    lr_folder = folder / "DIV2K_train_LR_bicubic" / f"X{scale}"
    if not div2k.is_dir() or not lr_folder.is_dir():
        return Sources(hr, None)
    lr = tuple(lr_folder / f"{path.stem}x{scale}.png" for path in hr)
    if absent := [path.name for path in lr if not path.is_file()]:
        raise UserError(
            f"{lr_folder} lacks {absent[0]} and {len(absent) - 1} more of {len(lr)} images"
        )
    return Sources(hr, lr)


def _images(folder: Path) -> tuple[Path, ...]:
    return tuple(
        p for p in sorted(folder.rglob("*")) if p.suffix.lower() in _SUFFIXES and p.is_file()
    )


def _read_pair(name: str, hr: list[int], hr_at: int, lr: list[int], lr_at: int) -> CachedPair:
    """An entry of index.json, where JSON made lists of tuples."""
    return CachedPair(name, (hr[0], hr[1]), hr_at, (lr[0], lr[1]), lr_at)


class PictureCache:
    """Decoded images in one memory-mapped file. Made by `open_cache`.

    Attributes:
        pairs: Where each image lies.
        skipped: Names of files that were left out, with the reason.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        index = json.loads((folder / "index.json").read_text())
        self.pairs = [_read_pair(*entry) for entry in index["pairs"]]
        self.skipped: dict[str, str] = index["skipped"]
        self._bytes = np.memmap(folder / "pixels.bin", np.uint8, "r")
        if len(self._bytes) != index["bytes"]:
            raise UserError(f"the cache {folder} is damaged: delete it and start again")

    def __reduce__(self) -> tuple[type[PictureCache], tuple[Path]]:
        """Pickle the folder only, for loader processes: a pickled map would copy all its pixels."""
        return PictureCache, (self._folder,)

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
    folder: str | Path, scale: int, crop: int, cache: str | Path, progress: bool = True
) -> PictureCache:
    """Decode a folder of images once; later calls only map the file.

    The cache's name holds a hash of every source's name, size and modification time, so a changed
    folder makes a new cache. Several processes may build at once, each in a temporary folder; the
    first to finish renames its folder to the cache's name, and the others use that.

    Args:
        folder: The images, see `find_sources`.
        scale: 2, 3 or 4, HR pixels per LR pixel.
        crop: HR pixels that an image must have on each side; smaller ones are skipped.
        cache: Folder for caches.
        progress: Whether to show a progress bar.

    Returns:
        The mapped cache, with at least one image.

    Raises:
        ValueError: If no usable image is left.
        OSError: If the cache cannot be written.
    """
    sources = find_sources(folder, scale)
    files = [*sources.hr, *(sources.lr or ())]
    stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    listing = [_FORMAT, scale, crop, *stats]
    key = hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:16]
    target = Path(cache) / f"{Path(folder).resolve().name}-x{scale}-{key}"
    if not (target / "index.json").is_file():
        _build(sources, scale, crop, target, progress)
    found = PictureCache(target)
    if not found.pairs:
        reason = next(iter(found.skipped.items()))
        raise UserError(
            f"none of the {len(sources.hr)} images in {folder} can be used ({': '.join(reason)})"
        )
    return found


def _build(sources: Sources, scale: int, crop: int, target: Path, progress: bool) -> None:
    """Make the cache ``target``, completely or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        with (building / "pixels.bin").open("wb") as pixels:
            index = _write_pixels(pixels, sources, scale, crop, progress)
        (building / "index.json").write_text(json.dumps(index))
        try:
            building.replace(target)
        except OSError:
            if not (target / "index.json").is_file():  # else another process was first
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _write_pixels(
    pixels: BinaryIO, sources: Sources, scale: int, crop: int, progress: bool
) -> dict[str, Any]:
    """Decode all images into a file and return what index.json is to hold."""
    pairs: list[CachedPair] = []
    skipped: dict[str, str] = {}
    offset = 0
    for n in tqdm(range(len(sources.hr)), "decoding", unit="image", disable=not progress):
        name = sources.hr[n].name
        try:
            hr, lr = _decode(sources, n, scale, crop)
        except PictureError as error:
            skipped[name] = str(error)
            continue
        pairs.append(CachedPair(name, hr.shape[:2], offset, lr.shape[:2], offset + hr.size))
        offset += hr.size + lr.size
        pixels.write(hr.tobytes() + lr.tobytes())
    if not pairs:
        pixels.write(b"\0")  # an empty file cannot be mapped
    return {"pairs": pairs, "skipped": skipped, "bytes": offset or 1}


def _decode(sources: Sources, number: int, scale: int, crop: int) -> tuple[np.ndarray, np.ndarray]:
    """HR, cropped to a multiple of the scale, and LR of one image, uint8 (H, W, 3).

    Raises:
        PictureError: If it cannot be used; the message is kept as the reason for skipping it.
    """
    hr = to_uint8(read_picture(sources.hr[number], max_pixels=None).rgb)
    height, width = (side // scale * scale for side in hr.shape[:2])
    if min(height, width) < crop:
        raise PictureError(f"{width}x{height} pixels are too few for crops of {crop}")
    hr = hr[:height, :width]
    if sources.lr is None:
        return hr, to_uint8(shrink(hr, scale))
    lr = to_uint8(read_picture(sources.lr[number], max_pixels=None).rgb)
    if (lr.shape[0] * scale, lr.shape[1] * scale) != (height, width):
        raise PictureError(f"{sources.lr[number].name} is not 1/{scale} of its HR image")
    return hr, lr
