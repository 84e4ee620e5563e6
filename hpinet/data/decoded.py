"""Training images, decoded once into memory-mapped files that crops are read from."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hpinet.errors import UserError
from hpinet.imaging.files import write_bytes
from hpinet.imaging.images import to_uint8

from .pairs import Pair, load_pair

_FORMAT = 4  # part of a file's name: raise it when the reading of images changes


@dataclass(frozen=True)
class DecodedPair:
    """A decoded image: its name, its HR height and width, and the files of its pixels."""

    name: str
    size: tuple[int, int]
    hr_file: Path
    lr_file: Path

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """LR (H / scale, W / scale, 3) and HR (H, W, 3), uint8, mapped from their files."""
        return np.load(self.lr_file, mmap_mode="r"), np.load(self.hr_file, mmap_mode="r")


def decode_pairs(
    pairs: Sequence[Pair],
    scale: int,
    crop: int,
    cache: str | Path,
    process: int = 0,
    processes: int = 1,
) -> tuple[list[DecodedPair], dict[str, str]]:
    """Decode images into ``cache``; those that are there already are only opened.

    Images of fewer than ``crop`` HR pixels a side are skipped. Each of several processes begins
    with another image and finds what the others have written, so they share the work.

    Returns:
        The images in the order of ``pairs``, and why others were skipped, by their names.

    Raises:
        UserError: If no image is left.
        OSError: If the cache cannot be written.
    """
    start = process * len(pairs) // processes
    found: dict[int, DecodedPair] = {}
    skipped: dict[str, str] = {}
    order = [*range(start, len(pairs)), *range(start)]
    for number in tqdm(order, "decoding", unit="image", disable=process > 0):
        pair = pairs[number]
        try:
            one = _decoded(pair, scale, Path(cache) / "decoded")
            if min(one.size) < crop:
                raise UserError(
                    f"{one.size[1]}x{one.size[0]} pixels are fewer than a crop's {crop}"
                )
            found[number] = one
        except UserError as error:
            skipped[pair.hr.name] = str(error)
    if not found:
        name, reason = next(iter(skipped.items()))
        raise UserError(f"none of {len(pairs)} training images can be used ({name}: {reason})")
    return [found[number] for number in sorted(found)], skipped


def _decoded(pair: Pair, scale: int, folder: Path) -> DecodedPair:
    """An image's files, written if they are missing or damaged."""
    sources = [path for path in (pair.hr, pair.lr) if path is not None]
    stats = [(path.resolve(), path.stat().st_size, path.stat().st_mtime_ns) for path in sources]
    key = hashlib.sha256(repr((_FORMAT, scale, stats)).encode()).hexdigest()[:24]
    files = [folder / f"{key}-{kind}.npy" for kind in ("hr", "lr")]
    try:
        shapes = [np.load(file, mmap_mode="r").shape for file in files]
    except (OSError, ValueError):
        lr, hr = load_pair(pair, scale)
        arrays = [to_uint8(image.rgb) for image in (hr, lr)]
        for file, array in zip(files, arrays, strict=True):
            packed = io.BytesIO()
            np.save(packed, array)
            write_bytes(file, packed.getvalue())
        shapes = [array.shape for array in arrays]
    return DecodedPair(pair.hr.name, shapes[0][:2], *files)
