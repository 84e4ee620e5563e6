"""AlexNet's weights for LPIPS: where they are on this machine, and fetching them once."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from hpinet.home import cache_folder
from hpinet.networks.files import write_state_dict
from hpinet.networks.released import fetch

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


def fetch_backbone(url: str = BACKBONE_URL) -> Path:
    """Fetch AlexNet, unless it is there already, and keep the layers that LPIPS reads.

    Args:
        url: Where it is; the name ends with the first eight digits of its SHA-256.

    Raises:
        WeightsError: If it cannot be reached or is another file.
        OSError: If the disk is full or the folder cannot be written.
    """
    target = cache_folder() / _FILE
    if target.is_file():
        return target
    whole = target.with_name(url.rsplit("/", 1)[1])
    fetch(url, whole, whole.stem.rsplit("-", 1)[1])
    saved = torch.load(whole, map_location="cpu", weights_only=True)
    write_state_dict({k: v for k, v in saved.items() if k.startswith("features.")}, target)
    whole.unlink()
    return target
