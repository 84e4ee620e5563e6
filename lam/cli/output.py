"""What commands write: tables, parameters and images, each completely or not at all; progress."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from hpinet.data.tables import csv_text
from hpinet.imaging.files import npz_bytes, write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110

Result = TypeVar("Result")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows under the names of the first one, see `hpinet.data.tables.csv_text`."""
    write_bytes(path, csv_text(rows).encode())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Plain values; NaN is refused, since JSON has none."""
    write_bytes(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def write_png(path: Path, image: ArrayLike) -> None:
    """Pixels, uint8 (H, W, 3), as PNG."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(image)).save(file, "PNG")
    write_bytes(path, file.getvalue())


def write_figure(path: Path, figure: Figure) -> None:
    """A figure with axes as PNG."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    write_bytes(path, file.getvalue())


def write_arrays(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """Arrays by name as NPZ."""
    write_bytes(path, npz_bytes(arrays))


@contextmanager
def percent_bar(about: str = "") -> Iterator[Callable[[float], Any]]:
    """A progress bar on stderr, hidden where stderr is no terminal; takes shares from 0 to 1."""
    from tqdm import tqdm

    with tqdm(
        total=100, desc=about, unit="%", leave=False, disable=None, bar_format="{l_bar}{bar}|"
    ) as bar:
        yield lambda share: bar.update(int(100 * share) - bar.n)


def followed(results: Iterable[Result]) -> Result:
    """The last of results that are refined step by step, with a progress bar meanwhile.

    Args:
        results: At least one, each with its ``progress``, a share from 0 to 1.
    """
    with percent_bar() as show:
        for result in results:
            show(result.progress)  # type: ignore[attr-defined]
    return result
