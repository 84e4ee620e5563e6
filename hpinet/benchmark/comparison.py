"""HPINet beside networks of other architectures, in one run.

Weights are random: speed does not depend on them.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hpinet.config import HPINetConfig
from hpinet.errors import UserError
from hpinet.inference.precision import half_precision
from hpinet.modeling.hpinet import HPINet
from hpinet.modeling.multi_adds import count_multi_adds

from .cost import noise
from .rounds import Round, in_new_process, peak_memory, ratios, timed_rounds

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
class TimedNetwork:
    """A network that is timed, in a precision.

    Attributes:
        name: What the report calls it in float32.
        build: Makes the network, with random weights; a function that can be pickled.
        device: Where it runs.
        precision: One of `hpinet.inference.precision.PRECISIONS`.
        config: Of an HPINet with as many multiply-adds; None where PyTorch's counter counts them.
    """

    name: str
    build: Callable[[], nn.Module]
    device: str
    precision: str = "fp32"
    config: HPINetConfig | None = None

    @property
    def label(self) -> str:
        """What the report calls it."""
        return self.name if self.precision == "fp32" else f"{self.name}_{self.precision}"

    def network(self) -> nn.Module:
        """The network, in evaluation mode.

        Raises:
            ValueError: If spandrel is missing.
        """
        torch.manual_seed(0)
        return self.build().eval().requires_grad_(False).to(self.device)

    def run(self, network: nn.Module, x: Tensor) -> None:
        """One pass, finished when this returns."""
        device = torch.device(self.device)
        with torch.no_grad(), half_precision(device, self.precision), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.meshgrid")
            network(x)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    def peak_memory(self, batch: int, size: tuple[int, int]) -> tuple[int | None, str]:
        """What a pass needs at its peak, in the process that calls: best one of its own."""
        network = self.network()
        self.run(network, noise(1, (_COUNTED, _COUNTED)).to(self.device))  # loads the libraries
        x = noise(batch, size).to(self.device)
        return peak_memory(lambda: self.run(network, x), torch.device(self.device))


def other_architecture(name: str, scale: int) -> nn.Module:
    """A network of `OTHERS` with random weights.

    Raises:
        ValueError: If there is none of that name, or spandrel is not installed.
    """
    if name not in OTHERS:
        raise UserError(f"{name!r} is none of the networks to compare with: {', '.join(OTHERS)}")
    try:
        from spandrel.architectures.RCAN import RCAN
        from spandrel.architectures.SwinIR import SwinIR
    except ImportError:
        raise UserError(
            f"{name} comes from the package spandrel, which is not installed: pip install spandrel"
        ) from None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.meshgrid")
        if name == "rcan":
            return RCAN(scale=scale, **OTHERS[name])
        return SwinIR(upscale=scale, **OTHERS[name])


def other_network(name: str, scale: int, device: str) -> TimedNetwork:
    """A network of `OTHERS`, to be timed; see `other_architecture`."""
    return TimedNetwork(name, partial(other_architecture, name, scale), device)


def comparison(
    config: HPINetConfig,
    others: Sequence[TimedNetwork],
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
        others: Such as those of `other_network`; they run in float32.
        size: LR height and width in pixels.
        batch: Images at once.
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
        ValueError: If a number is below 1 or spandrel is missing.
    """
    if min(batch, rounds, *size) < 1:
        raise UserError(
            f"batch ({batch}) and rounds ({rounds}) must be 1 or more, the image "
            f"({size[0]}x{size[1]}) at least 1 pixel a side"
        )
    build = partial(HPINet, config)
    ours = [TimedNetwork("hpinet", build, device, one, config) for one in precisions]
    all_of_them = [*ours, *others]
    networks = [one.network() for one in all_of_them]
    x = noise(batch, size).to(device)
    square = noise(1, (_MATRIX, _MATRIX))[0, 0].to(device)
    calls: dict[str, Callable[[], Any]] = {
        one.label: partial(one.run, network, x)
        for one, network in zip(all_of_them, networks, strict=True)
    }
    calls["matrix"] = lambda: torch.mm(square, square).sum().item()
    times = timed_rounds(calls, rounds)
    costs: dict[str, dict[str, Any]] = {
        one.label: {
            "params": sum(p.numel() for p in network.parameters()),
            "multi_adds": batch * _multi_adds(one, network, size),
        }
        for one, network in zip(all_of_them, networks, strict=True)
    }
    del networks, calls
    memory = {
        one.label: in_new_process(TimedNetwork.peak_memory, one, batch, size) for one in all_of_them
    }
    for label, cost in costs.items():
        cost.update(_summary(label, cost["multi_adds"], times, memory[label][0]))
    for other in others:
        costs[other.label]["ratios"] = {
            one.label: _ratio(one.label, other.label, times, costs) for one in ours
        }
    return {
        "networks": costs,
        "matrix_rate": statistics.median(_MATRIX**3 / t["matrix"].seconds for t in times),
        "peak_memory_is": f"{memory[ours[0].label][1]}, in a process of its own",
        "size": list(size),
        "batch": batch,
        "rounds": rounds,
        "device": device,
        "threads": torch.get_num_threads(),
    }


def _multi_adds(one: TimedNetwork, network: nn.Module, size: tuple[int, int]) -> int:
    """Multiply-adds of one image."""
    if one.config is not None:
        return count_multi_adds(HPINet(one.config), torch.zeros(1, 3, *size))
    # PyTorch's own counter sees the products of attention too. All cost as much for every window.
    x = noise(1, (_COUNTED, _COUNTED)).to(one.device)
    with FlopCounterMode(display=False) as counter:
        one.run(network, x)
    pixels = size[0] * size[1]
    window = OTHERS.get(one.name, {}).get("window_size")
    if window is not None:  # SwinIR pads to whole windows
        pixels = -(-size[0] // window) * -(-size[1] // window) * window**2
    return counter.get_total_flops() // 2 * pixels // _COUNTED**2


def _summary(label: str, multi_adds: int, times: list[Round], memory: int | None) -> dict[str, Any]:
    seconds = [t[label].seconds for t in times]
    # Within a round the busy machine slows both; the processor's own time is not stretched at all.
    shares = [
        multi_adds / t[label].cpu_seconds / (_MATRIX**3 / t["matrix"].cpu_seconds) for t in times
    ]
    return {
        "seconds": statistics.median(seconds),
        "seconds_min": min(seconds),
        "seconds_max": max(seconds),
        "cpu_seconds": statistics.median(t[label].cpu_seconds for t in times),
        "peak_memory": memory,
        "matrix_share": statistics.median(shares),
    }


def _ratio(
    mine: str, name: str, times: list[Round], costs: dict[str, dict[str, Any]]
) -> dict[str, float | None]:
    time = ratios(times, mine, name)
    ours, theirs = costs[mine]["peak_memory"], costs[name]["peak_memory"]
    return {
        "time": statistics.median(time),
        "time_min": min(time),
        "time_max": max(time),
        "cpu_time": statistics.median(t[mine].cpu_seconds / t[name].cpu_seconds for t in times),
        "memory": ours / theirs if ours and theirs else None,
    }


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
