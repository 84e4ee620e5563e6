"""How near each contender comes to the original, in numbers."""

from __future__ import annotations

import math
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hpinet.errors import UserError
from hpinet.metrics.backbone import BACKBONE_VARIABLE, fetch_backbone, find_backbone
from hpinet.metrics.lpips import LPIPS_MIN_SIZE, Lpips
from hpinet.metrics.psnr_ssim import psnr_y, ssim_y
from ui.state.inputs import Pixels, Study
from ui.storage.cache import Cache

from .contenders import Contender, Contenders

_SSIM_SIDE = 11  # pixels of SSIM's Gaussian window


@dataclass(frozen=True)
class Scores:
    """A contender's numbers; None where there is none.

    Attributes:
        psnr: PSNR of the luma in dB; infinite for equal images.
        ssim: SSIM of the luma.
        lpips: LPIPS v0.1 with AlexNet.
        seconds: How long the image took.
        waiting: Whether numbers are still to come.
        trouble: Why there is no image, in a sentence; empty where there is one.
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


class Scorer:
    """Computes scores and keeps them.

    Args:
        contenders: Computes the images.
        lpips: The perceptual metric; loaded when first asked for.
    """

    def __init__(self, contenders: Contenders, lpips: Lpips | None = None) -> None:
        self._contenders = contenders
        self._lpips = lpips or Lpips()
        self._fetching = threading.Lock()
        self._distances: Cache[float] = Cache(256)
        self._luma: Cache[tuple[float, float]] = Cache(256)

    def measure(self, contender: Contender, study: Study, scale: int, perceptual: bool) -> Scores:
        """All numbers of a contender, computing its image if need be.

        Args:
            contender: Not the original.
            study: The image.
            scale: SR pixels per LR pixel.
            perceptual: Whether to compute LPIPS; False leaves it open.
        """
        try:
            found = self._contenders.restored(contender, study, scale)
        except UserError as error:
            return Scores(trouble=str(error))
        hr = study.hr
        if hr is None:
            return Scores(seconds=found.seconds)
        key = (study.key, contender.key, scale)
        psnr, ssim = None, None
        if large_enough(study, scale):
            with suppress(UserError):  # no opaque pixels
                psnr, ssim = self._luma.compute(key, lambda: _luma(found.pixels, study, scale))
        distance = self._distances.get(key)
        if distance is None and perceptual and not self.lpips_reason(study):
            distance = self._distances.compute(key, lambda: self._lpips(found.pixels, hr))
        return Scores(psnr, ssim, distance, found.seconds, waiting=not perceptual)

    def lpips_reason(self, study: Study) -> str:
        """Why there is no LPIPS, in a sentence; empty where there is. Loads it when first asked.

        Never downloads anything by itself: this page asks nothing of other machines.
        """
        if study.hr is None:
            return ""
        if min(study.hr.shape[:2]) < LPIPS_MIN_SIZE:
            return f"LPIPS needs {LPIPS_MIN_SIZE} pixels a side."
        if find_backbone() is None:
            return (
                "LPIPS needs AlexNet's weights, which this page fetches only when it is told to, "
                "by the button of Super-resolve. Or run: python -m hpinet download lpips, or set "
                f"{BACKBONE_VARIABLE} to a file of them."
            )
        return self._lpips.reason

    def fetch_lpips(self) -> None:
        """Fetch what LPIPS needs, once, and keep it; called only when a visitor asked for it.

        Raises:
            ValueError: If it cannot be had or is something else.
            OSError: If it cannot be written here.
        """
        with self._fetching:
            self._lpips = Lpips(fetch_backbone())


def large_enough(study: Study, scale: int) -> bool:
    """Whether an image is large enough for PSNR and SSIM without its border."""
    return study.hr is not None and min(study.hr.shape[:2]) - 2 * scale >= _SSIM_SIDE


def _luma(pixels: Pixels, study: Study, scale: int) -> tuple[float, float]:
    hr = study.original_picture
    assert hr is not None
    return psnr_y(pixels, hr, scale), ssim_y(pixels, hr, scale)
