"""What several networks of any architecture cost, timed in turns."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from hpinet.errors import UserError
from hpinet.evaluation.candidates import Candidate
from hpinet.networks.costs import multi_adds_720p
from hpinet.networks.open import open_network

from .comparison import TimedNetwork
from .cost import noise
from .rounds import in_new_process, timed_rounds


def costs(
    candidates: Sequence[Candidate],
    *,
    size: tuple[int, int],
    batch: int = 1,
    rounds: int = 5,
    precision: str = "fp32",
    gpa: bool = True,
) -> dict[str, Any]:
    """Parameters, multi-adds, time and memory of networks side by side.

    Args:
        candidates: The networks.
        size: LR height and width in pixels, the same for all.
        batch: Images at once.
        rounds: Timed rounds, after one to warm up; in each, all take their turn.
        precision: One of `hpinet.inference.precision.PRECISIONS`.
        gpa: Whether they were opened with Global Pixel Access.

    Returns:
        ``networks``: for each, by label, scale, params, multi_adds_720p (of one image of 1280x720
        SR pixels, None where they cannot be counted), seconds (median), seconds_min, seconds_max,
        peak_memory (bytes, of a pass in a fresh process, or None); also size, batch, rounds,
        precision, device, threads, peak_memory_is.

    Raises:
        ValueError: If a number is below 1, or a network does not take such images.
    """
    if min(batch, rounds, *size) < 1:
        raise UserError(
            f"batch ({batch}) and rounds ({rounds}) must be 1 or more, the image "
            f"({size[0]}x{size[1]}) at least 1 pixel a side"
        )
    device = str(candidates[0].device)
    calls = {}
    for one in candidates:
        timed = TimedNetwork(one.label, partial(_known, one), device, precision)
        calls[one.label] = partial(timed.run, one.network, noise(batch, size).to(device))
    times = timed_rounds(calls, rounds)
    found, told = {}, ""
    for one in candidates:
        build = partial(open_network, one.spec, one.scale, gpa)
        timed = TimedNetwork(one.label, build, device, precision)
        memory, told = in_new_process(TimedNetwork.peak_memory, timed, batch, size)
        seconds = [t[one.label].seconds for t in times]
        found[one.label] = {
            "scale": one.scale,
            "params": sum(p.numel() for p in one.network.parameters()),
            "multi_adds_720p": multi_adds_720p(one.network),
            "seconds": statistics.median(seconds),
            "seconds_min": min(seconds),
            "seconds_max": max(seconds),
            "peak_memory": memory,
        }
    return {
        "networks": found,
        "size": list(size),
        "batch": batch,
        "rounds": rounds,
        "precision": precision,
        "device": device,
        "threads": torch.get_num_threads(),
        "peak_memory_is": f"{told}, in a process of its own",
    }


def _known(candidate: Candidate) -> Any:
    return candidate.network


def format_costs(report: dict[str, Any]) -> str:
    """Lay a report of `costs` out as text."""
    height, width = report["size"]
    names = report["networks"]
    across = max(len(name) for name in (*names, "network"))
    lines = [
        f"input  {report['batch']} x {height}x{width} (HxW) on {report['device']}, "
        f"{report['threads']} CPU threads, {report['precision']}, {report['rounds']} rounds in "
        f"turns",
        f"{'network':{across}}  scale     params  1280x720 SR  seconds  {'(from to)':21}memory",
    ]
    for name, cost in names.items():
        operations, memory = cost["multi_adds_720p"], cost["peak_memory"]
        spread = f"({cost['seconds_min']:.3f} to {cost['seconds_max']:.3f})"
        lines.append(
            f"{name:{across}}  x{cost['scale']:<4}{cost['params']:11,}"
            f"{'-' if operations is None else f'{operations / 1e9:.1f} G':>13}"
            f"{cost['seconds']:9.3f}  {spread:16}"
            f"{'-' if memory is None else f'{memory / 2**20:.0f} MiB':>11}"
        )
    return "\n".join([*lines, f"memory: {report['peak_memory_is']}"])
