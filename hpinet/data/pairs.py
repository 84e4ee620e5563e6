"""Folders of images: which LR image belongs to which original (HR).

`layouts` knows how data sets name their folders; here the files in them are paired by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from hpinet.errors import UserError
from hpinet.imaging.formats import SUFFIXES
from hpinet.imaging.images import Picture, from_uint8, image_size, read_picture, shrink, to_uint8
from hpinet.imaging.resize import crop_to_multiple

from .folders import list_images
from .layouts import evaluation_folder, lr_folder, training_folders


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


@dataclass
class Pairing:
    """The images of a folder, paired.

    Attributes:
        pairs: In the order of their names.
        alone: For every original without its one LR image the reason.
        lr_from: The folders that LR images come from, relative to the one that was named.
    """

    pairs: list[Pair] = field(default_factory=list)
    alone: dict[str, str] = field(default_factory=dict)
    lr_from: list[str] = field(default_factory=list)

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
    """Pair the images of a folder; every original must have its LR image.

    Args:
        data: see `pair_images`.
        scale: see `pair_images`.
        say: told in one line which images were paired with which.

    Raises:
        UserError: no such folder, no images, or an original without its one LR image.
    """
    found = complete(pair_images(data, scale))
    if say is not None:
        say(f"{set_name(data)} x{scale}: {found}")
    return found.pairs


def complete(pairing: Pairing) -> Pairing:
    """A pairing in which every original has its LR image.

    Raises:
        UserError: one has not.
    """
    for reason in pairing.alone.values():
        raise UserError(reason)
    return pairing


def match_pairs(data: str | Path, scale: int) -> tuple[list[Pair], dict[str, str]]:
    """Pairs, and originals without a partner with the reason; see `pair_images`."""
    found = pair_images(data, scale)
    return found.pairs, found.alone


def pair_images(data: str | Path, scale: int) -> Pairing:
    """Pair the images of a folder for evaluation, and name those that have no partner.

    Args:
        data: a folder with originals in HR (or GT, DIV2K_valid_HR, ...) and perhaps LR images
            beside it in LR, LR_bicubic/X4, ...; or with originals directly in it, alone or each
            beside its LR image; or one with such a folder for each scale: x2, x3, image_SRF_4.
        scale: names pair up when equal apart from a mark of this scale: baby, babyx4, baby_LR_x4.

    Raises:
        UserError: no such folder, no originals, none for this scale, or two files of one name.
    """
    data = Path(data)
    pairing = Pairing()
    _pair_folder(evaluation_folder(data, scale), data, scale, pairing)
    return pairing


def pair_training_images(data: str | Path, scale: int) -> Pairing:
    """Pair the images of a folder and all folders below it, for training.

    Args:
        data: DIV2K's or Flickr2K's tree, several of them in one folder, or any folders of images;
            LR images and originals for validation are passed over.
        scale: as for `pair_images`.

    Raises:
        UserError: no such folder, no image, an original without its LR image where others have
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
    return complete(pairing)


def _pair_folder(hr_folder: Path, data: Path, scale: int, into: Pairing) -> None:
    """Pair the originals of one folder with the LR images beside it or among them."""
    given = list_images(hr_folder)
    small_folder = lr_folder(hr_folder, data, scale)
    originals, among = _told_apart(given, scale, by_size=small_folder is None)
    if not originals:
        what = "only LR images" if among else f"no images ({', '.join(SUFFIXES)})"
        raise UserError(f"{hr_folder} holds {what}.")
    small = [path for path, known in among.items() if known == scale]
    if small_folder is not None:
        small = list_images(small_folder)
    elif small:
        small_folder = hr_folder
    if small_folder is None:
        into.pairs += [Pair(path.stem, path, None) for path in originals]
        return
    into.lr_from.append(_shown(small_folder, data))
    for path in originals:
        try:
            into.pairs.append(Pair(path.stem, path, _partner(path, small, small_folder, scale)))
        except UserError as error:
            into.alone[path.name] = str(error)


def _shown(folder: Path, data: Path) -> str:
    """A folder as it is called below the one that was named; that one itself by its name."""
    inside = folder.relative_to(data) if folder.is_relative_to(data) else folder
    return inside.as_posix() if inside.parts else folder.name


