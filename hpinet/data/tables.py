"""Tables as text, for all commands: CSV to compute with, Markdown to read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from hpinet.errors import UserError

_FORMULA = re.compile(r"'*[=+\-@]")  # a spreadsheet computes cells that begin so


def csv_text(rows: pd.DataFrame | Iterable[Mapping[str, Any]]) -> str:
    """A CSV with a header, numbers in full precision.

    Nothing stands for None and NaN, JSON for lists. Text that a spreadsheet would take for a
    formula gets an apostrophe in front, which `read_csv` takes off.

    Args:
        rows: By column.
    """
    if not isinstance(rows, pd.DataFrame):
        rows = pd.DataFrame(list(rows), dtype=object)
    return rows.map(lambda value: _escaped(cell(value))).to_csv(index=False, lineterminator="\n")


def cell(value: Any) -> str:
    """A value as text that gives the same value when it is read."""
    if isinstance(value, list | dict):
        return json.dumps(value, sort_keys=True)
    if value is None or value != value:
        return ""
    return repr(float(value)) if isinstance(value, float) else str(value)


def _escaped(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_csv(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """The cells of a CSV as text, also of one that a spreadsheet saved.

    Commas, semicolons or tabs may separate, lines may end in CRLF, a byte-order mark may lead.

    Args:
        path: The file, UTF-8.
        columns: The columns that it must have.

    Raises:
        UserError: If it is another file.
        OSError: If it cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            separator = max(",;\t", key=file.readline().count)
        found = pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except ValueError as error:  # pandas' parsing errors, and bytes that are no UTF-8
        raise UserError(f"{path} is damaged or no CSV file: {error}") from None
    if list(found.columns) != list(columns):
        raise UserError(f"{path} is no table of this command: choose another place with -o")
    if separator == ";":  # where commas are decimal points
        found = found.replace(r"^([+-]?\d+),(\d+(?:[eE][+-]?\d+)?)$", r"\1.\2", regex=True)
    return found.map(lambda text: text[1:] if text[:1] == "'" and _FORMULA.match(text) else text)


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table, columns aligned for readers of the plain text."""
    cells = [list(heads), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def markdown(rows: Iterable[Mapping[str, Any]], formats: Mapping[str, str]) -> str:
    """Some columns of rows as a Markdown table.

    Args:
        rows: By column.
        formats: How the values of each column are shown; the columns' names are its heads.
    """
    lines = [[shown(row.get(name), how) for name, how in formats.items()] for row in rows]
    return "\n".join(markdown_table([name.replace("_", " ") for name in formats], lines))


def shown(value: Any, how: str, interval: Sequence[float] | None = None) -> str:
    """A number, and its interval in brackets; ``-`` where it is missing."""
    if value is None or value != value:
        return "-"
    between = "" if interval is None else f" ({interval[0]:{how}} to {interval[1]:{how}})"
    return f"{value:{how}}{between}"
