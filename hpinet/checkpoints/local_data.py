"""Released checkpoints and benchmarks that are already on this machine: nothing is fetched."""

from __future__ import annotations

import os
from pathlib import Path

from hpinet.errors import UserError

from .download import RELEASED, cache_folder

SHARED_VARIABLE = "HPINET_SHARED"
"""Environment variable with a folder that may hold ``released/`` and ``benchmarks/``."""


def released_checkpoint(name: str) -> Path | None:
    """Where one of the authors' checkpoints is.

    Args:
        name: A key of `hpinet.checkpoints.download.RELEASED`, such as ``"HPINet-S-x4"``.

    Returns:
        The file in ``$HPINET_SHARED/released`` or where ``python -m hpinet download`` puts it;
        None if it is in neither.

    Raises:
        ValueError: If the authors released no such checkpoint.
    """
    if name not in RELEASED:
        raise UserError(f"the authors released no {name!r}, only {', '.join(RELEASED)}")
    folders = [cache_folder()]
    if shared := os.environ.get(SHARED_VARIABLE):
        folders.insert(0, Path(shared) / "released")
    files = (folder / RELEASED[name].file for folder in folders)
    return next((path for path in files if path.is_file()), None)


def benchmark_folder(name: str) -> Path | None:
    """Where a benchmark is: ``$HPINET_SHARED/benchmarks/NAME``, or None.

    Args:
        name: Such as ``"Set5"``; the folder is laid out as `hpinet.data.pairs.pair_images` says.
    """
    shared = os.environ.get(SHARED_VARIABLE)
    folder = Path(shared or "") / "benchmarks" / name
    return folder if shared and folder.is_dir() else None
