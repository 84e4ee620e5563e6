"""The page's computations, each kept by content: super-resolution, scores, matches, attribution."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hpinet import Matches, Picture, bicubic, upscale
from hpinet.images import to_uint8
from hpinet.metrics import psnr_y, ssim_y
from lam import LocalAttribution, LocalAttributionResult, Window

from .cache import Cache
from .catalogue import OWN, Network
from .session import Study

Pixels = NDArray[np.uint8]
Region = tuple[int, int, int, int]  # left, top, height, width in LR pixels

LAM_PIXELS = 160 * 160
"""The most LR pixels that are attributed at once: memory and patience both grow with them."""

WHOLE_UP_TO = 96 * 96  # LR pixels that are attributed whole unless a crop is asked for


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


_restored: Cache[Restored] = Cache(32)
_matches: Cache[Matches] = Cache(32)
_attributions: Cache[LocalAttributionResult] = Cache(128)
_speeds: Cache[float] = Cache(32)  # seconds per step and LR pixel


_step = threading.Lock()  # held while a step is computed
_generation = [0]  # an attribution ends when this moves on


def end_running() -> None:
    """End all attributions after their current step and wait for it.

    Before Python exits: torch does not survive being cut short in the middle of a backward pass.
    """
    _generation[0] += 1
    with _step:
        pass


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


def matches_of(study: Study, network: Network) -> Matches:
    """Which patch each patch looks at, in every block."""

    def work() -> Matches:
        with torch.no_grad():
            return network.model(study.lr.rgb, return_matches=True)[1]

    return _matches.compute((study.key, network.label), work)


def region_around(window: Window, choice: str, size: tuple[int, int], scale: int) -> Region:
    """Which LR pixels to attribute: the whole picture, or a square around the window.

    Args:
        window: In SR pixels of the whole picture.
        choice: ``"auto"``, ``"whole"`` or the side of a square in LR pixels.
        size: Height and width of the LR picture.
        scale: SR pixels per LR pixel.

    Returns:
        (left, top, height, width) in LR pixels.

    Raises:
        ValueError: If the whole is too large, or the choice is none.
    """
    height, width = size
    if choice == "auto":
        choice = "whole" if height * width <= WHOLE_UP_TO else "64"
    if choice == "whole":
        if height * width > LAM_PIXELS:
            raise ValueError(
                f"The whole picture of {width}x{height} LR pixels is too large to be attributed "
                f"(limit {LAM_PIXELS}): choose a crop around the window."
            )
        return 0, 0, height, width
    if not choice.isdigit() or not 16 <= int(choice) <= 128:
        raise ValueError(f"The region is auto, whole, or 16 to 128 LR pixels, not {choice!r}.")
    high, wide = min(int(choice), height), min(int(choice), width)
    left = round((window.left + window.size / 2) / scale - wide / 2)
    top = round((window.top + window.size / 2) / scale - high / 2)
    return int(np.clip(left, 0, width - wide)), int(np.clip(top, 0, height - high)), high, wide


def attributed(
    study: Study, network: Network, way: str | None, window: Window, region: Region, steps: int
) -> Iterator[LocalAttributionResult]:
    """The map of a window, refined while one watches; at once where it is known.

    Args:
        study: The picture.
        network: The network.
        way: None with GPA, else how it is to be without.
        window: In SR pixels of the whole picture.
        region: What to attribute, from `region_around`.
        steps: Gradients to take.
    """
    key = (study.key, network.label, way, window, region, steps)
    known = _attributions.get(key)
    if known is not None:
        yield known
        return
    left, top, height, width = region
    crop = study.lr.rgb[..., top : top + height, left : left + width].contiguous()
    scale = network.scale
    inner = Window(window.left - left * scale, window.top - top * scale, window.size)
    model = network.model if way in (None, OWN) else network.without(str(way))
    rule = "own" if way == OWN else "live"
    progress = LocalAttribution(model).attribute_progressively(
        crop, inner, n_steps=steps, matches=rule
    )
    generation = _generation[0]
    while True:
        with _step:
            result = next(progress, None) if generation == _generation[0] else None
        if result is None:
            return
        if result.finished:
            _attributions.put(key, result)
            _speeds.put((network.label, way), result.seconds / (steps * height * width))
        yield result


def estimated_seconds(
    network: Network, ways: tuple[str | None, ...], region: Region, steps: int
) -> float | None:
    """How long the maps will take, by the speed measured so far; None when nothing was."""
    speeds = [_speeds.get((network.label, way)) for way in ways]
    known = [s for s in speeds if s is not None]
    if not known:
        return None
    mean = sum(known) / len(known)
    return sum((s or mean) for s in speeds) * steps * region[2] * region[3]
