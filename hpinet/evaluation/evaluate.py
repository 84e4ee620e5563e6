"""Evaluation on a folder of images by the paper's protocol (Table 1: PSNR and SSIM on luma)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from hpinet.data.pairs import Pair, load_pair, pair_images, set_name
from hpinet.errors import UserError
from hpinet.inference.upscale import bicubic, upscale
from hpinet.metrics.lpips import Lpips
from hpinet.metrics.psnr_ssim import LUMAS, ROUNDED, psnr_y, ssim_y
from hpinet.networks.bicubic import Bicubic

METRICS = ("psnr", "ssim", "lpips")

FAILURES = (UserError, OSError, MemoryError, torch.cuda.OutOfMemoryError)
"""What an image that cannot be measured may raise; the others are measured all the same."""

Figures = dict[str, Any]
"""An image's figures under their names: psnr, ssim, lpips and bicubic_ with each."""


class Known(Protocol):
    """Figures of earlier runs by the same network."""

    def find(self, pair: Pair, lpips: bool) -> Figures | None:
        """The figures of an image, with LPIPS if that is asked for; None if they are not known."""

    def keep(self, pair: Pair, row: Figures) -> None:
        """Take figures in."""


def evaluate(
    model: nn.Module,
    data: str | Path,
    *,
    name: str = "",
    lpips: bool = False,
    progress: bool = False,
    known: Known | None = None,
    luma: str = ROUNDED,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Super-resolve every image of a folder and measure it against its original.

    Results are rounded to 8 bit and `scale` border pixels left out for PSNR and SSIM; LPIPS sees
    the whole image. Originals are cropped to a multiple of the scale.

    Args:
        model: a network with `.scale`.
        data: see `pair_images`.
        name: what the report calls the model.
        lpips: also compute LPIPS.
        progress: show a progress bar on stderr.
        known: what is known of earlier runs, and takes in what is measured now.
        luma: one of `hpinet.metrics.psnr_ssim.LUMAS`: the paper's, rounded to 8 bit, or exact.
        say: told in one line which images were paired with which.

    Returns:
        The report, ready for JSON: model, scale, images (their number), psnr in dB,
        ssim, lpips (means), bicubic (the same three), per_image (name, the three, bicubic_ and the
        three).
        A number that does not exist (the PSNR of equal images, LPIPS where it was not asked for
        or is not to be had) is None. There only if needed: `luma`, where it is not rounded;
        `notes`, which say why; and `skipped`, images that could not be measured and the reasons;
        they count nowhere.

    Raises:
        ValueError: unfit folder, or not one image could be measured; the message names the file.
    """
    if luma not in LUMAS:
        raise UserError(f"luma is {' or '.join(LUMAS)}, not {luma!r}.")
    scale: int = model.scale  # type: ignore[assignment]
    pairing = pair_images(data, scale)
    pairs, skipped = pairing.pairs, pairing.alone
    distance = Lpips() if lpips else None
    notes: list[str] = []
    if distance is not None and not distance.available:
        notes.append(distance.reason)
        distance = None
    rows: list[Figures] = []
    for pair in _progress(pairs, progress, f"{name} on {set_name(data)}"):
        try:
            found = None if known is None else known.find(pair, distance is not None)
            row = found or measure_pair(model, pair, scale, distance, luma)
        except FAILURES as error:
            skipped[pair.hr.name] = _named(str(error) or "not enough memory", pair)
            continue
        if known is not None and found is None:
            known.keep(pair, row)
        rows.append({"name": pair.name, **row})
    if not rows:
        more = f" {len(skipped) - 1} more images failed too." if len(skipped) > 1 else ""
        raise UserError(next(iter(skipped.values())) + more)
    if say is not None:
        say(str(pairing))
    return _report(name, scale, luma, rows, notes, skipped)


def _report(
    name: str,
    scale: int,
    luma: str,
    rows: list[Figures],
    notes: list[str],
    skipped: dict[str, str],
) -> dict[str, Any]:
    means = {key: _mean([row[key] for row in rows]) for key in rows[0] if key != "name"}
    if any(_is_infinite(row[key]) for row in rows for key in ("psnr", "bicubic_psnr")):
        notes = [*notes, "An image equals its original: its PSNR is infinite and given as null."]
    report = {
        "model": name,
        "scale": scale,
        "images": len(rows),
        **{key: means[key] for key in METRICS},
        "bicubic": {key: means[f"bicubic_{key}"] for key in METRICS},
        "per_image": [{key: _finite(value) for key, value in row.items()} for row in rows],
    }
    extra = {"luma": "" if luma == ROUNDED else luma, "notes": notes, "skipped": skipped}
    return {**report, **{key: value for key, value in extra.items() if value}}


def _named(text: str, pair: Pair) -> str:
    """Reading errors name the file already; the others do not know which one it was."""
    files = [path.name for path in (pair.hr, pair.lr) if path is not None]
    return text if any(name in text for name in files) else f"{files[0]}: {text}"


def _progress(pairs: list[Pair], show: bool, about: str) -> Iterable[Pair]:
    if not show:
        return pairs
    from tqdm import tqdm

    return tqdm(pairs, about, unit="image", leave=False)


def measure_pair(
    model: nn.Module, pair: Pair, scale: int, distance: Lpips | None, luma: str
) -> Figures:
    """The figures of one image.

    Args:
        model: A network with `.scale`.
        pair: The original, and its LR image if there is one.
        scale: Up-scaling factor.
        distance: Computes LPIPS; None leaves it out.
        luma: One of `hpinet.metrics.psnr_ssim.LUMAS`.

    Raises:
        ValueError: The image cannot be read or does not fit.
    """
    lr, hr = load_pair(pair, scale)
    baseline = bicubic(lr, scale).rgb
    # Bicubic as a network differs from it by the rounding between the passes: one of them will do.
    sr = baseline if isinstance(model, Bicubic) else upscale(model, lr).rgb
    results = {"": sr, "bicubic_": baseline}
    row: Figures = {}
    for prefix, sr in results.items():
        row[f"{prefix}psnr"] = psnr_y(sr, hr, scale, luma)
        row[f"{prefix}ssim"] = ssim_y(sr, hr, scale, luma)
        row[f"{prefix}lpips"] = None if distance is None else distance(sr, hr)
    return row


def _mean(values: list[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return _finite(sum(numbers) / len(numbers)) if numbers else None


def _is_infinite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _finite(value: Any) -> Any:
    """JSON has no infinity."""
    return None if _is_infinite(value) else value


_LUMA_NOTES = {
    "rounded": "PSNR and SSIM on luma rounded to 8 bit, as in HPINet's paper. Most of the field "
    "does not round it, which gives about 0.02 dB and 0.001 more: --luma exact.",
    "exact": "PSNR and SSIM on luma that is not rounded, as in most of the field; HPINet's paper "
    "rounds it: --luma rounded.",
}


def luma_note(report: dict[str, Any]) -> str:
    """What a table says of the luma of a report."""
    return _LUMA_NOTES[report.get("luma", ROUNDED)]


def format_table(report: dict[str, Any]) -> str:
    """Lay a report of `evaluate` out as text: a line per image, means at the end."""
    width = max([len(row["name"]) for row in report["per_image"]] + [len("mean of 1000")])
    # LPIPS has its columns if it was asked for; where it could not be had, a note says why.
    shown = METRICS if report["lpips"] is not None or "notes" in report else METRICS[:2]
    heads = [f"{prefix}{key.upper()}" for prefix in ("", "bicubic ") for key in shown]
    lines = [f"{report['model']}, x{report['scale']}", " " * width + _cells(heads)]
    keys = [prefix + key for prefix in ("", "bicubic_") for key in shown]
    for row in report["per_image"]:
        lines.append(row["name"].ljust(width) + _cells([_number(k, row[k]) for k in keys]))
    means = {**report, **{f"bicubic_{key}": value for key, value in report["bicubic"].items()}}
    label = f"mean of {report['images']}".ljust(width)
    lines.append(label + _cells([_number(key, means[key]) for key in keys]))
    said = [luma_note(report), *report.get("notes", ())]
    said += [f"skipped: {reason}" for reason in report.get("skipped", {}).values()]
    return "\n".join(lines + said)


def _cells(texts: list[str]) -> str:
    return "".join(text.rjust(15) for text in texts)


def _number(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if key.endswith("psnr") else f"{value:.4f}"
