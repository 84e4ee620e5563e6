"""What exploring matches and changing them costs, in passes of the network."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.runner import (
    Rows,
    Tables,
    Tick,
    add_network,
    add_rounds,
    add_size,
    compare,
    open_network,
    progress,
)
from hpinet.analysis.interventions import Intervention, intervene
from hpinet.analysis.match_statistics import image_statistics
from hpinet.errors import UserError
from hpinet.modeling.hpinet import HPINet

EXPLORED_SIZE = (128, 128)
"""LR height and width of the figures in docs/gpa.md."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `measure`."""
    add_network(parser, "a bundled model or a checkpoint")
    add_size(parser, EXPLORED_SIZE)
    add_rounds(parser)


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], Tables]:
    """See `exploration_cost`."""
    model = open_network(options)
    with progress("exploration", options.rounds + 1) as tick:
        rows = exploration_cost(model, options.size, options.rounds, tick)
    setting = {"model": options.model, "size": list(options.size), "rounds": options.rounds}
    return setting, {"in passes": rows}


def exploration_cost(
    model: Any,
    size: tuple[int, int] = EXPLORED_SIZE,
    rounds: int = 5,
    tick: Tick = lambda: None,
) -> Rows:
    """Time a full exploration, and an intervention in each block, against a pass.

    Args:
        model: With Global Pixel Access, in evaluation mode, where it is to run.
        size: LR height and width in pixels.
        rounds: Timed rounds, after one to warm up.
        tick: Called after every round.

    Returns:
        Rows of `runner.compare` with the base ``pass``: ``exploration`` (a pass with similarity
        matrices, and all statistics of all blocks), ``trace`` (a pass that can be resumed in any
        block) and, for each block, ``off in block N`` (Global Pixel Access off in that block).

    Raises:
        ValueError: If the network has no matches, or a size or the number of rounds is below 1.
    """
    if min(size) < 1:
        raise UserError(f"the size must be 1 or more, not {size[0]}x{size[1]}")
    if not isinstance(model, HPINet) or not model.config.gpa:
        raise UserError("this network has no Global Pixel Access to explore")
    device = next(model.parameters()).device
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)).to(device)
    normal = model.trace(x, similarity_matrix=True)

    def explore() -> None:
        _, matches = model(x, return_matches=True, similarity_matrix=True)
        image_statistics(matches, size)

    def off(block: int) -> Callable[[], Any]:
        return lambda: intervene(model, normal, Intervention("off", (block,)))

    calls: dict[str, Callable[[], Any]] = {
        "pass": lambda: model(x),
        "exploration": explore,
        "trace": lambda: model.trace(x),
        **{f"off in block {block + 1}": off(block) for block in range(len(model.blocks))},
    }
    with torch.inference_mode():
        finished = {name: _finished(call, device) for name, call in calls.items()}
        return compare(finished, "pass", rounds, tick)


def _finished(call: Callable[[], Any], device: torch.device) -> Callable[[], None]:
    def until_done() -> None:
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return until_done
