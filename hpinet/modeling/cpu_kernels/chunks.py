"""How much the kernels compute at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass
class Sizes:
    """Sizes of chunks. Results do not depend on them.

    Attributes:
        scores: Attention scores that a thread has at once; backward, also their gradients.
        rows: Pixels at once where there is no attention.
        few: Numbers; a trained layer that would keep fewer of them is computed plainly.
    """

    scores: int = 1 << 19
    rows: int = 1 << 12
    few: int = 1 << 24


sizes = Sizes()


def scores_held(patches: int, patch_size: int) -> int:
    """Attention scores in memory while so many patches are computed without gradients."""
    return min(patches, patches_at_once(patch_size**2)) * patch_size**4


def patches_at_once(length: int) -> int:
    """As many for every thread: a product of patches is shared out by whole patches."""
    return torch.get_num_threads() * max(1, sizes.scores // length**2)


def slices(count: int, at_once: int) -> list[slice]:
    """Consecutive slices of at most so many that cover ``range(count)``."""
    step = max(1, at_once)
    return [slice(first, min(count, first + step)) for first in range(0, count, step)]
