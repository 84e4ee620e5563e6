"""Which image formats are read, by every command and the page alike, and names for the others."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from PIL import Image, TiffImagePlugin

from .errors import PictureError

FORMATS: dict[str, tuple[str, ...]] = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "DIB": (".dib",),
    "JPEG2000": (".jp2", ".j2k", ".jpx"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "TGA": (".tga",),
    "QOI": (".qoi",),
    "DDS": (".dds",),
}
"""Formats that are read, by Pillow's names, and the suffixes of their files."""

SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)
"""Suffixes of image files in a folder, in lower case."""

HEAD = 1024
"""First bytes of a file by which `refuse` knows its format."""

_RAW = {
    **dict.fromkeys((".nef", ".nrw"), "Nikon NEF"),
    **dict.fromkeys((".cr2", ".cr3", ".crw"), "Canon CR2"),
    **dict.fromkeys((".arw", ".srf", ".sr2"), "Sony ARW"),
    **dict.fromkeys((".3fr", ".fff"), "Hasselblad 3FR"),
    **dict.fromkeys((".kdc", ".dcr"), "Kodak DCR"),
    **{".dng": "DNG", ".orf": "Olympus ORF", ".rw2": "Panasonic RW2", ".raf": "Fujifilm RAF"},
    **{".pef": "Pentax PEF", ".srw": "Samsung SRW", ".x3f": "Sigma X3F", ".iiq": "Phase One IIQ"},
    **{".rwl": "Leica RWL", ".mrw": "Minolta MRW", ".erf": "Epson ERF", ".mef": "Mamiya MEF"},
}
_RAW_BYTES = {
    **{(0, b"FUJIFILMCCD-RAW"): ".raf", (0, b"FOVb"): ".x3f", (0, b"\x00MRM"): ".mrw"},
    **{(0, b"IIRO"): ".orf", (0, b"IIRS"): ".orf", (0, b"MMOR"): ".orf", (0, b"IIU\x00"): ".rw2"},
    **{(8, b"CR\x02"): ".cr2", (4, b"ftypcrx "): ".cr3", (6, b"HEAPCCDR"): ".crw"},
}
_OTHERS = (
    *((4, b"ftyp" + brand, "HEIC") for brand in (b"hei", b"hev", b"mif1", b"msf1")),
    *((4, b"JXL ", "JPEG XL"), (0, b"\xff\x0a", "JPEG XL")),
    *((0, b"%!PS", "EPS"), (0, b"\xc5\xd0\xd3\xc6", "EPS"), (0, b"%PDF", "PDF")),
    *((0, b"8BPS", "Photoshop PSD"), (0, b"gimp xcf", "GIMP XCF"), (0, b"icns", "ICNS")),
    *((0, b"v/1\x01", "OpenEXR"), (0, b"#?RADIANCE", "Radiance HDR"), (0, b"#?RGBE", "HDR")),
    *((0, b"\x00\x00\x01\x00", "ICO"), (0, b"\xd7\xcd\xc6\x9a", "WMF"), (40, b" EMF", "EMF")),
    *((8, b"AVI ", "a video"), (4, b"ftyp", "a video"), (0, b"\x1aE\xdf\xa3", "a video")),
    *((0, b"SIMPLE  =", "FITS"), (0, b"\x89HDF", "HDF5"), (128, b"DICM", "DICOM")),
    *((0, b"PK\x03\x04", "an archive"), (0, b"\x1f\x8b", "an archive")),
    (0, b"version https://git-lfs", "a Git LFS pointer"),
)
_READABLE = (
    *((0, b"\x89PNG"), (0, b"\xff\xd8\xff"), (8, b"WEBP"), (4, b"ftypavi"), (0, b"GIF8")),
    *((0, b"II*\x00"), (0, b"MM\x00*"), (0, b"BM"), (4, b"jP  "), (0, b"\xff\x4f\xff\x51")),
    *((0, b"qoif"), (0, b"DDS ")),
)
_DNG_VERSION, _SUBFILE_TYPE, _PHOTOMETRIC, _SUB_DIRECTORIES = 50706, 254, 262, 330
_SENSOR = (32803, 34892)  # photometric interpretations: colour filter array, linear raw


def refuse(head: bytes, name: str) -> None:
    """Refuse by name what Pillow does not read, or reads as something else.

    Args:
        head: The file's first `HEAD` bytes.
        name: Its name.

    Raises:
        PictureError: If it is a camera raw file, or of another format that is not read here.
    """
    suffix = Path(name).suffix.lower()
    kind = next((_RAW[s] for (at, magic), s in _RAW_BYTES.items() if _has(head, at, magic)), None)
    if kind is None and suffix in _RAW and head[:4] in (b"II*\x00", b"MM\x00*"):
        kind = _RAW[suffix]
    if kind is not None:
        raise _raw(name, kind)
    if _has(head, 4, b"ftypavi"):
        return
    found = next((what for at, magic, what in _OTHERS if _has(head, at, magic)), None)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<"):
        found = "SVG" if b"<svg" in text else "a web page"
    if found is not None:
        raise PictureError(
            f"{name} is {found}: this format cannot be read here, convert it to PNG first."
        )


def not_read(head: bytes, name: str) -> PictureError:
    """What to say of a file that Pillow knows nothing of, or not enough."""
    if any(_has(head, at, magic) for at, magic in _READABLE):
        return PictureError(
            f"{name} is damaged, or of a kind that cannot be read here: convert it to PNG first."
        )
    return PictureError(f"{name} is not an image that can be read.")


def main_frame(image: Image.Image, name: str) -> None:
    """Go to the full image of a TIFF, whose first directory may hold a thumbnail.

    Raises:
        PictureError: If it is a camera raw file.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return
    if _is_raw(image):
        maker = str(image.tag_v2.get(271, "")).strip("\x00 ")
        raise _raw(name, "DNG" if _DNG_VERSION in image.tag_v2 else maker or "TIFF")
    if _is_reduced(image.tag_v2):
        for number in range(1, min(image.n_frames, 16)):
            image.seek(number)
            if not _is_reduced(image.tag_v2):
                return
        image.seek(0)


def _raw(name: str, kind: str) -> PictureError:
    return PictureError(
        f"{name} is a camera raw file ({kind}), which is not read here: develop it and save it as "
        "PNG or TIFF first."
    )


def _is_reduced(tags: Any) -> bool:
    return bool(_number(tags, _SUBFILE_TYPE) & 1)


def _number(tags: Any, tag: int) -> int:
    value = tags.get(tag, 0)
    value = value[0] if isinstance(value, tuple) and value else value
    return value if isinstance(value, int) else 0


def _is_raw(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Whether what a TIFF shows is a preview of what a sensor saw.

    The sensor's values stand in a sub-directory, which Pillow does not open, or in this one.
    """
    tags: Any = image.tag_v2
    places = tags.get(_SUB_DIRECTORIES, ())
    places = places if isinstance(places, tuple) else (places,)
    if _DNG_VERSION in tags or (_is_reduced(tags) and places):
        return True
    directories = [tags]
    file: Any = image.fp
    here = file.tell()
    for place in places[:16]:
        with contextlib.suppress(Exception):  # a directory that cannot be read tells nothing
            file.seek(place)
            directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=tags.prefix)
            directory.load(file)
            directories.append(directory)
    file.seek(here)
    return any(_number(d, _PHOTOMETRIC) in _SENSOR for d in directories)


def _has(head: bytes, at: int, magic: bytes) -> bool:
    return head[at : at + len(magic)] == magic
