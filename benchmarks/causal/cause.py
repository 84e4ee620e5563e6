"""Causal effect maps beside the published procedure: how many passes, and how near the truth."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from benchmarks.maps.attribution import photograph
from benchmarks.maps.completeness import add_window_choice
from benchmarks.runner import (
    Rows,
    Tables,
    add_network,
    add_rounds,
    add_size,
    open_network,
    progress,
)
from hpinet.benchmark.rounds import in_turns, spread
from hpinet.errors import UserError
from hpinet.imaging.images import shrink
from lam.batch.window_choice import parse_choice
from lam.cause.effects import TOLERANCE as TOLERANCES
from lam.cause.effects import CausalEffect
from lam.cause.quadtree import CEM_COARSE, CEM_FINE, Sampling
from lam.cause.results import DECIBEL, CausalEffectResult

from .reference import Array, Blocks, Scene, changes

PARTS = ("procedures", "replacement", "time")

CNN = "cnn"
"""What ``--model`` calls `benchmarks.causal.small_cnn`."""

TOLERANCE = TOLERANCES[DECIBEL]  # effects below it count as zero, as published
LARGE = 0.05  # dB: the sign of a larger effect must be right
_WINDOW = 32  # side in SR pixels, where the choice leaves it open


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `measure`."""
    add_network(parser, f"as for `python -m lam`; {CNN} trains a small one without global access")
    add_size(parser, (64, 64))
    add_window_choice(parser, "centre (default), detail, or LEFT TOP SIZE in SR pixels")
    add = parser.add_argument
    told = "interventions on each block of the reference (200)"
    add("--draws", type=int, default=200, metavar="N", help=told)
    told = "blocks of the reference, a random choice, half near the window (all)"
    add("--blocks", type=int, metavar="N", help=told)
    told = "the most passes of the adaptive map beside the published procedure (no limit)"
    add("--passes", type=int, metavar="N", help=told)
    told = "leave the published procedure's 50 draws out; its passes are counted all the same"
    add("--no-published", dest="published", action="store_false", help=told)
    told = "keeps the reference in a file .npz, so that it is computed once and can be gone on with"
    add("--reference", type=Path, metavar="FILE", help=told)
    add_rounds(parser)
    told = f"one part, repeat for several: {', '.join(PARTS)} (all)"
    add("--only", action="append", choices=PARTS, metavar="PART", help=told)


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], Tables]:
    """The parts that were asked for.

    Raises:
        ValueError: If an argument does not fit.
    """
    if min(*options.size, options.rounds) < 1 or options.draws < 2:
        raise UserError(
            f"size and rounds must be 1 or more and draws 2 or more, not "
            f"{options.size[0]}x{options.size[1]}, {options.rounds} and {options.draws}"
        )
    scene = _scene(options)
    window, parts = scene.window, options.only or PARTS
    blocks = scene.sample(options.blocks)
    found: Tables = {}
    if "procedures" in parts:
        found["procedures"] = _procedures(scene, blocks, options)
    if "replacement" in parts:
        found["what the map depends on"] = _replacements(scene)
    if "time" in parts:
        found["time to the first map"] = _times(scene, options.rounds)
    setting = {
        "model": options.model,
        "scale": scene.scale,
        "size": list(options.size),
        "window": [window.left, window.top, window.size],
        "blocks": len(blocks),
        "of_blocks": int((~scene.inside).sum()),
        "draws": options.draws,
    }
    return setting, found


def _scene(options: argparse.Namespace) -> Scene:
    if options.model == CNN:
        from .small_cnn import STEPS, trained_cnn

        options.device = "cpu"  # where it is trained
        with progress("training", STEPS, "step") as tick:
            model: Any = trained_cnn(tick)
    else:
        model = open_network(options)
    height, width = options.size
    hr = photograph(height * model.scale, width * model.scale)
    lr = shrink(hr, model.scale)
    window = parse_choice(options.window).choose(lr, model.scale, _WINDOW)[0]
    return Scene(model, lr, hr, window)


