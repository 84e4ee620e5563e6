"""What a training step costs, side by side with the paper's formulas written out plainly."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.plain_hpinet import PlainHPINet
from hpinet.config import HPINetConfig
from hpinet.inference.precision import PRECISIONS, has_bf16
from hpinet.modeling.hpinet import HPINet

from .cost import peak_memory

TRAINED_SIZE = (48, 48)
"""LR height and width of the crops."""

_TITLES = {"plain": "plain formulas", "hpinet": "HPINet", "hpinet_bf16": "HPINet, bfloat16"}
_RUNNERS = {"plain": (True, "no"), "hpinet": (False, "no"), "hpinet_bf16": (False, "bf16")}


def training_cost(
    config: HPINetConfig,
    *,
    size: tuple[int, int] = TRAINED_SIZE,
    batch: int = 8,
    rounds: int = 5,
    device: str = "cpu",
    precisions: Sequence[str] = ("fp32", "bf16"),
) -> dict[str, Any]:
    """Time and memory of a training step: forward, L1 loss, backward, clipping, Adam.

    The plain network, HPINet, and HPINet under bfloat16 autocast take turns in every round and are
    compared within it, so that a machine that is busy for a while slows all of them down. Memory
    is measured in a fresh process each.

    Args:
        config: The network, with random weights.
        size: LR height and width of the crops, at least the largest patch.
        batch: Crops a step.
        rounds: Timed rounds, after one to warm up.
        device: Where to run.
        precisions: What to measure HPINet in, see `precision.PRECISIONS`; plain formulas are
            always in float32.

    Returns:
        ``plain``, ``hpinet`` and ``hpinet_bf16``, as far as measured, each with seconds (median),
        seconds_min, seconds_max, peak_memory (bytes of the first step, or None), and, compared with
        plain, time_ratio (median of the rounds), time_ratio_min, time_ratio_max and memory_ratio;
        also peak_memory_is, size, batch, rounds, device, threads.

    Raises:
        ValueError: If a number is below 1, a crop is smaller than a patch, or a precision unknown.
    """
    if min(batch, rounds) < 1 or min(size) < max(config.patch_sizes):
        raise ValueError(
            f"batch ({batch}) and rounds ({rounds}) must be 1 or more, crops ({size[0]}x{size[1]}) "
            f"at least {max(config.patch_sizes)} pixels, the largest patch"
        )
    names = _measured(precisions, device)
    steps = {name: _step(config, name, size, batch, device) for name in names}
    times = [{name: _seconds(step) for name, step in steps.items()} for _ in range(rounds + 1)][1:]
    del steps
    memory = {name: _memory_alone(config, name, size, batch, device) for name in names}
    report: dict[str, Any] = {
        name: _summary(name, times, {k: m for k, (m, _) in memory.items()}) for name in names
    }
    return {
        **report,
        "peak_memory_is": memory["plain"][1],
        "size": list(size),
        "batch": batch,
        "rounds": rounds,
        "device": device,
        "threads": torch.get_num_threads(),
    }


def _measured(precisions: Sequence[str], device: str) -> list[str]:
    """The runners for some precisions, the plain one first."""
    unknown = [p for p in precisions if p not in PRECISIONS]
    if unknown:
        raise ValueError(f"a precision is one of {', '.join(PRECISIONS)}, not {unknown[0]!r}")
    native = "bf16" if has_bf16(torch.device(device)) else "fp32"
    wanted = {"no" if (native if p == "auto" else p) == "fp32" else "bf16" for p in precisions}
    return [name for name, (plain, p) in _RUNNERS.items() if plain or p in wanted]


def _step(
    config: HPINetConfig, name: str, size: tuple[int, int], batch: int, device: str
) -> Callable[[], None]:
    plain, precision = _RUNNERS[name]
    torch.manual_seed(0)
    model = HPINet(config).train().to(device)
    network: nn.Module = PlainHPINet(model) if plain else model
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    x = torch.rand(batch, 3, *size).to(device)
    target = torch.rand(batch, 3, *(side * config.scale for side in size)).to(device)
    kind = torch.device(device).type

    def step() -> None:
        with torch.autocast(kind, torch.bfloat16, enabled=precision == "bf16"):
            sr = network(x, seeds=list(range(0, 256 * batch, 256)))
        loss = F.l1_loss(sr.float(), target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if kind == "cuda":
            torch.cuda.synchronize()

    return step


def _seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _memory_alone(
    config: HPINetConfig, name: str, size: tuple[int, int], batch: int, device: str
) -> tuple[int | None, str]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        threads = torch.get_num_threads()
        return process.submit(_memory, config, name, size, batch, device, threads).result()


def _memory(
    config: HPINetConfig, name: str, size: tuple[int, int], batch: int, device: str, threads: int
) -> tuple[int | None, str]:
    torch.set_num_threads(threads)
    return peak_memory(_step(config, name, size, batch, device), torch.device(device))


def _summary(
    name: str, times: list[dict[str, float]], memory: dict[str, int | None]
) -> dict[str, float | None]:
    seconds = [row[name] for row in times]
    ratios = [row[name] / row["plain"] for row in times]
    mine, plain = memory[name], memory["plain"]
    return {
        "seconds": statistics.median(seconds),
        "seconds_min": min(seconds),
        "seconds_max": max(seconds),
        "peak_memory": mine,
        "time_ratio": statistics.median(ratios),
        "time_ratio_min": min(ratios),
        "time_ratio_max": max(ratios),
        "memory_ratio": mine / plain if mine and plain else None,
    }


def format_training_cost(report: dict[str, Any]) -> str:
    """Lay a report of `training_cost` out as text."""
    height, width = report["size"]
    lines = [
        f"a training step, {report['batch']} x {height}x{width} (HxW) on {report['device']}, "
        f"{report['threads']} CPU threads, {report['rounds']} rounds"
    ]
    for name, title in _TITLES.items():
        if name not in report:
            continue
        cost = report[name]
        low, high = cost["seconds_min"], cost["seconds_max"]
        lines.append(f"{title:17}{cost['seconds']:7.3f} s ({low:.3f} to {high:.3f})")
        if cost["peak_memory"] is not None:
            lines[-1] += f"  {cost['peak_memory'] / 2**20:6.0f} MiB"
        if name != "plain":
            low, high = cost["time_ratio_min"], cost["time_ratio_max"]
            lines[-1] += f"  time x {cost['time_ratio']:.2f} ({low:.2f} to {high:.2f})"
            if cost["memory_ratio"] is not None:
                lines[-1] += f", memory x {cost['memory_ratio']:.2f}"
    return "\n".join([*lines, f"memory: {report['peak_memory_is']}"])
