"""What is known of single pictures: a CSV that an interrupted evaluation goes on with.

A row counts as known when the bytes of the files, the weights, the kind of device and the protocol
are the same, whatever files and networks are called.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from hpinet.checkpoints.fingerprints import files_digest
from hpinet.data.pairs import Pair
from hpinet.imaging.files import read_table, write_bytes

from .evaluate import METRICS, Row

PROTOCOL = "1"
"""Counts up when figures change: older rows are then measured anew."""

FIGURES = (*METRICS, *(f"bicubic_{name}" for name in METRICS))
_KEY = ("pictures_sha256", "weights_sha256", "scale", "device", "protocol")
_PLACE = ("set", "scale", "model", "picture")
COLUMNS = (*_PLACE, *FIGURES, *(name for name in _KEY if name not in _PLACE))

_Key = tuple[str, ...]


class ResultStore:
    """The rows of a file; see `StoredModel` for how they are asked for.

    Args:
        path: The CSV; read if it exists.

    Raises:
        ValueError: If the file is something else.
        OSError: If it cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.rows: dict[_Key, dict[str, str]] = {}
        if self.path.exists():
            for row in _read(self.path):
                self.rows[tuple(row[name] for name in _KEY)] = row

    def add(self, row: dict[str, str]) -> None:
        """Take a row in and write the file anew, completely or not at all.

        Raises:
            OSError: If the file cannot be written; the one on disk is then still whole.
        """
        self.rows[tuple(row[name] for name in _KEY)] = row
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        order = (*_PLACE, *_KEY)
        # Sorted: the file does not depend on the order of work.
        writer.writerows(sorted(self.rows.values(), key=lambda r: tuple(r[n] for n in order)))
        write_bytes(self.path, text.getvalue().encode())


@dataclass(frozen=True)
class StoredModel:
    """A store as one network on one set sees it: `hpinet.evaluation.evaluate.Known`.

    Attributes:
        store: All rows.
        set_name: What the rows call the set.
        label: What they call the network.
        digest: Of the network, see `hpinet.checkpoints.fingerprints.network_digest`.
        scale: Up-scaling factor.
        device: Its kind, ``"cpu"`` or ``"cuda"``: figures differ in the last digits.
    """

    store: ResultStore
    set_name: str
    label: str
    digest: str
    scale: int
    device: str

    def _key(self, pair: Pair) -> _Key:
        pictures = files_digest(pair.hr, pair.lr)
        return pictures, self.digest, str(self.scale), self.device, PROTOCOL

    def find(self, pair: Pair, lpips: bool) -> Row | None:
        """The figures of a picture; None if unknown, or without the LPIPS that is asked for."""
        row = self.store.rows.get(self._key(pair))
        if row is None or (lpips and not row["lpips"]):
            return None
        shown = FIGURES if lpips else [name for name in FIGURES if not name.endswith("lpips")]
        found: Row = dict.fromkeys(FIGURES)
        return found | {name: float(row[name]) for name in shown}

    def keep(self, pair: Pair, row: Row) -> None:
        """Take the figures of a picture in and write the file."""
        about = {"set": self.set_name, "model": self.label, "picture": pair.name}
        key = dict(zip(_KEY, self._key(pair), strict=True))
        figures = {name: "" if row[name] is None else repr(float(row[name])) for name in FIGURES}
        self.store.add({**about, **key, **figures})


def _read(path: Path) -> list[dict[str, str]]:
    rows = read_table(path, COLUMNS)
    if rows is None:
        raise ValueError(f"{path} is no file of `evaluate`: choose another folder with -o.")
    for number, row in enumerate(rows, 2):
        if not _sound(row):
            raise ValueError(f"{path} is damaged in line {number}: repair or delete that line.")
    return rows


def _sound(row: dict[str, str]) -> bool:
    if None in row or None in row.values():
        return False
    try:
        for name in FIGURES:
            if row[name] or not name.endswith("lpips"):
                float(row[name])
    except ValueError:
        return False
    return True
