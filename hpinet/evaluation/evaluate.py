"""Evaluation on folders of images by the paper's protocol (Table 1: PSNR and SSIM on luma)."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from torch import nn
from tqdm import tqdm

import hpinet
from hpinet.data.pairs import Pair, load_pair, pair_images, set_name
from hpinet.data.result_table import ResultTable, Row
from hpinet.errors import UserError
from hpinet.inference.upscale import bicubic, upscale
from hpinet.metrics.confidence import interval
from hpinet.metrics.lpips import Lpips
from hpinet.metrics.psnr_ssim import LUMAS, ROUNDED, psnr_y, ssim_y
from hpinet.modeling.multi_adds import multi_adds_720p
from hpinet.networks.bicubic import Bicubic
from hpinet.networks.files import files_digest

from .candidates import Candidate, unique_labels
from .paper_tables import SETS, benchmark_name, paper_result

METRICS = ("psnr", "ssim", "lpips")

PROTOCOL = "1"
"""Counts up when figures change: older rows are then measured anew."""

FAILURES = (UserError, OSError, MemoryError, torch.cuda.OutOfMemoryError)
"""What an image that cannot be measured may raise; the others are measured all the same."""

_FIGURES = [*METRICS, *(f"bicubic_{name}" for name in METRICS)]
_NAMES = ("set", "scale", "model", "picture")
_CONTENT = ("pictures_sha256", "weights_sha256", "scale", "device", "protocol")
COLUMNS = (*_NAMES, *_FIGURES, *(name for name in _CONTENT if name not in _NAMES))
"""Of per_image.csv, from which a broken run is resumed."""


def evaluate(
    model: nn.Module, data: str | Path, *, name: str = "", lpips: bool = False, luma: str = ROUNDED
) -> dict[str, Any]:
    """Measure one network on one folder, see `evaluate_all`; the report of `plain_report`."""
    found = evaluate_all([Candidate(name, model)], [data], lpips=lpips, luma=luma)
    return plain_report(found["results"][0])


def plain_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report without the paper and intervals: what ``--json`` prints of one network and set."""
    names = ("model", "scale", "images", *METRICS, "bicubic", "per_image", "luma", "notes")
    return {name: report[name] for name in (*names, "skipped") if name in report}


