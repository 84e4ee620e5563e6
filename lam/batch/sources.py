"""What a run is about: the images of a folder, and the networks to compare on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from hpinet import read_picture
from hpinet.checkpoints.fingerprints import network_digest
from hpinet.data.pairs import SUFFIXES, Pair, find_pairs, load_pair
from hpinet.networks.names import open_model

WITHOUT_GPA = ":no-gpa"
"""Written behind a network's name: what ``--no-gpa`` means for a single picture."""


@dataclass(frozen=True)
class Source:
    """A picture of the folder: its LR file, or an original and perhaps its LR file."""

    name: str
    lr: Path | None
    hr: Path | None = None

    def read(self, scale: int, size: int | None) -> Tensor:
        """The LR picture (1, 3, h, w) in [0, 1], whole or its middle ``size`` pixels a side.

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


@dataclass(frozen=True)
class Contender:
    """A network under the name by which it was asked for."""

    label: str
    network: nn.Module
    weights_sha256: str

    @property
    def scale(self) -> int:
        """SR pixels per LR pixel."""
        return int(self.network.scale)  # type: ignore[arg-type]


def open_contender(label: str, scale: int | None, device: str | torch.device) -> Contender:
    """Load a network.

    Args:
        label: A name or file, with `WITHOUT_GPA` behind it or not.
        scale: As in `hpinet.networks.names.open_model`.
        device: Where it runs.

    Raises:
        ValueError: If there is no such network.
    """
    name = label.removesuffix(WITHOUT_GPA)
    network = open_model(name, scale, gpa=name == label, device=device)
    return Contender(label, network, network_digest(network))


def find_sources(folder: str | Path, scale: int, hr: bool) -> list[Source]:
    """The pictures of a folder.

    Args:
        folder: LR pictures; with ``hr`` see `hpinet.data.pairs.find_pairs`.
        scale: SR pixels per LR pixel.
        hr: Whether the folder holds originals.

    Raises:
        ValueError: If there is no such folder, or it holds no pictures.
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
            f"{folder} holds no pictures ({', '.join(SUFFIXES)}); for a folder with HR in it: --hr"
        )
    return found
