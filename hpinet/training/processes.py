"""How the processes of a training run add up their gradients."""

from __future__ import annotations

from accelerate import DistributedDataParallelKwargs

from hpinet.config import HPINetConfig

from .recipes import Recipe


def gradients_of_all(config: HPINetConfig, recipe: Recipe) -> DistributedDataParallelKwargs:
    """How processes add up gradients: with care where a crop may be a single patch.

    A patch alone matches itself, so the weights that compare patches take no part in the result,
    and processes would wait for their gradients.
    """
    alone = recipe.crop // config.scale < 2 * max(config.patch_sizes)
    return DistributedDataParallelKwargs(find_unused_parameters=alone)
