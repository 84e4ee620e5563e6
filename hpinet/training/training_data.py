"""The images of a run: crops to train on, and held-out pairs to validate with."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from hpinet.config import HPINetConfig
from hpinet.data.image_cache import ImageCache, open_cache
from hpinet.data.pairs import (
    Pairing,
    find_pairs,
    load_pair,
    pair_images,
    pair_training_images,
)
from hpinet.errors import UserError

from .crops import Crops, StepSampler
from .recipes import Recipe


def open_loader(
    data: str | Path,
    validation: str | Path | None,
    cache: str | Path,
    workers: int,
    recipe: Recipe,
    config: HPINetConfig,
    start: int,
    accelerator: Accelerator,
) -> DataLoader:
    """The crops of a run from a step on; what is left out is printed.

    Args:
        data: See `hpinet.data.pairs.pair_training_images`.
        validation: Folder of held-out images or None; those of them that ``data`` holds, too, are
            not trained on.
        cache: Folder for decoded images.
        workers: Loader processes.
        recipe: Decides crops and batches.
        config: The network.
        start: First step.
        accelerator: Which process this is, and of how many.

    Raises:
        UserError: If there are no images, or none but held-out ones.
    """
    main, scale = accelerator.is_main_process, config.scale
    found = pair_training_images(data, scale)
    pairing = found if validation is None else _without(found, validation, scale)
    images = open_cache(data, scale, recipe.crop, cache, main, pairing)
    crops = Crops(images, scale, recipe.seed, recipe.candidates)
    sampler = StepSampler(
        recipe, scale, start, crops.largest_crop,
        accelerator.process_index, accelerator.num_processes, config,
    )  # fmt: skip
    if main:
        print(f"training on {pairing}")
        if held := len(found.pairs) - len(pairing.pairs):
            print(f"left out {held} images of {data}: {validation} holds them for validation")
        for text in _left_out(images, crops, sampler):
            print(text)
    pinned = accelerator.device.type == "cuda"
    return DataLoader(crops, batch_sampler=sampler, num_workers=workers, pin_memory=pinned)


def _without(pairing: Pairing, validation: str | Path, scale: int) -> Pairing:
    """A pairing without the originals that are held out: the same files, or copies of them.

    Raises:
        UserError: If nothing is left.
    """
    held: dict[int, list[Path]] = {}
    for pair in pair_images(validation, scale).pairs:
        held.setdefault(pair.hr.stat().st_size, []).append(pair.hr)
    left = [
        pair
        for pair in pairing.pairs
        if not any(
            filecmp.cmp(pair.hr, other, shallow=False)
            for other in held.get(pair.hr.stat().st_size, [])
        )
    ]
    if not left:
        raise UserError(
            f"every image to train on is in {validation}, too: name other images for validation"
        )
    return replace(pairing, pairs=left)


def _left_out(images: ImageCache, crops: Crops, sampler: StepSampler) -> Iterator[str]:
    """Which images are not used, altogether or from a step on."""
    if images.skipped:
        name, reason = next(iter(images.skipped.items()))
        yield f"skipped {len(images.skipped)} images, for example {name}: {reason}"
    for crop, step in sampler.stages().items():
        if small := crops.too_small(crop):
            yield (
                f"from step {step} on crops are of {crop} HR pixels: {len(small)} of {len(crops)} "
                f"images are smaller and are left out then, for example {small[0]}"
            )


def held_out(folder: str | Path, scale: int) -> list[tuple[Tensor, Tensor]]:
    """LR and HR images to validate with, (1, 3, h, w) and (1, 3, sh, sw).

    Args:
        folder: See `hpinet.data.pairs.pair_images`.
        scale: HR pixels per LR pixel.

    Raises:
        UserError: If there are none, or one has no partner.
    """
    pairs = (load_pair(pair, scale) for pair in find_pairs(folder, scale))
    return [(lr.rgb, hr) for lr, hr in pairs]
