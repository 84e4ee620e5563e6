"""What looking at matches and changing them costs, in passes of the network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from hpinet.analysis.interventions import Intervention, intervene
from hpinet.analysis.match_statistics import image_statistics
from hpinet.modeling.hpinet import HPINet

EXPLORED_SIZE = (128, 128)
"""LR height and width of the figures in docs/gpa.md."""


def exploration_cost(
    model: HPINet, *, size: tuple[int, int] = EXPLORED_SIZE, repeats: int = 5
) -> dict[str, Any]:
    """Time a full exploration, and an intervention in each block, against a pass.

    All take turns in every round and are compared within it, so that a machine that is busy for a
    while slows all of them down.

    Args:
        model: With Global Pixel Access, in evaluation mode, where it is to run.
        size: LR height and width in pixels.
        repeats: Rounds, after one to warm up.

    Returns:
        ``forward_seconds`` (median), ``exploration`` (a pass with similarity matrices, and all
        statistics of all blocks), ``trace`` (a pass that can be taken up again) and
        ``intervention`` (a list: Global Pixel Access off in one block, from the first to the last)
        as medians of the ratios to the round's pass; ``size``, ``rounds``, ``device``, ``threads``.

    Raises:
        ValueError: If the network has no matches, or a size or the number of rounds is below 1.
    """
    if min(*size, repeats) < 1:
        raise ValueError(
            f"size and repeats must be 1 or more, not {size[0]}x{size[1]} and {repeats}"
        )
    if not model.config.gpa:
        raise ValueError("this network has no Global Pixel Access to explore")
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, *size, generator=generator).to(device)
    normal = model.trace(x, similarity_matrix=True)

    def explore() -> None:
        _, matches = model(x, return_matches=True, similarity_matrix=True)
        image_statistics(matches, size)

    calls: list[Callable[[], Any]] = [lambda: model(x), explore, lambda: model.trace(x)]
    for block in range(len(model.blocks)):
        off = Intervention("off", (block,))
        calls.append(lambda off=off: intervene(model, normal, off))  # type: ignore[misc]
    with torch.inference_mode():
        rounds = [[_seconds(call, device) for call in calls] for _ in range(repeats + 1)][1:]
    ratios = [
        statistics.median(column) for column in zip(*(_ratios(r) for r in rounds), strict=True)
    ]
    return {
        "forward_seconds": statistics.median(r[0] for r in rounds),
        "exploration": ratios[0],
        "trace": ratios[1],
        "intervention": ratios[2:],
        "size": list(size),
        "rounds": repeats,
        "device": str(device),
        "threads": torch.get_num_threads(),
    }


def _ratios(seconds: list[float]) -> list[float]:
    return [s / seconds[0] for s in seconds[1:]]


def _seconds(call: Callable[[], Any], device: torch.device) -> float:
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def format_exploration_cost(report: dict[str, Any]) -> str:
    """Lay a report of `exploration_cost` out as text."""
    height, width = report["size"]
    lines = [
        f"input           1 x {height}x{width} (HxW) on {report['device']}, "
        f"{report['threads']} CPU threads, {report['rounds']} rounds",
        f"a pass          {report['forward_seconds']:.3f} s",
        f"exploration     {report['exploration']:.2f} passes (statistics of all blocks)",
        f"trace           {report['trace']:.2f} passes",
    ]
    for number, ratio in enumerate(report["intervention"], 1):
        bar = "#" * max(1, round(30 * ratio))
        lines.append(f"off in block {number:<3}{ratio:.2f} passes {bar}")
    return "\n".join(lines)
