"""Which networks the page offers: bundled ones, a folder's, named ones, and the authors'."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from hpinet import HPINet, load_model
from hpinet.data.folders import list_files
from hpinet.errors import UserError
from hpinet.evaluation.candidates import Fetch, open_candidates
from hpinet.home import cache_folder
from hpinet.networks.files import sha256_of
from hpinet.networks.open import BUNDLED, bundled_path, open_file
from hpinet.networks.released import (
    RELEASED,
    download_released,
    released_checkpoint,
    released_source,
)
from ui.storage.cache import Cache

from .network import Network
from .uploaded_models import SUFFIXES, UploadedModels

_NO_GPA = "-no-gpa"


class Catalogue:
    """The networks on offer, loaded when first asked for.

    Args:
        weights_dir: A folder of further checkpoints, or None.
        models: Names of networks to offer first, as on the command line; code may be run for them.
        device: Where networks run.
        source: URL of the folder that holds the authors' released checkpoints;
            `released_source` by default.
        fetch: Asked where one that ``models`` names has to be fetched first.
        local: Whether the page is served to this machine only; others upload safetensors alone.

    Attributes:
        uploads: The networks that visitors uploaded, each for its visitor alone.
        source: As given.

    Raises:
        ValueError: If the folder does not exist, a network cannot be had, or there is none at all.
    """

    def __init__(
        self,
        weights_dir: Path | None = None,
        *,
        models: Sequence[str] = (),
        device: str = "cpu",
        source: str | None = None,
        fetch: Fetch | None = None,
        local: bool = True,
    ) -> None:
        if weights_dir is not None and not weights_dir.is_dir():
            raise UserError(f"there is no folder {weights_dir}: --weights-dir names one")
        self.uploads, self.device = UploadedModels(local), device
        self.source = source or released_source()
        self._fetching = threading.Lock()
        self._named = {
            found.label: Network(found.label, found.network)
            for found in open_candidates(models, device=device, fetch=fetch)
        }
        self._paths: dict[str, Path] = {}
        # The first is what the page opens with: the one that `load_model` takes by default.
        for path in sorted(_weights(BUNDLED), key=lambda path: path != bundled_path("S")):
            self._paths[path.stem] = path
        for path in _weights(weights_dir) if weights_dir else []:
            label = (
                path.stem if path.stem not in self._paths else f"{path.stem} ({path.parent.name})"
            )
            self._paths[label] = path
        for name in RELEASED:
            self._know_released(name)
        self._loaded: Cache[Network] = Cache(8)
        if not self._paths and not self._named:
            raise UserError(
                "no weights were found: run `python -m hpinet download`, or name a folder of "
                "checkpoints by --weights-dir"
            )

    @property
    def labels(self) -> list[str]:
        """What can be chosen. Twins are not listed beside the network whose twins they are."""
        stems = {path.with_suffix("") for path in self._paths.values()}
        of_files = [
            label
            for label, path in self._paths.items()
            if not path.stem.endswith(_NO_GPA)
            or path.with_name(path.stem.removesuffix(_NO_GPA)) not in stems
        ]
        return [*self._named, *of_files]

    @property
    def fetchable(self) -> dict[str, str]:
        """The authors' checkpoints that are not here yet: names by what the page calls them."""
        missing = [name for name in RELEASED if released_label(name) not in self._paths]
        return {fetchable_label(name): name for name in missing}

    def fetch(self, label: str) -> str:
        """Fetch one of `fetchable` and return the label that it has from now on.

        Args:
            label: One of `fetchable`; a name that was fetched meanwhile is known already.

        Raises:
            ValueError: If there is none, or it cannot be fetched; nothing is kept then.
            OSError: If it cannot be written.
        """
        names = {fetchable_label(name): name for name in RELEASED}
        if label not in names:
            raise UserError(f"there is no released network {label!r} to fetch")
        name = names[label]
        with self._fetching:  # two visitors may ask for the same one
            if released_label(name) not in self._paths:
                download_released(name, None, self.source)
                self._know_released(name)
        return released_label(name)

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
        if label in self._named:
            return self._named[label]
        if label in self.fetchable:
            raise UserError(f"{label} is not on this machine yet: choose it and say yes.")
        if label not in self._paths:
            raise UserError(f"There is no network {label!r}; choose {', '.join(self.labels)}.")
        return self._loaded.compute(label, lambda: self._load(label))

    def has_twin(self, label: str) -> bool:
        """Whether there is a twin that was trained without GPA."""
        return label in self._paths and self._twin(self._paths[label]) is not None

    def _know_released(self, name: str) -> None:
        """Offer a released checkpoint if it is on this machine, and is what was released."""
        path = released_checkpoint(name)
        inside = path is not None and path.parent == cache_folder()
        if path is not None and (inside or sha256_of(path) == RELEASED[name].sha256):
            self._paths[released_label(name)] = path

    def _twin(self, path: Path) -> Path | None:
        twins = [path.with_name(path.stem + _NO_GPA + suffix) for suffix in SUFFIXES]
        return next((twin for twin in twins if twin.is_file()), None)

    def _load(self, label: str) -> Network:
        path = self._paths[label]
        model = open_file(path, device=self.device)
        if not isinstance(model, HPINet):
            return Network(label, model, path=path)
        twin = self._twin(path) if model.config.gpa else None
        other = None if twin is None else load_model(twin, device=self.device)
        # A file may be called a twin and be another network: then it is no comparison.
        if not isinstance(other, HPINet) or other.config != model.config.without_gpa():
            other = None
        return Network(label, model, other, path, twin)


def released_label(name: str) -> str:
    """What the page calls a released checkpoint that is on this machine."""
    return f"{name} (released)"


def fetchable_label(name: str) -> str:
    """What the page calls a released checkpoint that has to be fetched."""
    return f"{name} (released, {RELEASED[name].size / 1e6:.1f} MB, fetched when chosen)"


def _weights(folder: Path) -> list[Path]:
    return list_files(folder, SUFFIXES)
