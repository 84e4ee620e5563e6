"""Several networks on several sets: what was measured, what the paper prints, how sure it is."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hpinet.data.pairs import set_name
from hpinet.data.result_store import ResultStore
from hpinet.errors import UserError
from hpinet.metrics.confidence import interval
from hpinet.metrics.psnr_ssim import ROUNDED
from hpinet.modeling.multi_adds import multi_adds_720p

from .candidates import Candidate, unique_labels
from .evaluate import METRICS, evaluate
from .paper_tables import SETS, PaperResult, benchmark_name, paper_result
from .per_image import stored_model


@dataclass
class Evaluation:
    """What a run found.

    Attributes:
        results: A report for every network and set, see `compare`.
        differences: Paired differences of networks, see `paired_differences`.
        skipped: What could not be measured, and why: images by network and set, or whole sets.
    """

    results: list[dict[str, Any]] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Everything, ready for JSON, with the versions that it was measured with."""
        from hpinet import __version__

        versions = {
            "hpinet-lens": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        }
        return {**asdict(self), "versions": versions}


def evaluate_all(
    candidates: Sequence[Candidate],
    folders: Sequence[str | Path],
    *,
    lpips: bool = False,
    progress: bool = False,
    store: ResultStore | None = None,
    luma: str = ROUNDED,
) -> Evaluation:
    """Measure every network on every set; what fails is named on stderr and left out.

    Args:
        candidates: The networks.
        folders: The sets, see `hpinet.data.pairs.pair_images`.
        lpips: Also compute LPIPS.
        progress: Show progress bars on stderr.
        store: Figures of earlier runs; they are not measured again, and new ones are kept there.
        luma: One of `hpinet.metrics.psnr_ssim.LUMAS`.

    Raises:
        ValueError: If a folder is missing, or nothing at all could be measured.
    """
    found, sets = Evaluation(), set_names(folders)
    said: set[str] = set()
    for name, path in sets.items():
        for candidate in candidates:
            known = None if store is None else stored_model(store, name, candidate, luma)
            try:
                report = evaluate(
                    candidate.network, path, name=candidate.label, lpips=lpips,
                    progress=progress, known=known, luma=luma,
                    say=_said(name, candidate.scale, said),
                )  # fmt: skip
            except UserError as error:
                if len(candidates) == len(sets) == 1:  # there is nothing else to measure
                    raise
                _skip(found, candidate.label, name, str(error))
                continue
            for reason in report.get("skipped", {}).values():
                _skip(found, candidate.label, name, reason)
            found.results.append(compare(report, candidate.network, name))
    if not found.results:
        raise UserError("no network could be measured on any of the sets, for the reasons above.")
    found.differences = list(paired_differences(found.results))
    return found


def _said(name: str, scale: int, said: set[str]) -> Callable[[str], None]:
    """Say on stderr how the images of a set are paired, once for a scale."""

    def say(pairing: str) -> None:
        text = f"hpinet: {name} x{scale}: {pairing}"
        if text not in said:
            said.add(text)
            print(text, file=sys.stderr)

    return say


def set_names(folders: Sequence[str | Path]) -> dict[str, str]:
    """Folders of sets by what tables call them.

    Raises:
        ValueError: If one is missing, or given twice.
    """
    paths = [str(folder) for folder in folders]
    for path in paths:
        if not Path(path).is_dir():
            raise UserError(f"{path} is not a folder.")
    labels = unique_labels(paths, [set_name(path) for path in paths])
    return dict(zip(labels, paths, strict=True))


def _skip(found: Evaluation, label: str, name: str, reason: str) -> None:
    from tqdm import tqdm

    found.skipped.append(f"{label} on {name}: {' '.join(reason.split())}")
    tqdm.write(f"hpinet: skipped, {found.skipped[-1]}", file=sys.stderr)


def compare(report: dict[str, Any], network: nn.Module, name: str) -> dict[str, Any]:
    """Put a report of `hpinet.evaluation.evaluate.evaluate` beside the paper.

    Args:
        report: The report.
        network: The network that it is about.
        name: What the set is called.

    Returns:
        The report and ``set``, ``params``, ``multi_adds`` (of a 1280x720 output, or None),
        ``intervals`` (95% over the images, by metric, None below two), ``gain`` (over bicubic,
        mean by metric), ``gain_intervals`` (of the paired differences), ``paper`` (see
        `paper_tables.PaperResult`, or None) and ``paper_difference`` (measured less
        printed, by metric, None where either is missing). A paper's row is given only where the
        set has as many images as the paper's.
    """
    rows = report["per_image"]
    gains = {key: _differences(rows, rows, key, f"bicubic_{key}") for key in METRICS}
    printed = _paper(report, network, name)
    difference = {
        key: report[key] - value
        for key in METRICS
        if (value := getattr(printed, key, None)) is not None and report[key] is not None
    }
    return {
        "set": name,
        **report,
        "params": sum(p.numel() for p in network.parameters()),
        "multi_adds": multi_adds_720p(network),
        "intervals": {key: interval(_known(rows, key)) for key in METRICS},
        "bicubic_intervals": {key: interval(_known(rows, f"bicubic_{key}")) for key in METRICS},
        "gain": {key: _mean(values) for key, values in gains.items()},
        "gain_intervals": {key: interval(values) for key, values in gains.items()},
        "paper": None if printed is None else asdict(printed),
        "paper_difference": {key: difference.get(key) for key in METRICS},
    }


def _paper(report: dict[str, Any], network: nn.Module, name: str) -> PaperResult | None:
    known = benchmark_name(name)
    if known is None or report["images"] != SETS[known] or "skipped" in report:
        return None
    return paper_result(network, known)


def paired_differences(results: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """How networks of one scale differ on the same images.

    Far narrower than the intervals of the means, since images differ more than networks do.

    Args:
        results: Reports of `compare`.

    Yields:
        For every pair: ``set``, ``scale``, ``models`` (two), ``images`` (that both measured), and
        by metric ``mean`` (first less second) and ``intervals`` (95%, None below two images).
    """
    for first, second in combinations(results, 2):
        if (first["set"], first["scale"]) != (second["set"], second["scale"]):
            continue
        others = {row["name"]: row for row in second["per_image"]}
        mine = [row for row in first["per_image"] if row["name"] in others]
        theirs = [others[row["name"]] for row in mine]
        values = {key: _differences(mine, theirs, key, key) for key in METRICS}
        yield {
            "set": first["set"],
            "scale": first["scale"],
            "models": [first["model"], second["model"]],
            "images": len(mine),
            "mean": {key: _mean(found) for key, found in values.items()},
            "intervals": {key: interval(found) for key, found in values.items()},
        }


def _differences(
    first: Sequence[dict[str, Any]], second: Sequence[dict[str, Any]], key: str, other: str
) -> list[float]:
    pairs = ((a[key], b[other]) for a, b in zip(first, second, strict=True))
    return [a - b for a, b in pairs if a is not None and b is not None]


def _known(rows: Sequence[dict[str, Any]], key: str) -> list[float]:
    return [row[key] for row in rows if row[key] is not None]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
