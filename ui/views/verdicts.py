"""What the figures amount to, in sentences: from numbers that are computed already."""

from __future__ import annotations

from collections.abc import Sequence

from ui.compute.contenders import BICUBIC, NETWORK, NO_GPA, Contender
from ui.compute.scores import Scores
from ui.state.inputs import Study

from .html import paragraphs

PSNR_NOISE = 0.1
"""dB of PSNR-Y below which two networks are called equal on one image: training the same network
with another seed moves single images by as much."""


def contenders(rows: Sequence[tuple[Contender, Scores | None]], study: Study) -> str:
    """Who is nearest to the original, as HTML; empty without an original.

    Args:
        rows: Contenders with their scores.
        study: The image.
    """
    known = {c.kind: (c.label, s.psnr) for c, s in rows if s is not None and s.psnr is not None}
    if study.hr is None or NETWORK not in known:
        return ""
    label, own = known[NETWORK]
    told = []
    if BICUBIC in known:
        gain = own - known[BICUBIC][1]
        told.append(f"{label} is {_nearer(gain)} the original than bicubic interpolation.")
    if NO_GPA in known:
        other, psnr = known[NO_GPA]
        gain = own - psnr
        if abs(gain) < PSNR_NOISE:
            told.append(
                f"{other}: {psnr:.2f} dB, {label}: {own:.2f} dB. {abs(gain):.2f} dB is less than "
                "images of equally good networks differ by: on this image GPA makes no difference "
                "that counts."
            )
        elif gain > 0:
            told.append(f"{label} is {_nearer(gain)} the original than “{other}”.")
        else:
            told.append(
                f"“{other}” is {_nearer(-gain)} the original than {label}: it spends the same "
                "budget on each patch's own pixels, and where no other patch is alike, that is "
                "worth more than a match."
            )
    return paragraphs(told)


def _nearer(gain: float) -> str:
    if abs(gain) < PSNR_NOISE:
        return f"as near ({gain:+.2f} dB) to"
    return f"{abs(gain):.2f} dB {'nearer to' if gain > 0 else 'farther from'}"
