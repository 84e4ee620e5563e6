"""Maps of many networks side by side: one image, one window, each network's map and numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hpinet import HPINet, Matches, Picture, upscale
from hpinet.data.tables import markdown
from hpinet.errors import UserError
from hpinet.imaging.images import to_uint8
from hpinet.metrics.psnr_ssim import psnr_y
from lam.attribution.local_attribution import LocalAttribution
from lam.attribution.results import LocalAttributionResult, last
from lam.cause.effects import CausalEffect
from lam.cause.results import CausalEffectResult
from lam.metrics.agreement import Agreement, agreement
from lam.metrics.areas import area_report
from lam.metrics.patch_shares import patches_of
from lam.window import Window

MOST = 8  # networks that can be told apart in one figure
UNEXPLAINED = 0.02  # share of the detector's change from which a residual is reported

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
_SHOWN = {
    **{"model": "", "diffusion_index": ".2f", "area_50": ".1%", "area_80": ".1%"},
    **{"area_95": ".1%", "mean_distance": ".1f", "psnr": ".2f", "relative_residual": "+.1%"},
}
_SHOWN_OF_EFFECTS = {
    **{"model": "", "helpful": ".1%", "harmful": ".1%", "rank_correlation": ".2f"},
    **{"effect_positive": "", "effect_negative": "", "effect_null": ""},
}


@dataclass(frozen=True, eq=False)
class Compared:
    """One network's map of a window, its SR image and their numbers."""

    label: str
    scale: int
    sr: NDArray[np.uint8]  # (sh, sw, 3)
    result: LocalAttributionResult
    areas: dict[str, Any]  # of `lam.metrics.areas.area_report`
    psnr: float | None  # of the window, dB; None without an original or where they are equal
    weights_sha256: str = ""
    tried: tuple[tuple[int, float], ...] = ()  # steps and unexplained shares before refinement
    effects: CausalEffectResult | None = None

    @property
    def agreement(self) -> Agreement | None:
        """How attribution and effect agree; None without effects."""
        if self.effects is None:
            return None
        return agreement(self.result.importance, self.effects.effect, self.effects.block)

    @property
    def note(self) -> str:
        """A sentence where the map leaves, or left, too much unexplained; else empty."""
        share, steps = self.result.relative_residual, self.result.n_steps
        if not self.result.finished:
            return ""
        told = f"{self.label}: {share:+.1%} of the change is unexplained at {steps} steps"
        before = "".join(f", {s:+.1%} at {n}" for n, s in self.tried)
        if not _needs_mending(self.result):
            return told + before if before else ""
        if before:
            return f"{told}{before}: doubling did not mend it"
        doublings = max(1, math.ceil(math.log2(abs(share) / UNEXPLAINED) / _ORDER))
        return f"{told}; about {steps * 2**doublings} should do"

    def row(self) -> dict[str, Any]:
        """The numbers for a table: of the map, of `Agreement`, and of effects as ``effect_...``."""
        result, both = self.result, self.agreement
        finite = math.isfinite(result.relative_residual)
        row = {
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
        }
        if self.effects is not None and both is not None:
            summary = {f"effect_{name}": value for name, value in self.effects.summary().items()}
            row |= {**both.row(), **summary}
        return row


def _needs_mending(result: LocalAttributionResult) -> bool:
    """Whether a finished map leaves more than `UNEXPLAINED` of the change unexplained."""
    share = result.relative_residual
    return math.isfinite(share) and abs(share) > UNEXPLAINED


def steps_after(result: LocalAttributionResult, most: int) -> int:
    """The doubled steps that refine a map; 0 where it needs none or they exceed the most."""
    return 2 * result.n_steps if _needs_mending(result) and 2 * result.n_steps <= most else 0


def matches_for(network: nn.Module, matches: str) -> str:
    """The rule for matches where a network has matches; networks without take none."""
    return matches if isinstance(network, HPINet) and network.config.gpa else "live"


