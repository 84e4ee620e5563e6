"""From a name or a file to a network with its weights, and back to a file.

How files are read: `hpinet.checkpoints.reading`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from hpinet.config import VARIANTS, get_config
from hpinet.imaging.files import write_bytes
from hpinet.inference.own_patches import OwnPatches
from hpinet.modeling.hpinet import HPINet

from .configuration import CONFIG_KEY
from .formats.file_plan import WeightsError
from .reading import read_checkpoint

BUNDLED = Path(__file__).parents[1] / "weights"
"""Folder of the weights that come with the package; MODEL_CARD.md there says how they were made."""


def load_model(
    name_or_path: str | Path = "S",
    scale: int | None = None,
    gpa: bool = True,
    device: str | torch.device = "cpu",
) -> HPINet | OwnPatches:
    """A network with its weights, ready for inference.

    Args:
        name_or_path: ``"S"``, ``"M"`` or ``"L"`` for bundled weights, or the path of a checkpoint:
            this project's safetensors or the authors' .pth, recognised by their tensors.
        scale: 2, 3 or 4, SR pixels per LR pixel. For a name 4 by default; for a file the file's.
        gpa: False asks for the network without Global Pixel Access: for a name the twin that was
            trained without it; for a checkpoint trained with it, the same weights with every patch
            as its own match.
        device: Where the tensors go.

    Returns:
        The model in evaluation mode, its parameters without gradients.

    Raises:
        WeightsError: If there are no such weights, or the file holds something else.
    """
    path = _locate(name_or_path, scale, gpa)
    config, state = read_checkpoint(path)
    if scale is not None and scale != config.scale:
        raise WeightsError(
            f"{path.name} holds a x{config.scale} network, but x{scale} was asked for: "
            f"leave the scale out or choose another file"
        )
    model = HPINet(config)
    _fill(model, state, path)
    model.eval().requires_grad_(False).to(device)
    return OwnPatches(model) if config.gpa and not gpa else model


def bundled_path(name: str, scale: int = 4, gpa: bool = True) -> Path:
    """Where the bundled weights of a variant are, or would be if there are none.

    Args:
        name: A key of `hpinet.config.VARIANTS`, without ``-no-gpa``.
        scale: 2, 3 or 4.
        gpa: False for the twin that was trained without Global Pixel Access.
    """
    return BUNDLED / f"HPINet-{name}-x{scale}{'' if gpa else '-no-gpa'}.safetensors"


def bundled_names() -> list[str]:
    """File stems of all bundled weights, for example ``"HPINet-S-x4"``."""
    return sorted(path.stem for path in BUNDLED.glob("*.safetensors"))


def save_checkpoint(
    model: HPINet, path: str | Path, metadata: dict[str, str] | None = None
) -> None:
    """Write a model's weights and configuration as safetensors, atomically.

    Args:
        model: The network.
        path: Where to; an older file is replaced only when the new one is complete.
        metadata: Further strings for the file's header, such as the recipe.

    Raises:
        OSError: If the file cannot be written, for example on a full disk.
    """
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    header = {**(metadata or {}), CONFIG_KEY: json.dumps(asdict(model.config))}
    write_bytes(path, save(state, header))


def _locate(name_or_path: str | Path, scale: int | None, gpa: bool) -> Path:
    """The weights file behind the arguments of `load_model`."""
    text = str(name_or_path)
    if text not in VARIANTS:
        path = Path(name_or_path)
        if path.is_file() or path.suffix or len(path.parts) > 1:
            return path
        raise WeightsError(
            f"{text!r} is neither a bundled model ({', '.join(bundled_names())}) nor a file"
        )
    config = get_config(text, 4 if scale is None else scale)
    path = bundled_path(text.removesuffix("-no-gpa"), config.scale, gpa and config.gpa)
    if not path.is_file():
        raise WeightsError(
            f"no weights are bundled for {path.stem}, only for {', '.join(bundled_names())}: "
            f"pass a file, or fetch the authors' with `python -m hpinet download`"
        )
    return path


def _fill(model: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Load a state dict, or say which tensor does not fit."""
    expected = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    found = {name: tuple(t.shape) for name, t in state.items()}
    if found == expected:
        model.load_state_dict(state)
        return
    wrong = next(n for n in (*expected, *found) if found.get(n) != expected.get(n))
    raise WeightsError(
        f"{path.name} does not fit: for {wrong} it holds {found.get(wrong, 'nothing')}, "
        f"expected was {expected.get(wrong, 'nothing')}"
    )
