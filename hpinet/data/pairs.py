"""Folders of images: which LR image belongs to which original (HR)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from hpinet.errors import UserError
from hpinet.imaging.images import Picture, from_uint8, read_picture, shrink, to_uint8
from hpinet.imaging.resize import crop_to_multiple

SUFFIXES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".gif")


@dataclass(frozen=True)
class Pair:
    """An original (HR) and its LR image.

    Attributes:
        name: The original's file stem.
        hr: Its file.
        lr: The LR image's file; None where MATLAB's bicubic makes it from the original.
    """

    name: str
    hr: Path
    lr: Path | None


def find_pairs(data: str | Path, scale: int) -> list[Pair]:
    """Pair the images of a folder; every original must have its LR image.

    Args:
        data: see `match_pairs`.
        scale: see `match_pairs`.

    Raises:
        ValueError: no such folder, no images, or an original without its one LR image.
    """
    pairs, alone = match_pairs(data, scale)
    for reason in alone.values():
        raise UserError(reason)
    return pairs


def match_pairs(data: str | Path, scale: int) -> tuple[list[Pair], dict[str, str]]:
    """Pair the images of a folder, and name those that have no partner.

    Args:
        data: a folder with HR/ and LR/, with HR/ alone, or with the originals directly in it; or
            one with such a folder for each scale: x2/, x3/, x4/.
        scale: names pair up when equal apart from a mark of this scale: baby, babyx4, baby_LR_x4.

    Returns:
        The pairs, and for every original without its one LR image the reason.

    Raises:
        ValueError: no such folder, no images, or none for this scale.
    """
    folder = _of_scale(Path(data), scale)
    hr_folder = folder / "HR" if (folder / "HR").is_dir() else folder
    originals = _images(hr_folder)
    if not originals:
        raise UserError(f"{hr_folder} holds no images ({', '.join(SUFFIXES)}).")
    if hr_folder == folder or not (folder / "LR").is_dir():
        return [Pair(path.stem, path, None) for path in originals], {}
    small = _images(folder / "LR")
    pairs, alone = [], {}
    for path in originals:
        try:
            pairs.append(Pair(path.stem, path, _partner(path, small, scale)))
        except ValueError as error:
            alone[path.name] = str(error)
    return pairs, alone


def _of_scale(folder: Path, scale: int) -> Path:
    """The folder itself, or the one in it that holds the images of a scale."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder.")
    if (folder / "HR").is_dir() or _images(folder):
        return folder
    scales = sorted(path.name for path in folder.glob("x[0-9]") if path.is_dir())
    if scales and f"x{scale}" not in scales:
        raise UserError(f"{folder} holds images for {', '.join(scales)}, but not for x{scale}.")
    return folder / f"x{scale}" if scales else folder


def set_name(data: str | Path) -> str:
    """What a folder of images is called: its own name, or its parent's for Set5/x4 or Set5/HR."""
    path = Path(data).resolve()
    while path.name in ("HR", *(f"x{scale}" for scale in range(1, 10))) and path.parent.name:
        path = path.parent
    return path.name


def _images(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def _partner(hr: Path, small: Sequence[Path], scale: int) -> Path:
    """The LR file of the same stem, else the one of the same stem without marks.

    Raises:
        ValueError: If there is none, or several.
    """
    found = [path for path in small if path.stem == hr.stem]
    if not found:
        found = [path for path in small if _bare(path.stem, scale) == _bare(hr.stem, scale)]
    if len(found) != 1:
        names = " and ".join(path.name for path in found) or "none"
        raise UserError(f"{hr.name} in HR needs one image of its name in LR; found {names}.")
    return found[0]


def _bare(stem: str, scale: int) -> str:
    """A stem in lower case without its marks: baby_SRF_4_LR, babyx4 and baby_LR_x4 give baby."""
    marks = rf"(?:[_-]?x{scale}|[_-]srf_{scale}|[_-](?:hr|lr|bicubic))+$"
    return re.sub(marks, "", stem.lower())


def load_pair(pair: Pair, scale: int) -> tuple[Picture, Tensor]:
    """Read a pair.

    Args:
        pair: Its files.
        scale: HR pixels per LR pixel.

    Returns:
        The LR image, and the original (1, 3, H, W) in [0, 1], cropped at the bottom and right to a
        multiple of the scale.

    Raises:
        ValueError: unreadable images, or sizes that do not belong together.
    """
    hr = from_uint8(crop_to_multiple(to_uint8(read_picture(pair.hr).rgb), scale))
    if pair.lr is None:
        return Picture(shrink(hr, scale)), hr
    lr = read_picture(pair.lr)
    expected = (hr.shape[-2] // scale, hr.shape[-1] // scale)
    if lr.size != expected:
        raise UserError(
            f"{pair.lr.name} in LR has {lr.size[1]}x{lr.size[0]} pixels, but 1/{scale} of "
            f"{pair.hr.name} in HR is {expected[1]}x{expected[0]}."
        )
    return lr, hr
