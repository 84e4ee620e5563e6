"""Which networks the page offers: the bundled ones, a folder's checkpoints, and their twins."""

from __future__ import annotations

from pathlib import Path

from hpinet import HPINet, load_model
from hpinet.checkpoints.loading import BUNDLED
from hpinet.data.folders import list_files
from hpinet.errors import UserError
from hpinet.networks.names import open_model

from .cache import Cache
from .network import Network
from .uploaded_models import SUFFIXES, UploadedModels

_NO_GPA = "-no-gpa"


class Catalogue:
    """The networks on offer, loaded when first asked for.

    Args:
        weights_dir: A folder of further checkpoints, or None.

    Attributes:
        uploads: The networks that visitors uploaded, each for its visitor alone.

    Raises:
        ValueError: If the folder does not exist, or there is no network at all.
    """

    def __init__(self, weights_dir: Path | None = None) -> None:
        if weights_dir is not None and not weights_dir.is_dir():
            raise UserError(f"there is no folder {weights_dir}: --weights-dir names one")
        self.uploads = UploadedModels()
        self._paths: dict[str, Path] = {}
        # The first is what the page opens with: one that can be compared with its twin.
        for path in sorted(_weights(BUNDLED), key=lambda path: self._twin(path) is None):
            self._paths[path.stem] = path
        for path in _weights(weights_dir) if weights_dir else []:
            label = (
                path.stem if path.stem not in self._paths else f"{path.stem} ({path.parent.name})"
            )
            self._paths[label] = path
        self._loaded: Cache[Network] = Cache(8)
        if not self._paths:
            raise UserError(
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

    def get(self, label: str, uploaded: str | None = None) -> Network:
        """A network by its label.

        Args:
            label: One of `labels`, or what the visitor uploaded.
            uploaded: The label of what this visitor uploaded; others' can't be had.

        Raises:
            ValueError: If there is none, or its file holds something else.
        """
        if uploaded is not None and label == uploaded:
            return self.uploads.get(label)
        if label not in self._paths:
            raise UserError(f"There is no network {label!r}; choose {', '.join(self.labels)}.")
        return self._loaded.compute(label, lambda: self._load(label))

    def has_twin(self, label: str) -> bool:
        """Whether there is a twin that was trained without GPA."""
        return self._twin(self._paths[label]) is not None

    def _twin(self, path: Path) -> Path | None:
        twins = [path.with_name(path.stem + _NO_GPA + suffix) for suffix in SUFFIXES]
        return next((twin for twin in twins if twin.is_file()), None)

    def _load(self, label: str) -> Network:
        path = self._paths[label]
        model = open_model(path)
        if not isinstance(model, HPINet):
            return Network(label, model, path=path)
        twin = self._twin(path) if model.config.gpa else None
        other = None if twin is None else load_model(twin)
        # A file may be called a twin and be another network: then it is no comparison.
        if not isinstance(other, HPINet) or other.config != model.config.without_gpa():
            other = None
        return Network(label, model, other, path, twin)


def _weights(folder: Path) -> list[Path]:
    return list_files(folder, SUFFIXES)
