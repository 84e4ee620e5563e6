"""Fingerprints of networks and files: what they contain, not what they are called."""

from __future__ import annotations

import hashlib
from pathlib import Path

from torch import nn

_DIGITS = 16  # 64 bits: among a million fingerprints a chance collision has probability 3e-8


def network_digest(network: nn.Module) -> str:
    """Fingerprint of a network's class, configuration and weights: 16 hexadecimal digits.

    Of an adapted network also how it is called and the file that built it.
    """
    about = [getattr(network, name, None) for name in ("name", "scale", "config")]
    about += [found for name in ("options", "source") if (found := getattr(network, name, None))]
    found = hashlib.sha256(repr((type(network).__name__, *about)).encode())
    for name, tensor in network.state_dict().items():
        found.update(name.encode())
        found.update(tensor.detach().cpu().double().numpy().tobytes())
    return found.hexdigest()[:_DIGITS]


def files_digest(*paths: Path | None) -> str:
    """Fingerprint of the bytes of files, in their order: 16 hexadecimal digits.

    Args:
        paths: The files; None stands for one that is absent.

    Raises:
        OSError: If a file cannot be read.
    """
    found = hashlib.sha256()
    for path in paths:
        data = b"" if path is None else path.read_bytes()
        found.update(f"{'-' if path is None else len(data)};".encode())
        found.update(data)
    return found.hexdigest()[:_DIGITS]
