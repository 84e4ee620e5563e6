"""``python -m hpinet benchmark``: what a pass costs, alone, by size, or beside something else."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hpinet.errors import UserError

from . import options as shared
from .networks import open_all

if TYPE_CHECKING:  # the heavy imports wait inside the functions
    from torch import nn

AGAINST = ("swinir", "swinir-light", "rcan")
"""`hpinet.benchmark.comparison.OTHERS`, which takes seconds to import."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `run`."""
    shared.add_model(parser, several="list")
    add = parser.add_argument
    add(
        "--size",
        type=shared.height_and_width,
        nargs="+",
        metavar="HxW",
        help="LR height and width; the paper's 180x320 by default, 48x48 for --training; "
        "several sizes give a table and the exponent of the growth",
    )
    add("--crop", type=int, metavar="N", help="with --training: HR side of the crops, not --size")
    add("--batch", type=int, metavar="N", help="images at once; 1 by default, 8 for --training")
    add("--rounds", type=int, default=5, metavar="N", help="timed passes (5)")
    told = "fp32 by default; --against and --training measure fp32 and bf16 otherwise"
    shared.add_precision(parser, None, told)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--against",
        nargs="+",
        choices=AGAINST,
        metavar="NAME",
        help=f"instead: against other networks ({', '.join(AGAINST)}; from spandrel, random "
        "weights), in turns",
    )
    instead.add_argument("--training", action="store_true", help="instead: a training step")
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Do what the arguments ask for.

    Raises:
        ValueError: If they do not go together, or something cannot be measured.
    """
    if options.crop is not None and (options.size or not options.training):
        raise UserError("--crop is the size of --training, and stands instead of --size")
    names = shared.models(options)
    options.device = shared.usable_device(options.device)
    if len(names) > 1:
        if options.training or options.against:
            raise UserError("--training and --against are about one network: name one --model")
        return _several(options, names)
    options.model = names[0]
    model = _network(options)
    if options.training:
        return _training(options, model)
    return _comparison(options, model) if options.against else _alone(options, model)


def _network(options: argparse.Namespace) -> nn.Module:
    from hpinet.config import VARIANTS, get_config
    from hpinet.modeling.hpinet import HPINet

    if options.model in VARIANTS:  # its cost does not depend on the weights, bundled or not
        return HPINet(get_config(options.model, options.scale or 4)).eval().to(options.device)
    return open_all(options, [options.model])[0].network


def _several(options: argparse.Namespace, names: list[str]) -> int:
    from hpinet.benchmark.cost import PAPER_SIZE
    from hpinet.benchmark.several import costs, format_costs

    report = costs(
        open_all(options, names),
        size=_one_size(options, PAPER_SIZE),
        batch=1 if options.batch is None else options.batch,
        rounds=options.rounds,
        precision=options.precision or "fp32",
    )
    print(json.dumps(report) if options.json else format_costs(report))
    return 0


def _alone(options: argparse.Namespace, model: nn.Module) -> int:
    from hpinet.benchmark.cost import PAPER_SIZE, benchmark, format_cost, format_scaling, scaling

    sizes = options.size or [PAPER_SIZE]
    if len(sizes) > 1 and len({high * wide for high, wide in sizes}) == 1:
        raise UserError("several sizes show how cost grows: give sizes of different areas")
    batch = 1 if options.batch is None else options.batch
    precision = options.precision or "fp32"
    reports = [
        benchmark(model, size=size, batch=batch, repeats=options.rounds, precision=precision)
        for size in sizes
    ]
    if len(reports) == 1:
        return _print(options, reports[0], format_cost)
    return _print(options, scaling(reports), format_scaling)


def _comparison(options: argparse.Namespace, model: nn.Module) -> int:
    from hpinet.benchmark.comparison import comparison, format_comparison, other_network
    from hpinet.benchmark.cost import PAPER_SIZE

    config, names = _config(options, model), dict.fromkeys(options.against)
    report = comparison(
        config,
        [other_network(name, config.scale, options.device) for name in names],
        size=_one_size(options, PAPER_SIZE),
        batch=1 if options.batch is None else options.batch,
        rounds=options.rounds,
        device=options.device,
        precisions=[options.precision] if options.precision else ["fp32", "bf16"],
    )
    return _print(options, report, format_comparison)


def _training(options: argparse.Namespace, model: nn.Module) -> int:
    from hpinet.benchmark.training_cost import TRAINED_SIZE, format_training_cost, training_cost

    config = _config(options, model)
    size = _one_size(options, TRAINED_SIZE)
    if options.crop is not None:
        size = (options.crop // config.scale,) * 2
    report = training_cost(
        config,
        size=size,
        precisions=[options.precision] if options.precision else ["fp32", "bf16"],
        batch=8 if options.batch is None else options.batch,
        rounds=options.rounds,
        device=options.device,
    )
    return _print(options, report, format_training_cost)


def _config(options: argparse.Namespace, model: nn.Module) -> Any:
    config = getattr(model, "config", None)
    if config is None:
        raise UserError(f"{options.model} is no HPINet, which this benchmark is about")
    return config


def _one_size(options: argparse.Namespace, default: tuple[int, int]) -> tuple[int, int]:
    sizes: list[tuple[int, int]] = options.size or [default]
    if len(sizes) > 1:
        raise UserError("several sizes are for a network alone: give one --size")
    return sizes[0]


def _print(
    options: argparse.Namespace, report: dict[str, Any], as_text: Callable[[dict[str, Any]], str]
) -> int:
    report = {"model": options.model, **report}
    print(json.dumps(report) if options.json else as_text(report))
    return 0