def patches_in(network: nn.Module, lr: Tensor) -> Matches | None:
    """The matches of the sharp image; without GPA the bare patches; None for other networks."""
    if isinstance(network, HPINet) and network.config.gpa:
        with torch.no_grad():
            return network(lr.to(next(network.parameters()).device), return_matches=True)[1]
    config = getattr(network, "config", None)
    if not hasattr(config, "patch_sizes"):
        return None
    return patches_of(config, lr.shape[-2], lr.shape[-1])  # type: ignore[arg-type]


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
    cause: bool = False,
    **options: Any,
) -> Compared:
    """Compute one network's map of a window, and its causal effects if ``cause``.

    Args:
        label: What it is called.
        network: With ``.scale``, in evaluation mode.
        lr: The LR image, (1, 3, h, w) RGB in [0, 1].
        window: In SR pixels.
        weights_sha256: The network's fingerprint.
        hr: The original, of (sh, sw) pixels; without it effects have no sign.
        matches: ``"live"`` or ``"frozen"``, for networks that have matches.
        progress: Takes shares from 0 to 1, of each map in turn.
        mend: Steps are doubled up to so many while more than `UNEXPLAINED` is unexplained.
        cause: Also compute causal effects, by the same interventions for all networks.
        **options: Of `LocalAttribution.attribute`.

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
    matches = matches_for(network, matches)

    def followed(steps: Iterator[Any]) -> Iterator[Any]:
        for found in steps:
            progress(found.progress)
            yield found

    attribution, tried = LocalAttribution(network), []
    while True:
        found = attribution.attribute_progressively(lr, window, matches=matches, **options)
        result = last(followed(found))
        if not (more := steps_after(result, mend)):
            break
        tried.append((result.n_steps, result.relative_residual))
        options["n_steps"] = more
    effects = None
    if cause:
        steps = CausalEffect(network).effects_progressively(
            lr, None if hr is None else hr.rgb, window, matches=matches
        )
        effects = last(followed(steps))
    return judged(
        label, to_uint8(upscale(network, lr).rgb), result, window, scale,
        hr=hr, patches=patches_in(network, lr), weights_sha256=weights_sha256,
        tried=tuple(tried), effects=effects,
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
    **more: Any,
) -> Compared:
    """A network's answer with its numbers; SR uint8 (sh, sw, 3), ``more`` as in `Compared`."""
    areas = area_report(result.importance, window, scale, patches)
    psnr = None if hr is None else _window_psnr(sr, hr, window)
    return Compared(label, scale, sr, result, areas, psnr, **more)


def _window_psnr(sr: NDArray[np.uint8], hr: Picture, window: Window) -> float | None:
    """PSNR-Y in dB; None where it is infinite or no pixel of the window is opaque."""
    rows = slice(window.top, window.top + window.size)
    columns = slice(window.left, window.left + window.size)
    original = hr.crop(window.top, window.left, window.size, window.size)
    if original.opaque is not None and not original.opaque.any():
        return None
    psnr = psnr_y(sr[rows, columns], original, 0)
    return psnr if math.isfinite(psnr) else None


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


def comparison_text(found: Sequence[Compared]) -> str:
    """The networks as Markdown: a line each, and what is to be said of their maps."""
    rows = [one.row() for one in found]
    parts = [markdown(rows, _SHOWN), *(one.note for one in found)]
    bad = [one.label for one in found if one.result.non_finite]
    if bad:
        parts.append(f"not to be trusted, gradients are not finite: {', '.join(bad)}")
    if any(one.effects is not None for one in found):
        parts += [
            markdown(rows, _SHOWN_OF_EFFECTS),
            "causal effects: shares of the importance outside the window in blocks that help and "
            "harm; rank correlation: of the blocks' importance and size of the effect",
        ]
    return "\n\n".join(filter(None, parts))
