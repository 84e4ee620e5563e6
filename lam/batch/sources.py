"""The images that a run is about: LR files of a folder, or originals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from hpinet import read_picture
from hpinet.data.pairs import SUFFIXES, Pair, find_pairs, load_pair


@dataclass(frozen=True)
class Source:
    """An image of the folder: its LR file, or an original and perhaps its LR file."""

    name: str
    lr: Path | None
    hr: Path | None = None

    def read(self, scale: int, size: int | None) -> Tensor:
        """The LR image (1, 3, h, w) in [0, 1], whole or its middle ``size`` pixels a side.

        Raises:
            ValueError: If it cannot be read, or is smaller.
        """
        if self.hr is not None:
            lr = load_pair(Pair(self.name, self.hr, self.lr), scale)[0].rgb
        else:
            assert self.lr is not None
            lr = read_picture(self.lr).rgb
        if size is None:
            return lr
        height, width = lr.shape[-2:]
        if size > min(height, width):
            raise ValueError(f"{width}x{height} LR pixels are fewer than --size {size}")
        top, left = (height - size) // 2, (width - size) // 2
        return lr[..., top : top + size, left : left + size].contiguous()


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
        return [Source(pair.hr.name, pair.lr, pair.hr) for pair in find_pairs(folder, scale)]
    place = Path(folder)
    if not place.is_dir():
        raise ValueError(f"{folder} is not a folder")
    found = [
        Source(path.name, path)
        for path in sorted(place.iterdir())
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]
    if not found:
        raise ValueError(
            f"{folder} holds no images ({', '.join(SUFFIXES)}); for a folder with HR in it: --hr"
        )
    return found
