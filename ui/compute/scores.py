"""How near each contender comes to the original, as numbers and as a table."""

from __future__ import annotations

import html
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hpinet.metrics.lpips import BACKBONE_VARIABLE, LPIPS_MIN_SIZE, Lpips
from ui.state.cache import Cache
from ui.state.session import Study
from ui.views import text

from . import super_resolution
from .contenders import NETWORK, ORIGINAL, Contender, restored

_PENDING, _NONE = "…", "none"
_HEAD = (
    ("Contender", ""),
    ("PSNR-Y (dB)", "brightness error; higher is nearer"),
    ("SSIM", "likeness of structure; best is 1"),
    ("LPIPS", "distance to the eye; best is 0"),
    ("Time (s)", "when it ran here"),
)
"""Columns and what they mean."""

_lpips = Lpips()
_distances: Cache[float] = Cache(256)
_known_scores: Cache[tuple[float, float]] = Cache(256)


@dataclass(frozen=True)
class Scores:
    """A contender's numbers; None where there is none.

    Attributes:
        psnr: PSNR of the luma in dB; infinite for equal pictures.
        ssim: SSIM of the luma.
        lpips: LPIPS v0.1 with AlexNet.
        seconds: How long the picture took.
        waiting: Whether numbers are still to come.
        trouble: Why there is no picture, in a sentence; empty where there is one.
    """

    psnr: float | None = None
    ssim: float | None = None
    lpips: float | None = None
    seconds: float | None = None
    waiting: bool = False
    trouble: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which knows no infinity."""
        finite = self.psnr is not None and math.isfinite(self.psnr)
        found = {"psnr_y_db": self.psnr if finite else None, "ssim_y": self.ssim}
        found |= {"lpips": self.lpips, "seconds": self.seconds}
        return {**found, "trouble": self.trouble} if self.trouble else found


def lpips_reason(study: Study) -> str:
    """Why there is no LPIPS, in a sentence; empty where there is. Loads it when first asked.

    Never downloads anything by itself: this page asks nothing of other machines. On a Hugging Face
    Space, where there is no one else to do so, it may.
    """
    if study.hr is None:
        return ""
    if min(study.hr.shape[:2]) < LPIPS_MIN_SIZE:
        return f"LPIPS needs {LPIPS_MIN_SIZE} pixels a side."
    if not (os.environ.get(BACKBONE_VARIABLE) or os.environ.get("SPACE_ID") or _in_hub_cache()):
        return (
            "LPIPS needs AlexNet's weights, which this page does not fetch by itself: set "
            f"{BACKBONE_VARIABLE} to a file of them, or run `python -m hpinet evaluate --lpips` "
            "once with network access."
        )
    return _lpips.reason


def _in_hub_cache() -> bool:
    return any(Path(torch.hub.get_dir(), "checkpoints").glob("alexnet-owt-*.pth"))


def measure(contender: Contender, study: Study, scale: int, perceptual: bool) -> Scores:
    """All numbers of a contender, computing its picture if need be.

    Args:
        contender: Not the original.
        study: The picture.
        scale: SR pixels per LR pixel.
        perceptual: Whether to compute LPIPS; False leaves it open.
    """
    try:
        found = restored(contender, study, scale)
    except ValueError as error:
        return Scores(trouble=str(error))
    if study.hr is None:
        return Scores(seconds=found.seconds)
    key = (study.key, contender.key, scale)
    luma = _known_scores.get(key)
    if luma is None:
        luma = super_resolution.scores(found.pixels, study.hr, scale)
        if luma is not None:
            _known_scores.put(key, luma)
    psnr, ssim = luma or (None, None)
    distance = _distances.get(key)
    if distance is None and perceptual and not lpips_reason(study):
        distance = _distances.put(key, _lpips(found.pixels, study.hr))
    return Scores(psnr, ssim, distance, found.seconds, waiting=not perceptual)


def as_table(rows: list[tuple[Contender, Scores | None]], study: Study) -> str:
    """The table as HTML; a contender without scores is one that is still to come."""
    head = "".join(
        f"<th scope='col'>{html.escape(name)}<small>{html.escape(meaning)}</small></th>"
        for name, meaning in _HEAD
    )
    body, troubles = "", []
    for contender, scores in rows:
        if contender.kind == ORIGINAL:
            continue
        cells = _cells(scores, study)
        mark = ' class="ours"' if contender.kind == NETWORK else ""
        body += f"<tr{mark}><th scope='row'>{html.escape(contender.label)}</th>"
        body += "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
        if scores is not None and scores.trouble:
            troubles.append(scores.trouble)
    notes = "".join(f"<p>{html.escape(t)}</p>" for t in troubles)
    return (
        f'<table class="scores"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}'
    )


def _cells(scores: Scores | None, study: Study) -> list[str]:
    if scores is None:
        return [_PENDING] * (len(_HEAD) - 1)
    time = _NONE if scores.seconds is None else text.seconds(scores.seconds).removesuffix(" s")
    if study.hr is None:
        return [_NONE, _NONE, _NONE, time]
    distance = scores.lpips
    missing = _PENDING if scores.waiting and not scores.trouble else _NONE
    return [
        _NONE
        if scores.psnr is None
        else "equal"
        if math.isinf(scores.psnr)
        else f"{scores.psnr:.2f}",
        _NONE if scores.ssim is None else f"{scores.ssim:.4f}",
        missing if distance is None else f"{distance:.4f}",
        time,
    ]
