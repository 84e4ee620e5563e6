"""Which networks the page offers: the bundled ones, a folder's checkpoints, and their twins."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from hpinet import HPINet, OwnPatches, load_model
from hpinet.weights import BUNDLED

from .cache import Cache

TWIN, OWN = "twin", "own"
"""Ways to be without GPA: a twin trained without it, or these weights with it switched off."""

_SUFFIXES = (".safetensors", ".pth", ".pt")
_NO_GPA = "-no-gpa"


@dataclass(frozen=True)
class Network:
    """A network, and its twin that was trained without Global Pixel Access if there is one.

    Attributes:
        label: What the page calls it.
        model: The network.
        twin: Its twin of the same size and training, or None.
        path: The file it was loaded from, if there is one.
        twin_path: The twin's file.
    """

    label: str
    model: HPINet
    twin: HPINet | None = field(default=None)
    path: Path | None = None
    twin_path: Path | None = None

    @property
    def scale(self) -> int:
        """Up-scaling factor."""
        return self.model.scale

    @property
    def has_gpa(self) -> bool:
        """Whether it looks at matched patches."""
        return self.model.config.gpa

    @property
    def ways_without(self) -> tuple[str, ...]:
        """Which of `TWIN` and `OWN` can be had, the more telling first."""
        if not self.has_gpa:
            return ()
        return (OWN,) if self.twin is None else (TWIN, OWN)

    def way(self, wanted: str) -> str | None:
        """The wanted way to be without GPA if it can be had, else the first one that can."""
        ways = self.ways_without
        return wanted if wanted in ways else next(iter(ways), None)

    def without(self, way: str) -> nn.Module:
        """The network without GPA, by `TWIN` or `OWN`."""
        if way == TWIN and self.twin is not None:
            return self.twin
        return OwnPatches(self.model)


class Catalogue:
    """The networks on offer, loaded when first asked for.

    Args:
        weights_dir: A folder of further checkpoints, or None.

    Raises:
        ValueError: If the folder does not exist, or there is no network at all.
    """

    def __init__(self, weights_dir: Path | None = None) -> None:
        if weights_dir is not None and not weights_dir.is_dir():
            raise ValueError(f"there is no folder {weights_dir}: --weights-dir names one")
        self._paths: dict[str, Path] = {}
        for path in _weights(BUNDLED):
            self._paths[path.stem] = path
        for path in _weights(weights_dir) if weights_dir else []:
            label = (
                path.stem if path.stem not in self._paths else f"{path.stem} ({path.parent.name})"
            )
            self._paths[label] = path
        self._loaded: Cache[Network] = Cache(8)
        self._lock = threading.Lock()
        if not self._paths:
            raise ValueError(
                "no weights were found: run `python -m hpinet download`, or name a folder of "
                "checkpoints by --weights-dir"
            )

    @property
    def labels(self) -> list[str]:
        """What can be chosen. Twins are not listed beside the network whose twins they are."""
        stems = {path.with_suffix("") for path in self._paths.values()}
        return [
            label
            for label, path in self._paths.items()
            if not path.stem.endswith(_NO_GPA)
            or path.with_name(path.stem.removesuffix(_NO_GPA)) not in stems
        ]

    def get(self, label: str) -> Network:
        """A network by its label.

        Raises:
            ValueError: If there is none, or its file holds something else.
        """
        if label not in self._paths:
            raise ValueError(f"There is no network {label!r}; choose {', '.join(self.labels)}.")
        with self._lock:  # two visitors must not load the same file twice
            return self._loaded.compute(label, lambda: self._load(label))

    def has_twin(self, label: str) -> bool:
        """Whether there is a twin that was trained without GPA."""
        return self._twin(self._paths[label]) is not None

    def _twin(self, path: Path) -> Path | None:
        twins = [path.with_name(path.stem + _NO_GPA + suffix) for suffix in _SUFFIXES]
        return next((twin for twin in twins if twin.is_file()), None)

    def _load(self, label: str) -> Network:
        path = self._paths[label]
        model = load_model(path)
        assert isinstance(model, HPINet)
        twin = self._twin(path) if model.config.gpa else None
        other = None if twin is None else load_model(twin)
        # A file may be called a twin and be another network: then it is no comparison.
        if not isinstance(other, HPINet) or other.config != model.config.without_gpa():
            other = None
        return Network(label, model, other, path, twin)


def _weights(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
