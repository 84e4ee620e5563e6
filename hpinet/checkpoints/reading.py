"""Reading weights files: their tensors, the configuration behind them, whose names they use.

Files are read without pickle's code execution: safetensors, or ``torch.load(weights_only=True)``.
"""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hpinet.config import SCALES, VARIANTS, HPINetConfig
from hpinet.modeling.hpinet import HPINet

CONFIG_KEY = "hpinet_config"
"""Where a safetensors header holds the configuration, as JSON of `HPINetConfig`'s fields."""

# Keys under which other projects' checkpoints hold the state dict.
_NESTED = ("params_ema", "params", "state_dict", "model_state_dict", "model", "net")


class WeightsError(ValueError):
    """Weights that cannot be had or do not fit; the message says what was found and expected."""


def read_checkpoint(path: str | Path) -> tuple[HPINetConfig, dict[str, Tensor]]:
    """Configuration and tensors of a checkpoint, by this project's names.

    Args:
        path: A .safetensors file (this project's or converted) or a weights-only PyTorch file.

    Returns:
        The configuration (written in the file, or inferred from the tensors' shapes) and a state
        dict that `HPINet` accepts, on the CPU in float32.

    Raises:
        WeightsError: If the file cannot be read or holds another network.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}")
    state, metadata = read_tensors(path)
    state = {k.removeprefix("module."): v.float() for k, v in state.items()}
    if CONFIG_KEY in metadata:
        return _read_config(metadata[CONFIG_KEY], path), state
    if "encoder.weight" not in state:
        state = _from_released(state)
    return infer_config(state, path.name), state


def infer_config(state: dict[str, Tensor], name: str = "the checkpoint") -> HPINetConfig:
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
    if any(key not in state for key in needed):
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
    widening = state["upsamplers.0.weight"].shape[0] / dim
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


def _from_released(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with the authors' names under ours; names of neither stay."""
    scale = 4 if "upconv1.weight" in state else 2
    # L has the most blocks, so all names that any of them has; they do not depend on the width.
    with torch.device("meta"):
        names = HPINet(VARIANTS["L"].with_scale(scale)).state_dict()
    ours = {released_name(name, scale): name for name in names}
    return {ours.get(name, name): tensor for name, tensor in state.items()}


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of any weights file on the CPU, and the strings of a safetensors header.

    No code in the file is run: other files than safetensors are read as weights only.

    Args:
        path: A .safetensors file, or one that ``torch.load`` reads.

    Raises:
        WeightsError: If the file is damaged, of another kind, or wants to run code.
    """
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                return state, file.metadata() or {}
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path.name} is no file of plain weights (it is damaged, of another kind, or wants to "
            f"run code when loaded): save a state dict with torch.save or as safetensors"
        ) from error
    except (
        SafetensorError,
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
        UnicodeDecodeError,
    ) as error:
        raise WeightsError(
            f"{path.name} cannot be read as weights: it is damaged or of another kind"
        ) from error
    return _state_dict(loaded, path), {}


def _state_dict(loaded: Any, path: Path) -> dict[str, Tensor]:
    """The state dict in what ``torch.load`` returned, which may hold more, such as an optimizer."""
    for key in _NESTED:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise WeightsError(
            f"{path.name} holds no state dict: a mapping of names to tensors was expected"
        )
    return loaded


def _read_config(text: str, path: Path) -> HPINetConfig:
    try:
        fields = json.loads(text)
        fields["patch_sizes"] = tuple(fields["patch_sizes"])
        return HPINetConfig(**fields)
    except (ValueError, TypeError, KeyError) as error:
        raise WeightsError(
            f"{path.name} describes its network in a way this version cannot read"
        ) from error
