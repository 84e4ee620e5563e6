"""An evaluation shared out over processes: each measures its images into a file of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hpinet.data.pairs import Pair, pair_images
from hpinet.data.result_store import ResultStore
from hpinet.errors import UserError
from hpinet.metrics.lpips import Lpips

from .candidates import Candidate
from .evaluate import FAILURES, measure_pair
from .per_image import stored_model
from .suite import set_names


def measure_share(
    candidates: Sequence[Candidate],
    folders: Sequence[str | Path],
    known: ResultStore,
    part: ResultStore,
    *,
    process: int,
    processes: int,
    lpips: bool,
    luma: str,
) -> None:
    """Measure the images of one process; what fails is left to `evaluate_all` to name.

    Args:
        candidates: The networks.
        folders: The sets.
        known: Figures of earlier runs.
        part: Takes in what is measured.
        process: Which of them this is, from 0.
        processes: How many there are.
        lpips: Also compute LPIPS.
        luma: One of `hpinet.metrics.psnr_ssim.LUMAS`.

    Raises:
        ValueError: If a folder is missing.
    """
    distance = Lpips() if lpips else None
    if distance is not None and not distance.available:
        distance = None
    for number, (name, candidate, pair) in enumerate(_all(candidates, folders)):
        # Every image begins with another network, so that none gets the slowest one each time.
        if number % processes != process:
            continue
        mine, theirs = (stored_model(store, name, candidate, luma) for store in (known, part))
        if mine.find(pair, distance is not None) is not None:
            continue
        try:
            figures = measure_pair(candidate.network, pair, candidate.scale, distance, luma)
        except FAILURES:
            continue
        theirs.keep(pair, figures)


def _all(
    candidates: Sequence[Candidate], folders: Sequence[str | Path]
) -> Iterator[tuple[str, Candidate, Pair]]:
    """Every image with every network."""
    for name, folder in set_names(folders).items():
        pairs = {}
        for scale in {candidate.scale for candidate in candidates}:
            try:
                pairs[scale] = pair_images(folder, scale).pairs
            except UserError:
                pairs[scale] = []
        longest = max(len(found) for found in pairs.values())
        for i in range(longest):
            turned = [*candidates[i % len(candidates) :], *candidates[: i % len(candidates)]]
            for candidate in turned:
                if i < len(pairs[candidate.scale]):
                    yield name, candidate, pairs[candidate.scale][i]
