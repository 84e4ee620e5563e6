"""How data sets name their folders: where HR images are, and where the LR images of each.

Set5/HR and Set5/LR; Set5/LR_bicubic/X4; Set5/x4/HR; SelfExSR/image_SRF_4; DIV2K_train_HR and
DIV2K_train_LR_bicubic/X4; Flickr2K_HR; GTmod12 and LRbicx4. Case does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hpinet.errors import UserError

from .folders import folders_in, list_files

_HR = re.compile(r"(?P<set>(?:.*[_-])?)(?:HR|GT|GTmod\d+|originals?)", re.IGNORECASE)
_LR = re.compile(
    r"(?P<set>(?:.*[_-])?)LR(?P<kind>(?:_?(?:bic|unknown|mild|wild|difficult|x\d).*)?)",
    re.IGNORECASE,
)
_SCALE = re.compile(r"(?:image_SRF_|x)([1-9])", re.IGNORECASE)
_HELD_OUT = re.compile("valid|test", re.IGNORECASE)


def evaluation_folder(data: Path, scale: int) -> Path:
    """The folder of HR images in a data set's folder, for evaluation at this scale."""
    _refuse_lr(data)
    found = _hr_folders(data)
    by_scale = _by_scale(data)
    if not found and by_scale and not list_files(data):
        if scale not in by_scale:
            known = ", ".join(f"x{known}" for known in sorted(by_scale))
            raise UserError(f"{data} holds images for {known}, but not for x{scale}.")
        return evaluation_folder(by_scale[scale], scale)
    if len(found) > 1:  # DIV2K's train and valid
        found = [path for path in found if _HELD_OUT.search(path.name)] or found
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise UserError(f"{data} holds several folders of HR images, {names}: name one of them")
    folder = found[0] if found else data
    return folder if list_files(folder) else _by_scale(folder).get(scale, folder)


def training_folders(data: Path, scale: int) -> Iterator[Path]:
    """All folders of HR images below a folder, without LR, other scales and held-out images."""
    _refuse_lr(data)
    queue, seen = [data], set()
    while queue:
        folder = queue.pop(0)
        if folder.resolve() in seen:  # by links
            continue
        seen.add(folder.resolve())
        if found := _hr_folders(folder):  # what lies next to them is not meant
            queue += [path for path in found if not _HELD_OUT.search(path.name)] or found
            continue
        yield folder
        others = [path for known, path in _by_scale(folder).items() if known != scale]
        queue += [p for p in folders_in(folder) if p not in others and not _is_lr(p)]


def lr_folder(hr_folder: Path, data: Path, scale: int) -> Path | None:
    """The folder of the LR images of a folder of HR images, within ``data``; None without one."""
    places = [(hr_folder, "")]
    home = hr_folder
    if _SCALE.fullmatch(home.name) and _HR.fullmatch(home.parent.name):  # HR/X4
        home = home.parent
    named = _HR.fullmatch(home.name)
    if named and data not in (hr_folder, home):
        places.insert(0, (home.parent, named["set"].lower()))
    for place, prefix in places:
        for folder in folders_in(place):  # LR comes before LR_bicubic before LR_unknown
            found = _LR.fullmatch(folder.name)
            if not found or found["set"].lower() != prefix:
                continue
            if re.search(rf"x(?!{scale})\d|mild|wild|difficult", found["kind"], re.IGNORECASE):
                continue
            by_scale = _by_scale(folder)
            if not by_scale or scale in by_scale:
                return by_scale.get(scale, folder)
    return None


def _hr_folders(folder: Path) -> list[Path]:
    return [path for path in folders_in(folder) if _HR.fullmatch(path.name)]


def _is_lr(folder: Path) -> bool:
    """Whether a folder is one of LR images: by its name, and without HR images in it."""
    return bool(_LR.fullmatch(folder.name)) and not _hr_folders(folder)


def _by_scale(folder: Path) -> dict[int, Path]:
    """Folders in a folder that are named by a scale."""
    matches = ((_SCALE.fullmatch(path.name), path) for path in folders_in(folder))
    return {int(match[1]): path for match, path in matches if match}


def _refuse_lr(data: Path) -> None:
    """LR images are never used as ground truth."""
    place = data.resolve()
    if _SCALE.fullmatch(place.name):
        place = place.parent
    named = _LR.fullmatch(place.name)
    # A name may end so by chance; HR next to it shows what is meant.
    if named and _is_lr(place) and (not named["set"] or _hr_folders(place.parent)):
        raise UserError(
            f"{data} is a folder of LR images by its name, which cannot serve as HR: name the "
            "folder that holds HR and LR, or rename it"
        )
