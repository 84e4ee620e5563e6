"""How much is computed at once: by the size of the processor's cache, or by a memory budget.

A pass without gradients goes through attention in chunks of patches, through convolutions in bands
of rows and through the N x N similarities in bands of patches. Their sizes decide how much memory
is in use, not what comes out.
"""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass
from pathlib import Path

import torch

from hpinet.config import HPINetConfig
from hpinet.errors import UserError

from .cpu_kernels import scores_held
from .patches import axis_origins

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def parse_bytes(text: str) -> int:
    """Bytes from text such as ``500M``, ``2 GiB``, ``1.5GB`` or ``4096``; units are powers of 1024.

    Raises:
        ValueError: If it is no positive amount of memory.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?", text.strip().lower())
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if size < 1:
        raise UserError(f"{text!r} is no amount of memory such as 500M or 2GB")
    return size


def format_bytes(size: float) -> str:
    """Bytes as text: ``512 MiB``, ``2.5 GiB``."""
    if size < 2**30:
        return f"{max(1, round(size / 2**20))} MiB"
    return f"{size / 2**30:.3g} GiB"


def free_memory(device: torch.device) -> int:
    """Bytes that are free on a device; for a CPU, in main memory and in the container."""
    if device.type == "cuda":
        # What PyTorch holds without using it is free to this process as well.
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    import psutil

    free = int(psutil.virtual_memory().available)
    limited = free_in_container()
    return free if limited is None else min(free, limited)


def free_in_container(root: Path = Path("/")) -> int | None:
    """Bytes that this process's control groups leave free; None where none of them has a limit.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return None
    free = []
    for line in lines:  # "0::/path" of version 2, "5:memory:/path" of version 1
        _, kinds, path = line.split(":", 2)
        if kinds and "memory" not in kinds.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if kinds else "")
        names = ("limit_in_bytes", "usage_in_bytes") if kinds else ("max", "current")
        group = top / path.lstrip("/")
        # A group is bound by those around it. Inside a container the path may be the host's.
        for folder in {group, *(p for p in group.parents if p.is_relative_to(top)), top}:
            limit, used = (_number(folder / f"memory.{name}") for name in names)
            if limit is not None and used is not None:
                free.append(max(0, limit - used + _reclaimable(folder)))
    return min(free, default=None)


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such group, or "max"
        return None


def _reclaimable(folder: Path) -> int:
    """Bytes of files that were read and not used since: the kernel gives them up first."""
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    pairs = (line.split() for line in lines)
    return sum(int(value) for name, value in pairs if name == "inactive_file")


