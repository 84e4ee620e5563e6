"""The table of scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ui.compute.contenders import ORIGINAL, Contender
from ui.compute.scores import Scores
from ui.state.inputs import Study

from .html import render
from .text import seconds

_PENDING, _NONE = "…", "none"
_HEAD = (
    ("Contender", ""),
    ("PSNR-Y (dB)", "brightness error; higher is nearer"),
    ("SSIM", "likeness of structure; best is 1"),
    ("LPIPS", "distance to the eye; best is 0"),
    ("Time (s)", "when it ran here"),
)
"""Columns and what they mean."""


def table(
    rows: Sequence[tuple[Contender, Scores | None]], study: Study, lpips_reason: str = ""
) -> str:
    """The table as HTML.

    Args:
        rows: Contenders with their scores, None for scores that are still to come.
        study: The image.
        lpips_reason: Why there is no LPIPS, if that is known.
    """
    compared = [(c, s) for c, s in rows if c.kind != ORIGINAL]
    return render(
        "scores",
        head=_HEAD,
        rows=[
            {"label": c.label, "cells": list(zip(_cells(s, study), marks, strict=True))}
            for (c, s), marks in zip(compared, _best([s for _, s in compared]), strict=True)
        ],
        troubles=[s.trouble for _, s in compared if s is not None and s.trouble],
        reason=lpips_reason,
    )


def _best(found: Sequence[Scores | None]) -> list[list[bool]]:
    """Which numbers of each row are the best of their column; times are no contest."""
    marks = [[False] * (len(_HEAD) - 1) for _ in found]
    for column, (name, better) in enumerate((("psnr", max), ("ssim", max), ("lpips", min))):
        known = [v for s in found if s is not None and (v := getattr(s, name)) is not None]
        for row, scores in enumerate(found):
            if len(known) > 1 and scores is not None:
                marks[row][column] = getattr(scores, name) == better(known)
    return marks


def _cells(scores: Scores | None, study: Study) -> list[str]:
    if scores is None:
        return [_PENDING] * (len(_HEAD) - 1)
    time = _NONE if scores.seconds is None else seconds(scores.seconds).removesuffix(" s")
    if study.hr is None:
        return [_NONE, _NONE, _NONE, time]
    psnr = _NONE if scores.psnr is None else f"{scores.psnr:.2f}"
    if scores.psnr is not None and math.isinf(scores.psnr):
        psnr = "equal"
    ssim = _NONE if scores.ssim is None else f"{scores.ssim:.4f}"
    lpips = _PENDING if scores.waiting and not scores.trouble else _NONE
    if scores.lpips is not None:
        lpips = f"{scores.lpips:.4f}"
    return [psnr, ssim, lpips, time]
