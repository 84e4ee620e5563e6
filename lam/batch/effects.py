"""Causal effects of many images and networks: a row a window, beside what LAM says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from hpinet import HPINet
from hpinet.data.result_store import ResultStore
from hpinet.metrics.confidence import interval
from lam.attribution.local_attribution import LocalAttribution
from lam.cause.effects import CausalEffect
from lam.metrics.agreement import agreement
from lam.window import Window

from .runner import METHOD, Settings, image_digest
from .summary import by_image, mean
from .table import CONTENT, layout

_OF_EFFECTS = (
    *("unit", "psnr", "positive", "negative", "null", "largest", "smallest"),
    *("sum_positive", "sum_negative", "outside_share", "passes"),
)
_BESIDE = (
    *("helpful", "harmful", "neither", "rank_correlation"),
    *("looked_at", "disagreement", "unseen"),
)
COLUMNS = (
    *("picture", "lr_width", "lr_height", "model", "left", "top", "window_size"),
    *_OF_EFFECTS,
    *("diffusion_index", *_BESIDE, "seconds"),
    *("lr_sha256", "hr_sha256", "weights_sha256", "parameters"),
)
"""See `lam.CausalEffectResult.summary` and `lam.metrics.agreement.Agreement`; ``seconds`` are those
of both maps, ``hr_sha256`` is empty without an original."""

_LAYOUT = layout(COLUMNS, (*CONTENT, "hr_sha256"))

MEANS = ("helpful", "harmful", "disagreement", "rank_correlation", "outside_share")
"""The columns that the summary gives means of."""


@dataclass(frozen=True)
class EffectSettings(Settings):
    """What all rows of a run share, attribution and effects.

    Attributes:
        block: Side of a block in LR pixels.
        protocol: See `lam.CausalEffect.effects_progressively`.
        passes: See there.
        seed: Of the patches and draws.
    """

    block: int = 2
    protocol: str = "adaptive"
    passes: int | None = None
    seed: int = 0

    def parameters(self) -> dict[str, Any]:
        """As `Settings.parameters`, and what decides the effects."""
        names = ("block", "protocol", "passes", "seed")
        return {**super().parameters(), **{name: getattr(self, name) for name in names}}

    def store(self, path: str | Path) -> ResultStore:
        """The table; arguments and errors as of `Settings.store`."""
        return ResultStore(path, _LAYOUT, self.parameters())

    def content(self, lr: Tensor, hr: Tensor | None) -> dict[str, str]:
        """As `Settings.content`; effects depend on the original, too."""
        return {
            **super().content(lr, hr),
            "hr_sha256": "" if hr is None else image_digest(hr),
        }

    def measure(
        self, network: nn.Module, lr: Tensor, hr: Tensor | None, window: Window
    ) -> dict[str, Any]:
        """One window in numbers; arguments and errors as of `Settings.measure`."""
        has_gpa = isinstance(network, HPINet) and network.config.gpa
        matches = self.matches if has_gpa else "live"
        effects = CausalEffect(network).effects(
            lr, hr, window, self.block, protocol=self.protocol, passes=self.passes,
            seed=self.seed, matches=matches,
        )  # fmt: skip
        beside = LocalAttribution(network).attribute(
            lr, window, n_steps=self.steps, method=METHOD, detector=self.detector, matches=matches
        )
        both = agreement(beside.importance, effects.effect, effects.block)
        return {
            "lr_width": lr.shape[-1],
            "lr_height": lr.shape[-2],
            **{name: effects.summary()[name] for name in _OF_EFFECTS},
            "diffusion_index": beside.diffusion_index,
            **both.row(),
            "seconds": effects.seconds + beside.seconds,
        }

    def summarise(self, rows: Iterable[Mapping[str, str]], models: Sequence[str]) -> dict[str, Any]:
        """Means over images, a network each.

        Returns:
            Plain values that fit into JSON. ``models``: a list, each with ``model``, ``n``
            (images), and for every one of `MEANS` its ``mean`` and 95% ``interval`` (None where
            unknown). ``maps``: how many.
        """
        known = [row for row in rows if row["model"] in models]
        found = []
        for model in models:
            mine = [row for row in known if row["model"] == model]
            values = {name: by_image(mine, name) for name in MEANS}
            about = {n: {"mean": mean(v), "interval": interval(v)} for n, v in values.items()}
            images = {(row["picture"], row["lr_sha256"]) for row in mine}
            found.append({"model": model, "n": len(images), **about})
        return {"models": found, "maps": len(known)}

    def format_summary(self, summary: Mapping[str, Any]) -> str:
        """Lay `summarise`'s findings out as text."""
        width = max(len(one["model"]) for one in summary["models"])
        heads = ("helps", "harms", "looked at in vain", "rank correlation", "far gain")
        lines = [f"{'model':{width}}  images  {'  '.join(f'{head:>17}' for head in heads)}"]
        for one in summary["models"]:
            cells = [_cell(one[name]["mean"], name) for name in MEANS]
            told = "  ".join(f"{cell:>17}" for cell in cells)
            lines.append(f"{one['model']:{width}}  {one['n']:6}  {told}")
        lines.append(
            "helps, harms: shares of the importance outside the window in blocks of such effect; "
            "looked at in vain: of the blocks with 80% of it, those that do not help; far gain: "
            "share of the positive effect outside the window's surroundings."
        )
        return "\n".join(lines)


def _cell(value: float | None, name: str) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if name == "rank_correlation" else f"{value:.1%}"
