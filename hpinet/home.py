"""Where downloads are kept, also where there is no home folder, or none that may be written to."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from platformdirs import user_cache_dir

_HOMES = ("XDG_CACHE_HOME", "HPINET_CACHE", "MPLCONFIGDIR", "HF_HOME")


def cache_folder() -> Path:
    """Where downloads are kept: ``HPINET_CACHE``, or the platform's cache folder."""
    return Path(os.environ.get("HPINET_CACHE") or user_cache_dir("hpinet-lens", appauthor=False))


def shared_path(*parts: str) -> Path | None:
    """A file or folder below ``$HPINET_SHARED``, such as ``("benchmarks", "Set5")``, or None."""
    shared = os.environ.get("HPINET_SHARED")
    path = Path(shared or "", *parts)
    return path if shared and path.exists() else None


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
