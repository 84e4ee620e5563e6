"""What an evaluation found as tables: Markdown to read, CSV to go on with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpinet.data.tables import csv_text, markdown_table, shown
from hpinet.imaging.files import write_bytes
from hpinet.metrics.psnr_ssim import ROUNDED
from hpinet.networks.bicubic import BICUBIC

from .evaluate import METRICS

_HEADS = {"psnr": "PSNR-Y, dB", "ssim": "SSIM", "lpips": "LPIPS"}
_DIGITS = {"psnr": ".3f", "ssim": ".4f", "lpips": ".4f"}
_PRINTED = {"psnr": ".2f", "ssim": ".4f", "lpips": ".4f"}  # as the paper prints them

_LUMA_NOTES = {
    "rounded": "PSNR and SSIM on luma rounded to 8 bit, as in HPINet's paper. Most of the field "
    "does not round it, which gives about 0.02 dB and 0.001 more: --luma exact.",
    "exact": "PSNR and SSIM on luma that is not rounded, as in most of the field; HPINet's paper "
    "rounds it: --luma rounded.",
}

Report = Mapping[str, Any]


def write_tables(folder: Path, found: Report) -> None:
    """Write results.md, results.csv and results.json, each completely or not at all.

    Args:
        folder: Made if it is not there.
        found: What `hpinet.evaluation.evaluate.evaluate_all` returned.

    Raises:
        OSError: If a file cannot be written.
    """
    write_bytes(folder / "results.md", markdown(found).encode())
    write_bytes(folder / "results.csv", csv_text(flat_rows(found["results"])).encode())
    text = json.dumps(found, indent=2, allow_nan=False) + "\n"
    write_bytes(folder / "results.json", text.encode())


def markdown(found: Report) -> str:
    """All results as Markdown: for every set bicubic, the networks, the paper and the difference.

    Means over the images; in brackets their 95% intervals (Student's t).

    Args:
        found: What `hpinet.evaluation.evaluate.evaluate_all` returned; ``differences`` and
            ``skipped`` may be missing.
    """
    results = found["results"]
    keys = _shown_metrics(results)
    figures = [_HEADS[key] for key in keys]
    heads = ["set", "scale", "model", "params", "multi-adds", *figures, "gain over bicubic, dB"]
    lines = markdown_table(heads, _result_rows(results, keys))
    if found.get("differences"):
        lines += ["", "Differences of networks on the same images, first less second:", ""]
        rows = (
            [one["set"], f"x{one['scale']}", " - ".join(one["models"]), str(one["images"])]
            + [_estimate(one["mean"], one["intervals"], key, "+") for key in keys]
            for one in found["differences"]
        )
        lines += markdown_table(["set", "scale", "models", "images", *figures], rows)
    said = [note for report in results for note in _notes(report)]
    said += [f"Skipped: {reason}" for reason in found.get("skipped", ())]
    return "\n".join(lines + [text for one in dict.fromkeys(said) for text in ("", one)]) + "\n"


def per_image(report: Report) -> str:
    """One network on one set as Markdown: a line an image, the means, notes."""
    keys = [f"{prefix}{key}" for prefix in ("", "bicubic_") for key in _shown_metrics([report])]
    means = {**report, **{f"bicubic_{key}": value for key, value in report["bicubic"].items()}}
    rows = [*report["per_image"], {**means, "name": f"mean of {report['images']}"}]
    lines = markdown_table(
        [f"{report['model']}, x{report['scale']}", *(key.replace("_", " ") for key in keys)],
        ([row["name"], *(shown(row[k], _DIGITS[k.split("_")[-1]]) for k in keys)] for row in rows),
    )
    said = [*_notes(report), *(f"skipped: {one}" for one in report.get("skipped", {}).values())]
    return "\n".join([*lines, "", *said])


def _notes(report: Report) -> list[str]:
    return [_LUMA_NOTES[report.get("luma", ROUNDED)], *report.get("notes", ())]


def _shown_metrics(results: Sequence[Report]) -> list[str]:
    # LPIPS has its column if it was asked for; where it could not be had, a note says why.
    wanted = any(r["lpips"] is not None or r.get("notes") for r in results)
    return [key for key in METRICS if key != "lpips" or wanted]


def _result_rows(results: Sequence[Report], keys: list[str]) -> Iterator[list[str]]:
    for group in dict.fromkeys((r["set"], r["scale"]) for r in results):
        mine = [r for r in results if (r["set"], r["scale"]) == group]
        fullest = max(mine, key=lambda r: r["images"])
        bicubic = [_estimate(fullest["bicubic"], fullest["bicubic_intervals"], k) for k in keys]
        place = [f"{group[0]} ({fullest['images']})", f"x{group[1]}"]
        yield [*place, BICUBIC, "", "", *bicubic, ""]
        for report in mine:
            if report["model"] != BICUBIC:  # the row above
                place[0] = f"{group[0]} ({report['images']})"
                yield from ([*place, *cells] for cells in _model_rows(report, keys))


def _model_rows(report: Report, keys: list[str]) -> Iterator[list[str]]:
    """A network, the paper's figures, and what is measured less these."""
    figures = [_estimate(report, report["intervals"], key) for key in keys]
    gain = _estimate(report["gain"], report["gain_intervals"], "psnr", "+")
    cost = [f"{report['params']:,}", _printed((report["multi_adds"] or 0) / 1e9, ".1f", " G")]
    yield [report["model"], *cost, *figures, gain]
    paper = report["paper"]
    if paper is None:
        return
    tables = " and ".join(str(number) for number in paper["tables"])
    cost = [_printed(paper["params"], ".2f", " M"), _printed(paper["multi_adds"], ".1f", " G")]
    printed = [_printed(paper[key], _PRINTED[key]) for key in keys]
    yield [f"paper: {paper['model']}, Table {tables}", *cost, *printed, ""]
    if report.get("luma", ROUNDED) == ROUNDED:  # the paper's own
        away = report["paper_difference"]
        differences = [_printed(away[key], f"+{_DIGITS[key]}") for key in keys]
        yield ["measured less printed", "", "", *differences, ""]


def _printed(value: float | None, how: str, unit: str = "") -> str:
    return "" if value is None or (unit and not value) else f"{value:{how}}{unit}"


def _estimate(means: Report, intervals: Report, key: str, sign: str = "") -> str:
    return shown(means[key], f"{sign}{_DIGITS[key]}", intervals[key])


def flat_rows(results: Sequence[Report]) -> Iterator[dict[str, Any]]:
    """A row a set, scale and network, bicubic among them, in full precision.

    Columns: set, scale, images, model, params, multi_adds; each metric with _low and _high, the
    95% interval; gain_psnr over bicubic alike; paper_model, paper_tables, paper_params (millions),
    paper_multi_adds (billions), paper_ and difference_ with each metric. Empty where undefined.
    """
    groups = set()
    for report in results:
        place = {name: report[name] for name in ("set", "scale", "images")}
        if tuple(place.values()) not in groups:
            groups.add(tuple(place.values()))
            bicubic = _with_intervals(report["bicubic"], report["bicubic_intervals"], METRICS)
            yield {**place, "model": BICUBIC, "params": None, "multi_adds": None, **bicubic}
        paper = report["paper"] or {}
        gain = _with_intervals(report["gain"], report["gain_intervals"], ("psnr",))
        yield {
            **place,
            **{name: report[name] for name in ("model", "params", "multi_adds")},
            **_with_intervals(report, report["intervals"], METRICS),
            **{f"gain_{name}": value for name, value in gain.items()},
            "paper_model": paper.get("model"),
            "paper_tables": " ".join(str(number) for number in paper.get("tables", ())),
            **{f"paper_{n}": paper.get(n) for n in ("params", "multi_adds", *METRICS)},
            **{f"difference_{name}": report["paper_difference"][name] for name in METRICS},
        }


def _with_intervals(means: Report, ends: Report, names: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        low, high = ends[name] or (None, None)
        found |= {name: means[name], f"{name}_low": low, f"{name}_high": high}
    return found