@dataclass(frozen=True)
class Chunks:
    """The most that is computed at once.

    Attributes:
        pixels: Pixels of the patches that go through attention together, over the whole batch.
        rows: Rows of patches that are aggregated together.
        similarity: Similarities of pairs of patches that are held, over the whole batch.
        decoder_rows: LR rows that are decoded together.
    """

    pixels: int
    rows: int
    similarity: int
    decoder_rows: int

    def patches(self, patch_size: int, batch: int) -> int:
        """Patches of every image that go through attention together, at least one."""
        return max(1, self.pixels // (batch * patch_size**2))

    def map_rows(self, wide: int) -> int:
        """Rows of a map ``wide`` pixels wide that go through a block's convolution together."""
        return max(self.decoder_rows, self.pixels // wide)

    def scaled(self, factor: float) -> Chunks:
        """All four numbers times ``factor``, at least 1 each."""
        return Chunks(*(max(1, int(value * factor)) for value in astuple(self)))


_EVERYTHING = Chunks(1 << 60, 1 << 30, 1 << 26, 1 << 30)
# 64 patches of 24 x 24. Measured: with fewer, threads wait for each other; more leave the cache.
_CACHED = Chunks(pixels=64 * 24**2, rows=1, similarity=1 << 23, decoder_rows=16)


def default_chunks(device: torch.device) -> Chunks:
    """The fastest: on CPUs what stays in the cache, elsewhere all at once in few launches."""
    return _CACHED if device.type == "cpu" else _EVERYTHING


def fitting_chunks(
    config: HPINetConfig,
    batch: int,
    size: tuple[int, int],
    budget: int,
    device: torch.device,
    element: int = 4,
) -> Chunks:
    """The fastest chunks for which a pass without gradients stays within a budget.

    Args:
        config: The network's configuration.
        batch: Images at once.
        size: LR height and width in pixels.
        budget: Bytes beside the weights and the LR image.
        device: Where the network is.
        element: Bytes of a number: 4 for float32.

    Raises:
        ValueError: If not even the smallest chunks fit; the message names the least budget.
    """
    # From fast to small; the first that fits is taken.
    candidates = [default_chunks(device), *(_CACHED.scaled(2.0**-k) for k in range(12))]
    if device.type != "cpu":
        candidates[1:1] = [_CACHED.scaled(4.0**k) for k in range(6, 0, -1)]
    needs = []
    for chunks in candidates:
        needs.append(_needed(config, batch, size, chunks, device.type == "cpu", element))
        if needs[-1] <= budget:
            return chunks
    raise UserError(
        f"an image of {size[1]}x{size[0]} pixels needs at least {format_bytes(min(needs))} of "
        f"memory beside the weights, the budget is {format_bytes(budget)}: raise it, crop or "
        f"shrink the image, or take a smaller model"
    )


def _needed(
    config: HPINetConfig,
    batch: int,
    size: tuple[int, int],
    chunks: Chunks,
    scores_are_held: bool,
    element: int,
) -> int:
    """Bytes of a pass at its peak, a little generously: the larger of its blocks and its decoder.

    Args as `fitting_chunks`; ``scores_are_held``: whether attention writes its (P * P) x (P * P)
    scores to memory, as the CPU's layers do and fused kernels do not.
    """
    least, dim = max(config.patch_sizes), config.dim
    high, wide = max(least, size[0]), max(least, size[1])  # the feature map is padded to a patch
    features = batch * high * wide * dim * element  # one map, (B, C, H', W')
    # A block holds its input and the sum of its patches throughout: 2 maps. Beside them, first the
    # patches, then the convolution's output, another map, with 4 bands of work space.
    band = min(chunks.map_rows(wide) + 2, high)
    convolved = features + 4 * batch * band * wide * dim * element
    block = 2 * features + max(
        convolved,
        *(
            _patch_bytes(config, p, batch, high, wide, chunks, scores_are_held, element)
            for p in set(config.patch_sizes)
        ),
    )
    # The decoder holds its input, the SR image (B, 3, sH, sW) and a band of C-channel maps.
    sr = 3 * batch * size[0] * size[1] * config.scale**2 * element
    last = 2 if config.scale == 4 else config.scale  # factor of the last pixel shuffle
    rows = min(chunks.decoder_rows, high) + 2
    grown = batch * rows * wide * config.scale**2 * dim * element  # the band at SR resolution
    # In units of it: the last upsampler's output before and after the shuffle by s (2), its input,
    # 1 / s^2 as large, and a copy (2 / s^2), and the last convolution's 3 of C channels (3 / C).
    decoder = features + sr + int(grown * (2 + 2 / last**2 + 3 / dim))
    # What the allocator leaves between its pieces came to 1.18 of the sum at most.
    return int(1.25 * max(block, decoder)) + _BESIDE


def _patch_bytes(
    config: HPINetConfig,
    patch_size: int,
    batch: int,
    high: int,
    wide: int,
    chunks: Chunks,
    scores_are_held: bool,
    element: int,
) -> int:
    """Bytes for the patches of one block, beside its maps: attention or matching at its peak."""
    length, dim = patch_size**2, config.dim
    down, across = (len(axis_origins(n, patch_size, config.overlap)) for n in (high, wide))
    count = down * across
    at_once = batch * min(count, chunks.patches(patch_size, batch))
    # A pixel in attention: 7 vectors of C (patch, matched patch, normalised patch, value, attended
    # and two sums), query and key of d, hidden channels before and after the GELU, and the
    # numbers that `Division.gather` looks up.
    pixel = (7 * dim + 2 * config.qk_dim + 2 * config.ffn_dim) * element + 3 * _INDEX
    scores = scores_held(at_once, patch_size) * element * scores_are_held
    attention = at_once * length * pixel + scores
    # Rows of patches in `Division.paste`: the chunks, joined, transposed, and summed.
    band = 4 * batch * min(down, chunks.rows) * across * length * dim * element
    # Matching: a band of (B, R, N) similarities, three times to be safe, and for each of the N
    # patches 3 vectors of C (pooled, joined, normalised), its match and the similarity to it.
    pairs = batch * count * max(1, min(count, chunks.similarity // (batch * count)))
    tokens = batch * count * (3 * dim * element + 2 * _INDEX)
    return max(attention + band, 3 * pairs * element) + tokens


_INDEX = 8  # bytes of a patch's or pixel's number
_BESIDE = 24 << 20  # what the libraries need for themselves: copies of weights, work space