def _told_apart(
    files: Sequence[Path], scale: int, by_size: bool
) -> tuple[list[Path], dict[Path, int]]:
    """Originals, and LR images that stand among them with their scale.

    A file is an LR image by the mark LR in its name. Without a folder of LR images, babyx4 beside
    baby is one, too, if it is a fourth of its size.
    """
    stems = {path.stem.lower(): path for path in files}
    originals, small = [], {}
    for path in files:
        stem = path.stem.lower()
        marked = re.search(r"[_-]?x([2-8])(?=$|[_-])|[_-]srf_([2-8])(?=$|[_-])", stem)
        known = int(marked[1] or marked[2]) if marked else None
        if re.search(r"[_-]lr(?:[_-]?(?:x[2-8]|bicubic))*$", stem):
            small[path] = known or scale
            continue
        ends = re.fullmatch(r"(.+?)[_-]?x([2-8])", stem)
        whole = stems.get(ends[1]) if ends and by_size else None
        if ends and whole is not None and _is_fraction(path, whole, int(ends[2])):
            small[path] = int(ends[2])
        else:
            originals.append(path)
    return originals, small


def _is_fraction(small: Path, whole: Path, scale: int) -> bool:
    """Whether an image has 1/scale of another's width and height."""
    try:
        sizes = image_size(small), image_size(whole)
    except UserError:  # what is damaged is named where it is read
        return False
    return sizes[0] == (sizes[1][0] // scale, sizes[1][1] // scale)


def set_name(data: str | Path) -> str:
    """What a folder of images is called: its own name, or its parent's for Set5/x4 or Set5/HR."""
    path = Path(data).resolve()
    while re.fullmatch("HR|x[1-9]|image_SRF_[1-9]", path.name) and path.parent.name:
        path = path.parent
    return path.name


def _partner(hr: Path, small: Sequence[Path], folder: Path, scale: int) -> Path:
    """The LR file of the same stem, else the one of the same stem without marks.

    Raises:
        UserError: If there is none, or several.
    """
    found = [path for path in small if path.stem == hr.stem]
    if not found:
        found = [path for path in small if _bare(path.stem, scale) == _bare(hr.stem, scale)]
    if len(found) == 1:
        return found[0]
    if not found:
        mark = f"x{scale}" if small and all(p.stem.endswith(f"x{scale}") for p in small) else ""
        raise UserError(
            f"{hr.name} in HR needs one image of its name in LR; found none: {folder} lacks "
            f"{hr.stem}{mark}.png."
        )
    names = " and ".join(path.name for path in found)
    raise UserError(f"{hr.name} in HR needs one image of its name in LR; found {names}.")


def _bare(stem: str, scale: int) -> str:
    """A stem in lower case without its marks: baby_SRF_4_LR, babyx4 and baby_LR_x4 give baby."""
    marks = rf"(?:[_-]?x{scale}|[_-]srf_{scale}|[_-](?:hr|lr|bicubic))+$"
    return re.sub(marks, "", stem.lower())


def load_pair(pair: Pair, scale: int) -> tuple[Picture, Tensor]:
    """Read a pair.

    An LR image that is given was made from the numbers that are stored in the original, so both are
    read as they are; else colours are converted to sRGB.

    Args:
        pair: Its files.
        scale: HR pixels per LR pixel.

    Returns:
        The LR image, and the original (1, 3, H, W) in [0, 1], cropped at the bottom and right to a
        multiple of the scale.

    Raises:
        UserError: unreadable images, or sizes that do not belong together.
    """
    managed = pair.lr is None
    hr = from_uint8(crop_to_multiple(to_uint8(read_picture(pair.hr, managed=managed).rgb), scale))
    if pair.lr is None:
        return Picture(shrink(hr, scale)), hr
    lr = read_picture(pair.lr, managed=managed)
    expected = (hr.shape[-2] // scale, hr.shape[-1] // scale)
    if lr.size != expected:
        raise UserError(
            f"{pair.lr.name} in LR has {lr.size[1]}x{lr.size[0]} pixels, but 1/{scale} of "
            f"{pair.hr.name} in HR is {expected[1]}x{expected[0]}."
        )
    return lr, hr
