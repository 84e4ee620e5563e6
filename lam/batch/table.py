"""The CSV of ``python -m lam dataset``: a row a window."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpinet.data.result_store import ResultStore, Row, StoreLayout

CONTENT = ("lr_sha256", "model", "weights_sha256", "left", "top", "window_size")
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


def map_store(path: str | Path, parameters: Mapping[str, Any]) -> ResultStore:
    """The rows of a table of maps, all of the same parameters.

    Args:
        path: The CSV; read if it exists.
        parameters: See `lam.batch.runner.Settings.parameters`.

    Raises:
        ValueError: If the file is no such table, or one of other parameters.
        OSError: If it cannot be read.
    """
    return ResultStore(path, _LAYOUT, parameters)


def row_of(values: Mapping[str, Any], columns: Sequence[str] = COLUMNS) -> Row:
    """A row as text: numbers in full precision, lists as JSON, nothing for None and NaN."""
    return {name: _cell(values[name]) for name in columns}


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, (list, dict)):
        return json.dumps(value, sort_keys=True)
    return repr(float(value)) if isinstance(value, float) else str(value)


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    numbers = tuple(int(row[name]) for name in ("top", "left", "window_size"))
    return (row["picture"], row["lr_sha256"], *numbers, row["model"], row["weights_sha256"])


def layout(columns: tuple[str, ...], content: tuple[str, ...]) -> StoreLayout:
    """A table of `lam dataset` with these columns, of which some say what a row is about."""
    return StoreLayout(
        columns=columns,
        content=content,
        names=("picture",),
        order=_order,
        is_sound=lambda row: all(row[n].isdecimal() for n in ("left", "top", "window_size")),
        what="table of `lam dataset`: choose another file with -o",
    )


_LAYOUT = layout(COLUMNS, CONTENT)
