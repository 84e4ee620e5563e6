"""The images that a run is about: LR files of a folder, or originals."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

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

    def read(self, scale: int, size: int | None) -> Tensor:
        """The LR image alone, as `read_pair`."""
        return self.read_pair(scale, size)[0]

    def read_pair(self, scale: int, size: int | None) -> tuple[Tensor, Tensor | None]:
        """The LR image (1, 3, h, w) in [0, 1], whole or its middle ``size`` pixels a side.

        And the original of these pixels, (1, 3, sh, sw), where there is one.

        Raises:
            ValueError: If it cannot be read, or is smaller.
        """
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
        crops = (
            image[..., k * top : k * (top + size), k * left : k * (left + size)].contiguous()
            for image, k in ((lr, 1), (hr, scale))
            if image is not None
        )
        return next(crops), next(crops, None)


def say_pairing(text: str) -> None:
    """Say on stderr which LR images a folder of originals has; of many processes the first does."""
    if os.environ.get("RANK", "0") == "0":
        print(f"lam: {text}", file=sys.stderr)


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
