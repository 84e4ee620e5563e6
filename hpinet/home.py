"""Caches where there is no home folder, or none that may be written to."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

_HOMES = ("XDG_CACHE_HOME", "HPINET_CACHE", "MPLCONFIGDIR", "HF_HOME")


def ensure_cache() -> None:
    """Where home cannot hold caches, send this program's and its libraries' to a temporary folder.

    Called before libraries are imported, which read these variables once. The folder is removed
    when the process ends; one sentence on stderr says so.
    """
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    if _writable(base):
        return
    folder = tempfile.mkdtemp(prefix="hpinet-lens-cache-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["XDG_CACHE_HOME"] = folder
    for name in _HOMES:
        os.environ.setdefault(name, folder)
    print(
        f"{base} cannot be written to: caches go to a temporary folder and are removed at the end; "
        f"set XDG_CACHE_HOME to a folder to keep them",
        file=sys.stderr,
    )


def _writable(folder: str) -> bool:
    """Whether files can be made in a folder, which is made if need be."""
    if not os.path.isabs(folder):  # noqa: PTH117
        return False
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)
