"""Tables as text, for all commands: CSV to compute with, Markdown and aligned columns to read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def csv_text(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """A CSV with a header; nothing where a value is None or missing.

    Args:
        rows: By column.
        columns: Their order; by default that of the first row.

    Raises:
        ValueError: If there are neither rows nor columns, or a row has a column of its own.
    """
    rows = list(rows)
    if not rows and columns is None:
        raise ValueError("there are no rows to write")
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]] | None:
    """The rows of a CSV file (UTF-8) that has exactly these columns; None if it is another file.

    A row with too few or too many cells holds None among its keys or values.

    Raises:
        OSError: If the file cannot be read.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            header = tuple(reader.fieldnames or ())
    except (UnicodeDecodeError, csv.Error):
        return None
    return rows if header == tuple(columns) else None


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table, columns aligned for readers of the plain text."""
    cells = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
