"""Figures in sentences."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from hpinet.match_statistics import in_degree
from lam import LocalAttributionResult

from .catalogue import OWN, TWIN

WITHOUT = {
    TWIN: "a twin trained without GPA",
    OWN: "same weights, GPA switched off",
}
"""The ways to be without GPA, named as what they are."""

_NOTABLE = 0.1  # differences of the diffusion index below this share say nothing


def balance(result: LocalAttributionResult) -> str:
    """What explains the detector's change, in parts of 100."""
    if not result.finished:
        return "The account of what explains the window is drawn up at the end."
    size = abs(result.detector_start) + abs(result.detector_end)
    if not abs(result.change) > 1e-4 * size:
        return "The window is as flat when sharp as when blurred: there is no change to explain."
    pixels = round(100 * result.integral / result.change)
    switched = round(100 * result.match_jumps / result.change)
    rest = 100 - pixels - switched
    sentence = f"Of 100 parts of the change, **{pixels} are explained by pixels**"
    if result.switches is not None:
        sentence += f", {switched} by matches that switched"
        if switched < 0:
            sentence += " (they worked against it)"
    sentence += f"; {rest} {'is' if rest == 1 else 'are'} unaccounted for."
    if result.non_finite:
        sentence += f" {result.non_finite} gradient values were not numbers and count as 0."
    return sentence


def spread(result: LocalAttributionResult | None) -> str:
    """The diffusion index of a result, or a dash."""
    if result is None or not math.isfinite(result.diffusion_index):
        return "none"
    return f"{result.diffusion_index:.1f}"


def comparison(with_gpa: LocalAttributionResult, without: LocalAttributionResult | None) -> str:
    """Both diffusion indices in a sentence."""
    if without is None or not (with_gpa.finished and without.finished):
        return ""
    a, b = with_gpa.diffusion_index, without.diffusion_index
    if not (math.isfinite(a) and math.isfinite(b)):
        return ""
    relation = "wider" if a > b else "narrower"
    if abs(a - b) < _NOTABLE * max(a, b):
        return f"With and without GPA, the network looks about as wide: DI {a:.1f} and {b:.1f}."
    return f"With GPA the network looks {relation}: DI {a:.1f} against {b:.1f}."


def position(number: int, origins: ArrayLike) -> str:
    """A patch's number with its row and column, counted from 1."""
    corners = np.asarray(origins)
    row = int(np.searchsorted(np.unique(corners[:, 0]), corners[number, 0])) + 1
    column = int(np.searchsorted(np.unique(corners[:, 1]), corners[number, 1])) + 1
    return f"row {row}, column {column}"


def popularity(index: ArrayLike) -> str:
    """How evenly matches spread over targets."""
    counts = in_degree(index)
    n, most, chosen = len(counts), int(counts.max()), int((counts > 0).sum())
    if n == 1:
        return "The picture is one patch here: it can only match itself."
    share = round(100 * most / n)
    sentence = (
        f"**{most} of {n} patches ({share}%) chose the same target**; "
        f"{chosen} {'patch was' if chosen == 1 else 'patches were'} chosen at all."
    )
    return sentence + (" Matches collapse on a hub here." if share >= 50 and n > 3 else "")


def seconds(value: float) -> str:
    """A duration to read."""
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
