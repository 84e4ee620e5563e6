"""How data sets name their folders: where originals are, and where the LR images beside them.

Set5/HR and Set5/LR; Set5/LR_bicubic/X4; SelfExSR/image_SRF_4; DIV2K_train_HR and
DIV2K_train_LR_bicubic/X4; Flickr2K_HR; GTmod12 and LRbicx4. Upper and lower case do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hpinet.errors import UserError

from .folders import folders_in, list_files, walk

_HR = re.compile(r"(?P<set>.*?)(?:^|(?<=[_-]))(?:HR|GT|GTmod\d+|originals?)", re.IGNORECASE)
_LR = re.compile(
    r"(?P<set>.*[_-])?LR(?:_?(?:bicubic|unknown|mild|wild|difficult|bicx[1-9]|x[1-9]))*",
    re.IGNORECASE,
)
_SCALE = re.compile(r"(?:image_SRF_|x)([1-9])", re.IGNORECASE)


def evaluation_folder(data: Path, scale: int) -> Path:
    """The folder of originals in a data set's folder.

    Args:
        data: The data set, or a folder of images.
        scale: HR pixels per LR pixel.

    Raises:
        UserError: If there is no such folder, it is one of LR images, it holds no images for this
            scale, or several folders of originals.
    """
    if not data.is_dir():
        raise UserError(f"{data} is not a folder.")
    _check_not_small(data)
    found = _originals_in(data)
    if not found and not list_files(data):
        by_scale = _by_scale(data)
        if by_scale and scale not in by_scale:
            known = ", ".join(f"x{known}" for known in sorted(by_scale))
            raise UserError(f"{data} holds images for {known}, but not for x{scale}.")
        if by_scale:
            data = by_scale[scale]
            found = _originals_in(data)
    if len(found) > 1:  # DIV2K's train and valid
        held_out = [path for path in found if re.search("valid|test", path.name, re.IGNORECASE)]
        found = held_out or found
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise UserError(f"{data} holds several folders of originals, {names}: name one of them")
    return _of_scale(found[0], scale) if found else data


def training_folders(data: Path, scale: int) -> Iterator[Path]:
    """All folders of originals below a folder; LR images and held-out originals are not among them.

    Raises:
        UserError: If the folder is one of LR images.
    """
    _check_not_small(data)
    passed: set[Path] = set()
    for folder in walk(data):
        if folder in passed or folder.parent in passed:
            passed.add(folder)  # and so whatever lies below it
            continue
        inside = folders_in(folder)
        originals = _originals_in(folder)
        training = [p for p in originals if not re.search("valid|test", p.name, re.IGNORECASE)]
        if training:
            passed.update(path for path in inside if path not in training)
            continue  # what lies beside folders of originals is not meant
        by_scale = _by_scale(folder)
        passed.update(path for known, path in by_scale.items() if known != scale)
        passed.update(path for path in inside if _is_small(path))
        yield folder


def lr_folder(hr_folder: Path, data: Path, scale: int) -> Path | None:
    """The folder of the LR images that belong to a folder of originals; None if there is none.

    Args:
        hr_folder: The originals.
        data: The data set; what lies outside of it is not looked at.
        scale: HR pixels per LR pixel.
    """
    named = _HR.fullmatch(hr_folder.name)
    places: list[tuple[Path, str]] = [(hr_folder, "")]
    if hr_folder != data:
        home = hr_folder
        if named is None and _SCALE.fullmatch(hr_folder.name):  # HR/X4
            home = hr_folder.parent
            named = _HR.fullmatch(home.name)
        if named is not None and home != data:
            places.insert(0, (home.parent, named["set"]))
    for place, prefix in places:
        names = (
            "LR", "LR_bicubic", "LRbicubic", f"LRbicx{scale}", f"LR_x{scale}", f"LRx{scale}",
            f"LR_bicubic_x{scale}", "LR_unknown",
        )  # fmt: skip
        known = {path.name.lower(): path for path in folders_in(place)}
        for name in names:
            found = known.get((prefix + name).lower())
            if found is not None and (inside := _with_images(found, scale)) is not None:
                return inside
    return None


def _with_images(folder: Path, scale: int) -> Path | None:
    """A folder of LR images, or the one in it for a scale; None where there is none for it."""
    by_scale = _by_scale(folder)
    if by_scale:
        return by_scale.get(scale)
    return folder


def _originals_in(folder: Path) -> list[Path]:
    return [path for path in folders_in(folder) if _HR.fullmatch(path.name)]


def _of_scale(folder: Path, scale: int) -> Path:
    return folder if list_files(folder) else _by_scale(folder).get(scale, folder)


def _by_scale(folder: Path) -> dict[int, Path]:
    """Folders in a folder that are named by a scale."""
    matches = ((_SCALE.fullmatch(path.name), path) for path in folders_in(folder))
    return {int(match[1]): path for match, path in matches if match}


def _is_small(folder: Path) -> bool:
    """Whether a folder is one of LR images: by its name, and without originals in it."""
    return _LR.fullmatch(folder.name) is not None and not _originals_in(folder)


def _check_not_small(data: Path) -> None:
    """Never are LR images scored or trained as originals."""
    place = data.resolve()
    if _SCALE.fullmatch(place.name) and _is_small(place.parent):
        place = place.parent
    named = _LR.fullmatch(place.name)
    # A name may end so by chance; HR beside it shows what is meant.
    if named is not None and _is_small(place) and (not named["set"] or _originals_in(place.parent)):
        raise UserError(
            f"{data} is a folder of LR images by its name, and they are no originals: name the "
            "folder that holds HR and LR, or rename it"
        )
