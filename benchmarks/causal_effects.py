"""Causal effect maps against the published procedure: passes, and agreement with many draws."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from hpinet.errors import UserError
from hpinet.imaging.images import shrink
from lam import CausalEffect
from lam.batch.window_choice import parse_choice
from lam.cause.effects import TOLERANCE as TOLERANCES
from lam.cause.results import DECIBEL

from . import runner
from .small_cnn import trained_cnn

Array = NDArray[np.float64]

CNN = "cnn"
"""What ``--model`` calls `benchmarks.small_cnn`."""

TOLERANCE = TOLERANCES[DECIBEL]  # effects below it count as zero, as published
LARGE = 0.05  # dB: the sign of a larger effect must be right
_WINDOW = 16  # side in SR pixels, where the choice leaves it open


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `measure`."""
    what = f"as for `python -m lam`; {CNN} trains a small one without global access"
    runner.add_network(parser, what)
    runner.add_size(parser, (32, 32), "32x32")
    runner.add_window(parser)
    add = parser.add_argument
    told = "runs of the reference, 50 interventions on each block in each (4)"
    add("--runs", type=int, default=4, metavar="N", help=told)
    told = "maximum passes of the adaptive map (no limit)"
    add("--passes", type=int, metavar="N", help=told)
    runner.add_parts(parser, ("procedures", "replacement"))


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], runner.Tables]:
    """The parts that were asked for.

    Raises:
        ValueError: If an argument does not fit.
    """
    if min(options.size) < 1 or options.runs < 2:
        raise UserError(
            f"size must be 1 or more and runs 2 or more, got "
            f"{options.size[0]}x{options.size[1]} and {options.runs}"
        )
    if options.model == CNN:
        options.device = "cpu"  # where it is trained
        model: Any = trained_cnn()
    else:
        model = runner.network_of(options)
    scale, (height, width) = int(model.scale), options.size
    hr = runner.photograph(height * scale, width * scale).to(options.device)
    lr = shrink(hr, scale)
    window = parse_choice(options.window).choose(lr, scale, _WINDOW)[0]

    def effects(**how: Any) -> Array:
        """(n,), in dB, of the blocks outside the window."""
        found = CausalEffect(model).effects(lr, hr, window, **how)
        return found.estimate[~np.isnan(found.estimate)]

    parts, tables = options.only or ("procedures", "replacement"), {}
    if "procedures" in parts:
        tables["procedures"] = procedures(model, effects, options.runs, options.passes)
    if "replacement" in parts:
        tables["what the map depends on"] = replacements(effects)
    setting = {
        "model": options.model,
        "scale": scale,
        "size": list(options.size),
        "window": [window.left, window.top, window.size],
        "runs": options.runs,
    }
    return setting, tables


def procedures(model: nn.Module, effects: Any, runs: int, passes: int | None) -> runner.Rows:
    """Passes and agreement with the reference of the published procedure and of the adaptive map.

    The reference is the published procedure with a tolerance of 0, which draws 50 times from every
    block, with several seeds.
    """
    count = 0

    def add(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        nonlocal count
        count += len(inputs[0])

    handle = model.register_forward_pre_hook(add)
    try:
        adaptive, spent = effects(passes=passes), count
        published, cost = effects(protocol="cem", seed=runs), count - spent
    finally:
        handle.remove()
    seeds = tqdm(range(runs), "reference", leave=False, disable=None)
    drawn = np.array([effects(protocol="cem", tolerance=0, seed=seed) for seed in seeds])
    truth, half = drawn.mean(0), runs // 2
    halves = agreement(drawn[:half].mean(0), drawn[half:].mean(0))
    return [
        {"map": "published", "passes": cost, "ratio": 1.0, **agreement(published, truth)},
        {"map": "adaptive", "passes": spent, "ratio": spent / cost, **agreement(adaptive, truth)},
        {"map": "half of the reference against the other half", **halves},
    ]


def agreement(found: Array, truth: Array) -> dict[str, Any]:
    """How near effects (n,) come to a reference (n,), both in dB, block by block.

    Returns:
        ``rank_correlation`` (Spearman's, effects below the tolerance as 0), the same
        ``where_not_null`` (of the measured values, on blocks where the reference is not below the
        tolerance), both None where undefined; how many blocks those are; ``wrong_signs`` among the
        ``large`` effects, those above 0.05 dB.
    """
    active, large = np.abs(truth) >= TOLERANCE, np.abs(truth) > LARGE
    wrong = np.sign(found[large]) != np.sign(truth[large])
    return {
        "rank_correlation": _rank_correlation(_without_null(found), _without_null(truth)),
        "where_not_null": _rank_correlation(found[active], truth[active]),
        "not_null": int(active.sum()),
        "wrong_signs": int(wrong.sum()),
        "large": int(large.sum()),
    }


def replacements(effects: Any) -> runner.Rows:
    """Maps by other replacements against that by natural patches."""
    variants: dict[str, dict[str, Any]] = {
        "natural patches": {},
        "natural patches, another seed": {"seed": 1},
        "blurred": {"replacement": "blurred"},
        "mean colour": {"replacement": "mean"},
    }
    maps = {name: effects(**how) for name, how in variants.items()}
    rows = []
    for name, effect in maps.items():
        counted = _without_null(effect)
        row = {
            "replacement": name,
            "positive": int((counted > 0).sum()),
            "negative": int((counted < 0).sum()),
            "sum_positive_dB": float(counted.clip(0).sum()),
            "sum_negative_dB": float(counted.clip(None, 0).sum()),
        }
        rows.append({**row, **agreement(effect, maps["natural patches"])})
    return rows


def _without_null(effect: Array) -> Array:
    return np.where(np.abs(effect) < TOLERANCE, 0, effect)


def _rank_correlation(found: Array, truth: Array) -> float | None:
    from scipy.stats import spearmanr

    if len(found) < 2 or not (np.ptp(found) and np.ptp(truth)):
        return None
    return float(spearmanr(found, truth).statistic)
