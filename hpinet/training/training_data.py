"""The images of a run: crops to train on, and held-out pairs to validate with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from hpinet.config import HPINetConfig
from hpinet.data.decoded import decode_pairs
from hpinet.data.pairs import Pair, Pairing, load_pair, pair_training_images
from hpinet.errors import UserError
from hpinet.imaging.images import Picture
from hpinet.networks.files import sha256_of

from .crops import Crops, StepSampler
from .recipes import Recipe


def open_loader(
    data: str | Path,
    held: Sequence[Pair],
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
        held: Held-out images, which are not trained on where ``data`` holds them, too.
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
    pairing = _without(found, held)
    images, skipped = decode_pairs(
        pairing.pairs, scale, recipe.crop, cache,
        accelerator.process_index, accelerator.num_processes,
    )  # fmt: skip
    crops = Crops(images, scale, recipe.seed, recipe.candidates)
    sampler = StepSampler(
        recipe, scale, start, crops.largest_crop,
        accelerator.process_index, accelerator.num_processes, config,
    )  # fmt: skip
    if main:
        print(f"training on {pairing}")
        if count := len(found.pairs) - len(pairing.pairs):
            place = held[0].hr.parent
            print(f"left out {count} images of {data}: {place} holds them for validation")
        for text in _left_out(skipped, crops, sampler):
            print(text)
    pinned = accelerator.device.type == "cuda"
    return DataLoader(crops, batch_sampler=sampler, num_workers=workers, pin_memory=pinned)


def _without(pairing: Pairing, held: Sequence[Pair]) -> Pairing:
    """A pairing without the originals that are held out: the same files, or copies of them.

    Raises:
        UserError: If nothing is left.
    """
    sizes = {pair.hr.stat().st_size for pair in held}  # spares reading most files
    digests = {sha256_of(pair.hr) for pair in held}
    left = [
        pair
        for pair in pairing.pairs
        if pair.hr.stat().st_size not in sizes or sha256_of(pair.hr) not in digests
    ]
    if not left:
        raise UserError(
            f"every image to train on is in {held[0].hr.parent}, too: name other images for "
            f"validation"
        )
    return replace(pairing, pairs=left)


def _left_out(skipped: dict[str, str], crops: Crops, sampler: StepSampler) -> Iterator[str]:
    """Which images are not used, altogether or from a step on."""
    if skipped:
        name, reason = next(iter(skipped.items()))
        yield f"skipped {len(skipped)} images, for example {name}: {reason}"
    for crop, step in sampler.stages().items():
        if small := crops.too_small(crop):
            yield (
                f"from step {step} on crops are of {crop} HR pixels: {len(small)} of {len(crops)} "
                f"images are smaller and are left out then, for example {small[0]}"
            )


def load_held_out(held: Sequence[Pair], scale: int) -> list[tuple[Tensor, Picture]]:
    """LR (1, 3, h, w) and HR images to validate with.

    Args:
        held: Their files, see `hpinet.data.pairs.find_pairs`.
        scale: HR pixels per LR pixel.

    Raises:
        UserError: If one cannot be read, or its sizes do not belong together.
    """
    pairs = (load_pair(pair, scale) for pair in held)
    return [(lr.rgb, hr) for lr, hr in pairs]
