"""Local attribution maps against the LAM authors' procedure: accuracy, time, memory."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hpinet import read_picture
from hpinet.cli.options import add_memory
from hpinet.errors import UserError
from hpinet.tools.benchmark import in_new_process, peak_memory, seconds
from lam import LocalAttribution, Window
from lam.batch.window_choice import parse_choice

from . import runner
from .lam_demo import DemoProcedure

DEMO_STEPS = 50
REFERENCE_STEPS = 400  # of the demo's own sum: the reference leans towards the demo's side
NODES = (12, 16, 20, 24, 32)  # of Gauss-Legendre

_AS_ACCURATE = 24  # nodes whose map is no less accurate than the demo's
_WINDOW = 16  # side in SR pixels, where the choice leaves it open
_WARM_UP = 24  # LR pixels a side, a patch of the largest size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `measure`."""
    runner.add_network(parser, "as for `python -m lam`")
    runner.add_size(parser, (64, 64), "64x64 of a photograph")
    parser.add_argument("--image", metavar="FILE", help="instead: an LR image from a file")
    runner.add_window(parser)
    told = "gradients of the map whose progress is timed (50)"
    parser.add_argument("--steps", type=int, default=50, metavar="N", help=told)
    add_memory(parser, "the budget that the peak is compared with, such as 500M (2G)", 2**31)
    runner.add_parts(parser, ("accuracy", "time", "memory"))


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], runner.Tables]:
    """The parts that were asked for.

    Raises:
        ValueError: If an argument does not fit.
    """
    choice, model = parse_choice(options.window), runner.network_of(options)
    if choice.kind == "grid" or min(*options.size, options.steps) < 1:
        raise UserError(
            f"attribution needs one window, a size and steps of 1 or more; got "
            f"{' '.join(options.window)}, {options.size[0]}x{options.size[1]}, {options.steps}"
        )
    scale = int(model.scale)  # type: ignore[arg-type]
    image = read_picture(options.image).rgb if options.image else runner.photograph(*options.size)
    window = choice.choose(image, scale, _WINDOW)[0]
    here, parts = image.to(options.device), options.only or ("memory", "accuracy", "time")
    tables: runner.Tables = {}
    if "memory" in parts:  # first: a lack of memory should show soon
        tables["memory"] = [memory(options, image, window)]
    if "accuracy" in parts:
        title = f"distance from a map of {REFERENCE_STEPS} steps by the demo's sum"
        tables[title] = accuracy(model, here, window)
    if "time" in parts:
        tables["time"] = time(model, here, window, options.steps)
    setting = {
        "model": options.model,
        "scale": scale,
        "image": options.image or "photograph",
        "size": list(image.shape[-2:]),
        "window": [window.left, window.top, window.size],
    }
    return setting, tables


def map_alone(
    model: nn.Module, image: Tensor, window: Window, n_steps: int, method: str = "gausslegendre"
) -> NDArray[np.float32]:
    """The map (3, h, w) without the jumps at switched matches, which are computed after it."""
    for result in LocalAttribution(model).attribute_progressively(
        image, window, n_steps=n_steps, method=method
    ):
        if result.steps_done == n_steps:
            break
    return result.attribution


def distance(a: NDArray[Any], b: NDArray[Any]) -> float:
    """How far a map is from another, relative to that one (Euclidean norm)."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def accuracy(
    model: nn.Module,
    image: Tensor,
    window: Window,
    nodes: Sequence[int] = NODES,
    demo_steps: int = DEMO_STEPS,
    reference_steps: int = REFERENCE_STEPS,
) -> runner.Rows:
    """Relative distance of the demo's map and of maps of few nodes from one of many steps."""

    def alone(*what: Any) -> NDArray[np.float32]:
        return map_alone(model, image, window, *what)

    reference = alone(reference_steps, "riemann_demo")
    demo = distance(alone(demo_steps, "riemann_demo"), reference)
    return [
        {"map": "demo", "steps": demo_steps, "error": demo},
        *({"map": "here", "steps": n, "error": distance(alone(n), reference)} for n in nodes),
    ]


def time(
    model: nn.Module, image: Tensor, window: Window, steps: int, demo_steps: int = DEMO_STEPS
) -> runner.Rows:
    """Seconds of maps, and their ratio to the demo's: all of its steps cost the same."""
    demo = DemoProcedure(model, image, window)
    ours = LocalAttribution(model)
    calls: dict[str, Callable[[], Any]] = {
        "a step of the demo": lambda: demo.gradient(0.5),
        f"first map of {steps} steps": lambda: next(
            iter(ours.attribute_progressively(image, window, n_steps=steps))
        ),
        f"map of {_AS_ACCURATE} steps": lambda: map_alone(model, image, window, _AS_ACCURATE),
        f"map of {steps} steps": lambda: map_alone(model, image, window, steps),
        f"result of {steps} steps with jumps": lambda: ours.attribute(image, window, n_steps=steps),
    }
    rows: runner.Rows = [{"what": what, **seconds(call)} for what, call in calls.items()]
    whole = demo_steps * rows[0]["seconds"]
    return [{**row, f"of_the_demo's_{demo_steps}": row["seconds"] / whole} for row in rows]


def memory(options: argparse.Namespace, image: Tensor, window: Window) -> dict[str, Any]:
    """What a map takes at its peak besides the weights, under a budget, in a fresh process."""
    peak, at_once = in_new_process(_peak, options, image.numpy(), window)
    return {"budget": options.memory, "peak_memory": peak, "steps_at_once": at_once}


def _peak(
    options: argparse.Namespace, pixels: NDArray[np.float32], window: Window
) -> tuple[int | None, int]:
    explain = LocalAttribution(runner.network_of(options)).attribute
    image, found = torch.from_numpy(pixels).to(options.device), []
    # Small first: that loads the libraries.
    explain(image[..., :_WARM_UP, :_WARM_UP], Window(0, 0, 16), n_steps=1)
    peak = peak_memory(
        lambda: found.append(explain(image, window, n_steps=4, memory=options.memory)),
        torch.device(options.device),
    )
    return peak, found[0].params["internal_batch_size"]
