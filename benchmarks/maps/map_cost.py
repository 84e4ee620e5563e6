"""What a map costs: its time beside the LAM authors' procedure, attention both ways, memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.runner import Rows, Tick, compare
from hpinet.benchmark.rounds import in_new_process, in_turns, peak_memory, spread
from hpinet.config import HPINetConfig
from hpinet.modeling.attention import attend
from hpinet.modeling.patches import division
from lam.attribution.local_attribution import LocalAttribution
from lam.attribution.memory_plan import Plan, make_plan
from lam.attribution.quadrature import quadrature
from lam.attribution.results import LocalAttributionResult
from lam.attribution.target import Target
from lam.window import Window

from .lam_demo import DEMO_STEPS, DemoProcedure, distance

_WARM_UP = 24  # LR pixels a side, a patch of the largest size
_TIMED_STEPS = 4  # of the demo, in every round: they are all alike


@dataclass(frozen=True)
class Timeline:
    """When which part of a map was there.

    Attributes:
        first: Seconds to the first map, after one batch of steps.
        level: Seconds to the map of the first level, about an eighth of the steps.
        map: Seconds to the final map.
        whole: Seconds to the result with the jumps at switched matches.
        maps: The three maps, (3, h, w) each.
        steps: Steps behind them.
    """

    first: float
    level: float
    map: float
    whole: float
    maps: tuple[NDArray[np.float32], ...]
    steps: tuple[int, ...]


def timeline(model: nn.Module, image: Tensor, window: Window, n_steps: int) -> Timeline:
    """Compute a map and time how it grows; arguments as in `LocalAttribution.attribute`."""
    marks = (1, len(quadrature("gausslegendre", n_steps).levels()[0]), n_steps)
    began = time.perf_counter()
    seen: list[tuple[float, LocalAttributionResult]] = []
    for result in LocalAttribution(model).attribute_progressively(image, window, n_steps=n_steps):
        now = time.perf_counter() - began
        while len(seen) < len(marks) and result.steps_done >= marks[len(seen)]:
            seen.append((now, result))
    whole = time.perf_counter() - began
    first, level, final = (seconds for seconds, _ in seen)
    maps = tuple(result.attribution for _, result in seen)
    steps = tuple(result.steps_done for _, result in seen)
    return Timeline(first, level, final, whole, maps, steps)


def time_rows(
    model: nn.Module,
    image: Tensor,
    window: Window,
    *,
    nodes: int,
    steps: int = 50,
    demo_steps: int = DEMO_STEPS,
    rounds: int = 5,
    progress: Tick = lambda: None,
) -> Rows:
    """Time of maps against the demo's, in rounds.

    All steps of the demo cost the same: a few are timed.

    Args:
        model: The network.
        image: (1, 3, h, w), where it is.
        window: In SR pixels.
        nodes: Gauss-Legendre nodes of the map to be compared with the demo's.
        steps: Steps of the map whose progress is timed.
        demo_steps: Steps of the demo's map.
        rounds: Timed rounds, after one to warm up.
        progress: Called after every round.

    Returns:
        Rows ``what``, ``seconds``, ``ratio`` and ``of`` (what the ratio is to), ``steps`` and
        ``error`` (relative distance from the final map of ``steps``): a step of the demo (by the
        plain formulas, or by the network as it is); a step here; the map of ``nodes`` steps
        against ``demo_steps`` of the demo, without and with the jumps at switched matches; and of
        the map of ``steps`` the first one and that of the first level, against the time to the
        whole result.
    """
    demo = DemoProcedure(model, image, window)
    calls: dict[str, Callable[[], Any]] = {
        "demo": partial(demo.seconds, _TIMED_STEPS),
        "equal": partial(timeline, model, image, window, nodes),
        "grown": partial(timeline, model, image, window, steps),
    }
    found = in_turns(calls, rounds, progress)
    step = [one["demo"] for one in found]
    equal: list[Timeline] = [one["equal"] for one in found]
    grown: list[Timeline] = [one["grown"] for one in found]
    kind = "plain formulas" if demo.plain else "the network as it is"
    against, row = f"{demo_steps} steps of the demo", _time_row
    return [
        row(f"step of the demo, {kind}", step, None, ""),
        row("step", [one.map / nodes for one in equal], step, "step of the demo"),
        row("map", [o.map for o in equal], [demo_steps * d for d in step], against, nodes),
        row("result with jumps", [o.whole for o in equal], [demo_steps * d for d in step], against,
            nodes),
        *(
            {
                **row(what, [getattr(o, name) for o in grown], [o.whole for o in grown],
                      f"result of {steps} steps", grown[-1].steps[k]),
                "error": distance(grown[-1].maps[k], grown[-1].maps[2]),
            }
            for k, (name, what) in enumerate([("first", "first map"), ("level", "first level")])
        ),
    ]  # fmt: skip


def _time_row(
    what: str, mine: Sequence[float], base: Sequence[float] | None, of: str, steps: int | None = 1
) -> dict[str, Any]:
    found: dict[str, Any] = {"what": what, "steps": steps, "seconds": spread(mine), "ratio": None}
    if base is not None:
        found["ratio"] = spread([a / b for a, b in zip(mine, base, strict=True)])
    return {**found, "of": of}


def attention_cost(
    config: HPINetConfig,
    size: tuple[int, int],
    *,
    batch: int = 2,
    rounds: int = 5,
    device: str | torch.device = "cpu",
) -> Rows:
    """Attention forward and backward, unfused against fused, at a network's patch sizes.

    Args:
        config: The network.
        size: LR height and width in pixels.
        batch: Steps computed at once.
        rounds: Timed rounds, after one to warm up.
        device: Where to run.

    Returns:
        For each patch size ``patch_size``, ``patches``, ``unfused`` and ``fused`` in seconds and
        ``ratio``, fused over unfused.
    """
    height, width = (max(side, max(config.patch_sizes)) for side in size)
    found = []
    for patch_size in sorted(set(config.patch_sizes)):
        patches = division(height, width, patch_size, config.overlap).count
        calls = {
            name: _attention(config, batch, patches, patch_size**2, name == "fused", device)
            for name in ("unfused", "fused")
        }
        unfused, fused = compare(calls, "unfused", rounds)
        found.append(
            {
                "patch_size": patch_size,
                "patches": patches,
                "unfused": unfused["seconds"],
                "fused": fused["seconds"],
                "ratio": fused["ratio"],
            }
        )
    return found


def _attention(
    config: HPINetConfig, batch: int, patches: int, length: int, fused: bool, device: Any
) -> Callable[[], None]:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(batch, patches, length, width, generator=generator).to(device).requires_grad_()
        for width in (config.qk_dim, config.qk_dim, config.dim)
    )
    weight = torch.randn(value.shape, generator=generator).to(device)

    def call() -> None:
        if fused:
            attended = attend(query, key, value)
        else:
            scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
            attended = torch.softmax(scores, -1) @ value
        torch.autograd.grad(attended, (query, key, value), weight)
        if query.is_cuda:
            torch.cuda.synchronize(query.device)

    return call


def memory_cost(
    load: Callable[[], nn.Module], image: Tensor, window: Window, memory: int
) -> dict[str, Any]:
    """What a map takes at its peak, beside the weights, under a budget; in a fresh process.

    Args:
        load: Loads the network there: a function that can be pickled.
        image: (1, 3, h, w).
        window: In SR pixels.
        memory: The budget in bytes.

    Returns:
        ``size`` (LR height and width), ``budget``, ``peak_memory`` in bytes (None where the system
        cannot tell), ``share`` (peak over budget), ``steps_at_once``, ``recompute`` and
        ``peak_memory_is``.

    Raises:
        ValueError: If not even one step fits into the budget.
    """
    pixels = image.cpu().numpy()
    # Planning leaves memory behind that the process would use again unseen: it gets one of its own.
    plan = in_new_process(_plan, load, pixels, window, memory)
    peak, meaning = in_new_process(_peak, load, pixels, window, memory, plan.batch)
    return {
        "size": list(image.shape[-2:]),
        "budget": memory,
        "peak_memory": peak,
        "share": None if peak is None else peak / memory,
        "steps_at_once": plan.batch,
        "recompute": plan.recompute,
        "peak_memory_is": meaning,
    }


def _plan(
    load: Callable[[], nn.Module], pixels: NDArray[np.float32], window: Window, memory: int
) -> Plan:
    target = Target(load(), torch.from_numpy(pixels), window, "gradient", "live")
    return make_plan(target, None, memory)


def _peak(
    load: Callable[[], nn.Module],
    pixels: NDArray[np.float32],
    window: Window,
    memory: int,
    batch: int,
) -> tuple[int | None, str]:
    model, image = load(), torch.from_numpy(pixels)
    device = _warm_up(model, image)
    steps = 2 * batch  # the last level has half of them: a whole batch

    def call() -> None:
        LocalAttribution(model).attribute(image, window, n_steps=steps, memory=memory)

    peak, meaning = peak_memory(call, device)
    return peak, f"{meaning}, after a step on {_WARM_UP} pixels a side that loads the libraries"


def _warm_up(model: nn.Module, image: Tensor) -> torch.device:
    """Load what every later step needs, whatever the image; says where the network is."""
    small = Target(model, image[..., :_WARM_UP, :_WARM_UP], Window(0, 0, 1), "sum", "live")
    for recompute in {False, small.network.can_recompute > 0}:
        small.network.recompute = recompute
        small.gradient(small.image)
    return small.image.device
