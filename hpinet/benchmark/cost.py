"""What a network costs: parameters, multi-adds, seconds and memory for one image size."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hpinet.errors import UserError
from hpinet.evaluation.candidates import device_of
from hpinet.inference.precision import half_precision
from hpinet.modeling.matching import best_matches
from hpinet.modeling.multi_adds import blocks_of
from hpinet.modeling.patches import division
from hpinet.networks.costs import multi_adds, multi_adds_720p

from .rounds import peak_memory, timed

PAPER_SIZE = (180, 320)
"""LR height and width of the paper's Multi-Adds: 1280x720 pixels after x4."""


def benchmark(
    model: nn.Module,
    *,
    size: tuple[int, int] = PAPER_SIZE,
    batch: int = 1,
    repeats: int = 5,
    precision: str = "fp32",
) -> dict[str, Any]:
    """Measure a network where its parameters are.

    Args:
        model: a network with `.scale`, in evaluation mode.
        size: LR height and width in pixels.
        batch: images at once.
        repeats: timed passes, after one to warm up.
        precision: one of `hpinet.inference.precision.PRECISIONS`.

    Returns:
        params; multi_adds (of the whole batch, None where they cannot be counted);
        multi_adds_720p (of one image of 1280x720 SR pixels); seconds (median of a pass),
        seconds_min and seconds_max; similarity_seconds (of these, for comparing all patches with
        all; 0 without Global Pixel Access); peak_memory in bytes, and peak_memory_is, which says
        what was measured (peak_memory is None where the system cannot tell); size, batch,
        precision, device, threads.

    Raises:
        ValueError: a size, batch or number of repeats below 1, or an unknown precision.
    """
    if min(*size, batch, repeats) < 1:
        raise UserError(
            "size, batch and repeats must be 1 or more, not "
            f"{size[0]}x{size[1]}, {batch} and {repeats}."
        )
    device = device_of(model)
    x = noise(batch, size).to(device)

    def forward() -> None:
        with torch.no_grad(), half_precision(device, precision):
            model(x)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    memory, meaning = peak_memory(forward, device)  # first, as it doubles as the warm-up
    seconds = [timed(forward).seconds for _ in range(repeats)]
    return {
        "params": sum(p.numel() for p in model.parameters()),
        "multi_adds": multi_adds(model, size, batch),
        "multi_adds_720p": multi_adds_720p(model),
        "seconds": statistics.median(seconds),
        "seconds_min": min(seconds),
        "seconds_max": max(seconds),
        "similarity_seconds": _similarity_seconds(model, batch, size, device),
        "peak_memory": memory,
        "peak_memory_is": meaning,
        "size": list(size),
        "batch": batch,
        "precision": precision,
        "device": str(device),
        "threads": torch.get_num_threads(),
    }


def noise(batch: int, size: tuple[int, int]) -> Tensor:
    """Images to time: images all alike would send every patch to one match."""
    return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(0))


def _similarity_seconds(
    model: nn.Module, batch: int, size: tuple[int, int], device: torch.device
) -> float:
    """What grows with the square of the pixels."""
    blocks = [b for b in blocks_of(model) if b.match_norm is not None]
    least = max((b.patch_size for b in blocks), default=1)
    high, wide = (max(side, least) for side in size)
    total = 0.0
    for block in blocks:
        assert block.match_norm is not None
        count = division(high, wide, block.patch_size, block.overlap).count
        tokens = torch.rand(batch, count, *block.match_norm.normalized_shape).to(device)

        def compare(tokens: Tensor = tokens) -> None:
            best_matches(tokens)[1].sum().item()  # waits for the device

        total += timed(compare).seconds
    return total


def fitted_exponent(pixels: Sequence[int], seconds: Sequence[float]) -> float:
    """The exponent e of ``seconds = c * pixels ** e`` that fits best (least squares of logarithms).

    Raises:
        ValueError: If there are fewer than two different sizes.
    """
    if len(set(pixels)) < 2:
        raise UserError("an exponent needs two or more sizes")
    x, y = ([math.log(value) for value in values] for values in (pixels, seconds))
    return statistics.linear_regression(x, y).slope


def scaling(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How cost grows with size.

    Args:
        reports: Of `benchmark`, of two or more different sizes.

    Returns:
        sizes (the reports), exponent of the seconds and exponent_without_similarity, both in the
        number of pixels.
    """
    pixels = [r["size"][0] * r["size"][1] for r in reports]
    seconds = [r["seconds"] for r in reports]
    rest = [max(1e-9, r["seconds"] - r["similarity_seconds"]) for r in reports]
    return {
        "sizes": list(reports),
        "exponent": fitted_exponent(pixels, seconds),
        "exponent_without_similarity": fitted_exponent(pixels, rest),
    }


def format_cost(report: dict[str, Any]) -> str:
    """Lay a report of `benchmark` out as text."""
    height, width = report["size"]
    paper, similarity = report["multi_adds_720p"], report["similarity_seconds"]
    of_paper = "" if paper is None else f" ({paper / 1e9:.1f} G for 1280x720 SR pixels)"
    of_similarity = f", {similarity / report['seconds']:.1%} for the similarity"
    return "\n".join(
        [
            f"input        {report['batch']} x {height}x{width} (HxW) on {report['device']}, "
            f"{report['threads']} CPU threads, {report['precision']}",
            f"parameters   {report['params']:,}",
            f"multi-adds   {_giga(report['multi_adds'])}{of_paper}",
            f"seconds      {report['seconds']:.3f} "
            f"(median; {report['seconds_min']:.3f} to {report['seconds_max']:.3f})"
            f"{of_similarity if similarity else ''}",
            f"peak memory  {_mebibytes(report['peak_memory'])} ({report['peak_memory_is']})",
        ]
    )


def format_scaling(report: dict[str, Any]) -> str:
    """Lay a report of `scaling` out as text."""
    lines = [f"{'HxW':>12}{'multi-adds':>12}{'seconds':>10}{'similarity':>12}{'memory':>12}"]
    for one in report["sizes"]:
        share = one["similarity_seconds"] / one["seconds"]
        lines.append(
            f"{one['size'][0]:>6}x{one['size'][1]:<5}{_giga(one['multi_adds']):>12}"
            f"{one['seconds']:10.3f}{share:12.1%}{_mebibytes(one['peak_memory']):>12}"
        )
    lines.append(
        f"seconds grow as pixels to the power {report['exponent']:.2f}, "
        f"{report['exponent_without_similarity']:.2f} without the similarity"
    )
    return "\n".join(lines)


def _giga(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 1e9:.1f} G"


def _mebibytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 2**20:.0f} MiB"
