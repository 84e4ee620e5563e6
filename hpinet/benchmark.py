"""What a network costs: parameters, multi-adds, seconds and memory for one picture size."""

from __future__ import annotations

import copy
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .attention import PatchAttention
from .block import HPIBlock

PAPER_SIZE = (180, 320)
"""LR height and width of the paper's Multi-Adds: 1280x720 pixels after x4."""


def count_multi_adds(model: nn.Module, x: Tensor) -> int:
    """Multiply-accumulate operations of one forward pass, as the paper counts Multi-Adds.

    Counted are convolutions, linear layers, attention (scores and weighted sum) and the
    similarities of GPA; not counted, as usual, are norms, activations, softmax, biases and the
    bilinear skip. The figures follow from the layers' shapes, so they do not depend on which
    kernels PyTorch picks.

    Args:
        model: HPINet, or any network of convolutions and linear layers.
        x: (B, 3, H, W).
    """
    total = 0
    blocks = [m for m in model.modules() if isinstance(m, HPIBlock)]
    if blocks:
        # Shapes are enough, and where a gradient is wanted every layer is called as a module.
        model = copy.deepcopy(model).to("meta").requires_grad_(True)
        blocks = [m for m in model.modules() if isinstance(m, HPIBlock)]
        x = x.to("meta")

    def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal total
        total += _multi_adds(module, inputs, output)

    def similarity_hook(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        nonlocal total
        total += output.numel() * output.shape[-2]  # B * N * C, times N: each with each

    handles = [m.register_forward_hook(hook) for m in model.modules()]
    for block in blocks:
        if block.match_norm is not None:
            handles.append(block.match_norm.register_forward_hook(similarity_hook))
    try:
        with torch.enable_grad() if blocks else torch.inference_mode():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    return total


def _multi_adds(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> int:
    if isinstance(module, nn.Conv2d):
        return output.numel() * module.weight[0].numel()
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features
    if isinstance(module, PatchAttention):
        patches, length = inputs[0].shape[:-1].numel(), inputs[0].shape[-2]
        return patches * length * (module.query.out_features + module.value.out_features)
    return 0


def benchmark(
    model: nn.Module,
    *,
    size: tuple[int, int] = PAPER_SIZE,
    batch: int = 1,
    repeats: int = 5,
) -> dict[str, Any]:
    """Measure a network where its parameters are.

    Args:
        model: a network in evaluation mode.
        size: LR height and width in pixels.
        batch: pictures at once.
        repeats: timed passes, after one to warm up.

    Returns:
        params; multi_adds (of the whole batch); seconds (median of a pass), seconds_min and
        seconds_max; peak_memory in bytes, and peak_memory_is, which says what was measured
        (peak_memory is None where the system cannot tell); size, batch, device, threads.

    Raises:
        ValueError: a size, batch or number of repeats below 1.
    """
    if min(*size, batch, repeats) < 1:
        raise ValueError(
            "size, batch and repeats must be 1 or more, not "
            f"{size[0]}x{size[1]}, {batch} and {repeats}."
        )
    device = next(model.parameters()).device
    # Pictures all alike would send every patch to one match; noise spreads them.
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(batch, 3, *size, generator=generator).to(device)

    def forward() -> None:
        with torch.inference_mode():
            model(x)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    memory, meaning = peak_memory(forward, device)  # first, as it doubles as the warm-up
    seconds = [_seconds(forward) for _ in range(repeats)]
    return {
        "params": sum(p.numel() for p in model.parameters()),
        "multi_adds": count_multi_adds(model, x),
        "seconds": statistics.median(seconds),
        "seconds_min": min(seconds),
        "seconds_max": max(seconds),
        "peak_memory": memory,
        "peak_memory_is": meaning,
        "size": list(size),
        "batch": batch,
        "device": str(device),
        "threads": torch.get_num_threads(),
    }


def _seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peak_memory(call: Callable[[], None], device: torch.device) -> tuple[int | None, str]:
    """Bytes that a call needs at its peak beyond what was there before, and how that was told."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        peak = torch.cuda.max_memory_allocated(device) - before
        return peak, "peak of the GPU memory allocated by a pass, without the weights"
    if _reset_peak():
        before = _status_bytes("VmRSS")
        call()
        peak = _status_bytes("VmHWM") - before
        return peak, "growth of the process's resident memory to its peak in the first pass"
    call()
    return None, "not measured: this system does not let a process reset its peak memory"


def _reset_peak() -> bool:
    """Reset the process's high-water mark, so that loading does not count (Linux only)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status_bytes("VmHWM") > 0
    except (OSError, ValueError):
        return False


def _status_bytes(key: str) -> int:
    """Read one line such as "VmHWM:  123 kB" of the process's status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/self/status has no {key}.")


def format_cost(report: dict[str, Any]) -> str:
    """Lay a report of `benchmark` out as text."""
    height, width = report["size"]
    memory = report["peak_memory"]
    shown = "-" if memory is None else f"{memory / 2**20:.0f} MiB"
    return "\n".join(
        [
            f"input        {report['batch']} x {height}x{width} (HxW) on {report['device']}, "
            f"{report['threads']} CPU threads",
            f"parameters   {report['params']:,}",
            f"multi-adds   {report['multi_adds'] / 1e9:.1f} G",
            f"seconds      {report['seconds']:.3f} "
            f"(median; {report['seconds_min']:.3f} to {report['seconds_max']:.3f})",
            f"peak memory  {shown} ({report['peak_memory_is']})",
        ]
    )
