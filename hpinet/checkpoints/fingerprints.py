"""What tells two networks or two files apart whatever they are called."""

from __future__ import annotations

import hashlib
from pathlib import Path

from torch import nn

_DIGITS = 16  # 64 bits: no two things of one table will ever share them by chance


def network_digest(network: nn.Module) -> str:
    """Kind, configuration and weights of a network, as 16 hexadecimal digits."""
    about = (getattr(network, name, None) for name in ("name", "scale", "config"))
    found = hashlib.sha256(repr((type(network).__name__, *about)).encode())
    for name, tensor in network.state_dict().items():
        found.update(name.encode())
        found.update(tensor.detach().cpu().double().numpy().tobytes())
    return found.hexdigest()[:_DIGITS]


def files_digest(*paths: Path | None) -> str:
    """The bytes of some files in their order, None for one that there is not.

    Raises:
        OSError: If a file cannot be read.
    """
    found = hashlib.sha256()
    for path in paths:
        data = b"" if path is None else path.read_bytes()
        found.update(f"{'-' if path is None else len(data)};".encode())
        found.update(data)
    return found.hexdigest()[:_DIGITS]
