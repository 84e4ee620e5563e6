"""A pass and a training step of HPINet against the paper's formulas written out plainly."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from hpinet import HPINet, HPINetConfig, get_config, load_model
from hpinet.cli import options as shared
from hpinet.config import VARIANTS
from hpinet.errors import UserError
from hpinet.inference.precision import half_precision
from hpinet.modeling.multi_adds import multi_adds
from hpinet.tools.benchmark import PAPER_SIZE, in_new_process, noise, peak_memory

from .plain_hpinet import PlainHPINet
from .runner import Tables, add_network, add_size, compare

CONTESTANTS = {"plain": "fp32", "hpinet": "fp32", "hpinet_bf16": "bf16"}
"""By name: the precision."""

_SIZES = {"forward": (PAPER_SIZE, 1), "training": ((48, 48), 8)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `measure`."""
    add_network(parser)
    add_size(parser, None, "180x320; 48x48 for training")
    told = "images at once (1; 8 for training)"
    parser.add_argument("--batch", type=int, metavar="N", help=told)


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], Tables]:
    """Time and memory of ``options.name``, forward or training.

    Raises:
        ValueError: If the plain formulas cannot compute images of this size.
    """
    config, (size, batch) = _config(options), _SIZES[options.name]
    options.device = shared.usable_device(options.device)
    size, batch = options.size or size, batch if options.batch is None else options.batch
    least = max(config.patch_sizes)
    if batch < 1 or min(size) < least:
        raise UserError(
            f"the plain formulas need a batch of 1 or more images of at least {least} pixels a "
            f"side, a patch; got {batch} of {size[0]}x{size[1]}"
        )
    what = (options.name, options.device, config, size, batch)
    rows = compare({name: prepared(name, *what) for name in CONTESTANTS}, "plain")
    for row in rows:
        row["peak_memory"] = in_new_process(_memory, row["contestant"], *what)
    network = HPINet(config)
    setting = {
        "model": options.model,
        "scale": config.scale,
        "size": list(size),
        "batch": batch,
        "params": sum(p.numel() for p in network.parameters()),
        "multi_adds": multi_adds(network, size, batch),
    }
    return setting, {"against the plain formulas": rows}


def _config(options: argparse.Namespace) -> HPINetConfig:
    """Of a variant or of a checkpoint: speed does not depend on the weights."""
    if options.model in VARIANTS:
        return get_config(options.model, options.scale or 4)
    config: HPINetConfig = load_model(options.model, scale=options.scale).config
    return config


def prepared(
    name: str, work: str, device: str, config: HPINetConfig, size: tuple[int, int], batch: int
) -> Callable[[], None]:
    """A contestant's pass without gradients (``"forward"``) or step (``"training"``).

    A step is forward, L1 loss, backward, clipping and Adam.
    """
    torch.manual_seed(0)
    model = HPINet(config).train(work == "training").to(device)
    network = PlainHPINet(model) if name == "plain" else model
    optimizer = torch.optim.Adam(network.parameters(), 1e-4)
    x = noise(batch, size).to(device)
    target = noise(batch, (size[0] * config.scale, size[1] * config.scale)).to(device)
    precision = partial(half_precision, torch.device(device), CONTESTANTS[name])

    def forward() -> None:
        with torch.no_grad(), precision():
            network(x)

    def step() -> None:
        with precision():
            sr = network(x, seeds=list(range(0, 256 * batch, 256)))
        optimizer.zero_grad()
        F.l1_loss(sr.float(), target).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    return forward if work == "forward" else step


def _memory(name: str, work: str, device: str, config: HPINetConfig, *what: Any) -> int | None:
    prepared(name, work, device, config, (max(config.patch_sizes),) * 2, 1)()  # loads the libraries
    return peak_memory(prepared(name, work, device, config, *what), torch.device(device))
