"""Evaluation on folders of images by the paper's protocol (Table 1: PSNR and SSIM on luma)."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from torch import nn
from tqdm import tqdm

from hpinet.checkpoints.fingerprints import files_digest
from hpinet.data.pairs import Pair, Pairing, load_pair, pair_images, set_name
from hpinet.data.result_table import ResultTable, Row
from hpinet.errors import UserError
from hpinet.inference.upscale import bicubic, upscale
from hpinet.metrics.confidence import interval
from hpinet.metrics.lpips import Lpips
from hpinet.metrics.psnr_ssim import LUMAS, ROUNDED, psnr_y, ssim_y
from hpinet.networks.bicubic import Bicubic
from hpinet.networks.costs import multi_adds_720p

from .candidates import Candidate, unique_labels
from .paper_tables import SETS, benchmark_name, paper_result

METRICS = ("psnr", "ssim", "lpips")

PROTOCOL = "1"
"""Counts up when figures change: older rows are then measured anew."""

FAILURES = (UserError, OSError, MemoryError, torch.cuda.OutOfMemoryError)
"""What an image that cannot be measured may raise; the others are measured all the same."""

_FIGURES = (*METRICS, *(f"bicubic_{name}" for name in METRICS))
_NAMES = ("set", "scale", "model", "picture")
_CONTENT = ("pictures_sha256", "weights_sha256", "scale", "device", "protocol")
COLUMNS = (*_NAMES, *_FIGURES, *(name for name in _CONTENT if name not in _NAMES))
"""Of per_image.csv, from which a broken run is resumed."""


class _Skipped(NamedTuple):
    model: str
    set: str
    file: str  # empty for a whole set
    reason: str


def evaluate(
    model: nn.Module, data: str | Path, *, name: str = "", lpips: bool = False, luma: str = ROUNDED
) -> dict[str, Any]:
    """Super-resolve every image of a folder and measure it against its original.

    Args:
        model: a network with ``.scale``.
        data: see `hpinet.data.pairs.pair_images`.
        name: what the report calls the model.
        lpips: also compute LPIPS.
        luma: one of `hpinet.metrics.psnr_ssim.LUMAS`: the paper's, rounded to 8 bit, or exact.

    Returns:
        See `plain_report`.

    Raises:
        ValueError: unfit folder, or not one image could be measured; the message names the file.
    """
    candidate = Candidate(name, model)
    return plain_report(evaluate_all([candidate], [data], lpips=lpips, luma=luma)["results"][0])


def plain_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """What a report says without the paper and intervals.

    Returns:
        model, scale, images (their number), psnr in dB, ssim, lpips (means), bicubic (the same
        three), per_image (name, the three, bicubic_ and the three). A number that does not exist
        (the PSNR of equal images, LPIPS where it was not asked for or is not to be had) is None.
        There only if needed: ``luma``, where it is not rounded; ``notes``; and ``skipped``, images
        that could not be measured and the reasons; they count nowhere.
    """
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
        Plain values that fit into JSON. ``results``: a report for every network and set, as
        `plain_report`, and ``set``, ``params``, ``multi_adds`` (of a 1280x720 output, or None),
        ``intervals`` and ``bicubic_intervals`` (95% over the images, by metric, None below two),
        ``gain`` (over bicubic, mean by metric), ``gain_intervals`` (of the paired differences),
        ``paper`` (see `paper_tables.paper_result`; None unless the set is complete) and
        ``paper_difference`` (measured less printed, by metric, None where either is missing or the
        luma is not the paper's). ``differences``: see `paired_differences`. ``skipped``: sentences.
        ``versions``.

    Raises:
        ValueError: If a folder is missing, or nothing at all could be measured.
    """
    if luma not in LUMAS:
        raise UserError(f"luma is {' or '.join(LUMAS)}, not {luma!r}.")
    sets, table = set_names(folders), ResultTable(path, COLUMNS, _NAMES, _CONTENT)
    distance = Lpips() if lpips else None
    notes = [distance.reason] if distance is not None and not distance.available else []
    work, skipped, pairings = _work(candidates, sets)
    measure = _Measure(table, None if notes else distance, luma)
    state, rows, failed = PartialState(), [], []
    with state.split_between_processes(work) as mine:
        hidden = not (progress and state.is_main_process)
        for name, candidate, pair in tqdm(mine, unit="image", leave=False, disable=hidden):
            try:
                rows.append(measure(name, candidate, pair))
            except FAILURES as error:
                reason = _named(str(error) or "not enough memory", pair)
                failed.append(_Skipped(candidate.label, name, pair.hr.name, reason))
    rows, skipped = gather_object(rows), [*skipped, *gather_object(failed)]
    table.finish()
    if not rows:
        more = f" {len(skipped) - 1} more failed too." if len(skipped) > 1 else ""
        raise UserError(skipped[0].reason + more)
    told = [f"{one.model} on {one.set}: {' '.join(one.reason.split())}" for one in skipped]
    if state.is_main_process:
        lines = [f"{name} x{scale}: {pairing}" for (name, scale), pairing in pairings.items()]
        for line in (*lines, *(f"skipped, {one}" for one in told)):
            print(f"hpinet: {line}", file=sys.stderr)
    frame = pd.DataFrame(rows)
    frame[list(_FIGURES)] = frame[list(_FIGURES)].apply(pd.to_numeric)
    results = []
    for name in sets:
        for candidate in candidates:
            images = frame[(frame["set"] == name) & (frame["model"] == candidate.label)]
            left_out = {s.file: s.reason for s in skipped if s[:2] == (candidate.label, name)}
            if len(images):
                results.append(_report(images, candidate, name, luma, notes, left_out))
    return {
        "results": results,
        "differences": list(paired_differences(results)),
        "skipped": told,
        "versions": _versions(),
    }


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
) -> tuple[list[tuple[str, Candidate, Pair]], list[_Skipped], dict[tuple[str, int], Pairing]]:
    """Every image with every network, image by image; what is left out; how images are paired."""
    work, skipped, pairings = [], [], {}
    for name, folder in sets.items():
        for scale in dict.fromkeys(candidate.scale for candidate in candidates):
            mine = [candidate for candidate in candidates if candidate.scale == scale]
            try:
                pairing = pairings[name, scale] = pair_images(folder, scale)
            except UserError as error:
                skipped += [_Skipped(one.label, name, "", str(error)) for one in mine]
                continue
            work += [(name, one, pair) for pair in pairing.pairs for one in mine]
            alone = pairing.alone.items()
            skipped += [_Skipped(one.label, name, *item) for one in mine for item in alone]
    return work, skipped, pairings


