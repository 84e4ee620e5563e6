"""A training step beside the paper's formulas written out plainly."""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.runner import (
    Tables,
    add_memory,
    add_network,
    add_rounds,
    add_size,
    compare,
    open_config,
    progress,
)
from hpinet.benchmark.rounds import in_new_process
from hpinet.benchmark.training_cost import TRAINED_SIZE, check_crops, step_memory, training_step

from .plain_hpinet import PlainHPINet

_CONTESTANTS = {"plain": ("no", PlainHPINet), "hpinet": ("no",), "hpinet_bf16": ("bf16",)}
"""Precision, and what computes the step in HPINet's place."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `measure`."""
    add_network(parser)
    add_size(parser, TRAINED_SIZE)
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="crops a step (8)")
    add_rounds(parser)


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], Tables]:
    """Time and memory of a step of the plain formulas, of HPINet, and of it under autocast.

    Raises:
        ValueError: If an argument does not fit.
    """
    config, size, batch = open_config(options), options.size, options.batch
    check_crops(config, size, batch, options.rounds)
    what = (config, size, batch, options.device)
    steps = {name: training_step(*what, *how) for name, how in _CONTESTANTS.items()}  # type: ignore[arg-type]
    with progress("training", options.rounds + 1) as tick:
        rows = compare(steps, "plain", options.rounds, tick)
    del steps
    memory = {name: in_new_process(step_memory, *what, *how) for name, how in _CONTESTANTS.items()}
    add_memory(rows, {name: peak for name, (peak, _) in memory.items()}, "plain")
    setting = {
        "model": options.model,
        "scale": config.scale,
        "size": list(size),
        "batch": batch,
        "rounds": options.rounds,
        "memory_is": memory["plain"][1],
    }
    return setting, {"a step": rows}
