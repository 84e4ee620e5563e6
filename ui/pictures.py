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
from pathlib import Path

import gradio as gr
import numpy as np
from PIL import Image

from hpinet.files import write_bytes

from .session import Pixels

LIMIT = 512 * 2**20
"""Bytes of pictures kept; a page that is open has loaded its own long before."""

_folder = tempfile.TemporaryDirectory(prefix="hpinet-lens-shown-")
_lock = threading.Lock()


def serve() -> None:
    """Let gradio serve these files, and nothing else beside its cache, from where they are."""
    gr.set_static_paths([_folder.name])


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


def _drop_old() -> None:
    with _lock:
        files = sorted(Path(_folder.name).glob("*.png"), key=lambda p: -p.stat().st_mtime)
        total = 0
        for file in files:
            total += file.stat().st_size
            if total > LIMIT:
                file.unlink(missing_ok=True)