def _named(text: str, pair: Pair) -> str:
    """Reading errors name the file already; the others do not know which one it was."""
    files = [path.name for path in (pair.hr, pair.lr) if path is not None]
    return text if any(name in text for name in files) else f"{files[0]}: {text}"


class _Measure:
    """The row of one image and network, from the table where it is known."""

    def __init__(self, table: ResultTable, distance: Lpips | None, luma: str) -> None:
        self._table, self._distance, self._luma = table, distance, luma

    def __call__(self, name: str, candidate: Candidate, pair: Pair) -> Row:
        about = {
            "set": name,
            "scale": str(candidate.scale),
            "model": candidate.label,
            "picture": pair.name,
            "pictures_sha256": files_digest(pair.hr, pair.lr),
            "weights_sha256": candidate.weights_sha256,
            "device": candidate.device.type,  # figures differ in the last digits
            "protocol": PROTOCOL if self._luma == ROUNDED else f"{PROTOCOL} {self._luma}",
        }
        row = self._table.find(about)
        if row is None or (self._distance is not None and not row["lpips"]):
            row = {**about, **self._figures(candidate.network, pair, candidate.scale)}
        [row] = self._table.add([row])
        return row if self._distance is not None else {**row, "lpips": "", "bicubic_lpips": ""}

    def _figures(self, model: nn.Module, pair: Pair, scale: int) -> dict[str, Any]:
        lr, hr = load_pair(pair, scale)
        baseline = bicubic(lr, scale).rgb
        # Bicubic as a network differs from it by the rounding between passes: one of them will do.
        sr = baseline if isinstance(model, Bicubic) else upscale(model, lr).rgb
        found: dict[str, Any] = {}
        for prefix, image in (("", sr), ("bicubic_", baseline)):
            found[f"{prefix}psnr"] = psnr_y(image, hr, scale, self._luma)
            found[f"{prefix}ssim"] = ssim_y(image, hr, scale, self._luma)
            found[f"{prefix}lpips"] = None if self._distance is None else self._distance(image, hr)
        return found


def _report(
    images: pd.DataFrame,
    candidate: Candidate,
    name: str,
    luma: str,
    notes: Sequence[str],
    skipped: dict[str, str],
) -> dict[str, Any]:
    figures = images[list(_FIGURES)].replace(np.inf, np.nan)
    equal = int((images["psnr"] == np.inf).sum())
    if equal:
        told = "1 image equals its" if equal == 1 else f"{equal} images equal their"
        notes = [*notes, f"{told} original: infinite PSNR, given as null and left out of means."]
    own = figures[list(METRICS)]
    base = figures[[f"bicubic_{key}" for key in METRICS]].set_axis(METRICS, axis=1)
    means, known = _means(own), benchmark_name(name)
    complete = known is not None and len(images) == SETS[known] and not skipped
    paper = paper_result(candidate.network, name) if complete else None
    compared = [key for key in METRICS if luma == ROUNDED or key == "lpips"]
    difference = {
        key: means[key] - paper[key]
        for key in (compared if paper is not None else ())
        if means[key] is not None and paper[key] is not None
    }
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
        "paper_difference": {key: difference.get(key) for key in METRICS},
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


def _versions() -> dict[str, str]:
    from hpinet import __version__

    python = platform.python_version()
    return {"hpinet-lens": __version__, "torch": torch.__version__, "python": python}
