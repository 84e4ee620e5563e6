"""The one listing of files: for training, evaluation, tables, knock-outs and folders of weights."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpinet.errors import UserError
from hpinet.imaging.formats import SUFFIXES

_NOT_MEANT = ("@eadir", "#recycle", "$recycle.bin", "__macosx", "lost+found", "thumbs.db")
"""What network storage, Windows and archives leave in folders; hidden names are skipped, too."""


def list_files(folder: str | Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """The files of a folder with one of the suffixes, in the order of their names.

    Hidden files (AppleDouble's ``._a.png`` among them) and what file systems leave behind are not
    listed.

    Args:
        folder: Where to look; not in its subfolders.
        suffixes: In lower case; those of all image formats by default.

    Raises:
        UserError: If there is no such folder.
    """
    return [path for path in _entries(Path(folder)) if _is_wanted(path, suffixes)]


def list_images(folder: str | Path) -> list[Path]:
    """The image files of a folder, see `list_files`.

    Raises:
        UserError: If there is no such folder, or two files differ in their suffix only: one of
            them would be counted twice, or as the other's LR image.
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
    """The folders in a folder, in the order of their names, without hidden ones and leftovers.

    Raises:
        UserError: If there is no such folder.
    """
    return [path for path in _entries(Path(folder)) if path.is_dir()]


def walk(folder: str | Path) -> Iterator[Path]:
    """A folder and all folders below it; links are followed, but no folder comes twice."""
    seen: set[str] = set()
    queue = [Path(folder)]
    while queue:
        place = queue.pop(0)
        real = os.path.realpath(place)
        if real in seen:
            continue
        seen.add(real)
        yield place
        queue += folders_in(place)


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder.")
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name.lower() not in _NOT_MEANT
    )


def _is_wanted(path: Path, suffixes: Sequence[str]) -> bool:
    return path.suffix.lower() in suffixes and path.is_file()
