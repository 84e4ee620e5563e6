"""The CSV of ``python -m lam dataset``: a row a window, never half-written, resumed by content."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hpinet.imaging.files import read_table, write_bytes

KEY = ("lr_sha256", "model", "weights_sha256", "left", "top", "window_size")
"""The columns that say what a row is about: the pixels, the weights and the window."""

COLUMNS = (
    *("picture", "lr_width", "lr_height", "model", "left", "top", "window_size"),
    *("diffusion_index", "gini", "area_50", "area_80", "area_95", "mean_distance"),
    *("box_left", "box_top", "box_width", "box_height", "box_mass"),
    *("fine_area", "fine_mass", "coarse_area", "coarse_mass"),
    *("outside_patch", "in_match", "outside_patch_by_block", "in_match_by_block"),
    *("detector_start", "detector_end", "integral", "match_jumps", "residual"),
    *("relative_residual", "non_finite", "seconds"),
    *("lr_sha256", "weights_sha256", "parameters"),
)

Row = dict[str, str]
Key = tuple[str, ...]


def row_of(values: Mapping[str, Any]) -> Row:
    """A row as text: numbers in full precision, lists as JSON, nothing for None and NaN."""
    return {name: _cell(values[name]) for name in COLUMNS}


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, (list, dict)):
        return json.dumps(value, sort_keys=True)
    return repr(float(value)) if isinstance(value, float) else str(value)


def key_of(row: Mapping[str, str]) -> Key:
    """What a row is about, see `KEY`."""
    return tuple(row[name] for name in KEY)


class Table:
    """Rows of one set of parameters, in a file.

    Args:
        path: The CSV; read if it exists.
        parameters: What all rows must share, plain values that fit into JSON.

    Raises:
        ValueError: If the file is no such table, or one of other parameters.
        OSError: If it cannot be read.
    """

    def __init__(self, path: str | Path, parameters: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.parameters = _cell(dict(parameters))
        self.rows: dict[tuple[str, Key], Row] = {}
        self._by_key: dict[Key, Row] = {}
        if self.path.exists():
            self._keep(_read(self.path))

    def find(self, picture: str, key: Key) -> Row | None:
        """The row of a picture, or that of another name with the same pixels; None if new."""
        if (picture, key) in self.rows:
            return self.rows[picture, key]
        same = self._by_key.get(key)
        return None if same is None else {**same, "picture": picture}

    def add(self, rows: Iterable[Row]) -> None:
        """Take rows in and write the file anew, completely or not at all.

        Raises:
            ValueError: If a row has other parameters.
            OSError: If the file cannot be written; the one on disk is then still whole.
        """
        self._keep(rows)
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        # Sorted: the file does not depend on who computed a row, or when.
        writer.writerows(sorted(self.rows.values(), key=_order))
        write_bytes(self.path, text.getvalue().encode())

    def absorb(self, parts: Iterable[Path]) -> None:
        """Take in the rows of other files of this kind, write, and delete those files.

        Raises:
            ValueError: If one does not fit; then all stay as they are.
        """
        paths = [path for path in parts if path.is_file()]
        rows = [row for path in paths for row in _read(path)]
        if paths:
            self.add(rows)
        for path in paths:
            path.unlink()

    def _keep(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if row["parameters"] != self.parameters:
                raise ValueError(
                    f"{self.path} holds rows computed with {self._difference(row['parameters'])}: "
                    f"choose another file with -o, or the same options"
                )
            self.rows[row["picture"], key_of(row)] = self._by_key[key_of(row)] = row

    def _difference(self, theirs: str) -> str:
        try:
            old, new = json.loads(theirs), json.loads(self.parameters)
            other = [name for name in new if old.get(name) != new[name]]
        except (ValueError, AttributeError):
            return "parameters that cannot be read"
        if not other:
            return "parameters that are unknown here"
        name = other[0]
        return f"{name} {_cell(old.get(name)) or 'unknown'}, not {_cell(new[name])}"


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    numbers = tuple(int(row[name]) for name in ("top", "left", "window_size"))
    return (row["picture"], row["lr_sha256"], *numbers, row["model"], row["weights_sha256"])


def _read(path: Path) -> list[Row]:
    rows = read_table(path, COLUMNS)
    if rows is None:
        raise ValueError(f"{path} is no table of `lam dataset`: choose another file with -o")
    for number, row in enumerate(rows, 2):
        whole = None not in row and None not in row.values()
        if not whole or not all(row[n].isdecimal() for n in ("left", "top", "window_size")):
            raise ValueError(f"{path} is damaged in line {number}: repair or delete that line")
    return rows
