"""Writing files completely or not at all, and reading back the tables that the commands write."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file completely or not at all.

    The bytes go to a temporary name in the same folder, reach the disk, and take the final name
    in one step; if anything fails, an older file of that name stays as it was.

    Args:
        path: The file; missing folders are made.
        data: Its content.

    Raises:
        OSError: If the disk is full or the folder cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes files 0o600: set the usual mode
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]] | None:
    """The rows of a CSV file (UTF-8) that has exactly these columns; None if it is another file.

    A row with too few or too many cells holds None among its keys or values.

    Raises:
        OSError: If the file cannot be read.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            header = tuple(reader.fieldnames or ())
    except (UnicodeDecodeError, csv.Error):
        return None
    return rows if header == tuple(columns) else None
