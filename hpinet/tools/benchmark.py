"""What a network costs: parameters, multi-adds, seconds and memory for one image size."""

from __future__ import annotations

import logging
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hpinet.errors import UserError
from hpinet.inference.precision import half_precision
from hpinet.modeling.multi_adds import multi_adds, multi_adds_720p

PAPER_SIZE = (180, 320)
"""LR height and width of the paper's Multi-Adds: 1280x720 pixels after x4."""

SETTING = ("size", "batch", "precision", "device", "threads", "peak_memory_is")
"""Keys of `benchmark` that tell how a network was measured."""

_WARM_UP = 64  # LR pixels a side of the image that loads the libraries

Result = TypeVar("Result")


def benchmark(
    model: nn.Module,
    *,
    size: tuple[int, int] = PAPER_SIZE,
    batch: int = 1,
    precision: str = "fp32",
) -> dict[str, Any]:
    """Measure a pass of a network on the device where its parameters are.

    Args:
        model: A network with ``.scale``, in evaluation mode.
        size: LR height and width in pixels.
        batch: Images at once.
        precision: One of `hpinet.inference.precision.PRECISIONS`.

    Returns:
        scale; params; multi_adds of the whole batch and multi_adds_720p of one 1280x720 SR image
        (None where they cannot be counted); seconds (median of a pass), seconds_min and
        seconds_max; peak_memory in bytes, without the weights (None where the system cannot tell).
        `SETTING` names the other keys.

    Raises:
        ValueError: If a size or the batch is below 1, or the precision is unknown.
    """
    if min(*size, batch) < 1:
        raise UserError(f"size and batch must be 1 or more, got {size[0]}x{size[1]} and {batch}")
    device = next((p.device for p in model.parameters()), torch.device("cpu"))

    def forward(x: Tensor) -> None:
        with torch.no_grad(), half_precision(device, precision):
            model(x)

    forward(noise(1, (min(size[0], _WARM_UP), min(size[1], _WARM_UP))).to(device))
    x = noise(batch, size).to(device)
    cuda = device.type == "cuda"
    return {
        "scale": int(model.scale),  # type: ignore[arg-type]
        "params": sum(p.numel() for p in model.parameters()),
        "multi_adds": multi_adds(model, size, batch),
        "multi_adds_720p": multi_adds_720p(model),
        "peak_memory": peak_memory(lambda: forward(x), device),  # first: no memory to use again
        **seconds(lambda: forward(x)),
        "size": list(size),
        "batch": batch,
        "precision": precision,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "peak_memory_is": f"growth of {'allocated GPU' if cuda else 'resident'} memory in a pass",
    }


def noise(batch: int, size: tuple[int, int]) -> Tensor:
    """Random images (B, 3, H, W): in uniform ones all patches would have the same match."""
    return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(0))


def seconds(call: Callable[[], Any]) -> dict[str, float]:
    """Median, minimum and maximum ``seconds`` of a call, after one to warm up.

    It is repeated until its times vary little, or for 10 seconds.
    """
    # It warns on stderr where PyTorch was built for CUDA and there is no GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    from torch.utils.benchmark import Timer

    timer = Timer("call()", globals={"call": call}, num_threads=torch.get_num_threads())
    found = timer.adaptive_autorange()
    low, high = min(found.times), max(found.times)
    return {"seconds": found.median, "seconds_min": low, "seconds_max": high}


def peak_memory(call: Callable[[], Any], device: torch.device) -> int | None:
    """Bytes that a call needs at its peak beyond what is in use; None where the system can't tell.

    On CPUs memory that was freed before is used again unseen: call this early in a process.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        return torch.cuda.max_memory_allocated(device) - before
    try:  # Linux: set the process's high-water mark to what is resident now
        Path("/proc/self/clear_refs").write_text("5")
        before = _status("VmRSS")
        call()
        return _status("VmHWM") - before
    except (OSError, KeyError):
        return None


def _status(key: str) -> int:
    """Bytes of a line such as ``VmHWM:  123 kB`` of the process's status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(dict(line.split(":", 1) for line in lines)[key].split()[0]) * 1024


def in_new_process(call: Callable[..., Result], *arguments: Any) -> Result:
    """Make a call in a fresh process with as many threads, where no freed memory is at hand.

    Args:
        call: A function of a module, so that it can be pickled.
        *arguments: Its arguments, which can be pickled too.
    """
    threads = torch.get_num_threads()
    with get_context("spawn").Pool(1, torch.set_num_threads, (threads,)) as pool:
        return pool.apply(call, arguments)
