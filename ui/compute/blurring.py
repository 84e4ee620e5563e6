"""What a window loses when some LR pixels are replaced by their blurred ones.

Attribution says how much of the window's detail came from these pixels; taking their detail away
says how much is lost without them. The two need not agree: that is what there is to see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lam import GaussianBlurPath
from lam.attribution.detectors import gradient_detector
from ui.state.record import MapsRecord


@dataclass(frozen=True)
class Blurred:
    """One map's pixels, and its network without their detail.

    Attributes:
        importance: Share of the map's importance that lies in the pixels, 0 to 1; NaN for a map of
            zeros.
        lost: Share of the window's detail (the detector) that goes with theirs: 1 is all of it,
            below 0 there is more; NaN where the window has none.
        mean: Mean change of the window's pixels, in grey levels of 255.
        largest: The largest change of a channel there.
    """

    importance: float
    lost: float
    mean: float
    largest: float


def blurring(
    record: MapsRecord, models: Sequence[nn.Module], cells: Sequence[int]
) -> list[Blurred]:
    """The effect of blurring pixels on each network of a record.

    Args:
        record: Its image, window, region and maps.
        models: The networks of `record.results`, in that order.
        cells: Numbers of LR pixels of the whole image, row by row.

    Raises:
        ValueError: There are no such pixels in the attributed region.
    """
    height, width = record.region[2:]
    rows, columns = _places(record, cells)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    if not inside.any():
        raise ValueError(
            "None of the painted pixels was attributed: paint inside the thin square, or attribute "
            "a larger area."
        )
    mask = torch.zeros(1, 1, height, width, dtype=torch.bool)
    mask[0, 0, rows[inside], columns[inside]] = True
    sharp = record.crop
    # Where LAM's path begins: only detail is taken away, and no edge is added.
    changed = torch.where(mask, GaussianBlurPath().at(sharp, np.zeros(1)), sharp)
    found = []
    for model, result in zip(models, record.results.values(), strict=True):
        with torch.no_grad():
            before, after = (model(image).clamp(0, 1) for image in (sharp, changed))
        detail, rest = (float(gradient_detector(sr, record.inner_window)) for sr in (before, after))
        difference = 255 * record.inner_window.crop((after - before).abs())
        total = float(result.importance.sum())
        held = float(result.importance[mask[0, 0].numpy()].sum())
        found.append(
            Blurred(
                held / total if total else float("nan"),
                1 - rest / detail if detail else float("nan"),
                float(difference.mean()),
                float(difference.max()),
            )
        )
    return found


def _places(record: MapsRecord, cells: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns in the region of LR pixels of the whole image."""
    height, width = record.study.size
    try:
        numbers = np.unique(np.asarray(cells, np.int64))
    except (TypeError, ValueError, OverflowError):
        numbers = np.array([-1])
    if numbers.ndim != 1 or not len(numbers) or numbers[0] < 0 or numbers[-1] >= height * width:
        raise ValueError(f"Pixels are numbered 0 to {height * width - 1}, row by row.")
    left, top = record.region[:2]
    return numbers // width - top, numbers % width - left
