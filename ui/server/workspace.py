"""One temporary folder for everything that a server writes, gone when the server is.

Its process holds a lock on a file in it for as long as it lives, however it ends. So the next
start can tell folders that a killed server left from those of servers that run.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: folders are removed when the server ends, not after a kill
    fcntl = None  # type: ignore[assignment]

PREFIX = "hpinet-lens-"
LOCK = "lock"


@contextmanager
def workspace(base: Path | None = None) -> Iterator[Path]:
    """A folder in which this process makes all its temporary files until the end of the block.

    Args:
        base: Where it is made; the system's folder for temporary files by default.
    """
    base = Path(tempfile.gettempdir()) if base is None else base
    base.mkdir(parents=True, exist_ok=True)
    remove_leftovers(base)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))  # for nobody else: mode 0700
    before, variable = tempfile.tempdir, os.environ.get("TMPDIR")
    lock = _lock(folder)
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        if variable is None:
            os.environ.pop("TMPDIR", None)
        else:
            os.environ["TMPDIR"] = variable
        remove(folder)
        lock.close()


def remove(folder: Path, seconds: float = 1.0) -> None:
    """Delete a folder while threads may still write into it: again, until it stays away.

    Args:
        folder: It need not be there.
        seconds: How long this may take.
    """
    end = time.monotonic() + seconds
    away = folder.with_name(f"{folder.name}.gone")  # what is written by the old name, fails
    with suppress(OSError):
        folder.rename(away)
    while True:
        for name in (away, folder):
            shutil.rmtree(name, ignore_errors=True)
        if time.monotonic() > end or not (away.exists() or folder.exists()):
            return
        time.sleep(0.01)


def remove_leftovers(base: Path) -> list[Path]:
    """Delete the folders of servers that were killed; those of others and of living ones stay.

    Returns:
        What was deleted.
    """
    gone = []
    for folder in base.glob(f"{PREFIX}*"):
        if fcntl is None or not _is_own(folder):
            continue
        with suppress(OSError), (folder / LOCK).open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its process lives
            shutil.rmtree(folder, ignore_errors=True)
            gone.append(folder)
    return gone


def _is_own(folder: Path) -> bool:
    """Whether a folder and its lock are really there, and this user's."""
    try:
        return (
            not folder.is_symlink()
            and folder.is_dir()
            and not (folder / LOCK).is_symlink()
            and (folder / LOCK).is_file()
            and folder.stat().st_uid == os.getuid()
        )
    except OSError:
        return False


def _lock(folder: Path) -> IO[bytes]:
    """The file that tells that the process lives; it has its name only once it is locked."""
    lock = (folder / f"{LOCK}.new").open("w+b")
    if fcntl is not None:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / f"{LOCK}.new").rename(folder / LOCK)
    return lock
