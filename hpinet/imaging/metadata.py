"""What a file says beside its pixels: what is left out on reading, and what can be kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image

_CAPTURE = (
    *(ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.Software, ExifTags.Base.DateTime),
    *(ExifTags.Base.Artist, ExifTags.Base.Copyright, ExifTags.Base.ImageDescription),
    *(ExifTags.Base.HostComputer, ExifTags.Base.Rating),
)
_OF_PIXELS = (
    *(ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight, ExifTags.Base.MakerNote),
    ExifTags.IFD.Interop,
)


@dataclass(frozen=True)
class Metadata:
    """What can be kept of a file beside its pixels.

    Attributes:
        exif: Capture data (camera, date, place, ...) as an EXIF block; upright, without thumbnail
            and sizes. Empty if there is none.
        dpi: Pixels per inch across and down, or None.
    """

    exif: bytes = b""
    dpi: tuple[float, float] | None = None

    def __bool__(self) -> bool:
        return bool(self.exif or self.dpi)


def read_metadata(image: Image.Image) -> tuple[Metadata, list[str]]:
    """The metadata of an image, and names of what cannot be kept.

    A damaged EXIF block counts as none.
    """
    others = []
    if image.info.get("xmp") or image.info.get("XML:com.adobe.xmp"):
        others.append("XMP")
    if image.info.get("texts") or image.info.get("comment"):
        others.append("text")
    return Metadata(_capture_data(image), _density(image)), others


def metadata_note(found: Metadata, others: list[str], kept: bool) -> list[str]:
    """One note on what is kept and what is dropped; none where there is neither."""
    dpi = found.dpi
    names = ["EXIF"] if found.exif else []
    if dpi is not None:
        names.append(f"density ({dpi[0]:.4g} dpi)" if dpi[0] == dpi[1] else "density")
    texts = []
    if names and kept:
        texts.append(f"{_listed(names)} kept")
    dropped = [*([] if kept else names), *others]
    if dropped:
        texts.append(f"{_listed(dropped)} dropped")
    return ["; ".join(texts)] if texts else []


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _density(image: Image.Image) -> tuple[float, float] | None:
    found: Any = image.info.get("dpi")
    try:
        across, down = (float(value) for value in found)
    except (TypeError, ValueError, ZeroDivisionError):  # a fraction with 0 below
        return None
    return (across, down) if 1 < across < 1e6 and 1 < down < 1e6 else None  # 1 stands for none


def _capture_data(image: Image.Image) -> bytes:
    """EXIF without what is about the file's pixels, whose size, place and colours change."""
    try:
        exif, kept = image.getexif(), Image.Exif()
        for tag in _CAPTURE:
            if tag in exif:
                kept[tag] = exif[tag]
        for nested in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            inside = {k: v for k, v in exif.get_ifd(nested).items() if k not in _OF_PIXELS}
            if inside.pop(ExifTags.Base.ColorSpace, None) is not None:
                inside[ExifTags.Base.ColorSpace] = 1  # sRGB
            if inside:
                kept[nested] = inside
        return bytes(kept.tobytes()) if len(kept) else b""
    except Exception:  # Pillow meets damaged EXIF with errors of any kind
        return b""
