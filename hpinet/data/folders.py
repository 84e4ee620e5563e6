"""Listing files: for training, evaluation, tables and folders of weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hpinet.errors import UserError
from hpinet.imaging.read import SUFFIXES

_LEFTOVERS = ("@eadir", "#recycle", "$recycle.bin", "__macosx", "lost+found")
"""Folders that network storage, Windows and archives leave behind."""


def list_files(folder: str | Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """The files of a folder with one of the suffixes, sorted by name, without hidden ones."""
    found = _entries(Path(folder))
    return [path for path in found if path.suffix.lower() in suffixes and path.is_file()]


def list_images(folder: str | Path) -> list[Path]:
    """The image files of a folder, of which no two may differ in their suffix only.

    One of them would be counted twice, or as the other's LR image.
    """
    found = list_files(folder)
    by_stem: dict[str, Path] = {}
    for path in found:
        other = by_stem.setdefault(path.stem, path)
        if other is not path:
            raise UserError(
                f"{folder} holds {other.name} and {path.name}: two files of one name; remove or "
                "rename one"
            )
    return found


def folders_in(folder: str | Path) -> list[Path]:
    """The folders in a folder, sorted by name, without hidden ones and leftovers."""
    return [path for path in _entries(Path(folder)) if path.is_dir()]


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder.")
    names = sorted(folder.iterdir())
    return [p for p in names if not p.name.startswith(".") and p.name.lower() not in _LEFTOVERS]
