"""Which HPINet a checkpoint holds: written in its header, or told by the shapes of its tensors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Protocol

import torch

from hpinet.config import SCALES, VARIANTS, HPINetConfig
from hpinet.modeling.hpinet import HPINet

from .formats.file_plan import WeightsError

CONFIG_KEY = "hpinet_config"
"""Where the header of this project's safetensors files holds the configuration, as JSON."""

_WHOLE = ("dim", "qk_dim", "ffn_dim", "overlap", "scale")


class Shaped(Protocol):
    """A tensor, or what is known of one before it is read."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""


def infer_config(state: Mapping[str, Shaped], name: str = "the checkpoint") -> HPINetConfig:
    """The configuration behind a state dict with this project's names, from its shapes.

    The first convolution is (C, 3, 3, 3); the first upsampler (C * s^2, C, 3, 3). Width C and
    number of blocks tell S, M and L apart, which names the other values.

    Args:
        state: Names and tensors.
        name: What to call the file in an error.

    Raises:
        WeightsError: If these are not the tensors of an HPINet.
    """
    needed = (
        "encoder.weight",
        "last.weight",
        "upsamplers.0.weight",
        "blocks.0.attentions.0.query.weight",
    )
    if any(key not in state for key in needed) or len(state["encoder.weight"].shape) != 4:
        found = ", ".join(list(state)[:3]) or "no tensors"
        raise WeightsError(
            f"{name} is not an HPINet checkpoint: it holds {found} ..., "
            f"where first_conv.weight (the authors' names) or encoder.weight (ours) was expected"
        )
    dim = state["encoder.weight"].shape[0]
    blocks = 1 + max(int(m[1]) for k in state if (m := re.match(r"blocks\.(\d+)\.", k)))
    known = {(c.dim, c.blocks): c for c in (VARIANTS[n] for n in ("S", "M", "L"))}
    if (dim, blocks) not in known:
        sizes = ", ".join(f"{d} channels and {b} blocks" for d, b in known)
        raise WeightsError(
            f"{name} holds a network of {dim} channels and {blocks} blocks; known are {sizes}"
        )
    # x4 has two pixel shuffles by 2; x2 and x3 have one by s, whose convolution makes C * s^2.
    widening = (*state["upsamplers.0.weight"].shape, 0)[0] / dim
    scale = 4 if "upsamplers.1.weight" in state else round(widening**0.5)
    if scale not in SCALES:
        raise WeightsError(f"{name} holds a x{scale} network; known are x2, x3 and x4")
    depthwise = "blocks.0.attentions.1.conv.weight" in state
    return replace(
        known[dim, blocks],
        scale=scale,
        gpa="blocks.0.match_norm.weight" in state,
        ipsa="depthwise" if depthwise else "attention",
        conv="blocks.0.conv.weight" in state,
    )


def read_config(text: str, name: str) -> HPINetConfig:
    """The configuration that a header describes.

    Args:
        text: JSON, the fields of `HPINetConfig`.
        name: What the sentence calls the file.

    Raises:
        WeightsError: If it is none, or of a kind that this version does not know.
    """
    try:
        found: Any = json.loads(text)
        found["patch_sizes"] = tuple(found["patch_sizes"])
        numbers = (*found["patch_sizes"], *(found[key] for key in _WHOLE if key in found))
        if set(found) <= {f.name for f in fields(HPINetConfig)} and all(
            type(n) is int and 0 <= n < 2**20 for n in numbers
        ):
            return HPINetConfig(**found)
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise WeightsError(f"{name} describes its network in a way this version cannot read")


def check_promise(config: HPINetConfig, state: Mapping[str, Shaped], name: str) -> None:
    """Compare what a header describes with the tensors, before anything of that size is built.

    Raises:
        WeightsError: If the network would have more blocks or numbers than the file holds.
    """
    held = sum(torch.Size(tensor.shape).numel() for tensor in state.values())
    promised = count_numbers(config) if config.blocks <= len(state) else None
    # A tensor that is missing is named when the network is filled; here what matters is the size.
    if promised is None or promised > 2 * held:
        found = f"{config.dim} channels and {config.blocks} blocks"
        raise WeightsError(
            f"{name} describes another network ({found}) than its tensors make: they hold {held} "
            f"numbers{'' if promised is None else f' where it needs {promised}'}"
        )


def count_numbers(config: HPINetConfig) -> int:
    """How many numbers an HPINet of a configuration has, without building it."""
    one, two = (_numbers(replace(config, patch_sizes=config.patch_sizes[:1] * n)) for n in (1, 2))
    return one + (config.blocks - 1) * (two - one)  # all blocks have the same shapes


def _numbers(config: HPINetConfig) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in HPINet(config).parameters())
