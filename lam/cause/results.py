"""What a causal effect map says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lam.window import Window

from .sampling import Array, Mask

DECIBEL, GREY_LEVELS = "dB", "grey levels"
"""Units of effects: of the PSNR with an original, of the change of the window without one."""


@dataclass(frozen=True, eq=False)
class BlockMap:
    """One number a block, and how sure it is.

    Attributes:
        estimate: (rows, columns), NaN for blocks inside the window.
        standard_error: (rows, columns); NaN where it is not known: below two draws, and for
            replacements that are the same at every draw.
    """

    estimate: Array
    standard_error: Array


@dataclass(frozen=True, eq=False)
class CausalEffectResult:
    """A causal effect map (Hu et al. 2024).

    With an original, effect(b) = PSNR(window) - mean over interventions of PSNR(window | do(b)) in
    dB: positive where the block helps, negative where the network would do better without it.
    Without one, the unsigned change: the mean over interventions of the root mean square difference
    of the window's 8-bit values from the untouched ones, in grey levels.

    Attributes:
        estimate: (rows, columns), the effects as measured; NaN for blocks inside the window.
        standard_error: (rows, columns), of the estimate; NaN where it is not known.
        draws: (rows, columns), interventions on each block alone. Where 0, the estimate is a larger
            block's, shared out evenly.
        tolerance: Effects below it count as zero.
        unit: `DECIBEL` or `GREY_LEVELS`.
        psnr: Of the untouched window in dB; None without an original.
        block: Side of a block in LR pixels.
        passes: Interventions made; with ``matches="split"`` each is two passes.
        seconds: Time spent computing.
        progress: Share of the work done, 1 for the final result.
        params: Everything that reproduces the map, as plain values that fit into JSON.
        content: With ``matches="split"``: the effect with the untouched image's matches.
        by_matches: With ``matches="split"``: what the change of matches adds, live less frozen.
    """

    estimate: Array
    standard_error: Array
    draws: NDArray[np.int64]
    tolerance: float
    unit: str
    psnr: float | None
    block: int
    passes: int
    seconds: float
    progress: float
    params: dict[str, Any]
    content: BlockMap | None = None
    by_matches: BlockMap | None = None

    @property
    def signed(self) -> bool:
        """Whether effects have a sign: with an original they do."""
        return self.unit == DECIBEL

    @property
    def finished(self) -> bool:
        """Whether this is the final result."""
        return self.progress >= 1

    @cached_property
    def effect(self) -> Array:
        """(rows, columns): the estimate, 0 where it is below the tolerance, NaN in the window."""
        found = self.estimate.copy()
        found[np.abs(found) < self.tolerance] = 0  # NaN is not below it
        return found

    @cached_property
    def map(self) -> Array:
        """(h, w), the effect of the block that each LR pixel lies in; 0 inside the window."""
        height, width = self.params["lr_size"]
        filled = np.nan_to_num(self.effect)
        pixels = filled.repeat(self.block, axis=0).repeat(self.block, axis=1)
        return pixels[:height, :width]

    @property
    def positive(self) -> int:
        """Blocks that help; without an original, those that change the window."""
        return int((self.effect > 0).sum())

    @property
    def negative(self) -> int:
        """Blocks that harm; 0 without an original."""
        return int((self.effect < 0).sum())

    @property
    def null(self) -> int:
        """Blocks whose effect counts as zero."""
        return int((self.effect == 0).sum())

    @cached_property
    def outside_share(self) -> float:
        """Share of the positive effect outside the window's surroundings; NaN if there is none.

        The surroundings are the square of three times the window's side around it; a block is
        outside where its centre is.
        """
        gain = np.nan_to_num(self.effect).clip(0)
        window = Window(**self.params["window"])
        far = ~self._near(window)
        return float(gain[far].sum() / gain.sum()) if gain.sum() > 0 else float("nan")

    def summary(self) -> dict[str, Any]:
        """The figures that ``python -m lam cause --json`` prints; None for what is undefined."""
        known = np.nan_to_num(self.effect)
        share = self.outside_share
        return {
            "unit": self.unit,
            "psnr": self.psnr,
            "positive": self.positive,
            "negative": self.negative,
            "null": self.null,
            "largest": float(known.max()),
            "smallest": float(known.min()),
            "sum_positive": float(known.clip(0).sum()),
            "sum_negative": float(known.clip(None, 0).sum()),
            "outside_share": share if np.isfinite(share) else None,
            "passes": self.passes,
            "seconds": self.seconds,
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What ``map.npz`` holds: effect, estimate, standard_error and draws, block by block."""
        found: dict[str, NDArray[Any]] = {
            "effect": self.effect,
            "estimate": self.estimate,
            "standard_error": self.standard_error,
            "draws": self.draws,
        }
        for name in ("content", "by_matches"):
            part = getattr(self, name)
            if part is not None:
                found[name] = part.estimate
                found[f"{name}_standard_error"] = part.standard_error
        return found

    def _near(self, window: Window) -> Mask:
        """(rows, columns): whether a block's centre lies in the window's surroundings."""
        scale = self.params["scale"]
        (height, width), side = self.params["lr_size"], window.size
        inside = []
        for length, corner in ((height, window.top), (width, window.left)):
            starts = np.arange(0, length, self.block)
            centres = (starts + np.minimum(starts + self.block, length)) / 2 * scale
            inside.append((centres > corner - side) & (centres < corner + 2 * side))
        return np.asarray(inside[0][:, None] & inside[1][None, :])


def blocks_inside(window: Window, lr_size: tuple[int, int], block: int, scale: float) -> Mask:
    """Which blocks lie wholly inside the window.

    Args:
        window: In SR pixels.
        lr_size: (height, width) in LR pixels.
        block: Side in LR pixels.
        scale: SR pixels per LR pixel.

    Returns:
        (rows, columns).
    """
    inside = []
    for length, corner in zip(lr_size, (window.top, window.left), strict=True):
        starts = np.arange(0, length, block)
        ends = np.minimum(starts + block, length)
        inside.append((starts * scale >= corner) & (ends * scale <= corner + window.size))
    return np.asarray(inside[0][:, None] & inside[1][None, :])
