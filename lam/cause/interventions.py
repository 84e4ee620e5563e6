"""What is put in a block's place: patches of natural images, a blur, or one colour.

A draw is known by its seed, its number and the block: the same for every network that is asked
about an image of the same size, so that differences of networks are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpinet import read_picture
from hpinet.data.folders import list_files
from hpinet.errors import UserError
from hpinet.imaging.images import from_uint8, shrink
from lam.attribution.paths import GaussianBlurPath

REPLACEMENTS = ("natural", "blurred", "mean")
"""Patches cut from natural images; the image itself, blurred as LAM's path begins it; or the
image's mean colour. The last two are the same at every draw."""

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "brick")
"""scikit-image's photographs, from which patches are cut where no folder is given."""

POOL = 2048  # patches to draw from
_FIRST = 1 / 8  # the first paired draw's quantile of brightness
_AT_MOST = 512  # patches of one image: a pool comes from several images where there are several


class Job(NamedTuple):
    """One intervention: all blocks of a rectangle are replaced at once.

    Attributes:
        row: First row of blocks.
        column: First column of blocks.
        side: Blocks a side; 1 for a single block. What would reach outside does not count.
        draw: Number of the draw, from 0.
    """

    row: int
    column: int
    side: int
    draw: int


class Interventions:
    """An image with blocks replaced.

    Args:
        image: (1, 3, h, w) RGB in [0, 1], LR.
        block: Side of a block in LR pixels; the last ones are cut off by the border.
        scale: By how much photographs are shrunk before patches are cut, as LR images are made.
        replacement: One of `REPLACEMENTS`.
        folder: Images of HR resolution to cut patches from; `PHOTOGRAPHS` by default.
        seed: Of the patches and draws, from 0 up.
        paired: Whether a draw puts the same patch into every block. Draws are then stratified by
            brightness, which decides most of an effect: see `Interventions.patch`.

    Attributes:
        shape: (rows, columns) of blocks.
        repeats: Whether every draw is the same.

    Raises:
        UserError: If an option does not fit, or the folder holds no image large enough.
    """

    def __init__(
        self,
        image: Tensor,
        block: int = 2,
        scale: int = 4,
        replacement: str = "natural",
        folder: str | Path | None = None,
        seed: int = 0,
        paired: bool = False,
    ) -> None:
        if replacement not in REPLACEMENTS:
            raise UserError(
                f"there is no replacement {replacement!r}: choose one of {', '.join(REPLACEMENTS)}"
            )
        if folder is not None and replacement != "natural":
            raise UserError(f"a folder of patches is for natural ones, not for {replacement!r}")
        check_block(block, image)
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise UserError(f"the seed must be a whole number from 0 up, not {seed!r}")
        self._image, self._block, self._seed, self._paired = image, block, seed, paired
        height, width = image.shape[-2:]
        self.shape = (-(-height // block), -(-width // block))
        self.repeats = replacement != "natural"
        self._cover = _cover(image, replacement)
        self._pool = None if self.repeats else _pool(folder, block, scale, seed, paired).to(image)
        self._numbers = lru_cache(maxsize=4)(self._draw)

    def patch(self, row: int, column: int, draw: int) -> Tensor:
        """What a draw puts into a block.

        Independent draws take patches uniformly, one for each block and draw. Paired ones take, for
        all blocks, the patch at the quantile frac(v(k) + 1/8) of the pool's brightness, v(k) the
        k-th number of van der Corput's sequence: 1/8, 5/8, 3/8, 7/8, 1/4, ... Few of them already
        cover dark and bright, and four are the midpoint rule.

        Args:
            row: Of the block, from 0.
            column: Of the block, from 0.
            draw: From 0.

        Returns:
            (3, block, block), smaller where the border cuts the block off.
        """
        rows, columns = self._place(row), self._place(column)
        here = self._image[0, :, rows, columns]
        if self._pool is None:
            return self._cover[0, :, rows, columns]
        if self._paired:
            number = int(((van_der_corput(draw) + _FIRST) % 1) * len(self._pool))
        else:
            number = int(self._numbers(draw)[row, column])
        return self._pool[number][:, : here.shape[-2], : here.shape[-1]]

    def images(self, jobs: Sequence[Job], kept: NDArray[np.bool_]) -> Tensor:
        """The image under several interventions.

        Args:
            jobs: One an image.
            kept: (rows, columns), blocks that are never replaced.

        Returns:
            (len(jobs), 3, h, w).
        """
        images = self._image.repeat(len(jobs), 1, 1, 1)
        for image, job in zip(images, jobs, strict=True):
            for row, column in cells(job, kept):
                patch = self.patch(row, column, job.draw)
                image[:, self._place(row), self._place(column)] = patch
        return images

    def _place(self, number: int) -> slice:
        return slice(number * self._block, (number + 1) * self._block)

    def _draw(self, draw: int) -> NDArray[np.int64]:
        """(rows, columns) numbers of patches, independent of all other draws."""
        assert self._pool is not None
        rng = np.random.default_rng([self._seed, 2, draw])
        return rng.integers(0, len(self._pool), self.shape)


def check_block(block: Any, image: Tensor) -> None:
    """Refuse a block that does not fit into the image.

    Raises:
        UserError: If so.
    """
    largest = min(image.shape[-2:])
    if isinstance(block, bool) or not isinstance(block, int) or not 1 <= block <= largest:
        raise UserError(
            f"a block must have a side of 1 to {largest} LR pixels in this image, not {block!r}"
        )


def cells(job: Job, kept: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(row, column) of the blocks that a job replaces; see `Interventions.images`."""
    found = np.argwhere(~kept[job.row : job.row + job.side, job.column : job.column + job.side])
    return [(job.row + int(r), job.column + int(c)) for r, c in found]


def van_der_corput(number: int) -> float:
    """The number-th element of van der Corput's sequence in base 2: 0, 1/2, 1/4, 3/4, 1/8, ..."""
    value, unit = 0.0, 0.5
    while number:
        value, unit, number = value + unit * (number & 1), unit / 2, number >> 1
    return value


def _cover(image: Tensor, replacement: str) -> Tensor:
    if replacement == "blurred":
        return GaussianBlurPath().at(image, np.zeros(1))
    return image.mean((2, 3), keepdim=True).expand_as(image)


def _pool(folder: str | Path | None, block: int, scale: int, seed: int, ordered: bool) -> Tensor:
    """(`POOL`, 3, block, block) patches, fewer from a small folder; on request from dark to bright.

    Images are taken in random order until there are enough patches.
    """
    rng = np.random.default_rng([seed, 0])
    sources: Sequence[str | Path] = PHOTOGRAPHS if folder is None else _listed(Path(folder))
    found: list[Tensor] = []
    count = 0
    for number in rng.permutation(len(sources)):
        lr = _shrunk(sources[number], scale)
        if lr is None or min(lr.shape[-2:]) < block:
            continue
        found.append(_cut(lr, block, rng))
        count += len(found[-1])
        if count >= POOL:
            break
    if not found:
        raise UserError(
            f"{folder or 'the built-in photographs'}: no image has the {block * scale} pixels a "
            f"side from which a block of {block} LR pixels at scale {scale} is cut: take smaller "
            f"blocks or larger images"
        )
    patches = torch.cat(found)[:POOL]
    return patches[patches.mean((1, 2, 3)).argsort(stable=True)] if ordered else patches


def _cut(lr: Tensor, block: int, rng: np.random.Generator) -> Tensor:
    """(n, 3, block, block) patches at random places, at most as many as lie side by side."""
    height, width = lr.shape[-2:]
    count = min(_AT_MOST, (height // block) * (width // block))
    tops = rng.integers(0, height - block + 1, count)
    lefts = rng.integers(0, width - block + 1, count)
    return torch.stack(
        [lr[0, :, t : t + block, c : c + block] for t, c in zip(tops, lefts, strict=True)]
    )


def _listed(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: name one with natural images for the patches")
    found = list_files(folder)
    if not found:
        raise UserError(f"{folder} holds no images for the patches")
    return found


def _shrunk(source: str | Path, scale: int) -> Tensor | None:
    """A photograph or file at LR size, (1, 3, h, w); None if not a pixel would be left of it."""
    if isinstance(source, str):
        return _photograph(source, scale)
    rgb = read_picture(source).rgb
    return None if min(rgb.shape[-2:]) < scale else shrink(rgb, scale)


@lru_cache(maxsize=8)
def _photograph(name: str, scale: int) -> Tensor:
    from skimage import data

    return shrink(from_uint8(np.asarray(getattr(data, name)())), scale)
