"""What the benchmarks share: options, timing against a base, and the report as text."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from hpinet.cli import options as shared
from hpinet.data.tables import markdown_table
from hpinet.imaging.images import from_uint8
from hpinet.networks.open import open_network
from hpinet.tools.benchmark import seconds

Rows = list[dict[str, Any]]
Tables = dict[str, Rows]

_BYTES = ("peak_memory", "budget")


def add_network(parser: argparse.ArgumentParser, what: str = "a name or a file") -> None:
    """``--model``, ``--scale`` and ``--device``."""
    shared.add_model(parser, f"{what} (S)", scales=None)


def add_size(parser: argparse.ArgumentParser, size: tuple[int, int] | None, told: str) -> None:
    """``--size HxW``."""
    told = f"LR height and width ({told})"
    parser.add_argument(
        "--size", type=shared.height_and_width, default=size, metavar="HxW", help=told
    )


def add_window(parser: argparse.ArgumentParser) -> None:
    """``--window``, for `lam.batch.window_choice.parse_choice`."""
    told = "centre (default), detail, or LEFT TOP SIZE in SR pixels"
    parser.add_argument("--window", nargs="+", default=["centre"], metavar="CHOICE", help=told)


def add_parts(parser: argparse.ArgumentParser, parts: tuple[str, ...]) -> None:
    """``--only``."""
    told = f"one part, repeat for several: {', '.join(parts)} (all)"
    parser.add_argument("--only", action="append", choices=parts, metavar="PART", help=told)


def network_of(options: argparse.Namespace) -> nn.Module:
    """The network of ``--model`` on ``--device``."""
    options.device = shared.usable_device(options.device)
    return open_network(options.model, options.scale, device=options.device)


def photograph(height: int, width: int) -> Tensor:
    """The astronaut of scikit-image (public domain), cropped and shrunk; (1, 3, height, width)."""
    from skimage import data

    whole = Image.fromarray(data.astronaut())
    fitted = ImageOps.fit(whole, (width, height), Image.Resampling.BICUBIC)
    return from_uint8(np.asarray(fitted))


def machine(options: argparse.Namespace) -> dict[str, Any]:
    """What the numbers depend on besides the arguments."""
    device = getattr(options, "device", "cpu")
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    return {"device": name, "threads": torch.get_num_threads(), "torch": str(torch.__version__)}


def compare(calls: Mapping[str, Callable[[], Any]], base: str) -> Rows:
    """Time contestants: a row each, with ``ratio``, its median seconds over those of ``base``."""
    rows: Rows = [{"contestant": name, **seconds(call)} for name, call in calls.items()]
    theirs = next(row["seconds"] for row in rows if row["contestant"] == base)
    return [{**row, "ratio": row["seconds"] / theirs} for row in rows]


def as_text(report: Mapping[str, Any]) -> str:
    """A report as Markdown: the setting, and a table under each title."""
    setting = ", ".join(f"{name} {_cell(name, one)}" for name, one in report["setting"].items())
    lines = [f"{report['benchmark']}: {setting}"]
    for title, rows in report["tables"].items():
        columns = list(dict.fromkeys(name for row in rows for name in row))
        heads = [name.replace("_", " ") for name in columns]
        cells = ([_cell(name, row.get(name)) for name in columns] for row in rows)
        lines += ["", f"{title}:", "", *markdown_table(heads, cells)]
    return "\n".join(lines)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name in _BYTES:
        return f"{value / 2**20:.0f} MiB"
    if isinstance(value, float):
        return f"{value:.4g}"
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
