"""Random crops of the training images, and which crops each step takes."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from hpinet.config import HPINetConfig
from hpinet.data.decoded import DecodedPair
from hpinet.modeling.patches import fitting_size

from .recipes import Recipe


class Crops(Dataset):
    """Random crops, flipped and rotated, each decided by its number and its size alone.

    A crop comes from one of the images that are large enough for it. With several candidates it is
    the one of them with the most detail (after SamplingAug, Wang et al. 2021: flat crops, which any
    interpolation restores, teach little).

    Args:
        images: The decoded images.
        scale: 2, 3 or 4.
        seed: Decides the order of images, places, flips and rotations.
        candidates: Random crops, of an image each, among which one is chosen.
    """

    def __init__(
        self, images: Sequence[DecodedPair], scale: int, seed: int, candidates: int = 1
    ) -> None:
        self.images = images
        self.scale = scale
        self.seed = seed % 2**64  # numpy takes no negative numbers
        self.candidates = candidates
        self._sides = np.array([min(image.size) for image in images])
        self._order: tuple[tuple[int, int], np.ndarray] = ((-1, -1), np.empty(0, int))

    @property
    def largest_crop(self) -> int:
        """HR side in pixels that an image can give."""
        return int(self._sides.max())

    def too_small(self, crop: int) -> list[str]:
        """Names of the images that give no crop of so many HR pixels a side."""
        return [i.name for i, side in zip(self.images, self._sides, strict=True) if side < crop]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor, int]:
        """One pair of crops.

        Args:
            key: (number of the crop, counted over the whole run; HR side in pixels).

        Returns:
            LR (3, c / scale, c / scale) and HR (3, c, c), uint8 (a quarter of what floats would
            take on their way to the device), and the number.
        """
        number, crop = key
        rng = np.random.default_rng((self.seed, 1, number))
        first = number * self.candidates
        found = [self._cut(self._image(first + n, crop), crop, rng) for n in range(self.candidates)]
        lr, hr = found[0]
        if self.candidates > 1:
            lr, hr = max(found, key=lambda pair: _detail(pair[1], self.scale))
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        return _tensor(lr, turns, mirrored), _tensor(hr, turns, mirrored), number

    def _cut(
        self, image: int, crop: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """LR (c / scale, c / scale, 3) and HR (c, c, 3) at a random place, uint8."""
        lr, hr = self.images[image].read()
        s, side = self.scale, crop // self.scale
        top, left = (int(rng.integers(0, extent - side + 1)) for extent in lr.shape[:2])
        return (
            lr[top : top + side, left : left + side],
            hr[top * s : (top + side) * s, left * s : (left + side) * s],
        )

    def _image(self, number: int, crop: int) -> int:
        large = np.flatnonzero(self._sides >= crop)
        epoch, place = divmod(number, len(large))
        if self._order[0] != (epoch, len(large)):
            shuffled = np.random.default_rng((self.seed, 0, epoch)).permutation(len(large))
            self._order = ((epoch, len(large)), large[shuffled])
        return int(self._order[1][place])


def noise_seed(seed: int, number: int) -> int:
    """The seed of a crop's Gumbel noise: 64 bits, of which the last 8 are left to the blocks.

    Args:
        seed: The run's, any 64-bit number.
        number: The crop's, counted over the whole run.
    """
    # Below 2^16 the seed itself takes the first bits; a larger one is mixed into all of them.
    start = seed << 48
    if not 0 <= seed < 2**16:
        digest = hashlib.sha256((seed % 2**64).to_bytes(8, "big")).digest()
        start = int.from_bytes(digest[:7], "big") << 8
    return (start + (number << 8)) % 2**64


def _detail(hr: np.ndarray, scale: int) -> float:
    """How much shrinking loses: the mean variance within scale x scale pixels, of their green."""
    side = len(hr) // scale
    cells = hr[..., 1].reshape(side, scale, side, scale).astype(np.float32)
    return float(cells.var(axis=(1, 3)).mean())


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

    def stages(self) -> dict[int, int]:
        """First step of every crop size, by the size in HR pixels."""
        steps, stages = self.recipe.steps, self.recipe.stages
        found: dict[int, int] = {}
        for stage in range(stages):  # of step n: n * stages // steps
            step = -(-stage * steps // stages)
            found.setdefault(self._stage(step)[0], step)
        return found

    def _stage(self, step: int) -> tuple[int, int]:
        crop, batch = self.recipe.stage_at(step)
        crop = min(crop, self.largest_crop) // self.scale
        if self.config is not None and self.recipe.fit_crops:
            most = self.largest_crop // self.scale
            crop = fitting_size(crop, self.config.patch_sizes, self.config.overlap, most)
        return crop * self.scale, max(1, batch // self.processes) * self.processes
