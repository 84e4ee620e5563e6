"""How many steps fit into memory at once, and what to do when not even one does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hpinet.modeling.memory import free_memory

from .target import Subject

_PROBE = 64  # LR pixels a side: large enough for patches of every size, small enough to be quick
_SMALL_PROBE = 32  # where the larger one might itself be too much; it overrates by a sixth
_SMALL_BUDGET = 2**29
_ALWAYS_FITS = 96 * 96  # LR pixels below which the default budget need not be looked at
_TRANSIENT = 1.5  # a pass needs more than it keeps for the backward pass; measured, as is:
_RECOMPUTED = 4.0  # blocks' shares while one is computed again, with all inputs and gradients
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


def make_plan(subject: Subject, batch: int | None, memory: int | None) -> Plan:
    """How to attribute within a memory budget.

    Args:
        subject: What is attributed.
        batch: Steps at once as asked for; by default what is fast for the picture's size.
        memory: Bytes that may be used beside the weights; half of what is free by default.

    Raises:
        ValueError: If a number is not positive or not even one step fits.
    """
    wanted = batch_size(batch, subject.picture)
    if memory is not None and not memory > 0:
        raise ValueError(f"the memory budget must be a positive number of bytes, not {memory}")
    pixels = subject.picture.shape[-2] * subject.picture.shape[-1]
    if memory is None and (batch is not None or pixels <= _ALWAYS_FITS):
        return Plan(wanted)
    budget = memory or int(free_memory(subject.picture.device) * _SHARE_OF_FREE)
    side = _PROBE if budget > _SMALL_BUDGET else _SMALL_PROBE
    kept = _kept_per_pixel(subject, side) * pixels
    whole = max(1, int(kept * _TRANSIENT))  # a linear map keeps nothing
    if whole <= budget:
        return Plan(max(1, min(wanted, budget // whole)))
    blocks = subject.network.can_recompute
    least = int(kept * _RECOMPUTED / blocks) if blocks else whole
    if min(least, whole) > budget:
        raise ValueError(
            f"attributing {subject.picture.shape[-1]}x{subject.picture.shape[-2]} LR pixels needs "
            f"about {_gigabytes(min(least, whole))} of memory, the budget is {_gigabytes(budget)}: "
            f"attribute a crop around the window, or raise the budget"
        )
    return Plan(max(1, min(wanted, budget // least)), recompute=True)


def batch_size(size: int | None, picture: Tensor) -> int:
    """Passes computed at once: as asked for, or what is fast for the picture's size.

    Raises:
        ValueError: If it is not a positive whole number.
    """
    if size is None:
        pixels = 2 * 64 * 64 if picture.device.type == "cpu" else 16 * 64 * 64
        return max(1, min(16, pixels // (picture.shape[-2] * picture.shape[-1])))
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"internal_batch_size must be a whole number from 1 up, not {size!r}")
    return size


def _kept_per_pixel(subject: Subject, side: int) -> float:
    """Bytes that one pass keeps for its backward pass, per LR pixel, counted on a small crop.

    Patches and windows have a fixed size, so that the count grows with the pixels.
    """
    crop = subject.picture[..., :side, :side]
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Any:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # a node that holds its own output would never be freed

    with torch.inference_mode(False), torch.enable_grad():
        crop = crop.clone().requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            subject.network.probe(crop)
    return sum(kept.values()) / (crop.shape[-2] * crop.shape[-1])


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:.2g} GiB"
