"""What commands write: tables, parameters and pictures, each completely or not at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from hpinet.imaging.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110


def output_folder(name: str | Path) -> Path:
    """The folder for results, made now: better to fail before the work than after it.

    Raises:
        ValueError: If there is a file of that name.
    """
    folder = Path(name)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, not a folder: choose another place for the output")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows under the names of the first one; nothing where a value is None.

    Raises:
        ValueError: If there are no rows, so no columns are known.
    """
    if not rows:
        raise ValueError(f"there are no rows to write to {path}")
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Plain values; NaN is refused, since JSON has none."""
    write_bytes(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def write_png(path: Path, picture: ArrayLike) -> None:
    """Pixels, uint8 (H, W, 3)."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(picture)).save(file, "PNG")
    write_bytes(path, file.getvalue())


def write_figure(path: Path, figure: Figure) -> None:
    """A figure with axes as PNG."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    write_bytes(path, file.getvalue())
