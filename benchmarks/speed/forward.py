"""A pass of the network beside the paper's formulas written out plainly."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from benchmarks.runner import Tables, add_network, add_rounds, add_size, open_config
from hpinet.benchmark.comparison import TimedNetwork, comparison
from hpinet.benchmark.cost import PAPER_SIZE
from hpinet.cli.options import add_precision
from hpinet.config import HPINetConfig
from hpinet.errors import UserError
from hpinet.modeling.hpinet import HPINet

from .plain_hpinet import PlainHPINet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `measure`."""
    add_network(parser)
    add_size(parser, PAPER_SIZE)
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="images at once (1)")
    add_precision(parser, None, "what HPINet runs in (fp32 and bf16, each on its own)")
    add_rounds(parser)


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], Tables]:
    """Time, memory and multiply-adds of HPINet and of the plain formulas.

    Raises:
        ValueError: If an argument does not fit.
    """
    config = open_config(options)
    least = max(config.patch_sizes)
    if min(options.size) < least:
        raise UserError(
            f"the plain formulas need an image of at least {least} pixels a side, a patch, not "
            f"{options.size[0]}x{options.size[1]}"
        )
    plain = TimedNetwork("plain", partial(plain_network, config), options.device, config=config)
    found = comparison(
        config,
        [plain],
        size=options.size,
        batch=options.batch,
        rounds=options.rounds,
        device=options.device,
        precisions=[options.precision] if options.precision else ["fp32", "bf16"],
    )
    networks = found["networks"]
    against = networks["plain"].pop("ratios")
    return (
        {
            "model": options.model,
            "scale": config.scale,
            **{name: found[name] for name in ("size", "batch", "rounds", "matrix_rate")},
            "memory_is": found["peak_memory_is"],
        },
        {
            "networks": [{"network": name, **cost} for name, cost in networks.items()],
            "against plain": [{"network": name, **ratio} for name, ratio in against.items()],
        },
    )


def plain_network(config: HPINetConfig) -> PlainHPINet:
    """The paper's formulas with random weights."""
    return PlainHPINet(HPINet(config))
