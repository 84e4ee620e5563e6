"""Maps of many networks side by side: one image, one window, each network's map and numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hpinet import HPINet, Matches, Picture, upscale
from hpinet.errors import UserError
from hpinet.imaging.images import to_uint8
from hpinet.metrics.psnr_ssim import psnr_y
from lam.attribution.local_attribution import LocalAttribution
from lam.attribution.results import LocalAttributionResult, last
from lam.cause.results import CausalEffectResult
from lam.metrics.agreement import Agreement, agreement
from lam.metrics.areas import area_report
from lam.window import Window

from .compared_effects import effect_row, format_effects
from .runner import patches_in

MOST = 8
"""Networks beside one another: more cannot be told apart."""

UNEXPLAINED = 0.02
"""Share of the detector's change from which a residual is said."""

SORTS = (
    *("diffusion_index", "psnr", "area_50", "area_80", "area_95", "mean_distance"),
    *("relative_residual", "given"),
)
"""What networks are sorted by, the largest size first; or as they were given."""

_ORDER = 1.5  # a residual falls about so fast with the steps, as measured on RLFN: 3.2% to 0.4%
_NUMBERS = (
    *("diffusion_index", "gini", "area_50", "area_80", "area_95", "mean_distance"),
    *("fine_area", "fine_mass", "coarse_area", "coarse_mass"),
)


@dataclass(frozen=True, eq=False)
class Compared:
    """One network's answer.

    Attributes:
        label: What it is called.
        scale: SR pixels per LR pixel.
        sr: The SR image, uint8 (sh, sw, 3).
        result: The map.
        areas: See `lam.metrics.areas.area_report`.
        psnr: PSNR-Y of the window against the original in dB; None without one or where they are
            equal.
        weights_sha256: The network's fingerprint.
        tried: Steps, and shares of the change left unexplained, of maps that this one mends.
        effects: The causal effects of its blocks, where they are asked for.
    """

    label: str
    scale: int
    sr: NDArray[np.uint8]
    result: LocalAttributionResult
    areas: dict[str, Any]
    psnr: float | None
    weights_sha256: str = ""
    tried: tuple[tuple[int, float], ...] = ()
    effects: CausalEffectResult | None = None

    @property
    def agreement(self) -> Agreement | None:
        """How attribution and effect agree; None without effects."""
        if self.effects is None:
            return None
        return agreement(self.result.importance, self.effects.effect, self.effects.block)

    @property
    def note(self) -> str:
        """What is to be said where the map leaves, or left, too much unexplained; else empty.

        The steps that would mend it are an estimate until they have been taken.
        """
        share, steps = self.result.relative_residual, self.result.n_steps
        if not self.result.finished:
            return ""
        before = ", ".join(f"{100 * s:+.1f}% at {n}" for n, s in self.tried)
        if not needs_mending(self.result):
            told = f"{self.label}: mended, {100 * share:+.1f}% unexplained at {steps} steps"
            return f"{told} ({before})" if before else ""
        told = f"{self.label}: {100 * share:+.1f}% of the change is unexplained at {steps} steps"
        if before:
            return f"{told} ({before}): doubling did not mend it"
        doublings = max(1, math.ceil(math.log2(abs(share) / UNEXPLAINED) / _ORDER))
        return f"{told}; about {steps * 2**doublings} should do"

    def row(self) -> dict[str, Any]:
        """The numbers, for a table."""
        result = self.result
        finite = math.isfinite(result.relative_residual)
        return {
            "model": self.label,
            "scale": self.scale,
            **{name: self.areas[name] for name in _NUMBERS},
            "psnr": self.psnr,
            "residual": result.residual,
            "relative_residual": result.relative_residual if finite else None,
            "steps": result.n_steps,
            "match_jumps": result.match_jumps,
            "non_finite": result.non_finite,
            "seconds": result.seconds,
            "weights_sha256": self.weights_sha256,
            **effect_row(self),
        }


def needs_mending(result: LocalAttributionResult) -> bool:
    """Whether a finished map leaves more than `UNEXPLAINED` of the change unexplained."""
    share = result.relative_residual
    return math.isfinite(share) and abs(share) > UNEXPLAINED


def steps_after(result: LocalAttributionResult, most: int) -> int:
    """How many steps are to be taken next to mend a map: twice as many; 0 where that is the end."""
    return 2 * result.n_steps if needs_mending(result) and 2 * result.n_steps <= most else 0


