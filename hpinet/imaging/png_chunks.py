"""The chunks of a PNG file that decide its pixels, apart from those that only tell of it.

Pillow refuses a file whose texts or whose profile unpack to more than a megabyte, though its pixels
are sound. Texts are left out here before it sees them, and the profile is unpacked beside it.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST_PROFILE = 16 * 2**20
"""Bytes of a colour profile, unpacked; a file that claims more is up to no good."""

_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_KEPT = (
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"eXIf"),
    *(b"acTL", b"fcTL", b"fdAT"),
)


@dataclass(frozen=True)
class SlimPng:
    """A PNG file without what Pillow need not see.

    Attributes:
        data: The file with the chunks that decide pixels, size and orientation.
        profile: Its colour profile, unpacked; None without one, or where it is damaged.
        damaged_profile: Whether there is one that cannot be unpacked.
        texts: Number of texts left out.
    """

    data: bytes
    profile: bytes | None
    damaged_profile: bool
    texts: int


def slim(data: bytes) -> SlimPng:
    """Leave out texts, the profile and unknown chunks; a damaged rest stays for Pillow to judge.

    Args:
        data: A file that begins with `SIGNATURE`.
    """
    kept, profile, damaged, texts = [SIGNATURE], None, False, 0
    place = len(SIGNATURE)
    while place + 12 <= len(data):  # a chunk: length, name, content, checksum
        length, name = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if end > len(data):
            break
        if name == b"iCCP":
            profile = _unpacked(data[place + 8 : end - 4])
            damaged = profile is None
        elif name in _TEXTS:
            texts += 1
        elif name in _KEPT:
            kept.append(data[place:end])
        place = end
        if name == b"IEND":
            return SlimPng(b"".join(kept), profile, damaged, texts)
    kept.append(data[place:])
    return SlimPng(b"".join(kept), profile, damaged, texts)


def _unpacked(content: bytes) -> bytes | None:
    """The profile of an iCCP chunk: a name, a zero, the method 0, a zlib stream."""
    _, separator, packed = content.partition(b"\x00")
    try:
        unpacking = zlib.decompressobj()
        profile = unpacking.decompress(packed[1:], LARGEST_PROFILE)
    except zlib.error:
        return None
    return profile if separator and unpacking.eof else None