def evaluate_all(
    candidates: Sequence[Candidate],
    folders: Sequence[str | Path],
    *,
    lpips: bool = False,
    luma: str = ROUNDED,
    progress: bool = False,
    path: Path | None = None,
) -> dict[str, Any]:
    """Measure every network on every set; what fails is named on stderr and left out.

    Results are rounded to 8 bit and ``scale`` border pixels left out for PSNR and SSIM; LPIPS sees
    the whole image. Originals are cropped to a multiple of the scale. Several processes (see
    `hpinet.processes`) share the images out; all get the same report.

    Args:
        candidates: The networks.
        folders: The sets, see `hpinet.data.pairs.pair_images`.
        lpips: Also compute LPIPS (AlexNet v0.1).
        luma: One of `hpinet.metrics.psnr_ssim.LUMAS`.
        progress: Show a progress bar on stderr.
        path: The CSV that keeps the figures of every image: known ones are not measured again.

    Returns:
        Plain values that fit into JSON. ``results``: a report for every network and set, with
        ``set``, ``model``, ``scale``, ``images`` (their number), the means ``psnr`` (dB), ``ssim``
        and ``lpips``, the same for ``bicubic`` and ``per_image``, ``params``, ``multi_adds`` (of a
        1280x720 output), ``intervals`` and ``bicubic_intervals`` (95% over the images),
        ``gain`` over bicubic and ``gain_intervals`` (of the paired differences), ``paper`` (see
        `paper_tables.paper_result`; of complete sets only) and ``paper_difference`` (measured less
        printed). Where they apply: ``luma``, unless rounded; ``notes``; ``skipped`` (images and
        reasons). What does not exist is None: the PSNR of equal images, an interval below two.
        ``differences``: see `paired_differences`. ``skipped``: sentences. ``versions``.

    Raises:
        ValueError: If a folder is missing, or nothing at all could be measured.
    """
    if luma not in LUMAS:
        raise UserError(f"luma is {' or '.join(LUMAS)}, not {luma!r}.")
    sets = set_names(folders)
    table = ResultTable(path, COLUMNS, _NAMES, _CONTENT)
    notes: list[str] = []
    distance = Lpips() if lpips else None
    if distance is not None and not distance.available:
        notes, distance = [distance.reason], None
    work, failed, pairings = _work(candidates, sets)
    state, rows, failed_here = PartialState(), [], []
    with state.split_between_processes(work) as mine:
        hidden = not (progress and state.is_main_process)
        for name, candidate, pair in tqdm(mine, unit="image", leave=False, disable=hidden):
            try:
                rows.append(_measured(table, name, candidate, pair, distance, luma))
            except FAILURES as error:
                reason = _named(str(error) or "not enough memory", pair)
                failed_here.append((name, candidate.label, pair.hr.name, reason))
    rows, failed = gather_object(rows), [*failed, *gather_object(failed_here)]
    table.finish()
    if not rows:
        more = f" {len(failed) - 1} more failed too." if len(failed) > 1 else ""
        raise UserError(failed[0][3] + more)
    skipped = [f"{label} on {name}: {' '.join(why.split())}" for name, label, _, why in failed]
    if state.is_main_process:
        for line in (*pairings, *(f"skipped, {one}" for one in skipped)):
            print(f"hpinet: {line}", file=sys.stderr)
    frame = pd.DataFrame(rows)
    frame[_FIGURES] = frame[_FIGURES].apply(pd.to_numeric)
    results = []
    for name in sets:
        for candidate in candidates:
            images = frame[(frame["set"] == name) & (frame["model"] == candidate.label)]
            left_out = {file: why for *of, file, why in failed if of == [name, candidate.label]}
            if len(images):
                results.append(_report(images, candidate, name, luma, notes, left_out))
    differences = list(paired_differences(results))
    versions = {
        "hpinet-lens": hpinet.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    return {
        "results": results, "differences": differences, "skipped": skipped, "versions": versions
    }  # fmt: skip


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


def _work(
    candidates: Sequence[Candidate], sets: Mapping[str, str]
) -> tuple[list[tuple[str, Candidate, Pair]], list[tuple[str, str, str, str]], list[str]]:
    """Images with networks, image by image; what is left out and why; how images were paired."""
    work, failed, told = [], [], []
    for name, folder in sets.items():
        for scale in dict.fromkeys(candidate.scale for candidate in candidates):
            mine = [candidate for candidate in candidates if candidate.scale == scale]
            try:
                pairing = pair_images(folder, scale)
            except UserError as error:
                failed += [(name, one.label, "", str(error)) for one in mine]
                continue
            told.append(f"{name} x{scale}: {pairing}")
            work += [(name, one, pair) for pair in pairing.pairs for one in mine]
            failed += [(name, one.label, *why) for one in mine for why in pairing.alone.items()]
    return work, failed, told


def _named(text: str, pair: Pair) -> str:
    """Reading errors name the file already; the others do not know which one it was."""
    files = [path.name for path in (pair.hr, pair.lr) if path is not None]
    return text if any(name in text for name in files) else f"{files[0]}: {text}"


def _measured(
    table: ResultTable,
    name: str,
    candidate: Candidate,
    pair: Pair,
    distance: Lpips | None,
    luma: str,
) -> Row:
    """The row of one image and network, from the table where it is known."""
    scale, network = candidate.scale, candidate.network
    about = {
        "set": name,
        "scale": str(scale),
        "model": candidate.label,
        "picture": pair.name,
        "pictures_sha256": files_digest(pair.hr, pair.lr),
        "weights_sha256": candidate.weights_sha256,
        "device": candidate.device.type,  # figures differ in the last digits
        "protocol": PROTOCOL if luma == ROUNDED else f"{PROTOCOL} {luma}",
    }
    row: dict[str, Any] | None = table.find(about)
    if row is None or (distance is not None and not row["lpips"]):
        lr, hr = load_pair(pair, scale)
        baseline = bicubic(lr, scale).rgb
        # Bicubic as a network differs from it by the rounding between passes: one of them will do.
        sr = baseline if isinstance(network, Bicubic) else upscale(network, lr).rgb
        row = dict(about)
        for prefix, image in (("", sr), ("bicubic_", baseline)):
            row[f"{prefix}psnr"] = psnr_y(image, hr, scale, luma)
            row[f"{prefix}ssim"] = ssim_y(image, hr, scale, luma)
            row[f"{prefix}lpips"] = None if distance is None else distance(image, hr)
    [known] = table.add([row])
    return known if distance is not None else {**known, "lpips": "", "bicubic_lpips": ""}


def _report(
    images: pd.DataFrame,
    candidate: Candidate,
    name: str,
    luma: str,
    notes: Sequence[str],
    skipped: dict[str, str],
) -> dict[str, Any]:
    figures = images[_FIGURES].replace(np.inf, np.nan)
    equal = int((images[_FIGURES] == np.inf).any(axis=1).sum())
    if equal:
        told = "1 image equals its" if equal == 1 else f"{equal} images equal their"
        notes = [*notes, f"{told} original: infinite PSNR, given as null and left out of means."]
    own = figures[list(METRICS)]
    base = figures[[f"bicubic_{key}" for key in METRICS]].set_axis(METRICS, axis=1)
    means, known = _means(own), benchmark_name(name)
    complete = known is not None and len(images) == SETS[known] and not skipped
    paper = paper_result(candidate.network, name) if complete else None
    away: dict[str, float | None] = dict.fromkeys(METRICS)
    for key, value in means.items():
        printed = None if paper is None else paper[key]
        of_paper = key == "lpips" or luma == ROUNDED  # the paper's luma is rounded
        if of_paper and printed is not None and value is not None:
            away[key] = value - printed
    extra = {"luma": "" if luma == ROUNDED else luma, "notes": list(notes), "skipped": skipped}
    return {
        "set": name,
        "model": candidate.label,
        "scale": candidate.scale,
        "images": len(images),
        **means,
        "bicubic": _means(base),
        "per_image": [
            {"name": picture, **_plain(row)}
            for picture, row in zip(images["picture"], figures.to_dict("records"), strict=True)
        ],
        **{key: value for key, value in extra.items() if value},
        "params": sum(p.numel() for p in candidate.network.parameters()),
        "multi_adds": multi_adds_720p(candidate.network),
        "intervals": _intervals(own),
        "bicubic_intervals": _intervals(base),
        "gain": _means(own - base),
        "gain_intervals": _intervals(own - base),
        "paper": paper,
        "paper_difference": away,
    }


def paired_differences(results: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """How networks of one scale differ on the same images.

    Far narrower than the intervals of the means, since images differ more than networks do.

    Args:
        results: Reports of `evaluate_all`.

    Yields:
        For every pair: ``set``, ``scale``, ``models`` (two), ``images`` (that both measured), and
        by metric ``mean`` (first less second) and ``intervals`` (95%, None below two images).
    """
    for pair in combinations(results, 2):
        first, second = pair
        if (first["set"], first["scale"]) != (second["set"], second["scale"]):
            continue
        frames = [pd.DataFrame(one["per_image"]).set_index("name") for one in pair]
        one, other = (frame[list(METRICS)].astype(float) for frame in frames)
        both = one.index.intersection(other.index)
        found = one.loc[both] - other.loc[both]
        yield {
            "set": first["set"],
            "scale": first["scale"],
            "models": [first["model"], second["model"]],
            "images": len(found),
            "mean": _means(found),
            "intervals": _intervals(found),
        }


def _means(frame: pd.DataFrame) -> dict[str, float | None]:
    return _plain(frame.mean().to_dict())


def _intervals(frame: pd.DataFrame) -> dict[str, tuple[float, float] | None]:
    return {str(key): interval(frame[key].to_numpy()) for key in frame}


def _plain(values: Mapping[Any, float]) -> dict[str, float | None]:
    """JSON has no NaN."""
    return {str(key): None if np.isnan(value) else float(value) for key, value in values.items()}
