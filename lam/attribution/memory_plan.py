"""How many steps fit into memory at once, and what to do when not even one does.

A step is one forward and backward pass. What it keeps between the two grows with the LR pixels: it
is counted on a small crop, in bytes per pixel. Two ways to take a step:

- keeping everything: 1.5 times what is kept, times the steps at once;
- recomputing each block in the backward pass: 4 shares of one block (kept / blocks) a step.

The first way is taken where it fits, with as many steps at once as do; else the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hpinet.errors import UserError

from .target import Target

_PROBE = 64  # LR pixels a side: large enough for patches of every size, small enough to be quick
_SMALL_PROBE = 32  # where the larger one might itself be too much; it overrates by a sixth
_SMALL_BUDGET = 2**29
_ALWAYS_FITS = 96 * 96  # LR pixels up to which free memory is not asked for: a step is small
# Both measured: the peak of a step over what its forward pass keeps; and, with recomputing, over
# one block's share of that (the block itself, all blocks' inputs, and gradients).
_TRANSIENT = 1.5
_RECOMPUTED = 4.0
_SHARE_OF_FREE = 0.5


@dataclass(frozen=True)
class Plan:
    """How to spend the memory.

    Attributes:
        batch: Steps computed at once.
        recompute: Whether a backward pass computes each block again instead of keeping it.
    """

    batch: int
    recompute: bool = False


def make_plan(target: Target, batch: int | None, memory: int | None) -> Plan:
    """How to attribute within a memory budget.

    Args:
        target: What is attributed.
        batch: Steps at once as asked for; by default what is fast for the image's size.
        memory: Bytes that may be used beside the weights; half of what is free by default.

    Raises:
        ValueError: If a number is not positive or not even one step fits.
    """
    wanted = batch_size(batch, target.image)
    if memory is not None and not memory > 0:
        raise UserError(f"the memory budget must be a positive number of bytes, not {memory}")
    pixels = target.image.shape[-2] * target.image.shape[-1]
    if memory is None and (batch is not None or pixels <= _ALWAYS_FITS):
        return Plan(wanted)
    budget = memory or int(_free_memory(target.image.device) * _SHARE_OF_FREE)
    side = _PROBE if budget > _SMALL_BUDGET else _SMALL_PROBE
    kept = _kept_per_pixel(target, side) * pixels  # bytes a step
    whole = max(1, int(kept * _TRANSIENT))  # at least 1: a linear network keeps nothing
    if whole <= budget:
        return Plan(max(1, min(wanted, budget // whole)))
    blocks = target.network.can_recompute  # 0 where the network cannot
    least = int(kept * _RECOMPUTED / blocks) if blocks else whole
    if min(least, whole) > budget:
        raise UserError(
            f"attributing {target.image.shape[-1]}x{target.image.shape[-2]} LR pixels needs "
            f"about {_gigabytes(min(least, whole))} of memory, the budget is {_gigabytes(budget)}: "
            f"attribute a crop around the window, or raise the budget"
        )
    return Plan(max(1, min(wanted, budget // least)), recompute=True)


def batch_size(size: int | None, image: Tensor) -> int:
    """Passes computed at once: as asked for, or what is fast for the image's size.

    Raises:
        ValueError: If it is not a positive whole number.
    """
    if size is None:
        # LR pixels at once that keep the device busy: about two 64x64 images on a CPU.
        pixels = 2 * 64 * 64 if image.device.type == "cpu" else 16 * 64 * 64
        return max(1, min(16, pixels // (image.shape[-2] * image.shape[-1])))
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise UserError(f"internal_batch_size must be a whole number from 1 up, not {size!r}")
    return size


def _kept_per_pixel(target: Target, side: int) -> float:
    """Bytes that one pass keeps for its backward pass, per LR pixel, counted on a small crop.

    Patches and windows have a fixed size, so that the count grows with the pixels.
    """
    crop = target.image[..., :side, :side]
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Any:
        # By address: views and tensors saved twice share one storage, which counts once.
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # a node that holds its own output would never be freed

    with torch.inference_mode(False), torch.enable_grad():
        crop = crop.clone().requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            target.network.probe(crop)
    return sum(kept.values()) / (crop.shape[-2] * crop.shape[-1])


def _free_memory(device: torch.device) -> int:
    """Bytes that are free on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return int(psutil.virtual_memory().available)


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:.2g} GiB"
