"""Results of a long run in a CSV: written row by row, never half, and taken up again by content.

A row is known when what it was computed from is the same (pixels, weights, window, protocol),
whatever the files and networks are called.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpinet.errors import UserError
from hpinet.imaging.files import write_bytes

from .tables import csv_text, read_csv

Row = dict[str, str]
Key = tuple[str, ...]


@dataclass(frozen=True)
class StoreLayout:
    """What the files of one command look like.

    Attributes:
        columns: In their order.
        content: The columns that say what a row was computed from: equal there, equal results.
        names: Columns by which rows of equal content are told apart all the same.
        order: What rows are sorted by, so that a file does not depend on the order of the work.
        is_sound: Whether the cells of a row can be read.
        what: The kind of file, for the sentence that refuses another, and what to do then.
    """

    columns: tuple[str, ...]
    content: tuple[str, ...]
    names: tuple[str, ...]
    order: Callable[[Row], Any]
    is_sound: Callable[[Row], bool]
    what: str


class ResultStore:
    """The rows of a file.

    Args:
        path: The CSV; read if it exists.
        layout: Of the file.
        parameters: What all rows share, plain values that fit into JSON; they are kept in the
            column ``parameters``. None where rows need not share anything.

    Raises:
        ValueError: If the file is something else, or one of other parameters.
        OSError: If it cannot be read.
    """

    def __init__(
        self, path: str | Path, layout: StoreLayout, parameters: Mapping[str, Any] | None = None
    ) -> None:
        self.path, self.layout = Path(path), layout
        self.parameters = None if parameters is None else _as_json(dict(parameters))
        self.rows: dict[Key, Row] = {}
        self._by_content: dict[Key, Row] = {}
        if self.path.exists():
            self._keep(self._read(self.path))

    def key(self, row: Mapping[str, str]) -> Key:
        """Names and content of a row: what `rows` is sorted under."""
        return tuple(row[name] for name in (*self.layout.names, *self.layout.content))

    def find(self, about: Mapping[str, str]) -> Row | None:
        """The row of these names and this content, or of this content alone; None if unknown.

        Args:
            about: The columns `StoreLayout.names` and `StoreLayout.content`.
        """
        row = self.rows.get(self.key(about)) or self._by_content.get(self._content(about))
        return None if row is None else {**row, **{n: about[n] for n in self.layout.names}}

    def add(self, rows: Iterable[Row]) -> None:
        """Take rows in and write the file anew, completely or not at all.

        Raises:
            ValueError: If a row has other parameters.
            OSError: If the file cannot be written; the one on disk is then still whole.
        """
        self._keep(rows)
        ordered: list[Row] = sorted(self.rows.values(), key=self.layout.order)
        write_bytes(self.path, csv_text(ordered, self.layout.columns).encode())

    def absorb(self, parts: Iterable[Path]) -> None:
        """Take in the rows of other files of this kind, write, and delete those files.

        Raises:
            ValueError: If one does not fit; then all stay as they are.
        """
        paths = [path for path in parts if path.is_file()]
        rows = [row for path in paths for row in self._read(path)]
        if paths:
            self.add(rows)
        for path in paths:
            path.unlink()

    def _content(self, row: Mapping[str, str]) -> Key:
        return tuple(row[name] for name in self.layout.content)

    def _keep(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if self.parameters is not None and row["parameters"] != self.parameters:
                raise UserError(
                    f"{self.path} holds rows computed with {self._difference(row['parameters'])}: "
                    f"choose another file with -o, or the same options"
                )
            self.rows[self.key(row)] = self._by_content[self._content(row)] = row

    def _difference(self, theirs: str) -> str:
        try:
            old, new = json.loads(theirs), json.loads(self.parameters or "")
            other = [name for name in new if old.get(name) != new[name]]
        except (ValueError, AttributeError):
            return "parameters that cannot be read"
        if not other:
            return "parameters that are unknown here"
        name = other[0]
        return f"{name} {_shown(old.get(name)) or 'unknown'}, not {_shown(new[name])}"

    def _read(self, path: Path) -> list[Row]:
        rows = read_csv(path, self.layout.columns)
        if rows is None:
            raise UserError(f"{path} is no {self.layout.what}")
        for number, row in enumerate(rows, 2):
            whole = None not in row and None not in row.values()
            if not whole or not self.layout.is_sound(row):
                raise UserError(f"{path} is damaged in line {number}: repair or delete that line")
        return rows


def _as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _shown(value: Any) -> str:
    """A parameter in a sentence: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else "" if value is None else _as_json(value)
