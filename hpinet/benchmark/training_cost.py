"""What a training step costs: forward, L1 loss, backward, clipping, Adam."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from hpinet.config import HPINetConfig
from hpinet.errors import UserError
from hpinet.inference.precision import PRECISIONS, has_bf16
from hpinet.modeling.hpinet import HPINet

from .rounds import in_new_process, peak_memory, ratios, timed_rounds

TRAINED_SIZE = (48, 48)
"""LR height and width of the crops."""

_TITLES = {"hpinet": "HPINet", "hpinet_bf16": "HPINet, bfloat16"}
_RUNNERS = {"hpinet": "no", "hpinet_bf16": "bf16"}


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

    HPINet in float32 and under bfloat16 autocast take turns in every round and are compared within
    it. Memory is measured in a fresh process each.

    Args:
        config: The network, with random weights.
        size: LR height and width of the crops, at least the largest patch.
        batch: Crops a step.
        rounds: Timed rounds, after one to warm up.
        device: Where to run.
        precisions: What to measure in, see `precision.PRECISIONS`.

    Returns:
        ``hpinet`` and ``hpinet_bf16``, as far as measured, each with seconds (median),
        seconds_min, seconds_max, peak_memory (bytes of the first step, or None), and, compared with
        the first of them, time_ratio (median of the rounds), time_ratio_min, time_ratio_max and
        memory_ratio; also peak_memory_is, size, batch, rounds, device, threads.

    Raises:
        ValueError: If a number is below 1, a crop is smaller than a patch, or a precision unknown.
    """
    check_crops(config, size, batch, rounds)
    kinds = _measured(precisions, device)
    base = next(iter(kinds))
    steps = {n: training_step(config, size, batch, device, p) for n, p in kinds.items()}
    times = timed_rounds(steps, rounds)
    del steps
    memory = {
        name: in_new_process(step_memory, config, size, batch, device, precision)
        for name, precision in kinds.items()
    }
    report: dict[str, Any] = {}
    for name in kinds:
        seconds = [one[name].seconds for one in times]
        ratio = ratios(times, name, base)
        mine, least = memory[name][0], memory[base][0]
        report[name] = {
            "seconds": statistics.median(seconds),
            "seconds_min": min(seconds),
            "seconds_max": max(seconds),
            "peak_memory": mine,
            "time_ratio": statistics.median(ratio),
            "time_ratio_min": min(ratio),
            "time_ratio_max": max(ratio),
            "memory_ratio": mine / least if mine and least else None,
        }
    return {
        **report,
        "peak_memory_is": memory[base][1],
        "size": list(size),
        "batch": batch,
        "rounds": rounds,
        "device": device,
        "threads": torch.get_num_threads(),
    }


def check_crops(config: HPINetConfig, size: tuple[int, int], batch: int, rounds: int) -> None:
    """Refuse what cannot be trained on.

    Raises:
        ValueError: If a number is below 1, or a crop is smaller than a patch.
    """
    if min(batch, rounds) < 1 or min(size) < max(config.patch_sizes):
        raise UserError(
            f"batch ({batch}) and rounds ({rounds}) must be 1 or more, crops ({size[0]}x{size[1]}) "
            f"at least {max(config.patch_sizes)} pixels, the largest patch"
        )


def _measured(precisions: Sequence[str], device: str) -> dict[str, str]:
    """What is measured: names and the types to multiply in.

    Raises:
        ValueError: If a precision is unknown.
    """
    unknown = [p for p in precisions if p not in PRECISIONS]
    if unknown:
        raise UserError(f"a precision is one of {', '.join(PRECISIONS)}, not {unknown[0]!r}")
    native = "bf16" if has_bf16(torch.device(device)) else "fp32"
    wanted = {"no" if (native if p == "auto" else p) == "fp32" else "bf16" for p in precisions}
    return {name: kind for name, kind in _RUNNERS.items() if kind in wanted}


def training_step(
    config: HPINetConfig,
    size: tuple[int, int],
    batch: int,
    device: str,
    precision: str = "no",
    wrap: Callable[[HPINet], nn.Module] | None = None,
) -> Callable[[], None]:
    """A step on random crops, to be made again and again.

    Args:
        config: The network, with random weights.
        size: LR height and width of the crops.
        batch: Crops a step.
        device: Where to run.
        precision: ``"no"``, or ``"bf16"`` for autocast.
        wrap: Makes of the network what computes the step with the network's parameters, such as
            the formulas written out plainly; takes ``seeds`` as `HPINet.forward` does.
    """
    torch.manual_seed(0)
    model = HPINet(config).train().to(device)
    network: nn.Module = model if wrap is None else wrap(model)
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


def step_memory(
    config: HPINetConfig, size: tuple[int, int], batch: int, device: str, *how: Any
) -> tuple[int | None, str]:
    """Bytes of the first step at its peak; arguments as of `training_step`."""
    step = training_step(config, size, batch, device, *how)
    return peak_memory(step, torch.device(device))


def format_training_cost(report: dict[str, Any]) -> str:
    """Lay a report of `training_cost` out as text."""
    height, width = report["size"]
    lines = [
        f"a training step, {report['batch']} x {height}x{width} (HxW) on {report['device']}, "
        f"{report['threads']} CPU threads, {report['rounds']} rounds"
    ]
    for title, name in zip(("HPINet", "HPINet, bfloat16"), _RUNNERS, strict=True):
        cost = report[name]
        low, high = cost["seconds_min"], cost["seconds_max"]
        lines.append(f"{title:17}{cost['seconds']:7.3f} s ({low:.3f} to {high:.3f})")
        if cost["peak_memory"] is not None:
            lines[-1] += f"  {cost['peak_memory'] / 2**20:6.0f} MiB"
        if name != "hpinet":
            low, high = cost["time_ratio_min"], cost["time_ratio_max"]
            lines[-1] += f"  time x {cost['time_ratio']:.2f} ({low:.2f} to {high:.2f})"
            if cost["memory_ratio"] is not None:
                lines[-1] += f", memory x {cost['memory_ratio']:.2f}"
    return "\n".join([*lines, f"memory: {report['peak_memory_is']}"])
