"""Super-resolved images and their scores, each kept by content."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpinet import Picture, bicubic, upscale
from hpinet.imaging.images import to_uint8
from hpinet.metrics.psnr_ssim import psnr_y, ssim_y
from ui.state.cache import Cache
from ui.state.model_catalogue import Network
from ui.state.session import Study

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Restored:
    """One contender's picture.

    Attributes:
        picture: Colours and transparency.
        pixels: The colours in 8 bit, (sh, sw, 3).
        seconds: How long it took.
    """

    picture: Picture
    pixels: Pixels
    seconds: float


# By bytes, too: the largest picture takes 60 MB, and the page has to live in 16 GB beside the work.
_restored: Cache[Restored] = Cache(64, limit=512 * 2**20)


def enlarged(study: Study, scale: int) -> Restored:
    """The bicubic baseline."""
    return _restored.compute((study.key, scale), lambda: _timed(lambda: bicubic(study.lr, scale)))


def super_resolved(study: Study, network: Network, way: str | None = None) -> Restored:
    """The network's picture, or with ``way`` that of the network without GPA.

    Raises:
        PictureError: Too little memory, or damaged weights.
    """
    model = network.model if way is None else network.without(way)
    return _restored.compute(
        (study.key, network.label, way), lambda: _timed(lambda: upscale(model, study.lr))
    )


def _timed(work: Callable[[], Picture]) -> Restored:
    began = time.perf_counter()
    picture = work()
    return Restored(picture, to_uint8(picture.rgb), time.perf_counter() - began)


def scores(pixels: Pixels, hr: Pixels | None, scale: int) -> tuple[float, float] | None:
    """PSNR in dB and SSIM, both of the luma; None where there is no original or it is too small."""
    if hr is None or min(hr.shape[:2]) - 2 * scale < 11:
        return None
    return psnr_y(pixels, hr, scale), ssim_y(pixels, hr, scale)
