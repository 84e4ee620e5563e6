"""HPINets among state dicts: the authors' tensor names and ours, and the configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache

import torch
from torch import Tensor

from hpinet.config import SCALES, VARIANTS, HPINetConfig
from hpinet.errors import WeightsError
from hpinet.modeling.hpinet import HPINet

from .files import CONFIG_KEY, Weights, without_prefixes

_NEEDED = ("encoder.weight", "last.weight", "upsamplers.0.weight")
_WHOLE = ("dim", "qk_dim", "ffn_dim", "overlap", "scale")
_LARGEST = 2**20  # of a number in a configuration

# What the authors' state dict calls our tensors (x2 and x3 have one up-sampling convolution).
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


def hpinet_state(weights: Weights, name: str) -> tuple[HPINetConfig, dict[str, Tensor]] | None:
    """Configuration and tensors, by this project's names, of an HPINet's weights.

    Args:
        weights: By this project's names or the authors', behind any known prefix.
        name: What an error calls the file.

    Returns:
        The configuration (of the header, or inferred from shapes) and the state dict in float32;
        None if these are not an HPINet's tensors.

    Raises:
        WeightsError: If the header describes a network that this version cannot build.
    """
    for candidate in without_prefixes(weights.tensors):
        state = from_released(candidate)
        if all(key in state for key in _NEEDED):
            header = weights.metadata.get(CONFIG_KEY)
            config = infer_config(state, name) if header is None else read_config(header, name)
            return config, {key: tensor.float() for key, tensor in state.items()}
    return None


def build_hpinet(config: HPINetConfig, state: Mapping[str, Tensor], name: str) -> HPINet:
    """An HPINet with its weights.

    Raises:
        WeightsError: If a tensor is missing, left over, or of another shape; nothing is built then.
    """
    if config.blocks > len(state):
        raise WeightsError(
            f"{name} describes {config.blocks} blocks, but holds {len(state)} tensors"
        )
    with torch.device("meta"):
        expected = {key: tuple(t.shape) for key, t in HPINet(config).state_dict().items()}
    shapes = {key: tuple(t.shape) for key, t in state.items()}
    if shapes != expected:
        wrong = next(k for k in (*expected, *shapes) if shapes.get(k) != expected.get(k))
        raise WeightsError(
            f"{name} does not fit: for {wrong} it holds {shapes.get(wrong, 'nothing')}, "
            f"expected was {expected.get(wrong, 'nothing')}"
        )
    model = HPINet(config)
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)


def infer_config(state: Mapping[str, Tensor], name: str = "the checkpoint") -> HPINetConfig:
    """The configuration behind a state dict by this project's names, from its shapes.

    The first convolution is (C, 3, 3, 3), the first upsampler (C * s^2, C, 3, 3). Width C and
    number of blocks tell S, M and L apart, which name the other values.

    Args:
        state: Names and tensors.
        name: What an error calls the file.

    Raises:
        WeightsError: If the size or the scale is none of the paper's.
    """
    dim = state["encoder.weight"].shape[0]
    blocks = 1 + max(
        (int(m[1]) for k in state if (m := re.match(r"blocks\.(\d+)\.", k))), default=0
    )
    known = {(c.dim, c.blocks): c for c in (VARIANTS[n] for n in ("S", "M", "L"))}
    if (dim, blocks) not in known:
        sizes = ", ".join(f"{d} channels and {b} blocks" for d, b in known)
        raise WeightsError(
            f"{name} holds a network of {dim} channels and {blocks} blocks; known are {sizes}"
        )
    # x4 has two pixel shuffles by 2; x2 and x3 have one by s, whose convolution makes C * s^2.
    widening = state["upsamplers.0.weight"].shape[0] / dim
    scale = 4 if "upsamplers.1.weight" in state else round(widening**0.5)
    if scale not in SCALES:
        raise WeightsError(f"{name} holds a x{scale} network; known are x2, x3 and x4")
    return replace(
        known[dim, blocks],
        scale=scale,
        gpa="blocks.0.match_norm.weight" in state,
        ipsa="depthwise" if "blocks.0.attentions.1.conv.weight" in state else "attention",
        conv="blocks.0.conv.weight" in state,
    )


def read_config(text: str, name: str) -> HPINetConfig:
    """The configuration that a header describes: JSON, the fields of `HPINetConfig`.

    Raises:
        WeightsError: If it is none, or of a kind that this version does not know.
    """
    try:
        values = json.loads(text)
        values["patch_sizes"] = tuple(values["patch_sizes"])
        numbers = [*values["patch_sizes"], *(values[key] for key in _WHOLE if key in values)]
        known = {f.name for f in fields(HPINetConfig)}
        if set(values) <= known and all(type(n) is int and 0 <= n < _LARGEST for n in numbers):
            return HPINetConfig(**values)
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise WeightsError(f"{name} describes its network in a way this version cannot read")


def released_name(name: str, scale: int) -> str:
    """What the authors' state dict calls one of our tensors.

    Args:
        name: Our name, such as ``"blocks.3.attentions.0.query.weight"``.
        scale: 2, 3 or 4 (x4 has two up-sampling convolutions and numbers them).
    """
    for pattern, replacement in _TO_RELEASED:
        name = re.sub(pattern, replacement, name)
    return name if scale == 4 else name.replace("upconv1.", "upconv.")


def from_released(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict under our names; names that are not the authors' stay as they are."""
    ours = _our_names(4 if "upconv1.weight" in state else 2)
    return {ours.get(name, name): tensor for name, tensor in state.items()}


@cache
def _our_names(scale: int) -> dict[str, str]:
    """By the authors' names, ours: those of L, which has the most blocks, hold all others."""
    with torch.device("meta"):
        names = HPINet(VARIANTS["L"].with_scale(scale)).state_dict()
    return {released_name(name, scale): name for name in names}
