"""Networks that visitors upload: checked before they are built, kept for their visitor alone."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from hpinet import HPINet, HPINetConfig
from hpinet.checkpoints.reading import read_checkpoint, read_tensors
from hpinet.networks.names import open_model
from hpinet.networks.spandrel import ForeignNetwork

from .cache import Cache
from .network import Network

SUFFIXES = (".safetensors", ".pth", ".pt")
LIMIT_MB = 100
LIMIT_PARAMETERS = 30_000_000
SCALES = range(2, 9)

_KEPT = 6  # models of all visitors together; the one unused for longest is forgotten
_LARGEST_PATCH = 128  # images are padded to at least one patch
_PROBE = 24  # LR pixels a side of the image that a new network has to enlarge


@dataclass(frozen=True)
class Facts:
    """What is told about a uploaded network.

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
    """

    def __init__(self) -> None:
        self._known: Cache[tuple[Network, Facts]] = Cache(_KEPT)
        self._lock = threading.Lock()

    def add(self, path: str | Path) -> str:
        """Load a checkpoint and return its label.

        Raises:
            ValueError: The file is too large, unsafe, damaged, or no network that enlarges RGB
                images; the message is one sentence.
        """
        path = Path(path)
        _check_file(path)
        name = re.sub(r"[^\w.-]+", "_", path.stem)[:40]
        label = f"{name} (yours, {_digest(path)})"
        with self._lock:  # one at a time: building a network takes memory
            if self._known.get(label) is None:
                self._known.put(label, _load(path, label))
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
            raise ValueError(
                f"{label} was unloaded to make room for other visitors' models: load it again."
            )
        return found


def _check_file(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"{path.name} is no weights file by its name: {', '.join(SUFFIXES)} are taken."
        )
    size = path.stat().st_size
    if size > LIMIT_MB * 10**6:
        raise ValueError(
            f"{path.name} has {size / 1e6:.0f} MB; the limit is {LIMIT_MB} MB: save the weights "
            "alone, without the optimiser's state, or in half precision."
        )
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                packed = any(i.compress_type != zipfile.ZIP_STORED for i in archive.infolist())
        except (zipfile.BadZipFile, OSError, ValueError):
            raise ValueError(f"{path.name} is damaged: load the file anew.") from None
        # torch.save stores without compression; a compressed file may unpack to any size.
        if packed:
            raise ValueError(
                f"{path.name} is a compressed archive, which torch.save does not write: unpack it."
            )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()[:8]


def _load(path: Path, label: str) -> tuple[Network, Facts]:
    tensors, metadata = read_tensors(path)
    count = sum(t.numel() for t in tensors.values())  # views count as what they would unpack to
    if count > LIMIT_PARAMETERS:
        raise ValueError(
            f"{path.name} holds {count / 1e6:.0f} million numbers; the limit of this page is "
            f"{LIMIT_PARAMETERS // 10**6} million."
        )
    if any("hpinet_config" in key for key in metadata):
        _check_config(path, tensors)
    model = open_model(path)
    scale = int(model.scale)  # type: ignore[arg-type]
    if scale not in SCALES:
        raise ValueError(
            f"{path.name} holds a x{scale} network; this page compares networks that enlarge "
            f"{SCALES.start} to {SCALES.stop - 1} times."
        )
    seconds = _probe(model, scale, path.name)
    parameters = sum(p.numel() for p in model.parameters())
    if isinstance(model, HPINet):
        architecture = f"HPINet, {model.config.dim} channels, {model.config.blocks} blocks"
    else:
        architecture = model.name if isinstance(model, ForeignNetwork) else type(model).__name__
    # By the visitor's name for it: the path on the server is not shown to anyone.
    network = Network(label, model, path=Path(path.name))
    return network, Facts(architecture, parameters, seconds * (64 / _PROBE) ** 2)


def _check_config(path: Path, tensors: dict[str, Tensor]) -> None:
    """A header may describe a network of any size: compare it with the tensors before building."""
    config: HPINetConfig = read_checkpoint(path)[0]
    widest = max((max(t.shape, default=0) for t in tensors.values()), default=0)
    described = (config.dim, config.qk_dim, config.ffn_dim)
    try:
        sound = (
            all(isinstance(n, int) for n in (*described, *config.patch_sizes, config.overlap))
            and config.blocks <= len(tensors)
            and max(described) <= widest
            and max(config.patch_sizes) <= _LARGEST_PATCH
        )
    except TypeError:
        sound = False
    if not sound:
        told = json.dumps({"dim": config.dim, "blocks": config.blocks}, default=str)
        raise ValueError(
            f"{path.name} describes another network ({told[:80]}) than its tensors make."
        )


def _probe(model: nn.Module, scale: int, name: str) -> float:
    """Enlarge a small random image: seconds taken, or a sentence about what went wrong."""
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 3, _PROBE, _PROBE, generator=generator)
    try:
        with torch.inference_mode():
            model(picture)  # the first pass sets things up
            began = time.perf_counter()
            enlarged = model(picture)
            seconds = time.perf_counter() - began
    except Exception as error:  # foreign code may trip anywhere
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{name} cannot enlarge an image of {_PROBE} pixels: {first}") from error
    wanted = (1, 3, _PROBE * scale, _PROBE * scale)
    if tuple(enlarged.shape) != wanted:
        raise ValueError(
            f"{name} makes {tuple(enlarged.shape)} from {tuple(picture.shape)}, where {wanted} was "
            "expected."
        )
    if not bool(torch.isfinite(enlarged).all()):
        raise ValueError(f"{name} makes images that are not finite: its weights are damaged.")
    return seconds
