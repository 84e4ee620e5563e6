"""The paper's tables as Markdown, with what was measured here in rows below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpinet.data.tables import markdown_table

from .paper_tables import SETS, benchmark_name, caption, table

_FORMATS = {"psnr": ".2f", "ssim": ".4f", "lpips": ".4f", "milliseconds": ".0f"}
_UNITS = {"psnr": "PSNR", "ssim": "SSIM", "lpips": "LPIPS", "milliseconds": "ms"}


def paper_markdown(
    number: int, results: Sequence[Mapping[str, Any]] = (), scale: int = 4, least: str = ""
) -> str:
    """A table of the paper, and measured rows in the same columns.

    Args:
        number: 1 to 4.
        results: Reports of `suite.compare`; those at another scale or on other sets
            are left out. The paper's ``ms`` have no counterpart in them.
        scale: Of Table 1; the others are x4.
        least: Leave out of the paper's rows those before the first model of this name.

    Raises:
        ValueError: If the paper has no such table.
    """
    rows = [row for row in table(number) if row.get("scale", 4) == scale]
    kinds = _kinds(rows)
    names = [str(row["model"]) for row in rows]
    rows = rows[names.index(least) :] if least in names else rows
    costs = [name for name in ("params", "multi_adds") if name in rows[0]]
    heads = ["", "model", *(_COSTS[name] for name in costs)]
    heads += [f"{one} {'/'.join(_UNITS[kind] for kind in kinds)}" for one in SETS]
    body = [*_printed(number, rows, costs, kinds), *_measured(results, scale, costs, kinds)]
    title = f"**Table {number}** of the paper. {caption(number)}"
    return "\n".join([f"{title}{f', x{scale}' if number == 1 else ''}.", "",
                      *markdown_table(heads, iter(body))])  # fmt: skip


_COSTS = {"params": "params (M)", "multi_adds": "multi-adds (G)"}


def _kinds(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return next(list(row[one]) for row in rows for one in SETS if row[one])


def _printed(
    number: int, rows: Sequence[Mapping[str, Any]], costs: Sequence[str], kinds: Sequence[str]
) -> Iterator[list[str]]:
    for row in rows:
        model = str(row["model"])
        if number == 2:
            with_ = [name.upper() for name in ("cpd", "gpa") if row[name]]
            model = f"model {model}: {' and '.join(with_) or 'neither CPD nor GPA'}"
        yield ["paper", model, *(f"{row[name]:g}" for name in costs),
               *(_figures(row[one] or {}, kinds) for one in SETS)]  # fmt: skip


def _measured(
    results: Sequence[Mapping[str, Any]], scale: int, costs: Sequence[str], kinds: Sequence[str]
) -> Iterator[list[str]]:
    known = [r for r in results if r["scale"] == scale and benchmark_name(r["set"]) in SETS]
    for model in dict.fromkeys(report["model"] for report in known):
        mine = {str(benchmark_name(r["set"])): r for r in known if r["model"] == model}
        one = next(iter(mine.values()))
        units = {"params": 1e6, "multi_adds": 1e9}
        cost = [f"{one[name] / units[name]:.4g}" if one[name] else "" for name in costs]
        yield ["here", model, *cost, *(_figures(mine.get(name, {}), kinds) for name in SETS)]


def _figures(found: Mapping[str, Any], kinds: Sequence[str]) -> str:
    cells = [
        "-" if found.get(kind) is None else f"{found[kind]:{_FORMATS[kind]}}" for kind in kinds
    ]
    return "/".join(cells) if any(cell != "-" for cell in cells) else "-"
