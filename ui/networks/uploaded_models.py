"""Networks that visitors upload: checked before they are built, kept for their visitor alone."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpinet.checkpoints.configuration import CONFIG_KEY
from hpinet.checkpoints.download import sha256_of
from hpinet.checkpoints.formats.file_plan import Limits
from hpinet.checkpoints.reading import plan_checkpoint, plan_file
from hpinet.errors import UserError
from hpinet.networks.names import open_model
from hpinet.networks.sandbox import PROBE, Trial, try_file
from ui.storage.cache import Cache

from .network import Network

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
"""What a file dialogue offers; what a file is, its first bytes tell."""

LIMIT_MB = 100
LIMIT_PARAMETERS = 30_000_000
LIMITS = Limits(header_bytes=16 * 10**6, tensors=10_000, numbers=LIMIT_PARAMETERS)
SCALES = range(2, 9)

KEPT_BYTES = 2**30
"""Bytes of the models of all visitors together; those unused for longest are forgotten."""

_LARGEST_PATCH = 64  # images are padded to at least one patch; attention grows with its 4th power


@dataclass(frozen=True)
class Facts:
    """What is told about an uploaded network.

    Attributes:
        architecture: HPINet, or what spandrel calls it.
        parameters: How many numbers it learnt.
        seconds: What 64x64 LR pixels take here, from a measured smaller image.
    """

    architecture: str
    parameters: int
    seconds: float


class UploadedModels:
    """The networks that visitors uploaded, by labels that hold a digest of their content.

    Who does not know the content cannot name it; the page moreover lets nobody ask for a label but
    the session that uploaded it.

    Args:
        trial: Opens a file and lets the network enlarge a small image; by default in a process of
            its own, with limits on memory and time.
        limit: Bytes of models kept.
    """

    def __init__(self, trial: Callable[[Path], Trial] = try_file, limit: int = KEPT_BYTES) -> None:
        self._trial = trial
        self._known: Cache[tuple[Network, Facts]] = Cache(None, limit)
        self._lock = threading.Lock()

    def add(self, path: str | Path) -> str:
        """Load a checkpoint and return its label.

        Raises:
            ValueError: The file is too large, unsafe, damaged, or no network that enlarges RGB
                images; the message is one sentence.
        """
        path = Path(path)
        check_file(path)
        name = re.sub(r"[^\w.-]+", "_", path.stem)[:40]
        label = f"{name} (yours, {_digest(path)})"
        with self._lock:  # one at a time: building a network takes memory
            if self._known.get(label) is None:
                self._known.put(label, self._load(path, label))
        return label

    def get(self, label: str) -> Network:
        """A network by its label.

        Raises:
            ValueError: It was forgotten to make room.
        """
        return self._found(label)[0]

    def facts(self, label: str) -> Facts:
        """What is known about it; raises as `get`."""
        return self._found(label)[1]

    def knows(self, label: str) -> bool:
        """Whether a label is that of a network that a visitor uploaded."""
        return self._known.get(label) is not None

    def _found(self, label: str) -> tuple[Network, Facts]:
        found = self._known.get(label)
        if found is None:
            raise UserError(
                f"{label} was unloaded to make room for other visitors' models: load it again."
            )
        return found

    def _load(self, path: Path, label: str) -> tuple[Network, Facts]:
        found = self._trial(path)
        if found.scale not in SCALES:
            raise UserError(
                f"{path.name} holds a x{found.scale} network; this page compares networks that "
                f"enlarge {SCALES.start} to {SCALES.stop - 1} times."
            )
        # By the visitor's name for it: the path on the server is not shown to anyone.
        network = Network(label, open_model(path), path=Path(path.name))
        seconds = found.seconds * (64 / PROBE) ** 2
        return network, Facts(found.architecture, found.parameters, seconds)


def check_file(path: Path) -> None:
    """Compare what a file promises with the page's limits, before anything of it is built.

    Raises:
        ValueError: If it is over one, damaged, or no file of weights.
    """
    size = path.stat().st_size
    if size > LIMIT_MB * 10**6:
        raise UserError(
            f"{path.name} has {size / 1e6:.0f} MB; the limit is {LIMIT_MB} MB: save the weights "
            "alone, without the optimiser's state, or in half precision."
        )
    if CONFIG_KEY in plan_file(path, LIMITS).metadata:
        config = plan_checkpoint(path, LIMITS).config
        if max(config.patch_sizes) > _LARGEST_PATCH:
            raise UserError(
                f"{path.name} describes patches of {max(config.patch_sizes)} pixels; the limit of "
                f"this page is {_LARGEST_PATCH}."
            )


def _digest(path: Path) -> str:
    return sha256_of(path)[:8]
