"""Local attribution maps beside the LAM authors' procedure: accuracy, time, attention, memory."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor, nn

from benchmarks.runner import Tables, add_network, add_rounds, progress
from hpinet import read_picture
from hpinet.cli.options import add_memory, height_and_width
from hpinet.errors import UserError
from hpinet.imaging.images import from_uint8
from hpinet.networks.open import open_network
from lam.attribution.quadrature import quadrature
from lam.batch.window_choice import parse_choice
from lam.window import Window

from .completeness import add_window_choice
from .lam_demo import NODES, accuracy
from .map_cost import attention_cost, memory_cost, time_rows

PARTS = ("accuracy", "time", "attention", "memory")

LARGE = (256, 256)
"""LR height and width of the second image whose memory is measured."""

_WINDOW = 16  # side in SR pixels, where the choice leaves it open

Choose = Callable[[Tensor], Window]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `measure`."""
    add_network(parser, "as for `python -m lam`")
    what = parser.add_mutually_exclusive_group()
    told = "LR height and width of a photograph that comes along (64x64)"
    what.add_argument("--size", type=height_and_width, default=(64, 64), metavar="HxW", help=told)
    what.add_argument("--image", metavar="FILE", help="instead: an LR image from a file")
    add_window_choice(parser, "centre (default), detail, or LEFT TOP SIZE in SR pixels")
    told = "gradients of the map whose progress is timed (50)"
    parser.add_argument("--steps", type=int, default=50, metavar="N", help=told)
    add_rounds(parser)
    add_memory(parser, "the budget that the peak is compared with, such as 500M (2G)", 2**31)
    parser.add_argument(
        "--only",
        action="append",
        choices=PARTS,
        metavar="PART",
        help=f"one part, repeat for several: {', '.join(PARTS)} (all)",
    )


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], Tables]:
    """The parts that were asked for.

    Raises:
        ValueError: If an argument does not fit.
    """
    choice = parse_choice(options.window)
    if choice.kind == "grid":
        raise UserError("one window is measured: grid is for `python -m benchmarks completeness`")
    if min(*options.size, options.rounds, options.memory) < 1:
        raise UserError(
            f"size, rounds and memory must be 1 or more, not "
            f"{options.size[0]}x{options.size[1]}, {options.rounds} and {options.memory}"
        )
    quadrature("gausslegendre", options.steps)
    model: Any = open_network(options.model, options.scale, device=options.device)

    def choose(lr: Tensor) -> Window:
        return choice.choose(lr, int(model.scale), _WINDOW)[0]

    image = photograph(*options.size)
    if options.image is not None:
        image = read_picture(options.image).rgb
    window = choose(image)
    setting = {
        "model": options.model,
        "scale": int(model.scale),
        "image": options.image or "photograph",
        "size": list(image.shape[-2:]),
        "window": [window.left, window.top, window.size],
        "steps": options.steps,
        "rounds": options.rounds,
    }
    return setting, _parts(options, model, image, window, choose)


def _parts(
    options: argparse.Namespace, model: nn.Module, image: Tensor, window: Window, choose: Choose
) -> Tables:
    parts, found, nodes = options.only or PARTS, {}, options.steps
    if "memory" in parts:  # first: what may fail for want of memory should fail soon
        found["memory of a map"] = _memory(options, image, window, choose)
    here = image.to(options.device)
    if "accuracy" in parts:
        with progress("accuracy", 2 + len(NODES), "map") as tick:
            rows, equal = accuracy(model, here, window, progress=tick)
        found["accuracy: distance from a map of many steps by the demo's sum"] = rows
        nodes = equal or nodes
    if "time" in parts:
        with progress("time", options.rounds + 1) as tick:
            rows = time_rows(
                model, here, window, nodes=nodes, steps=options.steps, rounds=options.rounds,
                progress=tick,
            )  # fmt: skip
        found["time"] = rows
    patches = hasattr(getattr(model, "config", None), "patch_sizes")
    if "attention" in parts and patches:
        height, width = image.shape[-2:]
        rows = attention_cost(
            model.config,  # type: ignore[arg-type]
            (height, width),
            rounds=options.rounds,
            device=options.device,
        )
        found["attention, forward and backward: fused over unfused"] = rows
    return found


def _memory(
    options: argparse.Namespace, image: Tensor, window: Window, choose: Choose
) -> list[dict[str, Any]]:
    load = partial(open_network, options.model, options.scale, device=options.device)
    pairs = [(image, window)]
    if tuple(image.shape[-2:]) != LARGE:
        large = photograph(*LARGE)
        pairs.append((large, choose(large)))
    found = []
    with progress("memory", len(pairs), "image") as tick:
        for lr, place in pairs:
            found.append(memory_cost(load, lr, place, options.memory))
            tick()
    return found


def photograph(height: int, width: int) -> Tensor:
    """The astronaut of scikit-image (public domain), cropped and shrunk; (1, 3, height, width)."""
    from skimage import data

    whole = Image.fromarray(data.astronaut())
    fitted = ImageOps.fit(whole, (width, height), Image.Resampling.BICUBIC)
    return from_uint8(np.asarray(fitted))
