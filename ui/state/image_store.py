"""Pictures on their way to the browser: PNG files that are whole before anyone can ask for them.

Given an array, gradio writes a file named by its content every time anew, in place: a second
visitor who comes to the same picture breaks the first one's download. Files of our own, written
once, are also compressed once and not twice.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import threading
import time
from pathlib import Path

import gradio as gr
import numpy as np
from PIL import Image

from hpinet.imaging.files import write_bytes

from .session import Pixels

LIMIT = 512 * 2**20
"""Bytes of pictures kept; a page that is open has loaded its own long before."""

LIFETIME = 3600.0
"""Seconds after its last use that a picture is kept, as long as gradio keeps uploads."""

_folder = tempfile.TemporaryDirectory(prefix="hpinet-lens-shown-")
_lock = threading.Lock()
_EVERY = 600.0  # seconds between two looks for what is old


def serve() -> None:
    """Let gradio serve these files, and nothing else beside its cache, from where they are."""
    gr.set_static_paths([_folder.name])
    if not _caretaker.is_alive():
        _caretaker.start()


def shown(pixels: Pixels) -> str:
    """The path of a PNG of these pixels.

    Args:
        pixels: (h, w, 3) or (h, w) uint8.
    """
    pixels = np.ascontiguousarray(pixels)
    name = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    path = Path(_folder.name) / f"{name[:40]}.png"
    if path.is_file():
        os.utime(path)  # still in use
        return str(path)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)  # mostly for the loopback
    write_bytes(path, file.getvalue())
    _drop_old()
    return str(path)


def tidy(folder: Path, lifetime: float = LIFETIME, limit: int = LIMIT) -> None:
    """Delete the files in a folder that were unused for long, and the oldest over a limit in bytes.

    Args:
        folder: With PNG files at any depth.
        lifetime: In seconds.
        limit: In bytes.
    """
    with _lock:
        found = [(path.stat(), path) for path in folder.rglob("*.png")]
        total, now = 0, time.time()
        for known, path in sorted(found, key=lambda f: -f[0].st_mtime):
            total += known.st_size
            if total > limit or now - known.st_mtime > lifetime:
                path.unlink(missing_ok=True)


def _drop_old() -> None:
    tidy(Path(_folder.name), limit=LIMIT)


def _tidy_forever() -> None:
    while True:
        time.sleep(_EVERY)
        _drop_old()


_caretaker = threading.Thread(target=_tidy_forever, name="old-pictures", daemon=True)
