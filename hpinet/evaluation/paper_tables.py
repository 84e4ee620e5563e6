"""The figures that the paper prints (Tables 1 to 4), and which of them a network compares with.

The numbers lie beside this file in ``paper_tables.json``, copied from the paper (arXiv 2211.16776).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from hpinet.config import VARIANTS, HPINetConfig
from hpinet.errors import UserError
from hpinet.modeling.hpinet import HPINet
from hpinet.networks.adapted_network import AdaptedNetwork

SETS = {"Set5": 5, "Set14": 14, "B100": 100, "Urban100": 100, "Manga109": 109}
"""The paper's benchmarks and how many images each has."""

_OTHER_NAMES = {"bsd100": "B100", "bsds100": "B100", "manga": "Manga109", "urban": "Urban100"}

# Where the paper prints what a variant reaches at x4, as (table, row). M at x2 and x3 stands in
# Table 1 alone.
_ROWS: dict[str, tuple[tuple[int, object], ...]] = {
    "S": ((3, "HPINet-S"),),
    "M": ((1, "HPINet (Ours)"), (2, 4)),
    "L": ((3, "HPINet-L"),),
    "M-no-cpd-no-gpa": ((2, 1),),
    "M-no-gpa": ((2, 2),),
    "M-no-cpd": ((2, 3),),
    "M-no-ipsa": ((4, "w/o IPSA"),),
    "M-no-conv": ((4, "w/o 3x3 conv"),),
}


@dataclass(frozen=True)
class PaperResult:
    """What the paper prints for a network on a benchmark; None where it prints nothing.

    Attributes:
        model: The paper's name, such as ``"HPINet-S"``.
        tables: Numbers of the tables that were looked up.
        params: Parameters in millions.
        multi_adds: Multiply-accumulate operations for a 1280x720 image, in billions.
        psnr: On Y, in dB.
        ssim: On Y.
        lpips: AlexNet, of the whole image or not: the paper does not say.
    """

    model: str
    tables: tuple[int, ...]
    params: float | None = None
    multi_adds: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    lpips: float | None = None


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    path = Path(__file__).with_name("paper_tables.json")
    return json.loads(path.read_text(encoding="utf-8"))


def source() -> dict[str, str]:
    """Title, authors, venue, url and units of the tables."""
    return dict(_data()["source"])


def table(number: int) -> list[dict[str, Any]]:
    """The rows of a table.

    Args:
        number: 1 to 4.

    Returns:
        Every row with ``model``, where printed ``scale`` (Table 1; the others are x4), ``params``
        (millions), ``multi_adds`` (billions), ``cpd`` and ``gpa`` (Table 2), and for every
        benchmark of `SETS` a mapping of the table's `values` to numbers, None where it is empty.

    Raises:
        ValueError: If the paper has no such table.
    """
    found = _table(number)
    names = found["values"]
    return [
        {
            key: dict(zip(names, value, strict=True)) if key in SETS and value else value
            for key, value in row.items()
        }
        for row in found["rows"]
    ]


def caption(number: int) -> str:
    """What a table is about, in our words.

    Raises:
        ValueError: If the paper has no such table.
    """
    return str(_table(number)["caption"])


def _table(number: int) -> dict[str, Any]:
    tables = _data()["tables"]
    if str(number) not in tables:
        raise UserError(f"the paper has Tables {', '.join(tables)}, not {number}")
    return dict(tables[str(number)])


def benchmark_name(name: str) -> str | None:
    """The paper's name of a benchmark, such as B100 for BSD100; None for another set."""
    known = {one.lower(): one for one in SETS} | _OTHER_NAMES
    return known.get(name.lower())


def variant_name(config: HPINetConfig) -> str | None:
    """The name in `hpinet.VARIANTS` of a configuration at whatever scale; None if it has none."""
    named = (name for name, one in VARIANTS.items() if one.with_scale(config.scale) == config)
    return next(named, None)


def paper_result(model: nn.Module, benchmark: str) -> PaperResult | None:
    """What the paper prints for a network's architecture on a benchmark.

    Args:
        model: Any network. An `HPINet` of a variant that the paper measured has a result (weights
            trained with Global Pixel Access and run without are no such network), and another
            architecture that Table 1 names, if it has as many parameters.
        benchmark: A name that `benchmark_name` knows.

    Returns:
        The result, or None.
    """
    name = benchmark_name(benchmark)
    if name is not None and isinstance(model, AdaptedNetwork):
        return _result_of_another(model, name)
    if name is None or not isinstance(model, HPINet):
        return None
    variant, scale = variant_name(model.config), model.config.scale
    if variant not in _ROWS or (scale != 4 and variant != "M"):
        return None
    wanted = _ROWS[variant] if scale == 4 else _ROWS[variant][:1]
    rows = [(number, _row(number, model_name, scale)) for number, model_name in wanted]
    figures: dict[str, float | None] = {}
    for _, row in rows:
        known = {key: row.get(key) for key in ("params", "multi_adds")} | (row[name] or {})
        # The first table that prints a figure counts: rounding differs between tables.
        figures = known | {key: value for key, value in figures.items() if value is not None}
    figures.pop("milliseconds", None)
    return PaperResult(_title(variant), tuple(number for number, _ in rows), **figures)


def _result_of_another(model: AdaptedNetwork, benchmark: str) -> PaperResult | None:
    """The row of Table 1 of an architecture's name, or of a longer name such as SwinIR-light."""
    params = sum(p.numel() for p in model.parameters()) / 1e6
    wanted = _letters(model.name)
    for row in table(1):
        alike = bool(wanted) and _letters(str(row["model"])).startswith(wanted)
        # Printed with two digits, which of 0.27 million is off by 2%.
        if not alike or row["scale"] != model.scale or abs(params - row["params"]) > 0.02:
            continue
        figures = row[benchmark] or {}
        return PaperResult(str(row["model"]), (1,), params=row["params"], **figures)
    return None


def _letters(name: str) -> str:
    return "".join(one for one in name.lower() if one.isalnum())


def _row(number: int, model: object, scale: int) -> Mapping[str, Any]:
    return next(r for r in table(number) if r["model"] == model and r.get("scale", 4) == scale)


def _title(variant: str) -> str:
    rest = "".join(f" w/o {part}" for part in variant.split("-no-")[1:])
    short = {"cpd": "CPD", "gpa": "GPA", "ipsa": "IPSA", "conv": "3x3 conv"}
    for ours, theirs in short.items():
        rest = rest.replace(f"w/o {ours}", f"w/o {theirs}")
    return f"HPINet-{variant[0]}{rest}"


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
    others: Sequence[Mapping[str, Any]] = [
        r for r in table(1) if r["scale"] == 4 and not r["model"].startswith("HPINet")
    ]
    ours = [r for r in table(3) if r["model"].startswith("HPINet")]
    return [
        (row["model"], row["params"], row[benchmark]["psnr"])
        for row in (*others, *ours)
        if row[benchmark]
    ]
