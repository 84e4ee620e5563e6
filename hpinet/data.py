"""Training pictures: decoded once into a memory-mapped cache, then random crops from it.

A crop is a function of its number and the seed alone, so any run can go on from any step, in any
number of processes and workers, with the crops it would have seen.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler
from tqdm import tqdm

from .config import HPINetConfig
from .images import PictureError, read_picture, shrink, to_uint8
from .patches import fitting_size
from .recipes import Recipe

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_FORMAT = 2  # raise when the cache's layout changes


class Pair(NamedTuple):
    """Where one picture lies in the cache: (height, width) and byte offset, of HR and of LR."""

    name: str
    hr_size: tuple[int, int]
    hr_offset: int
    lr_size: tuple[int, int]
    lr_offset: int


@dataclass(frozen=True)
class Sources:
    """The pictures of a folder: HR files, and their LR twins where the folder brings them."""

    hr: tuple[Path, ...]
    lr: tuple[Path, ...] | None


def find_sources(folder: str | Path, scale: int) -> Sources:
    """List training pictures.

    Args:
        folder: DIV2K's tree (DIV2K_train_HR beside DIV2K_train_LR_bicubic/X2, X3, X4), or any
            folder of pictures, searched with its subfolders.
        scale: 2, 3 or 4.

    Raises:
        ValueError: If there is no such folder, no picture in it, or DIV2K's LR pictures miss.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder} with training pictures")
    div2k = folder / "DIV2K_train_HR"
    hr = _pictures(div2k if div2k.is_dir() else folder)
    if not hr:
        raise ValueError(f"no pictures in {folder}: expected files ending in {', '.join(SUFFIXES)}")
    lr_folder = folder / "DIV2K_train_LR_bicubic" / f"X{scale}"
    if not div2k.is_dir() or not lr_folder.is_dir():
        return Sources(hr, None)
    lr = tuple(lr_folder / f"{path.stem}x{scale}.png" for path in hr)
    if absent := [path.name for path in lr if not path.is_file()]:
        raise ValueError(
            f"{lr_folder} lacks {absent[0]} and {len(absent) - 1} more of {len(lr)} pictures"
        )
    return Sources(hr, lr)


def _pictures(folder: Path) -> tuple[Path, ...]:
    return tuple(
        p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file()
    )


def _read_pair(name: str, hr: list[int], hr_at: int, lr: list[int], lr_at: int) -> Pair:
    return Pair(name, (hr[0], hr[1]), hr_at, (lr[0], lr[1]), lr_at)


