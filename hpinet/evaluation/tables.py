"""What an evaluation found as tables: Markdown to read, CSV to go on with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpinet.data.tables import csv_text, markdown_table
from hpinet.imaging.files import write_bytes
from hpinet.networks.bicubic import BICUBIC

from .evaluate import METRICS, luma_note
from .suite import Evaluation

_HEADS = {"psnr": "PSNR-Y, dB", "ssim": "SSIM", "lpips": "LPIPS"}
_DIGITS = {"psnr": 3, "ssim": 4, "lpips": 4}
_PRINTED = {"psnr": 2, "ssim": 4, "lpips": 4}  # as the paper prints them


def write_tables(folder: str | Path, found: Evaluation) -> list[Path]:
    """Write results.md, results.csv and results.json, each completely or not at all.

    Args:
        folder: Made if it is not there.
        found: What is written.

    Returns:
        The files.

    Raises:
        OSError: If a file cannot be written.
    """
    texts = {
        "results.md": markdown(found),
        "results.csv": comma_separated(found.results),
        "results.json": json.dumps(found.summary(), indent=2, allow_nan=False) + "\n",
    }
    for name, text in texts.items():
        write_bytes(Path(folder) / name, text.encode())
    return [Path(folder) / name for name in texts]


def markdown(found: Evaluation) -> str:
    """All results as Markdown: for every set bicubic, the networks, the paper and the difference.

    Means over the images; in brackets their 95% intervals (Student's t).
    """
    shown = _shown(found.results)
    heads = ["set", "scale", "model", "params", "multi-adds", *(_HEADS[key] for key in shown)]
    lines = markdown_table([*heads, "gain over bicubic, dB"], _result_rows(found.results, shown))
    if found.differences:
        lines += ["", "Differences of networks on the same images, first less second:", ""]
        heads = ["set", "scale", "models", "images", *(_HEADS[key] for key in shown)]
        lines += markdown_table(heads, _difference_rows(found.differences, shown))
    notes = [note for report in found.results for note in report.get("notes", ())]
    luma = [luma_note(report) for report in found.results]
    said = [*dict.fromkeys([*luma, *notes]), *(f"Skipped: {reason}" for reason in found.skipped)]
    lines += [line for note in said for line in ("", note)]
    return "\n".join(lines) + "\n"


def _shown(results: Sequence[Mapping[str, Any]]) -> list[str]:
    # LPIPS has its column if it was asked for; where it could not be had, a note says why.
    wanted = any(r["lpips"] is not None or r.get("notes") for r in results)
    return [key for key in METRICS if key != "lpips" or wanted]


def _result_rows(results: Sequence[Mapping[str, Any]], shown: list[str]) -> Iterator[list[str]]:
    for group in dict.fromkeys((r["set"], r["scale"]) for r in results):
        mine = [r for r in results if (r["set"], r["scale"]) == group]
        fullest = max(mine, key=lambda r: r["images"])
        place = [f"{group[0]} ({fullest['images']})", f"x{group[1]}"]
        bicubic = [_estimate(fullest["bicubic"], fullest["bicubic_intervals"], k) for k in shown]
        yield [*place, "bicubic", "", "", *bicubic, ""]
        for report in mine:
            if report["model"] == BICUBIC:  # the row above
                continue
            here = [f"{group[0]} ({report['images']})", place[1]]
            yield from _model_rows(report, here, shown)


def _model_rows(report: Mapping[str, Any], place: list[str], shown: list[str]) -> Iterator:
    operations = report["multi_adds"]
    cost = [f"{report['params']:,}", "" if operations is None else f"{operations / 1e9:.1f} G"]
    figures = [_estimate(report, report["intervals"], key) for key in shown]
    gain = _estimate(report["gain"], report["gain_intervals"], "psnr", "+")
    yield [*place, report["model"], *cost, *figures, gain]
    paper = report["paper"]
    if paper is None:
        return
    tables = " and ".join(str(number) for number in paper["tables"])
    cost = [
        "" if paper["params"] is None else f"{paper['params']:.2f} M",
        "" if paper["multi_adds"] is None else f"{paper['multi_adds']:.1f} G",
    ]
    printed = ["" if paper[k] is None else f"{paper[k]:.{_PRINTED[k]}f}" for k in shown]
    yield [*place, f"paper: {paper['model']}, Table {tables}", *cost, *printed, ""]
    away = report["paper_difference"]
    differences = ["" if away[k] is None else f"{away[k]:+.{_DIGITS[k]}f}" for k in shown]
    yield [*place, "measured less printed", "", "", *differences, ""]


def _difference_rows(rows: Sequence[Mapping[str, Any]], shown: list[str]) -> Iterator[list[str]]:
    for row in rows:
        figures = [_estimate(row["mean"], row["intervals"], key, "+") for key in shown]
        place = [row["set"], f"x{row['scale']}", " - ".join(row["models"]), str(row["images"])]
        yield [*place, *figures]


def _estimate(
    means: Mapping[str, Any], intervals: Mapping[str, Any], key: str, sign: str = ""
) -> str:
    if means[key] is None:
        return "-"
    digits = _DIGITS[key]
    text = f"{means[key]:{sign}.{digits}f}"
    if intervals[key] is None:
        return text
    low, high = intervals[key]
    return f"{text} ({low:{sign}.{digits}f} to {high:{sign}.{digits}f})"


def comma_separated(results: Sequence[Mapping[str, Any]]) -> str:
    """A row a set, scale and network, bicubic among them, in full precision.

    Columns: set, scale, images, model, params, multi_adds; each metric with _low and _high, the
    95% interval; gain_psnr over bicubic alike; paper_model, paper_tables, paper_params (millions),
    paper_multi_adds (billions), paper_ and difference_ with each metric. Empty where undefined.
    """
    return csv_text(_flat(results))


def _flat(results: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    groups = set()
    for report in results:
        place = {name: report[name] for name in ("set", "scale", "images")}
        if tuple(place.values()) not in groups:
            groups.add(tuple(place.values()))
            figures = _with_intervals(report["bicubic"], report["bicubic_intervals"])
            yield {**_row(place), "model": "bicubic", **figures}
        paper = report["paper"] or {}
        gain = _with_intervals(report["gain"], report["gain_intervals"], ("psnr",))
        yield {
            **_row(place),
            **{name: report[name] for name in ("model", "params", "multi_adds")},
            **_with_intervals(report, report["intervals"]),
            **{f"gain_{name}": value for name, value in gain.items()},
            "paper_model": paper.get("model"),
            "paper_tables": " ".join(str(number) for number in paper.get("tables", ())),
            **{f"paper_{n}": paper.get(n) for n in ("params", "multi_adds", *METRICS)},
            **{f"difference_{name}": report["paper_difference"][name] for name in METRICS},
        }


def _row(place: Mapping[str, Any]) -> dict[str, Any]:
    ends = [f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")]
    gains = [f"gain_psnr{end}" for end in ("", "_low", "_high")]
    paper = ["model", "tables", "params", "multi_adds", *METRICS]
    names = [
        *("model", "params", "multi_adds"), *ends, *gains,
        *(f"paper_{name}" for name in paper), *(f"difference_{name}" for name in METRICS),
    ]  # fmt: skip
    return {**place, **dict.fromkeys(names)}


def _with_intervals(
    means: Mapping[str, Any], intervals: Mapping[str, Any], names: Sequence[str] = METRICS
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        low, high = intervals[name] or (None, None)
        found |= {name: means[name], f"{name}_low": low, f"{name}_high": high}
    return found
