"""HPINet beside its formulas written out plainly, and beside other architectures, in one run.

All take turns in every round and are compared within it, so that a machine that is busy for a while
slows all of them down. Weights are random: speed does not depend on them.
"""

from __future__ import annotations

import multiprocessing
import statistics
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.plain_hpinet import PlainHPINet
from hpinet.config import HPINetConfig
from hpinet.inference.precision import half_precision
from hpinet.modeling.hpinet import HPINet
from hpinet.modeling.multi_adds import count_multi_adds

from .cost import noise, peak_memory, seconds_of

PLAIN = "plain"
OTHERS: dict[str, dict[str, Any]] = {
    # The papers' settings, as in the authors' test code.
    "swinir": {
        **{"embed_dim": 180, "depths": [6] * 6, "num_heads": [6] * 6, "mlp_ratio": 2},
        **{"window_size": 8, "img_size": 64, "upsampler": "pixelshuffle"},
    },
    "swinir-light": {
        **{"embed_dim": 60, "depths": [6] * 4, "num_heads": [6] * 4, "mlp_ratio": 2},
        **{"window_size": 8, "img_size": 64, "upsampler": "pixelshuffledirect"},
    },
    "rcan": {"n_resgroups": 10, "n_resblocks": 20, "n_feats": 64, "reduction": 16},
}
"""Networks of other architectures, made by spandrel, and how they are built."""

_COUNTED = 64  # LR pixels a side on which other architectures are counted: whole windows of SwinIR
_MATRIX = 2048  # rows and columns of the product whose rate stands for what the processor can do


@dataclass(frozen=True)
class Entrant:
    """A network that is timed: ``hpinet``, ``plain`` or one of `OTHERS`, in a precision."""

    name: str
    config: HPINetConfig
    device: str
    precision: str = "fp32"

    @property
    def label(self) -> str:
        """What the report calls it."""
        return self.name if self.precision == "fp32" else f"{self.name}_{self.precision}"

    def network(self) -> nn.Module:
        """The network, with random weights, in evaluation mode.

        Raises:
            ValueError: If there is no such network or spandrel is missing.
        """
        torch.manual_seed(0)
        if self.name in ("hpinet", PLAIN):
            model: nn.Module = HPINet(self.config)
            model = PlainHPINet(model) if self.name == PLAIN else model  # type: ignore[arg-type]
        else:
            model = other_architecture(self.name, self.config.scale)
        return model.eval().requires_grad_(False).to(self.device)

    def run(self, network: nn.Module, x: Tensor) -> None:
        """One pass, finished when this returns."""
        device = torch.device(self.device)
        with torch.no_grad(), half_precision(device, self.precision), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.meshgrid")
            network(x)
        if device.type == "cuda":
            torch.cuda.synchronize(device)


def other_architecture(name: str, scale: int) -> nn.Module:
    """A network of `OTHERS` with random weights.

    Raises:
        ValueError: If there is none of that name, or spandrel is not installed.
    """
    if name not in OTHERS:
        raise ValueError(f"{name!r} is none of the networks to compare with: {', '.join(OTHERS)}")
    try:
        from spandrel.architectures.RCAN import RCAN
        from spandrel.architectures.SwinIR import SwinIR
    except ImportError:
        raise ValueError(
            f"{name} comes from the package spandrel, which is not installed: pip install spandrel"
        ) from None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.meshgrid")
        if name == "rcan":
            return RCAN(scale=scale, **OTHERS[name])
        return SwinIR(upscale=scale, **OTHERS[name])


def comparison(
    config: HPINetConfig,
    names: Sequence[str],
    *,
    size: tuple[int, int],
    batch: int = 1,
    rounds: int = 5,
    device: str = "cpu",
    precisions: Sequence[str] = ("fp32", "bf16"),
) -> dict[str, Any]:
    """Time and memory of a pass of an HPINet against other networks.

    Args:
        config: The HPINet.
        names: ``"plain"`` and names of `OTHERS`; all run in float32.
        size: LR height and width in pixels; for ``"plain"`` at least the largest patch.
        batch: Pictures at once.
        rounds: Timed rounds, after one to warm up.
        device: Where to run.
        precisions: What HPINet runs in, each on its own.

    Returns:
        ``networks``: for each, by label, params, multi_adds (of the timed size; of attention its
        products too), seconds (median), seconds_min, seconds_max, cpu_seconds (median of the time
        all threads worked; on a busy machine it says more), peak_memory (bytes, of a pass in a
        fresh process, or None), matrix_share (of the rate of a large float32 matrix product in the
        same round) and, for the others, ``ratios``: for each HPINet, its time divided by theirs
        (time, time_min, time_max, cpu_time, memory). Also matrix_rate (multiply-adds a second,
        median), peak_memory_is, size, batch, rounds, device, threads.

    Raises:
        ValueError: If a number is below 1, the picture is too small, a name is unknown or spandrel
            is missing.
    """
    least = max(config.patch_sizes) if PLAIN in names else 1
    if min(batch, rounds) < 1 or min(size) < least:
        raise ValueError(
            f"batch ({batch}) and rounds ({rounds}) must be 1 or more, the picture "
            f"({size[0]}x{size[1]}) at least {least} pixels a side"
        )
    ours = [Entrant("hpinet", config, device, precision) for precision in precisions]
    entrants = [*ours, *(Entrant(name, config, device) for name in names)]
    networks = [entrant.network() for entrant in entrants]
    x = noise(batch, size).to(device)
    square = noise(1, (_MATRIX, _MATRIX))[0, 0].to(device)
    calls: dict[str, Callable[[], Any]] = {
        e.label: (lambda e=e, n=n: e.run(n, x))  # type: ignore[misc]
        for e, n in zip(entrants, networks, strict=True)
    }
    calls["matrix"] = lambda: torch.mm(square, square).sum().item()
    times = [{name: seconds_of(call) for name, call in calls.items()} for _ in range(rounds + 1)]
    costs: dict[str, dict[str, Any]] = {
        e.label: {
            "params": sum(p.numel() for p in n.parameters()),
            "multi_adds": batch * _multi_adds(e, n, size),
        }
        for e, n in zip(entrants, networks, strict=True)
    }
    del networks, calls
    memory = {e.label: _memory_alone(e, batch, size) for e in entrants}
    for label, cost in costs.items():
        cost.update(_summary(label, cost["multi_adds"], times[1:], memory[label][0]))
    for name in names:
        mine = [entrant.label for entrant in ours]
        costs[name]["ratios"] = {label: _ratio(label, name, times[1:], costs) for label in mine}
    return {
        "networks": costs,
        "matrix_rate": statistics.median(_MATRIX**3 / t["matrix"][0] for t in times[1:]),
        "peak_memory_is": f"{memory[ours[0].label][1]}, in a process of its own",
        "size": list(size),
        "batch": batch,
        "rounds": rounds,
        "device": device,
        "threads": torch.get_num_threads(),
    }


