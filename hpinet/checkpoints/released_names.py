"""The authors' names for the tensors of an HPINet, and ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TypeVar

import torch

from hpinet.config import VARIANTS
from hpinet.modeling.hpinet import HPINet

Entry = TypeVar("Entry")


def released_name(name: str, scale: int) -> str:
    """What the authors' state dict calls one of our tensors.

    Args:
        name: Our name, such as ``"blocks.3.attentions.0.query.weight"``.
        scale: 2, 3 or 4 (x4 has two up-sampling convolutions and numbers them).
    """
    for pattern, replacement in _TO_RELEASED:
        name = re.sub(pattern, replacement, name)
    return name if scale == 4 else name.replace("upconv1.", "upconv.")


_TO_RELEASED = (
    (r"^encoder\.", "first_conv."),
    (r"^last\.", "last_conv."),
    (r"^upsamplers\.0\.", "upconv1."),
    (r"^upsamplers\.1\.", "upconv2."),
    (r"^blocks\.(\d+)\.match_norm\.", r"cross_match.\1.norm."),
    (r"^blocks\.(\d+)\.conv\.", r"mid_convs.\1."),
    (r"^blocks\.(\d+)\.attentions\.(\d)\.norm\.", r"blocks.\1.layers.\2.0.norm."),
    (r"^blocks\.(\d+)\.attentions\.(\d)\.(q)uery\.", r"blocks.\1.layers.\2.0.fn.to_q."),
    (r"^blocks\.(\d+)\.attentions\.(\d)\.(k)ey\.", r"blocks.\1.layers.\2.0.fn.to_k."),
    (r"^blocks\.(\d+)\.attentions\.(\d)\.(v)alue\.", r"blocks.\1.layers.\2.0.fn.to_v."),
    (r"^blocks\.(\d+)\.feed_forwards\.(\d)\.norm\.", r"blocks.\1.layers.\2.1.norm."),
    (r"^blocks\.(\d+)\.feed_forwards\.(\d)\.expand\.", r"blocks.\1.layers.\2.1.fn.fc1."),
    (r"^blocks\.(\d+)\.feed_forwards\.(\d)\.reduce\.", r"blocks.\1.layers.\2.1.fn.fc2."),
)


def from_released(state: Mapping[str, Entry]) -> dict[str, Entry]:
    """A state dict under our names; names that are not the authors' stay as they are."""
    ours = _our_names(4 if "upconv1.weight" in state else 2)
    return {ours.get(name, name): tensor for name, tensor in state.items()}


@cache
def _our_names(scale: int) -> dict[str, str]:
    """By the authors' names, ours: those of L, which has the most blocks, hold all others."""
    with torch.device("meta"):
        names = HPINet(VARIANTS["L"].with_scale(scale)).state_dict()
    return {released_name(name, scale): name for name in names}
