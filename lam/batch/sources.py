"""The images that a run is about: LR files of a folder, or originals."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from hpinet import read_picture
from hpinet.data.folders import list_images
from hpinet.data.pairs import SUFFIXES, Pair, find_pairs, load_pair
from hpinet.errors import UserError


@dataclass(frozen=True)
class Source:
    """An image of the folder: its LR file, or an original and perhaps its LR file."""

    name: str
    lr: Path | None
    hr: Path | None = None

    def read(self, scale: int, size: int | None = None) -> tuple[Tensor, Tensor | None]:
        """LR image (1, 3, h, w), whole or its middle pixels, and its original (1, 3, sh, sw)."""
        hr = None
        if self.hr is not None:
            lr, hr = (p.rgb for p in load_pair(Pair(self.name, self.hr, self.lr), scale))
        else:
            assert self.lr is not None
            lr = read_picture(self.lr).rgb
        if size is None:
            return lr, hr
        height, width = lr.shape[-2:]
        if size > min(height, width):
            raise UserError(f"{width}x{height} LR pixels are fewer than --size {size}")
        top, left = (height - size) // 2, (width - size) // 2
        lr = lr[..., top : top + size, left : left + size].contiguous()
        if hr is not None:
            top, left, size = top * scale, left * scale, size * scale
            hr = hr[..., top : top + size, left : left + size].contiguous()
        return lr, hr


def find_sources(folder: str | Path, scale: int, hr: bool) -> list[Source]:
    """The images of a folder.

    Args:
        folder: LR images; with ``hr`` see `hpinet.data.pairs.find_pairs`.
        scale: SR pixels per LR pixel.
        hr: Whether the folder holds originals.

    Raises:
        ValueError: If there is no such folder, or it holds no images.
    """
    if hr:
        pairs = find_pairs(folder, scale, say_pairing)
        return [Source(pair.hr.name, pair.lr, pair.hr) for pair in pairs]
    place = Path(folder)
    if not place.is_dir():
        raise UserError(f"{folder} is not a folder")
    found = [Source(path.name, path) for path in list_images(place)]
    if not found:
        raise UserError(
            f"{folder} holds no images ({', '.join(SUFFIXES)}); for a folder with HR in it: --hr"
        )
    return found


def say_pairing(text: str) -> None:
    """Say on stderr which LR images a folder of originals has; of many processes the first does."""
    if os.environ.get("RANK", "0") == "0":
        print(f"lam: {text}", file=sys.stderr)


@contextmanager
def skipping(name: str, skipped: dict[str, str]) -> Iterator[None]:
    """Leave an image out that cannot be used; the reason is noted, and said on stderr once."""
    try:
        yield
    except (UserError, OSError, MemoryError, torch.cuda.OutOfMemoryError) as error:
        if name not in skipped:  # another network may have met it before
            skipped[name] = " ".join(str(error).split()) or type(error).__name__
            tqdm.write(f"lam: {name} is skipped: {skipped[name]}", file=sys.stderr)
