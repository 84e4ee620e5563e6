"""Image files made by hand: PNG chunk by chunk, and colour profiles of known primaries."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence

import numpy as np

P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_file(
    rows: Sequence[bytes],
    width: int,
    bits: int,
    kind: int,
    chunks: Iterable[bytes] = (),
    after: Iterable[bytes] = (),
) -> bytes:
    """A PNG file of packed rows; kind 0 is grey, 2 RGB, 3 a palette, 6 RGBA."""
    header = struct.pack(">IIBBBBB", width, len(rows), bits, kind, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", pixels), *after, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def profile_chunk(profile: bytes) -> bytes:
    """A profile as PNG's iCCP."""
    return chunk(b"iCCP", b"p\0\0" + zlib.compress(profile))


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def _text(kind: bytes, text: str) -> bytes:
    data = text.encode() + b"\0"
    if kind == b"text":
        return b"text\0\0\0\0" + data
    return b"desc\0\0\0\0" + struct.pack(">I", len(data)) + data + b"\0" * 78


def _profile(space: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr", pcs: bytes = b"XYZ "):
    tags = {b"desc": _text(b"desc", "made by hand"), b"cprt": _text(b"text", "none"), **tags}
    place, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", place + len(body), len(data))
        body += data
    head = bytearray(128)
    size = place + len(body)
    head[:4], head[8:12] = struct.pack(">I", size), b"\x02\x40\0\0"
    head[12:16], head[16:20], head[20:24], head[36:40] = kind, space, pcs, b"acsp"
    head[68:80] = _fixed(0.9642, 1.0, 0.8249)
    return bytes(head) + struct.pack(">I", len(tags)) + table + body


def matrix_profile(primaries: Sequence[tuple[float, float]], gamma: float) -> bytes:
    """An RGB profile (ICC 2.4) of three primaries, white D65 and one gamma."""
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )

    def xyz(x: float, y: float) -> np.ndarray:
        return np.array([x / y, 1, (1 - x - y) / y])

    columns = np.stack([xyz(*p) for p in primaries], axis=1)
    columns = columns * np.linalg.solve(columns, xyz(*D65))
    cones = np.diag((bradford @ xyz(*D50)) / (bradford @ xyz(*D65)))
    columns = np.linalg.inv(bradford) @ cones @ bradford @ columns
    tags = {b"wtpt": _xyz(0.9642, 1.0, 0.8249)}
    for number, name in enumerate((b"r", b"g", b"b")):
        tags[name + b"XYZ"] = _xyz(*columns[:, number])
        tags[name + b"TRC"] = _gamma(gamma)
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    """A grey profile of one gamma."""
    return _profile(b"GRAY", {b"wtpt": _xyz(0.9642, 1.0, 0.8249), b"kTRC": _gamma(gamma)})


def cmyk_profile() -> bytes:
    """A CMYK profile whose only colour is grey: L* falls from 100 to 0 as black ink rises."""
    grid = bytes(
        value
        for number in range(16)  # black varies fastest
        for value in ((0 if number & 1 else 255), 128, 128)
    )
    ramp = bytes(range(256))
    identity = _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + ramp * 4 + grid + ramp * 3
    return _profile(
        b"CMYK",
        {b"wtpt": _xyz(0.9642, 1, 0.8249), b"A2B0": table, b"A2B1": table},
        b"prtr",
        b"Lab ",
    )
