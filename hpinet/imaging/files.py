"""Writing files so that a reader never meets half of one, and asking beforehand whether one may."""

from __future__ import annotations

import io
import os
import re
import secrets
import stat
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
    """Write a file completely or not at all.

    The bytes go to a temporary name in the same folder, reach the disk, and take the final name
    in one step; if anything fails, an older file of that name stays as it was. A file that is
    replaced keeps its mode bits, and a link keeps pointing to what is replaced.

    Args:
        path: The file; missing folders are made.
        data: Its content.

    Raises:
        OSError: If the disk is full or the folder cannot be written.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    # 0o666 less the umask, which the system applies: asking for it would change it for a moment.
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_mode_of(path, temporary))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _beside(path: Path) -> Path:
    """A name of its own for a temporary file; short, whatever the file itself is called."""
    return path.with_name(f".{secrets.token_hex(8)}.part")


def _mode_of(path: Path, new: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:  # there is no older file
        return stat.S_IMODE(new.stat().st_mode)


def check_output(
    path: str | Path, inputs: Iterable[str | Path] = (), overwrite: bool = False
) -> Path:
    """Ask before a long computation whether its result can be written, and should be.

    Args:
        path: The file to be written, or the folder for several.
        inputs: Files that are read: none may be written over unasked.
        overwrite: Whether to write over one, or to where a link points.

    Returns:
        The path.

    Raises:
        UserError: If it lies under a file, or in a folder that may not be written; if its name is
            too long; or if it is an input or a link, and ``overwrite`` is not said.
    """
    path = Path(path)
    _check_place(path)
    if overwrite:
        return path
    if path.is_symlink() and not path.is_dir():
        raise UserError(
            f"{path} is a link to {os.path.realpath(path)}: pass --overwrite to write there, or "
            "name another file"
        )
    for given in inputs:
        if path.exists() and Path(given).exists() and path.samefile(given):
            raise UserError(
                f"{path} is the input itself: pass --overwrite to replace it, or name another file"
            )
    return path


def _check_place(path: Path) -> None:
    """The nearest folder that exists must take files, and the path must be possible below it."""
    try:
        folder = path if path.is_dir() else path.parent
        while not os.path.lexists(folder):
            folder = folder.parent
        if not folder.is_dir():
            raise UserError(f"{folder} is a file, not a folder: choose another place for {path}")
        for part in path.parts:
            if len(os.fsencode(part)) > _longest_name(folder):
                raise UserError(f"the name {part[:40]}... is too long: choose a shorter one")
        probe = folder / _beside(Path("x")).name
        with probe.open("xb"):
            pass
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"{path} cannot be written ({reason.lower()}): choose another place"
        ) from None


def _longest_name(folder: Path) -> int:
    """Bytes that a name may have."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # not POSIX
        return 255