def _procedures(scene: Scene, blocks: Blocks, options: argparse.Namespace) -> Rows:
    """Passes and agreement with the reference: of the published procedure, and of the map here.

    Of the draws on each block the first are the published procedure's coarse ones, which choose the
    blocks that it draws more from; then come the reference's, and last the published fine ones.
    """
    end = CEM_COARSE + options.draws
    total = end + (CEM_FINE if options.published else 0)
    with progress("reference", total, "draw") as tick:
        drawn = changes(scene, blocks, total, options.reference, tick)
    with progress("map", 1, "map") as tick, counted(scene.model) as count:
        found = effects(scene, passes=options.passes).estimate[tuple(blocks.T)]
        tick()
    coarse, reference, fine = drawn[:CEM_COARSE], drawn[CEM_COARSE:end], drawn[end:]
    mattered = np.abs(coarse).max(0) >= TOLERANCE
    asked = int((~scene.inside).sum())
    passes = CEM_COARSE * asked + CEM_FINE * round(scene.count(blocks, mattered))
    published: dict[str, Any] = {"map": "published", "passes": passes, "ratio": 1.0}
    if options.published:
        values = np.where(mattered, fine.mean(0), coarse.mean(0))
        published |= agreement(values, reference.mean(0))
    ratio, half = count[0] / passes, options.draws // 2
    halves = agreement(reference[:half].mean(0), reference[half:].mean(0))
    return [
        published,
        {"map": "adaptive", "passes": count[0], "ratio": ratio,
         **agreement(found, reference.mean(0))},
        {"map": "half of the reference, beside the other half", **halves},
    ]  # fmt: skip


def agreement(found: Array, truth: Array) -> dict[str, Any]:
    """How near effects come to a reference, block by block.

    Args:
        found: (n,) in dB.
        truth: (n,) in dB.

    Returns:
        ``rank_correlation`` (Spearman's, effects below the tolerance as 0), the same
        ``where_not_null`` (of the measured values, on blocks where the reference is not below the
        tolerance), both None where undefined; how many blocks those are; ``wrong_signs`` among the
        ``large`` effects, those above 0.05 dB.
    """
    active, large = np.abs(truth) >= TOLERANCE, np.abs(truth) > LARGE
    wrong = np.sign(found[large]) != np.sign(truth[large])
    return {
        "rank_correlation": _rank_correlation(_counted_effect(found), _counted_effect(truth)),
        "where_not_null": _rank_correlation(found[active], truth[active]),
        "not_null": int(active.sum()),
        "wrong_signs": int(wrong.sum()),
        "large": int(large.sum()),
    }


def _replacements(scene: Scene) -> Rows:
    """Maps by other replacements beside that by natural patches, on all blocks."""
    asked = ~scene.inside
    with progress("replacements", 4, "map") as tick:

        def effect_of(**options: Any) -> Array:
            found: Array = effects(scene, **options).estimate[asked]
            tick()
            return found

        natural = effect_of()
        others = {
            "natural patches, another seed": effect_of(seed=1),
            "blurred": effect_of(replacement="blurred"),
            "mean colour": effect_of(replacement="mean"),
        }
    rows = [{"replacement": "natural patches", **_amounts(natural)}]
    for name, found in others.items():
        rows.append({"replacement": name, **_amounts(found), **agreement(found, natural)})
    return rows


def _amounts(effect: Array) -> dict[str, float]:
    counted = _counted_effect(effect)
    return {
        "positive": int((counted > 0).sum()),
        "negative": int((counted < 0).sum()),
        "sum_positive_dB": float(counted.clip(0).sum()),
        "sum_negative_dB": float(counted.clip(None, 0).sum()),
    }


def _times(scene: Scene, rounds: int) -> Rows:
    side = scene.block * max(Sampling().sides)
    height, width = (int(length) for length in scene.lr.shape[-2:])
    squares = math.ceil(height / side) * math.ceil(width / side)

    def first() -> tuple[float, float]:
        began, seen = time.perf_counter(), []
        for result in CausalEffect(scene.model).effects_progressively(
            scene.lr, scene.hr, scene.window, scene.block
        ):
            seen.append(time.perf_counter() - began)
            if result.passes >= squares:
                break
        return seen[0], seen[-1]

    with progress("time", rounds + 1) as tick:
        found = [one["map"] for one in in_turns({"map": first}, rounds, tick)]
    whats = ("first result", "every block has a value")
    return [
        {"what": what, "seconds": spread([one[k] for one in found])} for k, what in enumerate(whats)
    ]


def effects(scene: Scene, **options: Any) -> CausalEffectResult:
    """The map of a scene; options as in `CausalEffect.effects`."""
    return CausalEffect(scene.model).effects(
        scene.lr, scene.hr, scene.window, scene.block, **options
    )


@contextmanager
def counted(model: nn.Module) -> Iterator[list[int]]:
    """Counts the images that a network makes, all of them: also to prepare."""
    count = [0]

    def add(_: nn.Module, given: tuple[Any, ...]) -> None:
        count[0] += len(given[0])

    handle = model.register_forward_pre_hook(add)
    try:
        yield count
    finally:
        handle.remove()


def _counted_effect(estimate: Array) -> Array:
    return np.where(np.abs(estimate) < TOLERANCE, 0, estimate)


def _rank_correlation(found: Array, truth: Array) -> float | None:
    from scipy.stats import spearmanr

    if len(found) < 2 or not (np.ptp(found) and np.ptp(truth)):
        return None
    return float(spearmanr(found, truth).statistic)
