"""Figures in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from hpinet.analysis.match_statistics import in_degree
from hpinet.networks.open import BUNDLED
from lam import MethodResult, area_fractions
from ui.networks.network import BOTH, SWITCHED_OFF, TWIN, NetworkInfo
from ui.state.options import CAUSE
from ui.state.record import MapsRecord, MatchesRecord, Result, Subject

WITHOUT = {
    TWIN: "a twin trained without GPA",
    SWITCHED_OFF: "same weights, GPA switched off",
    BOTH: "both, side by side",
}
"""The ways to be without GPA, named as what they are."""

TITLES = {
    TWIN: "Without GPA: a twin trained without it",
    SWITCHED_OFF: "Without GPA: same weights, switched off",
}
"""The same over a map, where there is little room."""

SHORT_TITLES = {TWIN: "Without GPA: trained so", SWITCHED_OFF: "Without GPA: switched off"}
"""The same over four maps in a row."""

METHODS = {
    "lam": "LAM (Local Attribution Map)",
    "saliency": "Saliency",
    "input_x_gradient": "Input x Gradient",
    "occlusion": "Occlusion",
    CAUSE: "Causal effect beside LAM: does it help?",
}
"""The names of `ui.state.options.methods`."""

BICUBIC = "It uses the 2 nearest LR pixels on each side: a network should use more."

DETECTOR = "The strength of the window's detail along the path"

NOTABLE = 0.16
"""Logarithm of the quotient of two diffusion indices below which neither is called wider: twice the
standard deviation of ln(DI with GPA / DI without) among neighbouring windows of one image, S x4
and its twin on the five examples, by `benchmarks/windows.py` (docs/lam.md)."""


def explained(
    result: Result | None, others: Sequence[Result | None] = (), first: bool = False
) -> list[str]:
    """What a map says, a sentence each, beside those of the network without GPA.

    Args:
        result: The map; None while there is none.
        others: Those without GPA, in the order of the page.
        first: Whether to say what the diffusion index is.
    """
    if result is None:
        return ["Coming."]
    about = "0-100: how widely the pixels that matter spread"
    told = [f"**Diffusion index {spread(result)}**" + (f" ({about})" if first else "")]
    if result.finished:
        told.append(areas(result.importance))
    told += [balance(result), comparison(result, *others)]
    return [sentence for sentence in told if sentence]


def in_matches(shares: Sequence[float | None]) -> list[str]:
    """How much of the importance only matches can have brought, by block."""
    known = [share for share in shares if share is not None]
    if not known:
        return []
    mean = sum(known) / len(known)
    return [f"{percent(mean)} of the importance lies in matched patches (mean over the blocks)."]


def areas(importance: ArrayLike) -> str:
    """The smallest areas that hold most of a map, in a sentence."""
    shares = area_fractions(importance)
    if not all(math.isfinite(s) for s in shares):
        return "The map is zero everywhere: nothing in the window depends on a pixel."
    half, most, nearly = (f"{100 * s:.2g}%" for s in shares)
    return f"50 / 80 / 95% of the importance lie in **{half} / {most} / {nearly}** of the pixels."


def of_image(subject: Subject) -> str:
    """Which image and network something is of."""
    height, width = subject.study.size
    return f"{subject.study.name}, {width}x{height} LR pixels, {subject.network.label}"


def origin(network: NetworkInfo) -> str:
    """Where a network comes from, and what is known of its training."""
    if network.path is None or network.path.parent == Path():
        return "yours: uploaded for this visit"
    if network.path.parent == BUNDLED:
        return "bundled: trained from scratch for hours, not weeks; its model card is under About"
    return "from the server's folder of weights"


def of_maps(record: MapsRecord | None) -> str:
    """What maps are of, in a sentence; empty where there are none."""
    if record is None:
        return ""
    window, (left, top, height, width), how = record.window, record.region, record.how
    by = f"{how.steps} steps" if how.method == "lam" else METHODS[how.method]
    by += " and causal effects" if record.causal else ""
    return (
        f"Dimmed: maps of {record.study.name}, {record.network.label}, window of {window.size} "
        f"pixels at ({window.left}, {window.top}), {width}x{height} LR pixels from ({left}, {top})"
        f", {by}."
    )


def of_matches(record: MatchesRecord | None) -> str:
    """What matches are of, in a sentence; empty where there are none."""
    return "" if record is None else f"Dimmed: matches of {of_image(record)}."


def balance(result: Result) -> str:
    """What explains the detector's change, in parts of 100."""
    if isinstance(result, MethodResult):
        return "This method keeps no account of what it explains; LAM does."
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


def spread(result: Result | None) -> str:
    """The diffusion index of a result, or a dash."""
    if result is None or not math.isfinite(result.diffusion_index):
        return "none"
    return f"{result.diffusion_index:.1f}"


def comparison(with_gpa: Result, *without: Result | None) -> str:
    """The diffusion indices with GPA and without, one way or two, in a sentence."""
    known = [r for r in without if r is not None]
    finished = with_gpa.finished and all(r.finished for r in known)
    indices = [r.diffusion_index for r in (with_gpa, *known)]
    if not known or len(known) < len(without) or not finished:
        return ""
    if not all(math.isfinite(v) for v in indices):
        return ""
    a, b = indices[:2]
    relation = "wider" if a > b else "narrower"
    against = f"DI {a:.1f} against {b:.1f}"
    if len(indices) > 2:
        against += f" trained without it and {indices[2]:.1f} switched off"
    if abs(math.log(max(a, 1e-9) / max(b, 1e-9))) < NOTABLE:
        return (
            f"With and without GPA, it uses an area about as wide: {against}. Neighbouring windows "
            "differ by as much."
        )
    return f"With GPA the network uses a {relation} area: {against}."


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
        return "The image is one patch here: it can only match itself."
    share = round(100 * most / n)
    sentence = (
        f"**{most} of {n} patches ({share}%) chose the same target**; "
        f"{chosen} {'patch was' if chosen == 1 else 'patches were'} chosen at all."
    )
    return sentence + (" Matches collapse on a hub here." if share >= 50 and n > 3 else "")


def percent(share: float) -> str:
    """A share in percent, or a word for an undefined one."""
    if not math.isfinite(share):
        return "none"
    percent = round(100 * share, 1) + 0.0  # no -0.0
    return f"{percent:.1f}%" if abs(percent) < 10 else f"{percent:.0f}%"


def seconds(value: float) -> str:
    """A duration to read."""
    if value >= 120:
        return f"{value / 60:.0f} min"
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
