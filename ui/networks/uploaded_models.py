"""Networks that visitors upload: checked before they are built, kept for their visitor alone."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpinet.errors import UserError
from hpinet.networks.files import CONFIG_KEY, check_header, is_safetensors, sha256_of
from hpinet.networks.hpinet_weights import read_config
from hpinet.networks.open import open_file
from hpinet.networks.smoke_test import SIDE, SmokeTest, smoke_test
from ui.storage.cache import Cache

from .network import Network

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
"""What a file dialogue offers on this machine; other machines' visitors upload the first alone."""

LIMIT_MB = 100
LIMIT_PARAMETERS = 30_000_000
LIMIT_HEADER, LIMIT_TENSORS = 10**6, 10_000
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
        local: Whether visitors sit at this machine: then .pth is read, too.
        test: Opens a file and lets the network enlarge a small image; by default in a child
            process with limits on memory and time.
        limit: Bytes of models kept.
    """

    def __init__(
        self,
        local: bool = True,
        test: Callable[[Path], SmokeTest] = smoke_test,
        limit: int = KEPT_BYTES,
    ) -> None:
        self._local, self._test = local, test
        self._known: Cache[tuple[Network, Facts]] = Cache(None, limit)
        self._lock = threading.Lock()

    def add(self, path: str | Path) -> str:
        """Load a checkpoint and return its label.

        Raises:
            ValueError: The file is too large, unsafe, damaged, or no network that enlarges RGB
                images; the message is one sentence.
        """
        path = Path(path)
        check_file(path, self._local)
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
        found = self._test(path)
        if found.scale not in SCALES:
            raise UserError(
                f"{path.name} holds a x{found.scale} network; this page compares networks that "
                f"enlarge {SCALES.start} to {SCALES.stop - 1} times."
            )
        # By the visitor's name for it: the path on the server is not shown to anyone.
        network = Network(label, open_file(path), path=Path(path.name))
        seconds = found.seconds * (64 / SIDE) ** 2
        return network, Facts(found.architecture, found.parameters, seconds)


def check_file(path: Path, local: bool) -> None:
    """Compare a file's size and header with the page's limits, before anything of it is built.

    Raises:
        UserError: If it is over one, damaged, or not safetensors where that is required.
    """
    size = path.stat().st_size
    if size > LIMIT_MB * 10**6:
        raise UserError(
            f"{path.name} has {size / 1e6:.0f} MB; the limit is {LIMIT_MB} MB: save the weights "
            "alone, without the optimizer's state, or in half precision."
        )
    if local and not is_safetensors(path):
        return  # the child process reads it
    metadata = check_header(path, LIMIT_HEADER, LIMIT_TENSORS, LIMIT_PARAMETERS)
    config = metadata.get(CONFIG_KEY)
    if config is not None and max(read_config(config, path.name).patch_sizes) > _LARGEST_PATCH:
        raise UserError(
            f"{path.name} describes patches of more than {_LARGEST_PATCH} pixels, the limit here."
        )


def _digest(path: Path) -> str:
    return sha256_of(path)[:8]
