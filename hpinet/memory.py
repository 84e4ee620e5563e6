"""How much is computed at once: by the processor's cache, or by a budget of memory.

A pass of the network is cut into chunks of patches, bands of rows and chunks of the similarity
matrix. What comes out does not depend on them, only how much memory is in use meanwhile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

from .config import HPINetConfig
from .patches import axis_origins

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def parse_bytes(text: str) -> int:
    """Bytes from text such as ``500M``, ``2 GiB``, ``1.5GB`` or ``4096``; units are powers of 1024.

    Raises:
        ValueError: If it is no positive amount of memory.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if size < 1:
        raise ValueError(f"{text!r} is no amount of memory such as 500M or 2GB")
    return size


def format_bytes(size: float) -> str:
    """Bytes for people: ``512 MiB``, ``2.5 GiB``."""
    if size < 2**30:
        return f"{max(1, round(size / 2**20))} MiB"
    return f"{size / 2**30:.3g} GiB"


def free_memory(device: torch.device) -> int:
    """Bytes that are free where the network is."""
    if device.type == "cuda":
        # What PyTorch holds without using it is free to this process as well.
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    import psutil

    return int(psutil.virtual_memory().available)


@dataclass(frozen=True)
class Chunks:
    """The most that is computed at once, batch included.

    Attributes:
        scores: Attention scores, L for each of a patch's L = P * P pixels.
        pixels: Pixels of patches.
        rows: Rows of patches that are aggregated together, and bands of 8 LR rows of the decoder.
        similarity: Similarities of pairs of patches.
    """

    scores: int
    pixels: int
    rows: int
    similarity: int

    def patches(self, patch_size: int, batch: int) -> int:
        """Patches of every picture that go through attention together, at least one."""
        length = patch_size**2
        return max(1, min(self.scores // (batch * length**2), self.pixels // (batch * length)))

    @property
    def decoder_rows(self) -> int:
        """LR rows that are decoded together."""
        return 16 * self.rows


_EVERYTHING = Chunks(1 << 60, 1 << 60, 1 << 20, 1 << 26)
_CACHED = Chunks(scores=2 * 24**4, pixels=2 * 2304, rows=1, similarity=1 << 24)


def default_chunks(device: torch.device) -> Chunks:
    """What is fast: on CPUs what stays in the cache, elsewhere everything in few launches."""
    return _CACHED if device.type == "cpu" else _EVERYTHING
