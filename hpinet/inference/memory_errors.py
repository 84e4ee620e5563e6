"""How running out of memory shows itself: not every device has an error of its own for it."""

from __future__ import annotations

import torch

_SIGNS = ("out of memory", "not enough memory", "can't allocate", "allocate memory", "bad_alloc")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a CPU, an NVIDIA or an Apple GPU."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in text for sign in _SIGNS)
