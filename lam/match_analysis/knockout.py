"""Which block's Global Pixel Access matters: matches taken away block by block, on many images.

Every experiment is an intervention (`analysis.interventions`), in one block or in all, on every
image with its true HR. What lies before the first changed block is computed once an image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from hpinet import HPINet
from hpinet.analysis.intervention_effect import effect, extreme_windows, window_psnrs
from hpinet.analysis.interventions import Intervention, all_but, intervene
from hpinet.data.pairs import Pair, find_pairs, load_pair
from hpinet.errors import UserError
from hpinet.metrics.confidence import interval
from lam.batch.sources import say_pairing

from .folder_statistics import skip

ELSEWHERE = "off elsewhere"
"""Global Pixel Access left to one block only: off in all others."""

EXPERIMENTS = ("off", ELSEWHERE, "random", "second", "hr")
"""Rows of the table; all but `ELSEWHERE` are kinds of `hpinet.analysis.interventions`."""


@dataclass(frozen=True)
class Experiment:
    """One intervention of the table.

    Attributes:
        name: One of `EXPERIMENTS`.
        block: Which block it is about, from 1; None for all blocks together.
        intervention: What is done.
    """

    name: str
    block: int | None
    intervention: Intervention


def experiments(names: Sequence[str], count: int, seed: int = 0) -> list[Experiment]:
    """What is done to a network of so many blocks, in the order of the table.

    Args:
        names: Some of `EXPERIMENTS`.
        count: Number of blocks.
        seed: Of random matches.

    Raises:
        ValueError: If a name is unknown or there is none.
    """
    unknown = [name for name in names if name not in EXPERIMENTS]
    if unknown or not names:
        raise UserError(
            f"an experiment is one of {', '.join(EXPERIMENTS)}, not {(unknown or ['nothing'])[0]!r}"
        )
    found = []
    for name in names:
        kind = "off" if name == ELSEWHERE else name
        if name != ELSEWHERE:
            everywhere = Intervention(kind, tuple(range(count)), seed)
            found.append(Experiment(name, None, everywhere))
        elif count < 2:
            continue
        for block in range(count):
            blocks = all_but(block, count) if name == ELSEWHERE else (block,)
            found.append(Experiment(name, block + 1, Intervention(kind, blocks, seed)))
    return found


@dataclass
class Knockout:
    """The experiments on a folder.

    Attributes:
        model: The network, with Global Pixel Access, in evaluation mode.
        names: Some of `EXPERIMENTS`.
        later: See `hpinet.analysis.interventions.LATER`.
        seed: Of random matches.
        window: Side of the windows, in SR pixels, among which those are sought that lose and gain
            most; smaller images are one window.
    """

    model: HPINet
    names: Sequence[str] = EXPERIMENTS
    later: str = "live"
    seed: int = 0
    window: int = 48

    def __post_init__(self) -> None:
        if not self.model.config.gpa:
            raise UserError("this network has no Global Pixel Access to knock out")
        if self.window < 1:
            raise UserError(f"the window must be at least 1 pixel, not {self.window}")
        self.experiments = experiments(self.names, len(self.model.blocks), self.seed)

    def measure(self, lr: torch.Tensor, hr: torch.Tensor) -> Iterator[dict[str, Any]]:
        """One image, an experiment at a time.

        Args:
            lr: (1, 3, h, w) RGB in [0, 1].
            hr: (1, 3, sh, sw), the true image.

        Yields:
            ``experiment``, ``block`` (from 1; None for all), ``psnr`` (dB, PSNR-Y of the changed
            image), ``psnr_change`` (changed less normal), ``mean_difference`` and
            ``max_difference`` of the pixels (8-bit grey levels), and what
            `hpinet.analysis.intervention_effect.extreme_windows` says.
        """
        device = next(self.model.parameters()).device
        normal = self.model.trace(lr.to(device), similarity_matrix=True)
        size = min(self.window, *normal.sr.shape[-2:])
        for experiment in self.experiments:
            changed = intervene(
                self.model, normal, experiment.intervention, self.later, hr.to(device)
            )
            found = effect(normal.sr, changed.sr, hr.to(device), self.model.scale)
            numbers = ("psnr", "psnr_change", "mean_difference", "max_difference")
            yield {
                "experiment": experiment.name,
                "block": experiment.block,
                **{name: getattr(found, name) for name in numbers},
                **extreme_windows(*window_psnrs(normal.sr, changed.sr, hr, size), size),
            }

    def folder(
        self, data: str | Path, show: bool = False
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """All images of a folder; one that cannot be used is named on stderr and left out.

        Args:
            data: As in `hpinet.data.pairs.find_pairs`.
            show: A progress bar on stderr.

        Returns:
            A row an image and experiment, ``picture``, ``lr_width``, ``lr_height`` and what
            `measure` yields; and the names of images left out, with the reason.

        Raises:
            ValueError: If there is no such folder, or it holds no pairs.
        """
        pairs = find_pairs(data, self.model.scale, say_pairing)
        rows: list[dict[str, Any]] = []
        skipped: dict[str, str] = {}
        steps = len(self.experiments)
        hidden = None if show else True  # None: hidden unless a person watches
        with tqdm(total=len(pairs) * steps, unit="pass", leave=False, disable=hidden) as bar:
            for number, pair in enumerate(pairs, 1):
                try:
                    # All rows of an image or none: it counts in all experiments or in none.
                    rows += list(self._measure_pair(pair, bar))
                except (UserError, OSError, MemoryError, torch.cuda.OutOfMemoryError) as error:
                    skip(pair.hr.name, error, skipped)
                bar.update(number * steps - bar.n)
        return rows, skipped

    def _measure_pair(self, pair: Pair, bar: tqdm) -> Iterator[dict[str, Any]]:
        lr, hr = load_pair(pair, self.model.scale)
        about = {"picture": pair.name, "lr_width": lr.size[1], "lr_height": lr.size[0]}
        for row in self.measure(lr.rgb, hr.rgb):
            bar.update()
            yield {**about, **row}


def summarise_knockout(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean change of PSNR-Y of every experiment, over images.

    Args:
        rows: Those of `Knockout.folder`.

    Returns:
        A row an experiment and block, in the order of the rows: ``experiment``, ``block``, ``n``
        (images whose PSNR is finite), ``mean`` (dB; negative where the intervention harms),
        ``interval`` (95%, Student's t of the paired differences, None below two images),
        ``worst`` and ``best`` (the images with the least and the greatest change) and
        ``worst_change``, ``best_change`` (dB), ``mean_difference`` (of pixels, grey levels).
    """
    found = []
    for name, block in dict.fromkeys((row["experiment"], row["block"]) for row in rows):
        mine = [r for r in rows if (r["experiment"], r["block"]) == (name, block)]
        known = [r for r in mine if r["psnr_change"] is not None]
        changes = [r["psnr_change"] for r in known]
        ends = sorted(known, key=lambda r: r["psnr_change"])[:: max(1, len(known) - 1)]
        worst, best = (ends[0], ends[-1]) if ends else ({}, {})
        found.append(
            {
                "experiment": name,
                "block": block,
                "n": len(known),
                "mean": sum(changes) / len(changes) if changes else None,
                "interval": interval(changes),
                "worst": worst.get("picture"),
                "worst_change": worst.get("psnr_change"),
                "best": best.get("picture"),
                "best_change": best.get("psnr_change"),
                "mean_difference": sum(r["mean_difference"] for r in mine) / len(mine),
            }
        )
    return found


def format_knockout(summary: Sequence[Mapping[str, Any]]) -> str:
    """The summary as text: a line an experiment and block."""
    lines = [
        f"{'experiment':15}{'block':>6}{'n':>4}{'dB':>9}   {'95% interval':18}"
        f"{'worst image':>24}{'best image':>24}"
    ]
    for row in summary:
        block = "all" if row["block"] is None else row["block"]
        start = f"{row['experiment']:15}{block:>6}{row['n']:>4}"
        if row["mean"] is None:
            lines.append(start + "        -")
            continue
        ends = row["interval"]
        between = f"{ends[0]:+.3f} to {ends[1]:+.3f}" if ends else "-"
        extremes = (f"{row[e]} {row[e + '_change']:+.3f}" for e in ("worst", "best"))
        shown = "".join(f"{text:>24}" for text in extremes)
        lines.append(f"{start}{row['mean']:>+9.3f}   {between:18}{shown}")
    return "\n".join(lines)
