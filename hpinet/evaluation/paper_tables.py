"""The figures that the paper prints (Tables 1 to 4), and which of them a network compares with.

The numbers lie beside this file in ``paper_tables.json``, copied from the paper (arXiv 2211.16776).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from hpinet.config import VARIANTS, HPINetConfig
from hpinet.data.tables import markdown_table, shown
from hpinet.errors import UserError
from hpinet.modeling.hpinet import HPINet

SETS = {"Set5": 5, "Set14": 14, "B100": 100, "Urban100": 100, "Manga109": 109}
"""The paper's benchmarks and how many images each has."""

_OTHER_NAMES = {"bsd100": "B100", "bsds100": "B100", "manga": "Manga109", "urban": "Urban100"}

# What the paper calls a variant, and where it prints what that reaches at x4, as (table, row). M at
# x2 and x3 stands in Table 1 alone.
_ROWS: dict[str, tuple[str, list[tuple[int, object]]]] = {
    "S": ("HPINet-S", [(3, "HPINet-S")]),
    "M": ("HPINet-M", [(1, "HPINet (Ours)"), (2, 4)]),
    "L": ("HPINet-L", [(3, "HPINet-L")]),
    "M-no-cpd-no-gpa": ("HPINet-M w/o CPD w/o GPA", [(2, 1)]),
    "M-no-gpa": ("HPINet-M w/o GPA", [(2, 2)]),
    "M-no-cpd": ("HPINet-M w/o CPD", [(2, 3)]),
    "M-no-ipsa": ("HPINet-M w/o IPSA", [(4, "w/o IPSA")]),
    "M-no-conv": ("HPINet-M w/o 3x3 conv", [(4, "w/o 3x3 conv")]),
}


@lru_cache(maxsize=1)
def _tables() -> dict[str, Any]:
    path = Path(__file__).with_name("paper_tables.json")
    return json.loads(path.read_text(encoding="utf-8"))["tables"]


def table(number: int) -> list[dict[str, Any]]:
    """The rows of a table.

    Args:
        number: 1 to 4.

    Returns:
        Every row with ``model``, where printed ``scale`` (Table 1; the others are x4), ``params``
        (millions), ``multi_adds`` (billions), ``cpd`` and ``gpa`` (Table 2), and for every
        benchmark of `SETS` a mapping of the table's values to numbers, None where it is empty.

    Raises:
        ValueError: If the paper has no such table.
    """
    if str(number) not in _tables():
        raise UserError(f"the paper has Tables {', '.join(_tables())}, not {number}")
    found = _tables()[str(number)]
    return [
        {
            key: dict(zip(found["values"], value, strict=True)) if key in SETS and value else value
            for key, value in row.items()
        }
        for row in found["rows"]
    ]


def benchmark_name(name: str) -> str | None:
    """The paper's name of a benchmark, such as B100 for BSD100; None for another set."""
    known = {one.lower(): one for one in SETS} | _OTHER_NAMES
    return known.get(name.lower())


def variant_name(config: HPINetConfig) -> str | None:
    """The name in `hpinet.VARIANTS` of a configuration at whatever scale; None if it has none."""
    named = (name for name, one in VARIANTS.items() if one.with_scale(config.scale) == config)
    return next(named, None)


def paper_result(model: nn.Module, benchmark: str) -> dict[str, Any] | None:
    """What the paper prints for a network's architecture on a benchmark.

    Args:
        model: Any network. An `HPINet` of a variant that the paper measured has a result (weights
            trained with Global Pixel Access and run without are no such network), and another
            architecture whose ``.name`` begins a name in Table 1, if it has as many parameters.
        benchmark: A name that `benchmark_name` knows.

    Returns:
        ``model`` (the paper's name), ``tables`` (the numbers of those that were looked up), and,
        None where nothing is printed, ``params`` (millions), ``multi_adds`` (billions), ``psnr``,
        ``ssim`` and ``lpips``. None if there is no such row.
    """
    name = benchmark_name(benchmark)
    title, rows = _printed(model) if name is not None else ("", [])
    if not rows:
        return None
    found = dict.fromkeys(("params", "multi_adds", "psnr", "ssim", "lpips"))
    for _, row in reversed(rows):  # the first table that prints a figure counts: others round it
        printed = {**row, **(row[name] or {})}
        found |= {key: printed[key] for key in found if printed.get(key) is not None}
    return {"model": title, "tables": [number for number, _ in rows], **found}


