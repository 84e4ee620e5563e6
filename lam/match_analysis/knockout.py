"""Which block's Global Pixel Access matters: matches taken away block by block, on many images.

Every experiment is an intervention (`analysis.interventions`), in one block or in all, on every
image with its true HR. What lies before the first changed block is computed once an image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm

from hpinet import HPINet
from hpinet.analysis.intervention_effect import effect, extreme_windows, window_psnrs
from hpinet.analysis.interventions import Intervention, all_but, intervene
from hpinet.data.pairs import find_pairs, load_pair
from hpinet.data.tables import markdown_table, shown
from hpinet.errors import UserError
from hpinet.metrics.confidence import interval
from lam.batch.sources import say_pairing, skipping

ELSEWHERE = "off elsewhere"
"""Global Pixel Access left to one block only: off in all others."""

EXPERIMENTS = ("off", ELSEWHERE, "random", "second", "hr")
"""Rows of the table; all but `ELSEWHERE` are kinds of `hpinet.analysis.interventions`."""

Experiment = tuple[str, int | None, Intervention]
"""One of `EXPERIMENTS`, the block that it is about (from 1; None for all), and what is done."""


def experiments(names: Sequence[str], count: int, seed: int = 0) -> list[Experiment]:
    """What is done to a network of so many blocks, in the order of the table.

    Raises:
        ValueError: If a name is none of `EXPERIMENTS`, or there is none.
    """
    unknown = [name for name in names if name not in EXPERIMENTS]
    if unknown or not names:
        raise UserError(
            f"an experiment is one of {', '.join(EXPERIMENTS)}, not {(unknown or ['nothing'])[0]!r}"
        )
    found: list[Experiment] = []
    blocks: list[tuple[int | None, tuple[int, ...]]]
    for name in names:
        if name == ELSEWHERE:
            blocks = [(b + 1, all_but(b, count)) for b in range(count) if count > 1]
        else:
            blocks = [(None, tuple(range(count))), *((b + 1, (b,)) for b in range(count))]
        kind = "off" if name == ELSEWHERE else name
        found += [(name, block, Intervention(kind, where, seed)) for block, where in blocks]
    return found


@dataclass
class Knockout:
    """The experiments on a folder."""

    model: HPINet  # with Global Pixel Access, in evaluation mode
    names: Sequence[str] = EXPERIMENTS
    later: str = "live"  # see `hpinet.analysis.interventions.LATER`
    seed: int = 0  # of random matches
    window: int = 48  # SR pixels a side, of the windows whose extremes are reported

    def __post_init__(self) -> None:
        if not self.model.config.gpa:
            raise UserError("this network has no Global Pixel Access to knock out")
        if self.window < 1:
            raise UserError(f"the window must be at least 1 pixel, not {self.window}")
        self.experiments = experiments(self.names, len(self.model.blocks), self.seed)

    def measure(self, lr: torch.Tensor, hr: torch.Tensor) -> Iterator[dict[str, Any]]:
        """A row an experiment on one image, LR (1, 3, h, w) and true HR (1, 3, sh, sw) in [0, 1].

        Differences are in dB of PSNR-Y, changed less normal, and in 8-bit grey levels of pixels.
        """
        device = next(self.model.parameters()).device
        lr, hr = lr.to(device), hr.to(device)
        normal = self.model.trace(lr, similarity_matrix=True)
        size = min(self.window, *normal.sr.shape[-2:])
        for name, block, intervention in self.experiments:
            changed = intervene(self.model, normal, intervention, self.later, hr)
            found = effect(normal.sr, changed.sr, hr, self.model.scale)
            yield {
                "experiment": name,
                "block": block,
                "psnr": found.psnr,
                "psnr_change": found.psnr_change,
                "mean_difference": found.mean_difference,
                "max_difference": found.max_difference,
                **extreme_windows(*window_psnrs(normal.sr, changed.sr, hr, size), size),
            }

    def folder(self, data: str | Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """All images of a folder; one that cannot be used is named on stderr and left out.

        Args:
            data: As in `hpinet.data.pairs.find_pairs`.

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
        with tqdm(total=len(pairs) * steps, unit="pass", leave=False, disable=None) as bar:
            for number, pair in enumerate(pairs, 1):
                # All rows of an image or none: it counts in all experiments or in none.
                with skipping(pair.hr.name, skipped):
                    lr, hr = load_pair(pair, self.model.scale)
                    about = {"picture": pair.name, "lr_width": lr.size[1], "lr_height": lr.size[0]}
                    found = []
                    for row in self.measure(lr.rgb, hr.rgb):
                        found.append({**about, **row})
                        bar.update()
                    rows += found
                bar.update(number * steps - bar.n)
        return rows, skipped


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
    frame, found = pd.DataFrame(list(rows)), []
    frame["psnr_change"] = frame["psnr_change"].astype(float)
    for (name, block), mine in frame.groupby(["experiment", "block"], sort=False, dropna=False):
        known = mine.dropna(subset="psnr_change").set_index("picture")["psnr_change"]
        row: dict[str, Any] = {
            "experiment": name,
            "block": None if pd.isna(block) else int(block),
            "n": len(known),
            "mean": None,
            "interval": interval(known.to_numpy()),
        }
        row |= dict.fromkeys(("worst", "worst_change", "best", "best_change"))
        if len(known):
            ends = {"worst": known.idxmin(), "best": known.idxmax()}
            changes = {"worst_change": float(known.min()), "best_change": float(known.max())}
            row |= {"mean": float(known.mean()), **ends, **changes}
        found.append({**row, "mean_difference": float(mine["mean_difference"].mean())})
    return found


def knockout_text(summary: Sequence[Mapping[str, Any]]) -> str:
    """The summary as Markdown: a line an experiment and block."""
    heads = ["experiment", "block", "n", "dB (95% interval)", "worst image", "best image"]
    lines = [
        [row["experiment"], "all" if row["block"] is None else str(row["block"]), str(row["n"])]
        + [shown(row["mean"], "+.3f", row["interval"])]
        + [f"{row[end] or ''} {shown(row[f'{end}_change'], '+.3f')}" for end in ("worst", "best")]
        for row in summary
    ]
    return "\n".join(markdown_table(heads, lines))