def compared(
    label: str,
    network: nn.Module,
    lr: Tensor,
    window: Window,
    *,
    weights_sha256: str = "",
    hr: Picture | None = None,
    matches: str = "live",
    progress: Callable[[float], Any] = lambda share: None,
    mend: int = 0,
    **options: Any,
) -> Compared:
    """One network's map of a window, its SR image and their numbers.

    Args:
        label: What it is called.
        network: With ``.scale``, in evaluation mode.
        lr: The LR image, (1, 3, h, w) RGB in [0, 1].
        window: In SR pixels.
        weights_sha256: The network's fingerprint.
        hr: The original, of (sh, sw) pixels.
        matches: ``"live"`` or ``"frozen"``, for networks that have matches.
        progress: Takes shares of the work from 0 to 1.
        mend: The steps up to which they are doubled while more than `UNEXPLAINED` of the change is
            left unexplained; 0 leaves it at that.
        **options: ``n_steps``, ``detector``, ``method``, ``path``, ``memory`` and others of
            `LocalAttribution.attribute`.

    Raises:
        ValueError: If the window, the original or an option does not fit.
    """
    scale = int(network.scale)  # type: ignore[arg-type]
    size = tuple(side * scale for side in lr.shape[-2:])
    if hr is not None and hr.size != size:
        raise UserError(
            f"the original has {hr.size[1]}x{hr.size[0]} pixels, but {label} makes "
            f"{size[1]}x{size[0]} from this image"
        )
    gpa = isinstance(network, HPINet) and network.config.gpa
    options["matches"] = matches if gpa else "live"

    def steps() -> Any:
        for found in LocalAttribution(network).attribute_progressively(lr, window, **options):
            progress(found.progress)
            yield found

    result, tried = last(steps()), []
    while more := steps_after(result, mend):
        tried.append((result.n_steps, result.relative_residual))
        options["n_steps"] = more
        result = last(steps())
    sr = to_uint8(upscale(network, lr).rgb)
    with torch.no_grad():
        patches = patches_in(network, lr)
    return judged(
        label, sr, result, window, scale,
        hr=hr, patches=patches, weights_sha256=weights_sha256, tried=tuple(tried),
    )  # fmt: skip


def judged(
    label: str,
    sr: NDArray[np.uint8],
    result: LocalAttributionResult,
    window: Window,
    scale: int,
    *,
    hr: Picture | None = None,
    patches: Matches | None = None,
    weights_sha256: str = "",
    tried: tuple[tuple[int, float], ...] = (),
) -> Compared:
    """A network's answer with its numbers.

    Args:
        label: What it is called.
        sr: Its SR image, (sh, sw, 3).
        result: The map of the window, maybe an estimate.
        window: In SR pixels.
        scale: SR pixels per LR pixel.
        hr: The original, of (sh, sw) pixels.
        patches: The network's matches, where it has them.
        weights_sha256: The network's fingerprint.
        tried: See `Compared`.
    """
    areas = area_report(result.importance, window, scale, patches)
    psnr = None if hr is None else _window_psnr(sr, hr, window)
    return Compared(label, scale, sr, result, areas, psnr, weights_sha256, tried)


def _window_psnr(sr: NDArray[np.uint8], hr: Picture, window: Window) -> float | None:
    rows = slice(window.top, window.top + window.size)
    columns = slice(window.left, window.left + window.size)
    original = hr.crop(window.top, window.left, window.size, window.size)
    if original.opaque is not None and not original.opaque.any():
        return None
    found = psnr_y(sr[rows, columns], original, 0)
    return found if math.isfinite(found) else None


def ordered(found: Sequence[Compared], by: str = "diffusion_index") -> list[Compared]:
    """Networks by one of `SORTS`; those without that number last.

    Raises:
        ValueError: If there is no such order.
    """
    if by not in SORTS:
        raise UserError(f"networks are sorted by {', '.join(SORTS)}, not {by!r}")
    if by == "given":
        return list(found)

    def key(one: Compared) -> tuple[bool, float]:
        value = one.row()[by]
        return value is None, -abs(value or 0.0)

    return sorted(found, key=key)


def format_comparison(found: Sequence[Compared]) -> str:
    """The networks as text: a line each, and what is to be said of their maps."""
    width = max(len(one.label) for one in found)
    heads = f"{'network':{width}}     DI  50% area  80% area  95% area  distance  window dB"
    lines = [f"{heads}  unexplained"]
    for one in found:
        areas, share = one.areas, one.result.relative_residual
        cells = [
            _cell(areas["diffusion_index"], ".2f", 6),
            *(_cell(areas[f"area_{p}"], ".1%", 9) for p in (50, 80, 95)),
            _cell(areas["mean_distance"], ".1f", 9),
            _cell(one.psnr, ".2f", 10),
            _cell(share if math.isfinite(share) else None, "+.1%", 12),
        ]
        lines.append(f"{one.label:{width}} {' '.join(cells)}")
    lines += [one.note for one in found if one.note]
    bad = [one.label for one in found if one.result.non_finite]
    if bad:
        lines.append(f"not to be trusted, gradients are not finite: {', '.join(bad)}")
    return "\n".join([*lines, *format_effects(found)])


def _cell(value: float | None, layout: str, width: int) -> str:
    return ("-" if value is None else format(value, layout)).rjust(width)
