"""AlexNet's weights for LPIPS: where they are on this machine, and fetching them once."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import save

from hpinet.checkpoints.download import Report, cache_folder, fetch, sha256_of
from hpinet.checkpoints.formats.file_plan import WeightsError
from hpinet.checkpoints.reading import read_tensors
from hpinet.imaging.files import write_bytes

BACKBONE_VARIABLE = "HPINET_LPIPS_BACKBONE"
"""Environment variable that may name a file of AlexNet's weights."""

BACKBONE_URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
"""torchvision's AlexNet. Its name ends with the first digits of its SHA-256."""

BACKBONE_SIZE = 244_408_911
"""Bytes to fetch; 9.9 MB of them, the layers that LPIPS reads, are kept."""

_FILE = "alexnet_features.safetensors"


def find_backbone() -> Path | None:
    """The file of the environment variable, of an earlier `fetch_backbone`, or torchvision's own.

    A file that the variable names need not exist: saying so is better than to take another.
    """
    if named := os.environ.get(BACKBONE_VARIABLE):
        return Path(named)
    hub = Path(torch.hub.get_dir()) / "checkpoints"
    known = [cache_folder() / _FILE, hub / BACKBONE_URL.rsplit("/", 1)[1]]
    return next((path for path in known if path.is_file()), None)


def fetch_backbone(report: Report = lambda done, total: None, url: str = BACKBONE_URL) -> Path:
    """Fetch AlexNet and keep the layers that LPIPS reads; a transfer that broke off goes on.

    Args:
        report: Told now and then how far it is.
        url: Where it is; the name ends with the first eight digits of its SHA-256.

    Raises:
        WeightsError: If it cannot be had or is something else.
        OSError: If the disk is full or the folder cannot be written.
    """
    target = cache_folder() / _FILE
    if target.is_file():
        return target
    name = url.rsplit("/", 1)[1]
    part = fetch(url, target.with_name(name), None, report)
    digest = name.rsplit(".", 1)[0].rsplit("-", 1)[1]
    if not sha256_of(part).startswith(digest):
        part.unlink()
        raise WeightsError(f"{name} from {url} is not the published file, nothing was kept")
    tensors = {k: v for k, v in read_tensors(part).items() if k.startswith("features.")}
    write_bytes(target, save({k: v.contiguous() for k, v in tensors.items()}))
    part.unlink()
    return target
