"""Files that the server makes for its visitors: images on the page, downloads, ZIPs."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hpinet.imaging.files import write_bytes
from hpinet.imaging.images import png_bytes
from ui.visitors.current import current_place
from ui.visitors.registry import VISITORS

LIMIT = 512 * 2**20
"""Bytes of files kept in a store; a page that is open has loaded its images long before."""

LIFETIME = 3600.0
"""Seconds after its last use that a file is kept, as long as gradio keeps uploads."""

_EVERY = 60.0  # seconds between two looks at all files
_KEPT = 0.9  # of the limit, where files over it go: the next look is not due at once


class FileStore:
    """A temporary folder from which old files go, and the oldest over a limit.

    A file belongs to the visitor for whom it is written and is served to nobody else.

    Args:
        prefix: Of the folder's name.
        limit: Bytes of files kept.
        lifetime: Seconds after its last use that a file is kept.
    """

    def __init__(self, prefix: str, limit: int = LIMIT, lifetime: float = LIFETIME) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix=prefix)
        self.folder = Path(self._folder.name)
        self._limit, self._lifetime = limit, lifetime
        self._lock = threading.Lock()
        self._size, self._looked = 0, time.monotonic()
        VISITORS.add_root(self.folder)

    def path(self, name: str) -> Path:
        """Where a file is that belongs to the visitor whose event is handled.

        Args:
            name: Of the file; may name folders before it.
        """
        return self.folder / current_place() / name

    def write(self, name: str, data: bytes) -> Path:
        """Write a file whole, so that nobody reads half of it.

        Args:
            name: As for `path`.
            data: Its content.
        """
        path = self.path(name)
        write_bytes(path, data)
        # To look at all files takes longer than to write one: only when it is time for it.
        with self._lock:
            self._size += len(data)
            due = self._size > self._limit or time.monotonic() - self._looked > _EVERY
        if due:
            self.tidy()
        return path

    def tidy(self) -> None:
        """Delete the files that were unused for long, and the oldest over the limit."""
        with self._lock:
            found = [(path.stat(), path) for path in self.folder.rglob("*") if path.is_file()]
            total, now = 0, time.time()
            room = (
                self._limit
                if sum(known.st_size for known, _ in found) <= self._limit
                else (_KEPT * self._limit)
            )
            for known, path in sorted(found, key=lambda f: -f[0].st_mtime):
                if total + known.st_size > room or now - known.st_mtime > self._lifetime:
                    path.unlink(missing_ok=True)
                else:
                    total += known.st_size
            self._size, self._looked = total, time.monotonic()

    def close(self) -> None:
        """Delete the folder."""
        VISITORS.remove_root(self.folder)
        self._folder.cleanup()


class ImageStore(FileStore):
    """PNG files named by their pixels, whole before anyone can ask for them.

    Given an array, gradio writes a file named by its content every time anew, in place: a second
    visitor who comes to the same image breaks the first one's download.
    """

    def shown(self, pixels: NDArray[np.uint8]) -> str:
        """The path of a PNG of these pixels.

        Args:
            pixels: (h, w, 3) or (h, w) uint8.
        """
        pixels = np.ascontiguousarray(pixels)
        name = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        path = self.path(f"{name[:40]}.png")
        if path.is_file():
            os.utime(path)  # still in use
            return str(path)
        data = png_bytes(Image.fromarray(pixels), level=1)  # mostly for the loopback
        return str(self.write(path.name, data))
