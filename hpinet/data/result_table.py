"""Results of a long run in a CSV file: a broken run goes on, several processes fill one file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from glob import escape
from pathlib import Path
from typing import Any

import pandas as pd
from accelerate import PartialState

from hpinet.errors import UserError
from hpinet.imaging.files import write_bytes

from .tables import cell, csv_text, read_csv

Row = dict[str, str]

TEXT = {
    *("set", "model", "picture", "unit", "device", "protocol", "parameters"),
    *("pictures_sha256", "lr_sha256", "hr_sha256", "weights_sha256"),
    *("outside_patch_by_block", "in_match_by_block"),
}
"""Columns of text; all others hold numbers."""


class ResultTable:
    """Rows that are known again by what they were computed from, whatever files are called.

    Each of several processes writes what it knows into a part next to the file; the first merges
    the parts, those of a broken run before the work.

    Args:
        path: The CSV, read if it exists; None keeps rows in memory alone.
        columns: In their order; the last one is never empty.
        names: Columns that tell rows of equal content apart; rows are sorted by them first.
        content: Columns that say what a row was computed from: equal there, equal results.
        parameters: What all rows share, kept as JSON in the column ``parameters``.

    Raises:
        ValueError: If the file is something else, or one of other parameters.
        OSError: If it cannot be read.
    """

    def __init__(
        self,
        path: Path | None,
        columns: tuple[str, ...],
        names: tuple[str, ...],
        content: tuple[str, ...],
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.path, self.columns, self._content = path, columns, content
        self._key = tuple(dict.fromkeys((*names, *content)))
        self.parameters = None if parameters is None else cell(dict(parameters))
        self._rows: dict[tuple[str, ...], Row] = {}
        self._known: dict[tuple[str, ...], Row] = {}
        if path is None:
            return
        self._state = PartialState()
        self.finish()
        if path.exists():
            self._keep(self._read(path))
        self._state.wait_for_everyone()  # nobody writes before all have read

    def find(self, about: Mapping[str, str]) -> Row | None:
        """The row of this content, under the names that are given; None if there is none."""
        row = self._known.get(tuple(about[name] for name in self._content))
        return None if row is None else {**row, **about}

    def add(self, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
        """Take rows in and write the file anew, completely or not at all; the rows as text.

        Raises:
            OSError: If the file cannot be written; the one on disk is then still whole.
        """
        texts = [{name: cell(row[name]) for name in self.columns} for row in rows]
        new = [row for row in texts if self._rows.get(self._place(row)) != row]
        self._keep(new)
        if new and self.path is not None:
            alone, number = self._state.num_processes == 1, self._state.process_index
            self._write(self.path if alone else Path(f"{self.path}.part{number}"))
        return texts

    def finish(self) -> None:
        """Wait for all processes; the first merges the parts that they wrote."""
        if self.path is None:
            return
        self._state.wait_for_everyone()
        parts = sorted(self.path.parent.glob(f"{escape(self.path.name)}.part*"))
        if parts and self._state.is_main_process:
            for path in (self.path, *parts):
                self._keep(self._read(path) if path.exists() else [])
            self._write(self.path)
            for path in parts:
                path.unlink()
        self._state.wait_for_everyone()

    def _place(self, row: Row) -> tuple[str, ...]:
        return tuple(row[name] for name in self._key)

    def _keep(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._rows[self._place(row)] = row
            self._known[tuple(row[name] for name in self._content)] = row

    def _write(self, path: Path) -> None:
        frame = pd.DataFrame(list(self._rows.values()), columns=self.columns)
        numbers = [name for name in self._key if name not in TEXT]
        keys = frame[list(self._key)].astype(dict.fromkeys(numbers, float))
        frame = frame.loc[keys.sort_values(list(self._key)).index]
        write_bytes(path, csv_text(frame).encode())

    def _read(self, path: Path) -> list[Row]:
        frame = read_csv(path, self.columns)
        numbers = frame[[name for name in self.columns if name not in TEXT]]
        wrong = numbers.apply(pd.to_numeric, errors="coerce").isna() & (numbers != "")
        damaged = wrong.any(axis=1) | (frame[self.columns[-1]] == "")
        if damaged.any():
            line = int(damaged.to_numpy().argmax()) + 2
            raise UserError(f"{path} is damaged in line {line}: repair or delete that line")
        if self.parameters is not None:
            for theirs in set(frame["parameters"]) - {self.parameters}:
                raise UserError(
                    f"{path} holds rows computed with {_difference(theirs, self.parameters)}: "
                    "choose another file with -o, or the same options"
                )
        return frame.to_dict("records")


def _difference(theirs: str, ours: str) -> str:
    """What two JSON objects of parameters do not share, ours second."""
    try:
        old, new = dict(json.loads(theirs)), json.loads(ours)
    except ValueError:
        return f"parameters that cannot be read ({theirs[:40]})"
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return ", ".join(f"{name} {old.get(name)}, not {new.get(name)}" for name in names)
