"""What a map costs: its time beside the LAM authors' procedure, attention both ways, memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.lam_demo import DEMO_STEPS, DemoProcedure, distance, timed
from hpinet.benchmark.cost import peak_memory
from hpinet.config import HPINetConfig
from hpinet.modeling.attention import attend
from hpinet.modeling.patches import division
from lam.attribution.local_attribution import LocalAttribution
from lam.attribution.memory_plan import Plan, make_plan
from lam.attribution.quadrature import quadrature
from lam.attribution.results import LocalAttributionResult
from lam.attribution.target import Target
from lam.window import Window

_WARM_UP = 24  # LR pixels a side, a patch of the largest size
_TIMED_STEPS = 4  # of the demo, in every round: they are all alike
_GROWN = ("first", "level")


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest of the rounds."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


@dataclass(frozen=True)
class Timeline:
    """When what of a map was there.

    Attributes:
        first: Seconds to the first map, after one batch of steps.
        level: Seconds to the map of the first level, about an eighth of the steps.
        map: Seconds to the final map.
        whole: Seconds to the result with all that it says of itself.
        maps: The three maps, (3, h, w) each.
        steps: Steps behind them.
    """

    first: float
    level: float
    map: float
    whole: float
    maps: tuple[NDArray[np.float32], ...]
    steps: tuple[int, ...]


def timeline(model: nn.Module, picture: Tensor, window: Window, n_steps: int) -> Timeline:
    """Compute a map and watch it grow; arguments as in `LocalAttribution.attribute`."""
    marks = (1, len(quadrature("gausslegendre", n_steps).levels()[0]), n_steps)
    began = time.perf_counter()
    seen: list[tuple[float, LocalAttributionResult]] = []
    for result in LocalAttribution(model).attribute_progressively(picture, window, n_steps=n_steps):
        now = time.perf_counter() - began
        while len(seen) < len(marks) and result.steps_done >= marks[len(seen)]:
            seen.append((now, result))
    whole = time.perf_counter() - began
    first, grown, final = (seconds for seconds, _ in seen)
    return Timeline(
        first=first,
        level=grown,
        map=final,
        whole=whole,
        maps=tuple(result.attribution for _, result in seen),
        steps=tuple(result.steps_done for _, result in seen),
    )


def time_ratios(
    model: nn.Module,
    picture: Tensor,
    window: Window,
    *,
    nodes: int,
    steps: int = 50,
    demo_steps: int = DEMO_STEPS,
    rounds: int = 5,
    progress: Callable[[], Any] = lambda: None,
) -> dict[str, Any]:
    """Time of maps against the demo's, in rounds.

    Both take turns in every round and are compared within it, so that a machine that is busy for a
    while slows both down. All steps of the demo cost the same: a few are timed.

    Args:
        model: The network.
        picture: (1, 3, h, w), where it is.
        window: In SR pixels.
        nodes: Gauss-Legendre nodes of the map to be compared with the demo's.
        steps: Steps of the map that is watched while it grows.
        demo_steps: Steps of the demo's map.
        rounds: Timed rounds, after one to warm up.
        progress: Called after every round.

    Returns:
        ``plain``, ``nodes``, ``demo_steps``; of the rounds median, min and max of ``demo_step`` and
        ``step`` in seconds, ``step_ratio``, ``map_ratio`` (to the map of ``nodes`` steps, against
        the demo's ``demo_steps``) and ``result_ratio`` (also with the jumps at switched matches);
        ``progressive``: the first map and that of the first level, each with ``steps``, ``share``
        (of the time to the whole result of ``steps`` gradients), ``share_of_map`` (of the time to
        its map alone) and ``error`` (relative distance from the final map).
    """
    demo = DemoProcedure(model, picture, window)
    found = []
    for number in range(rounds + 1):
        demo_step = demo.seconds(_TIMED_STEPS if number else 1)
        equal = timeline(model, picture, window, nodes)
        grown = timeline(model, picture, window, steps)
        if number:
            found.append((demo_step, equal, grown))
        progress()
    return {
        "plain": demo.plain,
        "nodes": nodes,
        "demo_steps": demo_steps,
        "demo_step": spread([d for d, _, _ in found]),
        "step": spread([e.map / nodes for _, e, _ in found]),
        "step_ratio": spread([e.map / nodes / d for d, e, _ in found]),
        "map_ratio": spread([e.map / (demo_steps * d) for d, e, _ in found]),
        "result_ratio": spread([e.whole / (demo_steps * d) for d, e, _ in found]),
        "progressive": {
            "steps": steps,
            **{name: _growth([g for _, _, g in found], i) for i, name in enumerate(_GROWN)},
        },
    }


def _growth(rounds: Sequence[Timeline], number: int) -> dict[str, Any]:
    name, last = _GROWN[number], rounds[-1]
    return {
        "steps": last.steps[number],
        "share": spread([getattr(t, name) / t.whole for t in rounds]),
        "share_of_map": spread([getattr(t, name) / t.map for t in rounds]),
        "error": distance(last.maps[number], last.maps[2]),
    }


def attention_cost(
    config: HPINetConfig,
    size: tuple[int, int],
    *,
    batch: int = 2,
    rounds: int = 5,
    device: str | torch.device = "cpu",
) -> list[dict[str, Any]]:
    """Attention forward and backward, unfused against fused, at a network's patch sizes.

    Args:
        config: The network.
        size: LR height and width in pixels.
        batch: Steps computed at once.
        rounds: Timed rounds, after one to warm up.
        device: Where to run.

    Returns:
        For each patch size ``patch_size``, ``patches``, ``unfused`` and ``fused`` in seconds and
        ``ratio``, fused over unfused (median, min and max of the rounds).
    """
    height, width = (max(side, max(config.patch_sizes)) for side in size)
    found = []
    for patch_size in sorted(set(config.patch_sizes)):
        patches = division(height, width, patch_size, config.overlap).count
        calls = [
            _attention(config, batch, patches, patch_size**2, f, device) for f in (False, True)
        ]
        times = [[timed(call) for call in calls] for _ in range(rounds + 1)][1:]
        found.append(
            {
                "patch_size": patch_size,
                "patches": patches,
                "unfused": spread([row[0] for row in times]),
                "fused": spread([row[1] for row in times]),
                "ratio": spread([row[1] / row[0] for row in times]),
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
        torch.autograd.grad(attend(query, key, value, fused), (query, key, value), weight)
        if query.is_cuda:
            torch.cuda.synchronize(query.device)

    return call


def memory_cost(
    load: Callable[[], nn.Module], picture: Tensor, window: Window, memory: int
) -> dict[str, Any]:
    """What a map takes at its peak, beside the weights, under a budget; in a fresh process.

    Args:
        load: Loads the network there: a function that can be pickled.
        picture: (1, 3, h, w).
        window: In SR pixels.
        memory: The budget in bytes.

    Returns:
        ``size`` (LR height and width), ``budget``, ``peak`` in bytes (None where the system cannot
        tell), ``peak_is``, ``share`` (peak over budget), ``steps_at_once`` and ``recompute``.

    Raises:
        ValueError: If not even one step fits into the budget.
    """
    pixels, threads = picture.cpu().numpy(), torch.get_num_threads()
    # Planning leaves memory behind that the process would use again unseen: it gets one of its own.
    plan = _alone(_plan, load, pixels, window, memory)
    peak, meaning = _alone(_peak, load, pixels, window, memory, plan.batch, threads)
    return {
        "size": list(picture.shape[-2:]),
        "budget": memory,
        "peak": peak,
        "peak_is": meaning,
        "share": None if peak is None else peak / memory,
        "steps_at_once": plan.batch,
        "recompute": plan.recompute,
    }


def _alone(call: Callable[..., Any], *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(call, *arguments).result()


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
    threads: int,
) -> tuple[int | None, str]:
    torch.set_num_threads(threads)
    model, picture = load(), torch.from_numpy(pixels)
    device = _warm_up(model, picture)
    steps = 2 * batch  # the last level has half of them: a whole batch

    def call() -> None:
        LocalAttribution(model).attribute(picture, window, n_steps=steps, memory=memory)

    peak, meaning = peak_memory(call, device)
    return peak, f"{meaning}, after a step on {_WARM_UP} pixels a side that loads the libraries"


def _warm_up(model: nn.Module, picture: Tensor) -> torch.device:
    """Load what every later step needs, whatever the picture; says where the network is."""
    small = Target(model, picture[..., :_WARM_UP, :_WARM_UP], Window(0, 0, 1), "sum", "live")
    for recompute in {False, small.network.can_recompute > 0}:
        small.network.recompute = recompute
        small.gradient(small.image)
    return small.image.device
