"""What the figures amount to, in sentences: from numbers that are computed already."""

from __future__ import annotations

from collections.abc import Sequence

from ui.compute.contenders import BICUBIC, NETWORK, NO_GPA, Contender
from ui.compute.scores import Scores
from ui.networks.network import Network
from ui.state.inputs import Study

from .html import paragraphs

PSNR_NOISE = 0.19
"""dB by which the difference of two networks' PSNR-Y must exceed 0 on one image to count: twice the
standard deviation (0.093) of the difference of S x4 and its twin over the 19 images of Set5 and
Set14, as docs/results.json has them."""

VISIBLE = (0.5, 2.0)
"""Mean changes in grey levels of 255: below the first, 8 bits hardly show it; below the second, few
eyes do."""


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
                f"the {PSNR_NOISE} dB by which the two differ from image to image: neither is "
                "better here."
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


def worth(network: Network, change: float, hubs: Sequence[float]) -> str:
    """What Global Pixel Access is worth on this image, as HTML.

    Args:
        network: One with GPA.
        change: Mean change of the SR image when GPA is switched off, in grey levels.
        hubs: For each block, the share of patches that attend to the same one.
    """
    seen = ["invisible", "hardly visible", "visible"][sum(change >= v for v in VISIBLE)]
    told = [
        f"Switching GPA (Global Pixel Access) off in {network.label}, weights as they are, changes "
        f"this image by {change:.1f} grey levels of 255 on average: {seen}."
    ]
    if hubs:
        block = max(range(len(hubs)), key=lambda n: hubs[n])
        told.append(
            f"In block {block + 1}, {hubs[block]:.0%} of the patches attend to one and the same."
        )
    return paragraphs(told)


def _nearer(gain: float) -> str:
    if abs(gain) < PSNR_NOISE:
        return f"as near ({gain:+.2f} dB) to"
    return f"{abs(gain):.2f} dB {'nearer to' if gain > 0 else 'farther from'}"
