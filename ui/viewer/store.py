"""Bytes for the browser, each at an address that nobody can guess and only its visitor can read."""

from __future__ import annotations

import hashlib
import io
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LIMIT = 256 * 2**20
"""Bytes that are kept for all visitors together; what was unused for longest goes first."""

DATA = "/viewer-data"
"""Where the bytes are served."""

_ALIGNED = 4  # bytes: a typed array of the browser begins at a multiple of its element's size


@dataclass(frozen=True)
class Owner:
    """Who may read something.

    Attributes:
        key: A secret of the visitor's session, which the page sends along.
        identity: Whom `ui.server.ownership` takes the visitor for.
    """

    key: str
    identity: str = ""


class ByteStore:
    """Bytes by address, each for one owner.

    Args:
        limit: Bytes kept; the newest are kept whatever they take.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit, self._total = limit, 0
        self._secret, self._lock = secrets.token_bytes(32), threading.Lock()
        self._held: OrderedDict[str, tuple[bytes, str, Owner]] = OrderedDict()

    def put(self, data: bytes, kind: str, owner: Owner) -> str:
        """Keep bytes and return their address; the same bytes of an owner have the same one.

        Args:
            data: The bytes.
            kind: Their media type.
            owner: Who may read them.
        """
        name = self._name(owner, data)
        with self._lock:
            self._keep(name, data, kind, owner)
        return f"{DATA}/{name}"

    def image(self, pixels: NDArray[np.uint8], owner: Owner) -> str:
        """Keep an image, (h, w, 3) or (h, w), as PNG; encoded only if it is not held yet."""
        pixels = np.ascontiguousarray(pixels)
        name = self._name(owner, repr(pixels.shape).encode() + pixels.tobytes())
        with self._lock:
            known = name in self._held
            if known:
                self._held.move_to_end(name)
        if not known:
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG", compress_level=1)
            with self._lock:
                self._keep(name, file.getvalue(), "image/png", owner)
        return f"{DATA}/{name}"

    def packed(self, arrays: Mapping[str, NDArray[Any]], owner: Owner) -> dict[str, Any]:
        """Keep arrays as one file.

        Floating-point arrays travel in half precision, divided by their largest size, the unit.

        Args:
            arrays: By name; of floating point or of at most 16 bit.
            owner: Who may read them.

        Returns:
            The address, and name, type, shape, place and unit of each array.
        """
        parts, listed, start = [], [], 0
        for name, array in arrays.items():
            unit = 1.0
            if array.dtype.kind == "f":
                # NaN (an unknown similarity) stays one and does not count.
                sizes = np.abs(array[np.isfinite(array)])
                unit = float(sizes.max()) if sizes.size and sizes.max() > 0 else 1.0
                array = (array / unit).astype(np.float16)
            data = np.ascontiguousarray(array).tobytes()
            listed.append(
                {"name": name, "type": str(array.dtype), "shape": array.shape, "start": start,
                 "unit": unit}
            )  # fmt: skip
            parts.append(data + bytes(-len(data) % _ALIGNED))
            start += len(parts[-1])
        address = self.put(b"".join(parts), "application/octet-stream", owner)
        return {"address": address, "arrays": listed}

    def get(self, name: str, owner: Owner) -> tuple[bytes, str] | None:
        """Bytes and media type at an address, for its owner; None for everybody else."""
        with self._lock:
            found = self._held.get(name)
            if found is None or not _same(found[2], owner):
                return None
            self._held.move_to_end(name)
            return found[:2]

    def forget(self, key: str) -> None:
        """Drop everything of a visitor whose session ended."""
        with self._lock:
            for name in [n for n, (_, _, owner) in self._held.items() if owner.key == key]:
                self._total -= len(self._held.pop(name)[0])

    def _name(self, owner: Owner, data: bytes) -> str:
        # Keyed: who knows the bytes cannot work out their address.
        whose = hashlib.blake2b(repr(owner).encode(), key=self._secret, digest_size=16).digest()
        return hashlib.blake2b(data, key=self._secret + whose, digest_size=24).hexdigest()

    def _keep(self, name: str, data: bytes, kind: str, owner: Owner) -> None:
        if name not in self._held:
            self._held[name] = data, kind, owner
            self._total += len(data)
        self._held.move_to_end(name)
        while self._total > self._limit and len(self._held) > 1:
            self._total -= len(self._held.popitem(last=False)[1][0])


def _same(one: Owner, other: Owner) -> bool:
    return one.identity == other.identity and secrets.compare_digest(
        one.key.encode(), other.key.encode()
    )


STORE = ByteStore()
"""That of this process: routes are given to gradio before there is a page."""
