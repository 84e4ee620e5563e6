"""Whether a method's maps depend on what the network has learnt: the weight randomisation check."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from hpinet.errors import UserError
from lam.attribution.methods import explain
from lam.window import Window


@dataclass(frozen=True, eq=False)
class RandomisationResult:
    """The sanity check of Adebayo et al. (2018): maps of the network and of random ones.

    A method whose maps hardly change when the weights are drawn anew shows the image, not what
    the network has learnt: rank correlations should fall towards 0.

    Attributes:
        shares: (K,) share of the layers with random weights, counted from the output.
        rank_correlations: (K,) Spearman's, between the importance of the network and of its
            randomised copy; NaN where a map is the same everywhere.
        importances: (K, h, w) float32 of the randomised copies.
        seed: Of the random weights.
    """

    shares: tuple[float, ...]
    rank_correlations: tuple[float, ...]
    importances: NDArray[np.float32]
    seed: int


def weight_randomisation(
    network: nn.Module,
    inputs: Tensor,
    window: Window,
    *,
    shares: Sequence[float] = (1.0,),
    seed: int = 0,
    importance: ArrayLike | None = None,
    progress: Callable[[float], None] | None = None,
    **options: Any,
) -> RandomisationResult:
    """Compare a network's map with those of copies with random weights.

    Args:
        network: The trained network; it is not changed.
        inputs: The LR image, (1, 3, h, w) or (3, h, w).
        window: In SR pixels.
        shares: Shares of the layers that are randomised, counted from the output, each in (0, 1]:
            (1.0,) draws all weights anew, several make Adebayo's cascade.
        seed: Of the random weights; the same in every copy, so that a cascade is one.
        importance: The network's own map, if there is one with the same options.
        progress: Called with the share of the work done, from 0 to 1.
        **options: Of `lam.explain`: ``method``, ``detector``, ``n_steps`` and so on.

    Raises:
        ValueError: If a share is out of range, or an option does not fit.
    """
    if not shares or not all(0 < share <= 1 for share in shares):
        raise UserError(f"shares of the layers must be in (0, 1], not {tuple(shares)}")
    if importance is None:
        importance = explain(network, inputs, window, **options).importance
    trained, maps = np.asarray(importance), []
    for number, share in enumerate(shares, 1):
        copied = randomised(network, share, seed)
        maps.append(explain(copied, inputs, window, **options).importance)
        if progress is not None:
            progress(number / len(shares))
    correlations = tuple(rank_correlation(trained, one) for one in maps)
    return RandomisationResult(tuple(shares), correlations, np.stack(maps), seed)


def randomised(network: nn.Module, share: float = 1.0, seed: int = 0) -> nn.Module:
    """A copy of a network with random weights.

    Each tensor is drawn anew from a normal distribution with its own mean and standard deviation:
    nothing learnt is left but the scale, without which deep networks overflow, whatever way the
    architecture is initialised. Tensors of equal values, such as norms at rest, stay.

    Args:
        network: Any module; it is not changed.
        share: Share of the layers, in (0, 1], counted from the last one defined.
        seed: Of the random numbers. A layer's do not depend on the share.

    Returns:
        The copy, in the mode (training or not) of the original.
    """
    copied = copy.deepcopy(network)
    layers = [module for module in copied.modules() if list(module.parameters(recurse=False))]
    generator = torch.Generator().manual_seed(seed)
    kept = len(layers) - math.ceil(share * len(layers))
    with torch.inference_mode(False), torch.no_grad():
        for layer in reversed(layers[kept:]):
            for weights in layer.parameters(recurse=False):
                if weights.numel() > 1 and weights.is_floating_point():
                    noise = torch.randn(weights.shape, generator=generator).to(weights)
                    weights.copy_(weights.mean() + weights.std() * noise)
    return copied


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation, equal values sharing their mean rank.

    Args:
        a: Numbers of any shape.
        b: As many.

    Returns:
        A number in [-1, 1]; NaN where all of ``a`` or all of ``b`` are equal.
    """
    from scipy.stats import spearmanr

    x, y = np.ravel(a), np.ravel(b)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return float(spearmanr(x, y).statistic)