def _printed(model: nn.Module) -> tuple[str, list[tuple[int, dict[str, Any]]]]:
    """What the paper calls a network, and its rows with their tables' numbers."""
    if isinstance(model, HPINet):
        scale, variant = model.config.scale, variant_name(model.config)
        if variant not in _ROWS or (scale != 4 and variant != "M"):
            return "", []
        title, places = _ROWS[variant]
        rows = [
            (number, row)
            for number, name in (places if scale == 4 else places[:1])
            for row in table(number)
            if row["model"] == name and row.get("scale", 4) == scale
        ]
        return title, rows
    params, name = sum(p.numel() for p in model.parameters()) / 1e6, _letters(model)
    for row in table(1):
        alike = name and _letters(row["model"]).startswith(name) and row["scale"] == model.scale
        # Printed with two digits, which of 0.27 million is off by 2%.
        if alike and abs(params - row["params"]) <= 0.02:
            return str(row["model"]), [(1, row)]
    return "", []


def _letters(named: object) -> str:
    """SwinIRlight of SwinIR-light, in lower case; nothing of a network without a name."""
    name = named if isinstance(named, str) else str(getattr(named, "name", ""))
    return "".join(one for one in name.lower() if one.isalnum())


def size_points(benchmark: str = "Set5") -> list[tuple[str, float, float]]:
    """The points of the paper's Fig. 1: PSNR against model size at x4.

    Args:
        benchmark: One of `SETS`; the paper shows Set5.

    Returns:
        Name, parameters in millions and PSNR in dB of the lightweight networks of Table 1 and of
        HPINet-S, M and L of Table 3.

    Raises:
        ValueError: If the paper has no such benchmark.
    """
    if benchmark not in SETS:
        raise UserError(f"the paper's benchmarks are {', '.join(SETS)}, not {benchmark!r}")
    others = [r for r in table(1) if r["scale"] == 4 and not r["model"].startswith("HPINet")]
    ours = [r for r in table(3) if r["model"].startswith("HPINet")]
    return [
        (row["model"], row["params"], row[benchmark]["psnr"])
        for row in (*others, *ours)
        if row[benchmark]
    ]


def paper_markdown(number: int, results: Sequence[Mapping[str, Any]] = (), scale: int = 4) -> str:
    """A table of the paper as Markdown, and measured rows below it in the same columns.

    Args:
        number: 1 to 4.
        results: Reports of `hpinet.evaluation.evaluate.evaluate_all`; those at another scale or on
            other sets are left out.
        scale: Of Table 1; the others are x4.

    Raises:
        ValueError: If the paper has no such table.
    """
    rows = [{"": "paper", **row} for row in table(number) if row.get("scale", 4) == scale]
    values, sets = _tables()[str(number)]["values"], list(SETS)
    measured: dict[str, dict[str, Any]] = {}
    for report in results:
        if report["scale"] == scale and benchmark_name(report["set"]) is not None:
            row = measured.setdefault(report["model"], {"": "here", "model": report["model"]})
            row |= {
                "params": report["params"] / 1e6,
                "multi_adds": (report["multi_adds"] or 0) / 1e9,
            }
            row[str(benchmark_name(report["set"]))] = report
    costs = [name for name in ("cpd", "gpa", "params", "multi_adds") if name in rows[0]]
    units = {"params": "params (M)", "multi_adds": "multi-adds (G)"}
    printed = "/".join("ms" if value == "milliseconds" else value.upper() for value in values)
    heads = ["", "model", *(units.get(name, name.upper()) for name in costs)]
    lines = [
        [row[""], str(row["model"]), *(_cost(row.get(name)) for name in costs)]
        + [_figures(row.get(one), values) for one in sets]
        for row in (*rows, *measured.values())
    ]
    title = f"**Table {number}** of the paper. {_tables()[str(number)]['caption']}"
    body = markdown_table([*heads, *(f"{one} {printed}" for one in sets)], lines)
    return "\n".join([f"{title}{f', x{scale}' if number == 1 else ''}.", "", *body])


def _cost(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if value else ""


def _figures(found: Mapping[str, Any] | None, values: Sequence[str]) -> str:
    digits = {"psnr": ".2f", "milliseconds": ".0f"}
    cells = [shown((found or {}).get(value), digits.get(value, ".4f")) for value in values]
    return "/".join(cells) if set(cells) != {"-"} else "-"