def _multi_adds(entrant: Entrant, network: nn.Module, size: tuple[int, int]) -> int:
    """Multiply-adds of one picture."""
    if entrant.name not in OTHERS:
        return count_multi_adds(HPINet(entrant.config), torch.zeros(1, 3, *size))
    # PyTorch's own counter sees the products of attention too. All cost as much for every window.
    x = noise(1, (_COUNTED, _COUNTED)).to(entrant.device)
    with FlopCounterMode(display=False) as counter:
        entrant.run(network, x)
    pixels = size[0] * size[1]
    if "window_size" in OTHERS[entrant.name]:  # SwinIR pads to whole windows
        window = OTHERS[entrant.name]["window_size"]
        pixels = -(-size[0] // window) * -(-size[1] // window) * window**2
    return counter.get_total_flops() // 2 * pixels // _COUNTED**2


Times = dict[str, tuple[float, float]]
"""Seconds by the clock and of the processor, by name, of one round."""


def _summary(label: str, multi_adds: int, times: list[Times], memory: int | None) -> dict[str, Any]:
    seconds = [t[label][0] for t in times]
    # Within a round the busy machine slows both; the processor's own time is not stretched at all.
    shares = [multi_adds / t[label][1] / (_MATRIX**3 / t["matrix"][1]) for t in times]
    return {
        "seconds": statistics.median(seconds),
        "seconds_min": min(seconds),
        "seconds_max": max(seconds),
        "cpu_seconds": statistics.median(t[label][1] for t in times),
        "peak_memory": memory,
        "matrix_share": statistics.median(shares),
    }


def _ratio(
    mine: str, name: str, times: list[Times], costs: dict[str, dict[str, Any]]
) -> dict[str, float | None]:
    ratios = [t[mine][0] / t[name][0] for t in times]
    ours, theirs = costs[mine]["peak_memory"], costs[name]["peak_memory"]
    return {
        "time": statistics.median(ratios),
        "time_min": min(ratios),
        "time_max": max(ratios),
        "cpu_time": statistics.median(t[mine][1] / t[name][1] for t in times),
        "memory": ours / theirs if ours and theirs else None,
    }


def _memory_alone(entrant: Entrant, batch: int, size: tuple[int, int]) -> tuple[int | None, str]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(_memory, entrant, batch, size, torch.get_num_threads()).result()


def _memory(
    entrant: Entrant, batch: int, size: tuple[int, int], threads: int
) -> tuple[int | None, str]:
    torch.set_num_threads(threads)
    network = entrant.network()
    entrant.run(network, noise(1, (_COUNTED, _COUNTED)).to(entrant.device))  # loads the libraries
    x = noise(batch, size).to(entrant.device)
    return peak_memory(lambda: entrant.run(network, x), torch.device(entrant.device))


def format_comparison(report: dict[str, Any]) -> str:
    """Lay a report of `comparison` out as text."""
    height, width = report["size"]
    lines = [
        f"input  {report['batch']} x {height}x{width} (HxW) on {report['device']}, "
        f"{report['threads']} CPU threads, {report['rounds']} rounds; "
        f"a matrix product makes {report['matrix_rate'] / 1e9:.0f} G multiply-adds a second",
        f"{'':14}{'params':>11}{'multi-adds':>12}{'seconds':>9}  {'(from to)':17}"
        f"{'CPU s':>8}{'memory':>11}  of the matrix product's rate",
    ]
    for name, cost in report["networks"].items():
        memory = cost["peak_memory"]
        spread = f"({cost['seconds_min']:.2f} to {cost['seconds_max']:.2f})"
        lines.append(
            f"{name:14}{cost['params']:11,}{cost['multi_adds'] / 1e9:10.1f} G"
            f"{cost['seconds']:9.2f}  {spread:17}{cost['cpu_seconds']:8.2f}"
            f"{'-' if memory is None else f'{memory / 2**20:.0f} MiB':>11}"
            f"  {cost['matrix_share']:.0%}"
        )
    for name, cost in report["networks"].items():
        for label, ratio in cost.get("ratios", {}).items():
            memory = "" if ratio["memory"] is None else f", memory x {ratio['memory']:.2f}"
            lines.append(
                f"{label} against {name}: time x {ratio['time']:.2f} ({ratio['time_min']:.2f} to "
                f"{ratio['time_max']:.2f}), CPU time x {ratio['cpu_time']:.2f}{memory}"
            )
    return "\n".join([*lines, f"memory: {report['peak_memory_is']}"])
