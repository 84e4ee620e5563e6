"""What all benchmarks share: timing in rounds, one form of report, one way to run.

A report is ``{"benchmark": name, "setting": {...}, "tables": {title: [row, ...]}}``. A row is a
mapping of plain values, or of the median, least and greatest of the rounds (`rounds.spread`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from torch import nn

from hpinet.benchmark.rounds import ratios, spread, timed_rounds
from hpinet.cli import options as shared
from hpinet.cli.errors import parse_and_run
from hpinet.config import VARIANTS, HPINetConfig, get_config
from hpinet.data.tables import markdown_table

Rows = list[dict[str, Any]]
Tables = dict[str, Rows]
Tick = Callable[[], Any]
"""Called after every round, map or file."""

_BYTES = ("peak_memory", "budget")


def run_script(name: str, about: str, script: ModuleType, arguments: Sequence[str]) -> int:
    """Read the arguments, measure, and print the report.

    Args:
        name: Of the benchmark.
        about: What it measures.
        script: Has ``add_arguments(parser)``, and ``measure(options)``, which returns what differs
            from run to run (a mapping, for the setting) and the tables.
        arguments: Of the command line, the name first.

    Returns:
        The exit code, see `hpinet.cli.errors.parse_and_run`.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {name}", description=about)
    script.add_arguments(parser)
    shared.add_json(parser)

    def run(options: argparse.Namespace) -> int:
        setting, tables = script.measure(options)
        report = {"benchmark": name, "setting": {**setting, **_machine(options)}, "tables": tables}
        print(json.dumps(report, allow_nan=False) if options.json else as_text(report))
        return 0

    return parse_and_run("benchmarks", parser, run, arguments[1:])


def _machine(options: argparse.Namespace) -> dict[str, Any]:
    device = getattr(options, "device", "cpu")
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    threads, version = torch.get_num_threads(), str(torch.__version__)
    return {"device": name, "threads": threads, "torch": version}


def add_network(parser: argparse.ArgumentParser, what: str = "a variant's name, or a file") -> None:
    """``--model``, ``--scale`` and ``--device``."""
    shared.add_model(parser, f"{what} (S)", scales=None)


def add_rounds(parser: argparse.ArgumentParser) -> None:
    """``--rounds``."""
    told = "timed rounds, after one to warm up (5)"
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help=told)


def add_size(parser: argparse.ArgumentParser, size: tuple[int, int]) -> None:
    """``--size HxW``."""
    told = f"LR height and width ({size[0]}x{size[1]})"
    parser.add_argument(
        "--size", type=shared.height_and_width, default=size, metavar="HxW", help=told
    )


def open_config(options: argparse.Namespace) -> HPINetConfig:
    """The configuration of a variant or of a checkpoint: speed does not depend on the weights.

    Raises:
        ValueError: If there is none, or no such device.
    """
    from hpinet import load_model

    options.device = shared.usable_device(options.device)
    if options.model in VARIANTS:
        return get_config(options.model, options.scale or 4)
    config: HPINetConfig = load_model(options.model, scale=options.scale).config
    return config


def open_network(options: argparse.Namespace) -> nn.Module:
    """The network of ``--model`` on ``--device``, by `hpinet.networks.open.open_network`."""
    from hpinet.networks.open import open_network

    options.device = shared.usable_device(options.device)
    return open_network(options.model, options.scale, device=options.device)


def compare(
    calls: Mapping[str, Callable[[], Any]], base: str, rounds: int, tick: Tick = lambda: None
) -> Rows:
    """Time contestants in turns and compare each with one of them, within the round.

    Args:
        calls: What each contestant does in a round, by its name: work of this process, which is
            timed here, or of another one, which returns its `hpinet.benchmark.rounds.Timing`.
        base: The contestant that the others are compared with.
        rounds: Timed rounds, after one to warm up.
        tick: Called after every round.

    Returns:
        A row a contestant: ``contestant``, ``seconds``, ``cpu_seconds`` (of all threads) and
        ``ratio``, its seconds over those of ``base``.

    Raises:
        ValueError: If there are no rounds.
    """
    times = timed_rounds(calls, rounds, tick)
    return [
        {
            "contestant": name,
            "seconds": spread([one[name].seconds for one in times]),
            "cpu_seconds": spread([one[name].cpu_seconds for one in times]),
            "ratio": spread(ratios(times, name, base)),
        }
        for name in calls
    ]


def add_memory(rows: Rows, memory: Mapping[str, int | None], base: str) -> None:
    """Give rows of `compare` their ``peak_memory`` in bytes and its ratio to that of ``base``."""
    for row in rows:
        mine, theirs = memory[row["contestant"]], memory[base]
        row["peak_memory"] = mine
        row["memory_ratio"] = mine / theirs if mine and theirs else None


@contextmanager
def progress(what: str, total: int, unit: str = "round") -> Iterator[Tick]:
    """A progress bar on stderr, hidden where stderr is no terminal."""
    from tqdm import tqdm

    with tqdm(total=total, desc=what, unit=unit, leave=False, disable=None) as bar:
        yield bar.update


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
    if isinstance(value, Mapping):
        low, middle, high = (_cell(name, value[key]) for key in ("min", "median", "max"))
        return f"{middle} ({low} to {high})"
    if value is None:
        return "-"
    if name in _BYTES:
        return f"{value / 2**20:.0f} MiB"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return str(value)
