"""Maps or causal effects of many images and networks, a row a window: ``python -m lam dataset``."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import gather_object
from torch import Tensor, nn
from tqdm import tqdm

from hpinet.data.result_table import ResultTable, Row
from hpinet.evaluation.candidates import Candidate
from lam.attribution.local_attribution import LocalAttribution
from lam.attribution.paths import GaussianBlurPath
from lam.cause.effects import CausalEffect
from lam.metrics.agreement import agreement
from lam.metrics.areas import area_report
from lam.window import Window

from .comparison import matches_for, patches_in
from .sources import Source, skipping
from .window_choice import WindowChoice

METHOD = "gausslegendre"

_PLACE = ("picture", "lr_width", "lr_height", "model", "left", "top", "window_size")
_OF_RESULT = (
    *("detector_start", "detector_end", "integral", "match_jumps"),
    *("residual", "relative_residual", "non_finite", "seconds"),
)
_OF_EFFECTS = (
    *("unit", "psnr", "positive", "negative", "null", "largest", "smallest"),
    *("sum_positive", "sum_negative", "outside_share", "passes"),
)
COLUMNS = {
    "lam": (
        *_PLACE,
        *("diffusion_index", "gini", "area_50", "area_80", "area_95", "mean_distance"),
        *("box_left", "box_top", "box_width", "box_height", "box_mass"),
        *("fine_area", "fine_mass", "coarse_area", "coarse_mass"),
        *("outside_patch", "in_match", "outside_patch_by_block", "in_match_by_block"),
        *_OF_RESULT,
        *("lr_sha256", "weights_sha256", "parameters"),
    ),
    "cause": (
        *_PLACE,
        *_OF_EFFECTS,
        *("diffusion_index", "helpful", "harmful", "neither", "rank_correlation"),
        *("looked_at", "disagreement", "unseen", "seconds"),
        *("lr_sha256", "hr_sha256", "weights_sha256", "parameters"),
    ),
}
"""Of the table, by method, see `lam.metrics.areas.area_report`, `lam.CausalEffectResult.summary`
and `lam.metrics.agreement.Agreement`; ``hr_sha256`` is empty without an original."""

_CONTENT = ("lr_sha256", "top", "left", "window_size", "model", "weights_sha256")


@dataclass(frozen=True)
class Settings:
    """What all rows of a run share."""

    scale: int
    choice: WindowChoice
    window_size: int = 16  # SR pixels, where the choice leaves it open
    size: int | None = None  # LR images are cropped to their middle pixels, so many a side
    steps: int = 50
    detector: str = "gradient"
    matches: str = "live"  # or frozen; a network without GPA has none to freeze
    effects: Mapping[str, Any] | None = None  # options of `lam.CausalEffect`; None for maps alone

    def parameters(self) -> dict[str, Any]:
        """What two rows must share to be compared, beyond pixels, weights and window."""
        return {
            "detector": self.detector,
            "matches": self.matches,
            "method": METHOD,
            "n_steps": self.steps,
            "path": GaussianBlurPath().describe(),
            "scale": self.scale,
            **(self.effects or {}),
        }


def measure_dataset(
    settings: Settings, sources: Sequence[Source], candidates: Sequence[Candidate], path: Path
) -> tuple[list[Row], dict[str, str]]:
    """The rows of this run as text, and why images were skipped; the CSV's rows are taken over.

    Several processes (see `hpinet.processes`) share the work; all get the same answer.

    Raises:
        ValueError: If the file is no such table, or one of other parameters.
    """
    cause = settings.effects is not None
    content = (*_CONTENT, "hr_sha256") if cause else _CONTENT
    columns = COLUMNS["cause" if cause else "lam"]
    table = ResultTable(path, columns, ("picture",), content, settings.parameters())
    state, windows = PartialState(), settings.choice.windows
    rows: list[Row] = []
    skipped: dict[str, str] = {}
    # Image by image, so that no process gets the slowest network each time.
    work = [(source, candidate) for source in sources for candidate in candidates]
    hidden = None if state.is_main_process else True  # None: hidden where stderr is no terminal
    with (
        state.split_between_processes(work) as mine,
        tqdm(total=len(mine) * windows, unit="map", disable=hidden) as bar,
    ):
        for number, (source, candidate) in enumerate(mine, 1):
            with skipping(source.name, skipped):
                rows += table.add(list(_rows(settings, table, source, candidate, bar)))
            bar.update(number * windows - bar.n)
    table.finish()
    return gather_object(rows), dict(gather_object(list(skipped.items())))


def _rows(
    settings: Settings, table: ResultTable, source: Source, candidate: Candidate, bar: tqdm
) -> Iterator[Mapping[str, Any]]:
    lr, hr = source.read(settings.scale, settings.size)
    measure = measure_map if settings.effects is None else measure_effects
    for window in settings.choice.choose(lr, settings.scale, settings.window_size):
        about = {
            "picture": source.name,
            "lr_sha256": _digest(lr),
            "hr_sha256": "" if hr is None else _digest(hr),
            "model": candidate.label,
            "weights_sha256": candidate.weights_sha256,
            "left": str(window.left),
            "top": str(window.top),
            "window_size": str(window.size),
            "parameters": str(table.parameters),
        }
        row: Mapping[str, Any] | None = table.find(about)
        if row is None:
            size = {"lr_width": lr.shape[-1], "lr_height": lr.shape[-2]}
            row = {**about, **size, **measure(candidate.network, lr, hr, window, settings)}
        yield row
        bar.update()


def _digest(image: Tensor) -> str:
    """What an image (1, 3, h, w) is known again by."""
    pixels = repr(tuple(image.shape)).encode() + image.numpy().tobytes()
    return hashlib.sha256(pixels).hexdigest()[:16]


def measure_map(
    network: nn.Module, lr: Tensor, hr: Tensor | None, window: Window, settings: Settings
) -> dict[str, Any]:
    """One map in numbers: the columns of a row that depend on the network."""
    result = LocalAttribution(network).attribute(
        lr, window, n_steps=settings.steps, method=METHOD, detector=settings.detector,
        matches=matches_for(network, settings.matches),
    )  # fmt: skip
    areas = area_report(result.importance, window, settings.scale, patches_in(network, lr))
    box, blocks = areas.pop("box") or [None] * 4, areas.pop("blocks")
    for name in ("outside_patch", "in_match"):
        areas[f"{name}_by_block"] = [block[name] for block in blocks] or None
    sides = ("box_left", "box_top", "box_width", "box_height")
    numbers = {name: getattr(result, name) for name in _OF_RESULT}
    return _finite({**areas, **dict(zip(sides, box, strict=True)), **numbers})


def measure_effects(
    network: nn.Module, lr: Tensor, hr: Tensor | None, window: Window, settings: Settings
) -> dict[str, Any]:
    """One window's causal effects next to its map in numbers; ``seconds`` are of both."""
    matches = matches_for(network, settings.matches)
    effects = CausalEffect(network).effects(
        lr, hr, window, matches=matches, **(settings.effects or {})
    )
    beside = LocalAttribution(network).attribute(
        lr, window, n_steps=settings.steps, method=METHOD, detector=settings.detector,
        matches=matches,
    )  # fmt: skip
    summary = effects.summary()
    return _finite(
        {
            **{name: summary[name] for name in _OF_EFFECTS},
            "diffusion_index": beside.diffusion_index,
            **agreement(beside.importance, effects.effect, effects.block).row(),
            "seconds": effects.seconds + beside.seconds,
        }
    )


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """Nothing stands for infinity, which JSON lacks."""
    wrong = (name for name, v in row.items() if isinstance(v, float) and not math.isfinite(v))
    return {**row, **dict.fromkeys(wrong)}
