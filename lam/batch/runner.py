"""Many images, several networks: what there is to compute, and what each map gives in numbers."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from hpinet import HPINet
from hpinet.data.result_store import Key, ResultStore, Row
from hpinet.errors import UserError
from hpinet.evaluation.candidates import Candidate
from lam.attribution.local_attribution import LocalAttribution
from lam.attribution.paths import GaussianBlurPath
from lam.metrics.areas import area_report
from lam.metrics.patch_shares import patches_of
from lam.window import Window

from .sources import Source
from .summary import format_summary, summarise
from .table import map_store, row_of
from .window_choice import WindowChoice

METHOD = "gausslegendre"


_OF_RESULT = (
    *("detector_start", "detector_end", "integral", "match_jumps"),
    *("residual", "relative_residual", "non_finite", "seconds"),
)


@dataclass(frozen=True)
class Settings:
    """What all maps of a run share.

    Attributes:
        scale: SR pixels per LR pixel.
        choice: Which windows are asked about.
        window_size: Their side in SR pixels, where the choice leaves it open.
        size: LR images are cropped to their middle ``size`` pixels a side; None takes them whole.
        steps: Gradients for each map.
        detector: Name of the detector.
        matches: ``"live"`` or ``"frozen"``; a network without GPA has none to freeze.
    """

    scale: int
    choice: WindowChoice
    window_size: int = 16
    size: int | None = None
    steps: int = 50
    detector: str = "gradient"
    matches: str = "live"

    def parameters(self) -> dict[str, Any]:
        """What two rows must share to be compared, beyond pixels, weights and window."""
        return {
            "detector": self.detector,
            "matches": self.matches,
            "method": METHOD,
            "n_steps": self.steps,
            "path": GaussianBlurPath().describe(),
            "scale": self.scale,
        }

    def store(self, path: str | Path) -> ResultStore:
        """The table of such rows, read if it exists.

        Raises:
            ValueError: If the file is no such table, or one of other parameters.
            OSError: If it cannot be read.
        """
        return map_store(path, self.parameters())

    def content(self, lr: Tensor, hr: Tensor | None) -> dict[str, str]:
        """What the images are, for the columns that say what a row is about."""
        return {"lr_sha256": image_digest(lr)}

    def measure(
        self, network: nn.Module, lr: Tensor, hr: Tensor | None, window: Window
    ) -> dict[str, Any]:
        """One window in numbers: the columns of a row that depend on the network.

        Args:
            network: In evaluation mode, with ``.scale``.
            lr: The LR image, (1, 3, h, w) RGB in [0, 1].
            hr: The original, (1, 3, sh, sw), where there is one.
            window: In SR pixels.

        Raises:
            ValueError: If the window or a setting does not fit.
        """
        return measure(network, lr, window, self)

    def summarise(self, rows: Iterable[Row], models: Sequence[str]) -> dict[str, Any]:
        """See `lam.batch.summary.summarise`."""
        return summarise(rows, models)

    def format_summary(self, summary: Mapping[str, Any]) -> str:
        """See `lam.batch.summary.format_summary`."""
        return format_summary(summary)


def share_of_work(
    sources: Sequence[Source], candidates: Sequence[Candidate], process: int, processes: int
) -> Iterator[tuple[Source, Candidate]]:
    """The pairs of image and network that one process computes, the same at every run.

    Pair number k goes to process k modulo ``processes``. Every image begins with another network,
    so that no process gets the slowest one each time.
    """
    count = len(candidates)
    for i, source in enumerate(sources):
        for j in range(count):
            if (i * count + j) % processes == process:
                yield source, candidates[(i + j) % count]


@dataclass
class Survey:
    """The maps of a run, as far as one process computes them.

    Attributes:
        settings: What all maps share.
        known: Rows of earlier runs.
        table: Where new rows are written; may be ``known`` itself.
        places: Keys of all rows that belong to the run, see `ResultStore.key`.
        skipped: Names of images that could not be used, and why.
    """

    settings: Settings
    known: ResultStore
    table: ResultStore
    places: list[Key] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def do(self, work: Sequence[tuple[Source, Candidate]], show: bool) -> None:
        """Compute what is not known yet; the table is written after every image and network."""
        windows = self.settings.choice.windows
        hidden = None if show else True  # None: hidden where stderr is no terminal
        with tqdm(total=len(work) * windows, unit="map", disable=hidden) as bar:
            for number, (source, candidate) in enumerate(work, 1):
                new = []
                try:
                    for row in self._rows(source, candidate):
                        place = self.known.key(row)
                        self.places.append(place)
                        if place not in self.known.rows:
                            new.append(row)
                        bar.update()
                except (UserError, OSError, MemoryError, torch.cuda.OutOfMemoryError) as error:
                    self._skip(source.name, error)
                bar.update(number * windows - bar.n)
                if new:
                    self.table.add(new)

    def _rows(self, source: Source, candidate: Candidate) -> Iterator[Row]:
        options = self.settings
        lr, hr = source.read_pair(options.scale, options.size)
        images = options.content(lr, hr)
        for window in options.choice.choose(lr, options.scale, options.window_size):
            about = {
                "picture": source.name,
                **images,
                "model": candidate.label,
                "weights_sha256": candidate.weights_sha256,
                "left": str(window.left),
                "top": str(window.top),
                "window_size": str(window.size),
            }
            found = self.known.find(about)
            if found is None:
                values = options.measure(candidate.network, lr, hr, window)
                row = {**about, **values, "parameters": self.table.parameters}
                found = row_of(row, self.table.layout.columns)
            yield found

    def _skip(self, name: str, error: Exception) -> None:
        if name not in self.skipped:  # or another network has met it before
            self.skipped[name] = " ".join(str(error).split()) or type(error).__name__
            # At once, above the progress bar: a run may take days.
            tqdm.write(f"lam: {name} is skipped: {self.skipped[name]}", file=sys.stderr)


def image_digest(lr: Tensor) -> str:
    """What an image (1, 3, h, w) is known again by."""
    pixels = repr(tuple(lr.shape)).encode() + lr.numpy().tobytes()
    return hashlib.sha256(pixels).hexdigest()[:16]


def measure(network: nn.Module, lr: Tensor, window: Window, settings: Settings) -> dict[str, Any]:
    """One map in numbers: the columns of a row that depend on the network.

    Args:
        network: In evaluation mode, with ``.scale``.
        lr: The LR image, (1, 3, h, w) RGB in [0, 1].
        window: In SR pixels.
        settings: How the map is computed.

    Raises:
        ValueError: If the window or a setting does not fit.
    """
    has_gpa = isinstance(network, HPINet) and network.config.gpa
    result = LocalAttribution(network).attribute(
        lr,
        window,
        n_steps=settings.steps,
        method=METHOD,
        detector=settings.detector,
        matches=settings.matches if has_gpa else "live",
    )
    areas = area_report(result.importance, window, settings.scale, patches_in(network, lr))
    box, blocks = areas.pop("box") or [None] * 4, areas.pop("blocks")
    return {
        "lr_width": lr.shape[-1],
        "lr_height": lr.shape[-2],
        **areas,
        **dict(zip(("box_left", "box_top", "box_width", "box_height"), box, strict=True)),
        **{
            f"{name}_by_block": [block[name] for block in blocks] or None
            for name in ("outside_patch", "in_match")
        },
        **{name: getattr(result, name) for name in _OF_RESULT},
    }


def patches_in(network: nn.Module, lr: Tensor) -> Any:
    """The matches of the sharp image; without GPA the bare patches; None for other networks."""
    if isinstance(network, HPINet) and network.config.gpa:
        with torch.no_grad():
            return network(lr.to(next(network.parameters()).device), return_matches=True)[1]
    config = getattr(network, "config", None)
    if not hasattr(config, "patch_sizes"):
        return None
    return patches_of(config, lr.shape[-2], lr.shape[-1])  # type: ignore[arg-type]
