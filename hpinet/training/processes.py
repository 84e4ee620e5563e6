"""The processes of a run that a launcher started, on GPUs or on CPUs alone."""

from __future__ import annotations

import os
from datetime import timedelta

import torch
from accelerate import DistributedDataParallelKwargs, PartialState

from hpinet.config import HPINetConfig

from .recipes import Recipe
from .state import TrainingError

_PATIENCE = timedelta(hours=12)  # one process decodes the images while the others wait


def join_processes() -> PartialState:
    """Find the other processes of this run.

    Left to itself on a machine without GPUs, each process would take itself for the only one, and
    all would train the same run in one folder.

    Raises:
        TrainingError: If a launcher started several that cannot work together.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    on_cpu = started > 1 and not has_gpu()
    team = PartialState(cpu=True, timeout=_PATIENCE) if on_cpu else PartialState(timeout=_PATIENCE)
    if started != team.num_processes:
        raise TrainingError(
            f"{started} processes were started, but only {team.num_processes} can work together on "
            f"{team.device}: start one"
        )
    return team


def has_gpu() -> bool:
    """Whether this machine has a device beside the CPU that PyTorch trains on."""
    xpu = getattr(torch, "xpu", None)
    return (
        torch.cuda.is_available()
        or torch.backends.mps.is_available()
        or (xpu is not None and bool(xpu.is_available()))
    )


def gradients_of_all(config: HPINetConfig, recipe: Recipe) -> DistributedDataParallelKwargs:
    """How processes add up gradients: with care where a crop may be a single patch.

    A patch alone matches itself, so the weights that compare patches take no part in the result,
    and processes would wait for their gradients.
    """
    alone = recipe.crop // config.scale < 2 * max(config.patch_sizes)
    return DistributedDataParallelKwargs(find_unused_parameters=alone)
