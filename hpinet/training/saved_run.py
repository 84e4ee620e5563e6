"""What a run leaves in ``state.pt``: never weights that are not finite, and read with care.

The file may be cut off, empty, another one, or of an older version; then one sentence says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hpinet.config import HPINetConfig
from hpinet.errors import first_line

from .state import Origin, State, TrainingError

FILE = "state.pt"
_NEEDED = {"state": dict, "config": dict, "model": dict, "average": list, "optimizer": dict}


def read_saved(out: Path) -> dict[str, Any]:
    """What a run has saved.

    Raises:
        TrainingError: If there is nothing, or it is damaged.
    """
    path = out / FILE
    if not path.is_file():
        raise TrainingError(f"there is nothing to resume in {out}: leave out --resume")
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception:  # a file of another kind fails in any way
        raise _damaged(path, "it cannot be read") from None
    if not isinstance(saved, dict):
        raise _damaged(path, "it holds no run")
    for name, kind in _NEEDED.items():
        if not isinstance(saved.get(name), kind):
            raise _damaged(path, f"it lacks {name}")
    if "ema" not in saved:  # older runs wrote it into their recipe only
        saved["ema"] = _recipe_of(out).get("ema")
    return saved


def check_saved(saved: dict[str, Any], config: HPINetConfig, optimizer: str, path: Path) -> None:
    """Whether what was saved is of this network, by this optimizer, and sound.

    Raises:
        TrainingError: If it is not.
    """
    if saved["config"] != asdict(config):
        changed = [k for k, v in asdict(config).items() if saved["config"].get(k) != v]
        raise TrainingError(f"{path} is of another network: {', '.join(changed)} differ")
    name = saved.get("optimizer_name", "adam")  # older runs had no other
    if name != optimizer:
        raise TrainingError(
            f"{path} is of a run with {name}, not {optimizer}: resume it with "
            f"--optimizer {name}, or start a run from its weights with --init"
        )
    tensors = [*saved["model"].values(), *saved["average"]]
    if not all(isinstance(tensor, Tensor) for tensor in tensors):
        raise _damaged(path, "it holds something else in place of weights")
    if not are_finite(tensors):
        raise TrainingError(
            f"{path} holds weights that are not finite: begin a run in another folder from the "
            f"last good ones, with --init {path.parent / 'best.safetensors'}"
        )


@contextmanager
def fitting(path: Path) -> Iterator[None]:
    """Turn whatever does not fit while a run is put together again into one sentence.

    Raises:
        TrainingError: In place of the errors of PyTorch.
    """
    try:
        yield
    except TrainingError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
        raise _damaged(path, f"its parts do not fit together: {first_line(error)[:120]}") from None


def restored_state(found: dict[str, Any]) -> State:
    """The step and what goes with it; fields of other versions are left out.

    Raises:
        KeyError: If there is no step.
    """
    known = {f.name: found[f.name] for f in fields(State) if f.name in found}
    return State(int(known.pop("step")), **{name: float(value) for name, value in known.items()})


def restored_origin(found: dict[str, Any] | None) -> Origin | None:
    """The file that the run took its first weights from, if any."""
    if not found:
        return None
    return Origin(**{f.name: found[f.name] for f in fields(Origin) if f.name in found})


def are_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all numbers of all tensors are finite."""
    floats = [t.detach() for t in tensors if t.is_floating_point()]
    return all(bool(torch.isfinite(t).all()) for t in floats)


def _recipe_of(out: Path) -> dict[str, Any]:
    try:
        found = json.loads((out / "recipe.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _damaged(path: Path, why: str) -> TrainingError:
    return TrainingError(
        f"{path} is damaged ({why}): begin a run in another folder from the weights beside it, "
        f"with --init {path.parent / 'last.safetensors'}"
    )
