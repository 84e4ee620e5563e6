"""One reader for every file of weights: what kind it is, what it promises, and its tensors.

The kind is told from the first bytes, not from the name. Nothing in a file is executed, and every
tensor is read from bytes of the file (`formats`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from hpinet.config import HPINetConfig

from .configuration import CONFIG_KEY, check_promise, infer_config, read_config
from .formats.file_plan import FilePlan, Limits, TensorPlan, WeightsError
from .formats.safetensors_file import looks_like_safetensors, plan_safetensors
from .formats.torch_file import plan_torch, tensor_plans
from .formats.torch_pickle import TensorEntry
from .released_names import from_released
from .state_dicts import find_state_dict, namings

NO_LIMITS = Limits()
"""For files of one's own: as many numbers as there are."""

_OTHERS = {
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself with `git lfs pull`",
    b"<": "a web page: download the file itself",
    b"\x89HDF": "HDF5",
    b"\x08\x01\x12": "ONNX",
    b"\x1f\x8b": "a gzip archive: unpack it",
}


@dataclass(frozen=True)
class Checkpoint:
    """An HPINet's checkpoint as its file promises it; nothing is built or read yet.

    Attributes:
        config: The network's configuration.
        names: By our names, the file's names of its tensors.
        plan: The file.
    """

    config: HPINetConfig
    names: dict[str, str]
    plan: FilePlan

    def read(self) -> dict[str, Tensor]:
        """The state dict that `HPINet` accepts, on the CPU in float32."""
        tensors = self.plan.read(self.names.values())
        return {ours: tensors[theirs].float() for ours, theirs in self.names.items()}


def plan_file(path: str | Path, limits: Limits = NO_LIMITS) -> FilePlan:
    """What a file of weights holds, from its header.

    Args:
        path: safetensors, or what `torch.save` wrote in any version: a state dict, alone or in the
            containers that training frameworks use.
        limits: What it may ask for.

    Raises:
        WeightsError: If it is no such file, damaged, or over a limit.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}")
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise WeightsError(f"{path.name} cannot be read as weights: it is empty")
    if looks_like_safetensors(head, path.stat().st_size):
        plan = plan_safetensors(path, limits)
    else:
        plan = _plan_saved(path, head, limits)
    limits.check(plan)
    return plan


def _plan_saved(path: Path, head: bytes, limits: Limits) -> FilePlan:
    for start, kind in _OTHERS.items():
        if head.lstrip().startswith(start):
            raise WeightsError(f"{path.name} is no file of plain weights (it is {kind})")
    if path.suffix.lower() == ".safetensors" and head[:2] != b"PK":
        raise WeightsError(
            f"{path.name} cannot be read as weights: it is damaged or of another kind"
        )
    saved, spans = plan_torch(path, limits)
    entries = find_state_dict(saved, TensorEntry)
    if entries is None:
        raise WeightsError(
            f"{path.name} holds no state dict: a mapping of names to tensors was expected"
        )
    if len(entries) > limits.tensors:  # one tensor may stand under many names
        raise WeightsError(f"{path.name} holds more tensors than the limit of {limits.tensors}")
    return FilePlan(path, tensor_plans(path.name, entries, spans))


def read_tensors(path: str | Path, limits: Limits = NO_LIMITS) -> dict[str, Tensor]:
    """The tensors of any file of weights on the CPU, in the types and by the names of the file.

    Raises:
        WeightsError: As `plan_file`.
    """
    return plan_file(path, limits).read()


def plan_checkpoint(path: str | Path, limits: Limits = NO_LIMITS) -> Checkpoint:
    """Which HPINet a file promises; compared with its tensors before anything is built.

    Args:
        path: As for `plan_file`; by this project's names or the authors', behind any prefix.
        limits: What it may ask for.

    Raises:
        WeightsError: If the file cannot be read or holds another network.
    """
    plan = plan_file(path, limits)
    name = plan.path.name
    names = _hpinet_names(plan.tensors)
    state = {ours: plan.tensors[theirs] for ours, theirs in names.items()}
    written = plan.metadata.get(CONFIG_KEY)
    config = infer_config(state, name) if written is None else read_config(written, name)
    check_promise(config, state, name)
    return Checkpoint(config, names, plan)


def read_checkpoint(path: str | Path) -> tuple[HPINetConfig, dict[str, Tensor]]:
    """Configuration and tensors of a checkpoint, by this project's names.

    Args:
        path: As for `plan_checkpoint`.

    Returns:
        The configuration (written in the file, or inferred from the tensors' shapes) and a state
        dict that `HPINet` accepts, on the CPU in float32.

    Raises:
        WeightsError: If the file cannot be read or holds another network.
    """
    found = plan_checkpoint(path)
    return found.config, found.read()


def _hpinet_names(tensors: Mapping[str, TensorPlan]) -> dict[str, str]:
    """By our names, the file's; the file's own where it is no HPINet's."""
    first: dict[str, str] | None = None
    for naming in namings({name: name for name in tensors}):
        ours = from_released(naming)
        if first is None:
            first = ours
        if "encoder.weight" in ours and "last.weight" in ours:
            return ours
    assert first is not None
    return first
