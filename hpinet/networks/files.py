"""Files of weights: read without running code, written whole, and what identifies them."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from hpinet.errors import WeightsError, first_line
from hpinet.imaging.files import write_bytes
from hpinet.modeling.hpinet import HPINet

CONFIG_KEY = "hpinet_config"
"""Where the header of this project's safetensors files holds the configuration, as JSON."""

_CONTAINERS = (
    *("params_ema", "params-ema", "ema_model", "model_ema", "ema", "state_dict_ema", "ema_state"),
    *("params", "state_dict", "model_state_dict", "model_state", "model", "net_g", "netG"),
    *("generator", "net", "network", "weights"),
)
"""Keys that training frameworks put the weights under; averaged weights come first, since they are
what people publish."""

_PREFIXES = (
    *("_orig_mod.", "module.", "model.", "net.", "network."),
    *("generator.", "net_g.", "netG."),
)
"""What wrappers put in front of names: torch.compile, DataParallel, Lightning, GAN trainers."""

_DIGITS = 16  # 64 bits: among a million digests a chance collision has probability 3e-8


@dataclass(frozen=True)
class Weights:
    """What a file of weights holds.

    Attributes:
        tensors: Tensors on the CPU by the file's names, in the file's types.
        metadata: Strings of a safetensors header.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)


def read_weights(path: str | Path) -> Weights:
    """Read a file of weights without running code in it.

    Args:
        path: safetensors (whatever the file is called), or what `torch.save` wrote since PyTorch
            1.6: a state dict, alone or inside the containers of training frameworks.

    Raises:
        WeightsError: If there is no such file, or it is damaged, needs code to be read, or holds
            no tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}")
    try:
        if is_safetensors(path):
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                return Weights(tensors, dict(file.metadata() or {}))
        saved = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, SafetensorError) as error:
        raise WeightsError(
            f"{path.name} cannot be read as weights ({first_line(error)}): expected were "
            f".safetensors, or .pth written by torch.save(model.state_dict(), ...) since PyTorch "
            f"1.6; convert a file whose source you trust by `python -m hpinet convert "
            f"{path.name} --trust`"
        ) from error
    return Weights(state_dict_of(saved, path.name))


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: 8 bytes of length, then a JSON object."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def check_header(path: Path, header_bytes: int, tensors: int, numbers: int) -> dict[str, str]:
    """Compare a safetensors header with limits before anything behind it is read.

    Args:
        path: The file.
        header_bytes: Largest size of the header.
        tensors: Largest count of tensors.
        numbers: Largest count of numbers in all tensors.

    Returns:
        The header's strings.

    Raises:
        WeightsError: If it is no safetensors file, damaged, or over a limit.
    """
    if not is_safetensors(path):
        raise WeightsError(
            f"{path.name} is not safetensors: convert it by `python -m hpinet convert {path.name}`"
        )
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > header_bytes:
        raise WeightsError(f"{path.name} has a header of {length} bytes; the limit: {header_bytes}")
    try:
        with safe_open(path, framework="pt") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
            metadata = dict(file.metadata() or {})
    except SafetensorError as error:
        raise WeightsError(f"{path.name} is damaged ({first_line(error)})") from error
    if len(shapes) > tensors:
        raise WeightsError(f"{path.name} holds {len(shapes)} tensors; the limit is {tensors}")
    # An empty tensor takes no bytes, but what is built from its other sides may be huge.
    empty = next((shape for shape in shapes if 0 in shape), None)
    if empty is not None:
        raise WeightsError(f"{path.name} holds an empty tensor of shape {tuple(empty)}")
    total = sum(torch.Size(shape).numel() for shape in shapes)
    if total > numbers:
        raise WeightsError(f"{path.name} holds {total:,} numbers; the limit is {numbers:,}")
    return metadata


def state_dict_of(saved: Any, name: str) -> dict[str, Tensor]:
    """The state dict inside what was saved.

    Args:
        saved: A mapping of names to tensors, alone or in containers.
        name: What an error calls the file.

    Raises:
        WeightsError: If there is none.
    """
    for _ in _CONTAINERS:  # a mapping may hold itself
        if isinstance(saved, Mapping):
            inner = (saved[key] for key in _CONTAINERS if isinstance(saved.get(key), Mapping))
            saved = next(inner, saved)
    tensors = saved.items() if isinstance(saved, Mapping) else ()
    state = {str(key): value for key, value in tensors if isinstance(value, Tensor)}
    state.pop("n_averaged", None)  # of torch.optim.swa_utils.AveragedModel
    if not state:
        raise WeightsError(
            f"{name} holds no state dict: a mapping of names to tensors was expected"
        )
    return state


def without_prefixes(state: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """A state dict by its own names, then without each prefix that wrappers put in front.

    Tensors without the prefix of most, such as those of a loss beside the network, are left out.
    """
    state = dict(state)
    yield state
    while state:
        counts = {p: sum(name.startswith(p) for name in state) for p in _PREFIXES}
        prefix = max(counts, key=lambda p: counts[p])
        if 2 * counts[prefix] <= len(state):
            return
        state = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        yield state


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
    header = {**(metadata or {}), CONFIG_KEY: json.dumps(asdict(model.config))}
    write_state_dict(model.state_dict(), path, header)


def write_state_dict(
    state: Mapping[str, Tensor], path: str | Path, metadata: dict[str, str] | None = None
) -> None:
    """Write tensors as safetensors, atomically."""
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in state.items()}
    write_bytes(Path(path), save(tensors, metadata))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def network_digest(network: nn.Module) -> str:
    """Digest of a network's class, configuration and weights: 16 hexadecimal digits.

    Of an adapted network also how it is called and the file that built it.
    """
    about = [getattr(network, name, None) for name in ("name", "scale", "config")]
    about += [found for name in ("options", "source") if (found := getattr(network, name, None))]
    digest = hashlib.sha256(repr((type(network).__name__, *about)).encode())
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().double().numpy().tobytes())
    return digest.hexdigest()[:_DIGITS]


def files_digest(*paths: Path | None) -> str:
    """Digest of the bytes of files in their order, None for an absent one: 16 hexadecimal digits.

    Raises:
        OSError: If a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        data = b"" if path is None else path.read_bytes()
        digest.update(f"{'-' if path is None else len(data)};".encode())
        digest.update(data)
    return digest.hexdigest()[:_DIGITS]