class PictureCache:
    """Decoded pictures in one memory-mapped file. Made by `open_cache`.

    Attributes:
        pairs: Where each picture lies.
        skipped: Names of files that were left out, with the reason.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        index = json.loads((folder / "index.json").read_text())
        self.pairs = [_read_pair(*entry) for entry in index["pairs"]]
        self.skipped: dict[str, str] = index["skipped"]
        self._bytes = np.memmap(folder / "pixels.bin", np.uint8, "r")
        if len(self._bytes) != index["bytes"]:
            raise ValueError(f"the cache {folder} is damaged: delete it and start again")

    def __reduce__(self) -> tuple[type[PictureCache], tuple[Path]]:
        """A loader process maps the file anew: pickled, the map would carry all its pixels."""
        return PictureCache, (self._folder,)

    def hr(self, number: int) -> np.ndarray:
        """HR picture, uint8 (H, W, 3), a view into the file."""
        pair = self.pairs[number]
        return self._view(pair.hr_offset, pair.hr_size)

    def lr(self, number: int) -> np.ndarray:
        """LR picture, uint8 (H / scale, W / scale, 3), a view into the file."""
        pair = self.pairs[number]
        return self._view(pair.lr_offset, pair.lr_size)

    def _view(self, offset: int, size: tuple[int, int]) -> np.ndarray:
        height, width = size
        return self._bytes[offset : offset + height * width * 3].reshape(height, width, 3)


def open_cache(
    folder: str | Path, scale: int, crop: int, cache: str | Path, progress: bool = True
) -> PictureCache:
    """Decode a folder of pictures once; later calls only map the file.

    The cache's name is a hash of every source's name, size and modification time, so a changed
    folder makes a new cache. Two processes may build at once: each builds its own and the first
    to finish gives it its name.

    Args:
        folder: The pictures, see `find_sources`.
        scale: 2, 3 or 4.
        crop: HR pixels that a picture must have on each side; smaller ones are skipped.
        cache: Folder for caches.
        progress: Whether to show a progress bar.

    Raises:
        ValueError: If no usable picture is left.
        OSError: If the cache cannot be written.
    """
    sources = find_sources(folder, scale)
    files = [*sources.hr, *(sources.lr or ())]
    listing = [
        _FORMAT,
        scale,
        crop,
        *((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files),
    ]
    key = hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:16]
    target = Path(cache) / f"{Path(folder).resolve().name}-x{scale}-{key}"
    if not (target / "index.json").is_file():
        _build(sources, scale, crop, target, progress)
    found = PictureCache(target)
    if not found.pairs:
        reason = next(iter(found.skipped.items()))
        raise ValueError(
            f"none of the {len(sources.hr)} pictures in {folder} can be used ({': '.join(reason)})"
        )
    return found


def _build(sources: Sources, scale: int, crop: int, target: Path, progress: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        pairs: list[Pair] = []
        skipped: dict[str, str] = {}
        offset = 0
        numbers = tqdm(range(len(sources.hr)), "decoding", unit="picture", disable=not progress)
        with (building / "pixels.bin").open("wb") as pixels:
            for n in numbers:
                try:
                    hr, lr = _decode(sources, n, scale, crop)
                except PictureError as error:
                    skipped[sources.hr[n].name] = str(error)
                    continue
                entry = Pair(
                    sources.hr[n].name, hr.shape[:2], offset, lr.shape[:2], offset + hr.size
                )
                pairs.append(entry)
                offset += hr.size + lr.size
                pixels.write(hr.tobytes() + lr.tobytes())
            if not pairs:
                pixels.write(b"\0")  # an empty file cannot be mapped
        index = {"pairs": pairs, "skipped": skipped, "bytes": offset or 1}
        (building / "index.json").write_text(json.dumps(index))
        try:
            building.replace(target)
        except OSError:
            if not (target / "index.json").is_file():  # else another process was first
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _decode(sources: Sources, number: int, scale: int, crop: int) -> tuple[np.ndarray, np.ndarray]:
    hr = to_uint8(read_picture(sources.hr[number], max_pixels=None).rgb)
    height, width = (side // scale * scale for side in hr.shape[:2])
    if min(height, width) < crop:
        raise PictureError(f"{width}x{height} pixels are too few for crops of {crop}")
    hr = hr[:height, :width]
    if sources.lr is None:
        return hr, to_uint8(shrink(hr, scale))
    lr = to_uint8(read_picture(sources.lr[number], max_pixels=None).rgb)
    if (lr.shape[0] * scale, lr.shape[1] * scale) != (height, width):
        raise PictureError(f"{sources.lr[number].name} is not 1/{scale} of its HR picture")
    return hr, lr


class Crops(Dataset):
    """Random crops, flipped and rotated, each decided by its number alone.

    Args:
        cache: The pictures.
        scale: 2, 3 or 4.
        seed: Decides picture order, places, flips and rotations.
    """

    def __init__(self, cache: PictureCache, scale: int, seed: int) -> None:
        self.cache = cache
        self.scale = scale
        self.seed = seed
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, int))

    @property
    def largest_crop(self) -> int:
        """HR side in pixels that every picture can give."""
        return min(min(pair.hr_size) for pair in self.cache.pairs)

    def __len__(self) -> int:
        return len(self.cache.pairs)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor, int]:
        """One pair of crops.

        Args:
            key: (number of the crop, counted over the whole run; HR side in pixels).

        Returns:
            LR (3, c / scale, c / scale) and HR (3, c, c), uint8 (a quarter of what floats would
            take on their way to the device), and the number.
        """
        number, crop = key
        picture = self._picture(number)
        lr, hr = self.cache.lr(picture), self.cache.hr(picture)
        side = crop // self.scale
        rng = np.random.default_rng((self.seed, 1, number))
        top, left = (int(rng.integers(0, extent - side + 1)) for extent in lr.shape[:2])
        s = self.scale
        lr = lr[top : top + side, left : left + side]
        hr = hr[top * s : (top + side) * s, left * s : (left + side) * s]
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        return _tensor(lr, turns, mirrored), _tensor(hr, turns, mirrored), number

    def _picture(self, number: int) -> int:
        epoch, place = divmod(number, len(self))
        if self._order[0] != epoch:
            self._order = (
                epoch,
                np.random.default_rng((self.seed, 0, epoch)).permutation(len(self)),
            )
        return int(self._order[1][place])


def _tensor(pixels: np.ndarray, turns: int, mirrored: bool) -> Tensor:
    pixels = np.rot90(pixels, turns)
    pixels = pixels[:, ::-1] if mirrored else pixels
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


class StepSampler(Sampler[list[tuple[int, int]]]):
    """The crops of each step from ``start`` on, for one process of many.

    Without end where the recipe counts minutes.

    Args:
        recipe: Decides batch and crop size of a step.
        scale: 2, 3 or 4.
        start: First step.
        largest_crop: Crops never grow beyond this, in HR pixels.
        process: This process's number out of ``processes``.
        config: The network, whose patches decide the sizes of a recipe with ``fit_crops``.
    """

    def __init__(
        self,
        recipe: Recipe,
        scale: int,
        start: int,
        largest_crop: int,
        process: int = 0,
        processes: int = 1,
        config: HPINetConfig | None = None,
    ) -> None:
        self.config = config
        self.recipe, self.scale, self.start, self.largest_crop = recipe, scale, start, largest_crop
        self.process, self.processes = process, processes

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        number = sum(self._stage(step)[1] for step in range(self.start))
        steps: Iterator[int] = itertools.count(self.start)
        if not self.recipe.minutes:
            steps = itertools.takewhile(lambda step: step < self.recipe.steps, steps)
        for step in steps:
            crop, batch = self._stage(step)
            share = batch // self.processes
            first = number + self.process * share
            yield [(n, crop) for n in range(first, first + share)]
            number += batch

    def _stage(self, step: int) -> tuple[int, int]:
        crop, batch = self.recipe.stage_at(step)
        crop = min(crop, self.largest_crop) // self.scale
        if self.config is not None and self.recipe.fit_crops:
            most = self.largest_crop // self.scale
            crop = fitting_size(crop, self.config.patch_sizes, self.config.overlap, most)
        return crop * self.scale, max(1, batch // self.processes) * self.processes
