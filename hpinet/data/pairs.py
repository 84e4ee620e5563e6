"""Folders of images: which LR image belongs to which original (HR)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpinet.errors import UserError
from hpinet.imaging.images import Picture, shrink
from hpinet.imaging.read import SUFFIXES, read_picture

from .folders import list_images
from .layouts import evaluation_folder, lr_folder, training_folders


@dataclass(frozen=True)
class Pair:
    """An original (HR) and its LR image."""

    name: str  # the original's file stem
    hr: Path
    lr: Path | None  # None where MATLAB's bicubic makes it from the original


@dataclass
class Pairing:
    """The images of a folder, paired."""

    pairs: list[Pair] = field(default_factory=list)
    alone: dict[str, str] = field(default_factory=dict)  # originals without their LR image, and why
    lr_from: list[str] = field(default_factory=list)  # folders of LR images

    def __str__(self) -> str:
        given = sum(pair.lr is not None for pair in self.pairs)
        count = f"{len(self.pairs) + len(self.alone)} HR"
        if not given:
            return f"{count}, LR made by MATLAB bicubic"
        rest = len(self.pairs) - given
        made = f", LR of {rest} made by MATLAB bicubic" if rest else ""
        return f"{count} with {given} LR from {' and '.join(self.lr_from)}{made}"


def find_pairs(
    data: str | Path, scale: int, say: Callable[[str], object] | None = None
) -> list[Pair]:
    """As `pair_images`, where every original must have its LR image; ``say`` gets a summary."""
    found = _complete(pair_images(data, scale))
    if say is not None:
        say(f"{set_name(data)} x{scale}: {found}")
    return found.pairs


def pair_images(data: str | Path, scale: int) -> Pairing:
    """Pair the images of a folder for evaluation, and name those that have no partner.

    Args:
        data: A folder with originals in HR (or GT, DIV2K_valid_HR, ...) and perhaps LR images in
            LR, LR_bicubic/X4, ...; or with originals directly in it, alone or next to their LR
            images; or one with such a folder for each scale: x2, x3, image_SRF_4.
        scale: Names pair up when equal apart from a mark of this scale: baby, babyx4, baby_LR_x4.

    Raises:
        UserError: No such folder, no originals, none for this scale, or two files of one name.
    """
    data = Path(data)
    pairing = Pairing()
    _pair_folder(evaluation_folder(data, scale), data, scale, pairing)
    return pairing


def pair_training_images(data: str | Path, scale: int) -> Pairing:
    """Pair the images of a folder and all folders below it, for training.

    DIV2K's or Flickr2K's tree, several of them in one folder, or any folders of images; LR images
    and originals for validation are skipped.

    Raises:
        UserError: No such folder, no image, an original without its LR image where others have
            theirs, or two files of one name in one folder.
    """
    data = Path(data)
    if not data.is_dir():
        raise UserError(f"there is no folder {data} with training images")
    pairing = Pairing()
    for folder in training_folders(data, scale):
        if list_images(folder):
            _pair_folder(folder, data, scale, pairing)
    if not pairing.pairs and not pairing.alone:
        raise UserError(f"no images in {data}: expected files ending in {', '.join(SUFFIXES)}")
    return _complete(pairing)


def set_name(data: str | Path) -> str:
    """What a folder of images is called: its own name, or its parent's for Set5/x4 or Set5/HR."""
    path = Path(data).resolve()
    while re.fullmatch("HR|x[1-9]|image_SRF_[1-9]", path.name) and path.parent.name:
        path = path.parent
    return path.name


def load_pair(pair: Pair, scale: int) -> tuple[Picture, Picture]:
    """Read the LR image, and the original cropped (bottom and right) to a multiple of the scale.

    An LR image that is given was made from the numbers that are stored in the original, so both are
    read as they are; else colours are converted to sRGB.

    Raises:
        UserError: Images cannot be read, or sizes do not belong together.
    """
    hr = read_picture(pair.hr, managed=pair.lr is None)
    lr = read_picture(pair.lr, managed=False) if pair.lr else Picture(shrink(hr.rgb, scale))
    height, width = (side // scale for side in hr.size)
    if pair.lr and lr.size != (height, width):
        raise UserError(
            f"{pair.lr.name} in LR has {lr.size[1]}x{lr.size[0]} pixels, but 1/{scale} of "
            f"{pair.hr.name} in HR is {width}x{height}."
        )
    return lr, hr.crop(0, 0, height * scale, width * scale)


def _complete(pairing: Pairing) -> Pairing:
    """A pairing in which every original has its LR image, or an error."""
    for reason in pairing.alone.values():
        raise UserError(reason)
    return pairing


def _pair_folder(hr_folder: Path, data: Path, scale: int, into: Pairing) -> None:
    """Pair the originals of one folder with the LR images next to it or among them."""
    given = list_images(hr_folder)
    place = lr_folder(hr_folder, data, scale)
    originals, small = _split(given, scale, mixed=place is None)
    if not originals:
        what = "only LR images" if given else f"no images ({', '.join(SUFFIXES)})"
        raise UserError(f"{hr_folder} holds {what}.")
    if place is not None:
        small = list_images(place)
    elif small:
        place = hr_folder
    else:
        into.pairs += [Pair(path.stem, path, None) for path in originals]
        return
    shown = place.relative_to(data) if place != data else Path(data.name)
    into.lr_from.append(shown.as_posix())
    for path in originals:
        try:
            into.pairs.append(Pair(path.stem, path, _partner(path, small, place, scale)))
        except UserError as error:
            into.alone[path.name] = str(error)


def _split(files: Sequence[Path], scale: int, mixed: bool) -> tuple[list[Path], list[Path]]:
    """Originals, and the LR images of this scale among them.

    An LR image has the mark LR in its name; in a folder that may be mixed, babyx4 next to baby is
    one, too.
    """
    stems = {path.stem.lower() for path in files}
    originals, small = [], []
    for path in files:
        stem = path.stem.lower()
        marked = re.search(r"[_-]lr(?:[_-]?(?:x[2-8]|bicubic))*$", stem)
        ends = re.fullmatch(r"(.+?)[_-]?x[2-8]", stem)
        if not marked and not (mixed and ends and ends[1] in stems):
            originals.append(path)
            continue
        known = re.search(r"(?:[_-]?x|[_-]srf_)([2-8])(?=$|[_-])", stem)
        if known is None or int(known[1]) == scale:
            small.append(path)
    return originals, small


def _partner(hr: Path, small: Sequence[Path], folder: Path, scale: int) -> Path:
    """The LR file of the same stem, else the one of the same stem without marks."""
    found = [path for path in small if path.stem == hr.stem]
    if not found:
        found = [path for path in small if _bare(path.stem, scale) == _bare(hr.stem, scale)]
    if len(found) == 1:
        return found[0]
    mark = f"x{scale}" if small and all(p.stem.endswith(f"x{scale}") for p in small) else ""
    lack = f"{folder} lacks {hr.stem}{mark}.png"
    names = " and ".join(path.name for path in found) or f"none: {lack}"
    raise UserError(f"{hr.name} in HR needs one image of its name in LR; found {names}.")


def _bare(stem: str, scale: int) -> str:
    """A stem in lower case without its marks: baby_SRF_4_LR, babyx4 and baby_LR_x4 give baby."""
    marks = rf"(?:[_-]?x{scale}|[_-]srf_{scale}|[_-](?:hr|lr|bicubic))+$"
    return re.sub(marks, "", stem.lower())
