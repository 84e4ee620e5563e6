"""Half precision where it is faster, with matching in float32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hpinet.errors import UserError

PRECISIONS = ("fp32", "bf16", "auto")
"""``fp32``: as the weights are. ``bf16``: convolutions, linear layers and attention in bfloat16,
about twice as fast where the processor multiplies such numbers; what blocks add to and all matching
stay in float32. ``auto``: ``bf16`` where the processor does."""


def half_precision(device: torch.device, precision: str) -> torch.autocast:
    """The context in which a network runs with a precision.

    Args:
        device: Where the network is.
        precision: One of `PRECISIONS`.

    Raises:
        ValueError: If there is no such precision.
    """
    if precision not in PRECISIONS:
        raise UserError(f"a precision is one of {', '.join(PRECISIONS)}, not {precision!r}")
    wanted = precision == "bf16" or (precision == "auto" and has_bf16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)


def has_bf16(device: torch.device) -> bool:
    """Whether the processor multiplies bfloat16 numbers natively."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # PyTorch has no public name for it on CPUs; without one of these, it is not said.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    known = [getattr(torch.cpu, name) for name in names if hasattr(torch.cpu, name)]
    return device.type == "cpu" and any(supported() for supported in known)


@torch.no_grad()
def match_agreement(model: Any, x: Tensor, precision: str) -> float:
    """Share of all blocks' patches that attend to the same patch as in float32, in [0, 1].

    Each block decides anew. The similarities are computed in float32 at every precision, of
    features that differ a little.

    Args:
        model: An `HPINet` with Global Pixel Access, in evaluation mode.
        x: (B, 3, H, W) RGB in [0, 1], where the network is.
        precision: One of `PRECISIONS`.
    """
    _, exact = model(x, return_matches=True)
    with half_precision(x.device, precision):
        _, half = model(x, return_matches=True)
    pairs = zip(exact.blocks, half.blocks, strict=True)
    same = [ours.index.eq(theirs.index).flatten() for ours, theirs in pairs]
    return float(torch.cat(same).float().mean())
