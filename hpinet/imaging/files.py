"""Writing files whole or not at all, and checking beforehand that they can be written."""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hpinet.errors import UserError


def file_name(label: str) -> str:
    """A label, as of a network, as the name of a file."""
    return re.sub(r"[^\w.-]+", "_", label)


def npz_bytes(arrays: Mapping[str, ArrayLike]) -> bytes:
    """Arrays by name as NPZ."""
    file, named = io.BytesIO(), {name: np.asarray(array) for name, array in arrays.items()}
    np.savez(file, **dict[str, Any](named))
    return file.getvalue()


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """Files by name as a ZIP."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for file, data in sorted(files.items()):
            target.writestr(file, data)
    return packed.getvalue()


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file completely or not at all; missing folders are made.

    The bytes go to a temporary file in the same folder, reach the disk, and take the final name in
    one step. A replaced file keeps its mode bits, and a link keeps pointing to it.

    Raises:
        OSError: If the disk is full or the folder cannot be written.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:  # with the mode bits that the umask leaves
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def check_output(
    path: str | Path, inputs: Iterable[str | Path] = (), overwrite: bool = False
) -> Path:
    """Check before a long computation that its result can be written, and return its path.

    Args:
        path: The file to be written, or the folder for several.
        inputs: Files that are read.
        overwrite: Whether it may replace one of them, or what a link points to.

    Raises:
        UserError: If it lies under a file or in a folder that cannot be written, if its name is too
            long, or if it is an input or a link without ``overwrite``.
    """
    path = Path(path)
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.lstat()
        folder = path if path.is_dir() else path.parent
        while not os.path.lexists(folder):
            folder = folder.parent
        if not folder.is_dir():
            raise UserError(f"{folder} is a file, not a folder: choose another place for {path}")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{path} cannot be written ({reason}): choose another place") from None
    if overwrite:
        return path
    if path.is_symlink() and not path.is_dir():
        target = os.path.realpath(path)
        raise UserError(f"{path} is a link to {target}: pass --overwrite, or name another file")
    if any(path.exists() and Path(file).exists() and path.samefile(file) for file in inputs):
        raise UserError(f"{path} is the input itself: pass --overwrite, or name another file")
    return path
