"""``python -m lam benchmark``: what a map costs, beside the LAM authors' procedure."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from lam.batch.window_choice import WindowChoice, parse_choice
from lam.cli.arguments import amount_of_memory

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from torch import Tensor, nn

    from lam.window import Window

LARGE = (256, 256)
"""LR height and width of the second look at memory."""

_WINDOW = 16  # side in SR pixels, where the choice leaves it open

PARTS = ("accuracy", "time", "attention", "memory")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print.

    Args:
        argv: Arguments after ``benchmark``; those of the process by default.

    Returns:
        The exit code: 0, or 1 after one sentence on stderr. Wrong usage exits with 2.
    """
    options = _parser().parse_args(argv)
    from hpinet.cli.errors import run_command

    return run_command("lam", lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lam benchmark",
        description="Accuracy, time and memory of local attribution maps beside the LAM authors' "
        "procedure: one step at a time, gradients of the parameters too, plain formulas. Some "
        "minutes on a CPU.",
    )
    add = parser.add_argument
    add("--model", default="S", metavar="NAME|FILE", help="as for one picture (S)")
    add("--scale", type=int, help="4 for a name; for a file, what the file holds")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--size",
        type=_size,
        default=(64, 64),
        metavar="HxW",
        help="LR height and width of a photograph that comes along (64x64)",
    )
    what.add_argument("--picture", metavar="FILE", help="an LR picture of your own")
    add(
        "--window",
        nargs="+",
        default=["centre"],
        metavar="CHOICE",
        help="centre (default), detail, or LEFT TOP SIZE in SR pixels; also grid N with "
        "--completeness",
    )
    add("--steps", type=int, default=50, metavar="N", help="gradients of the map watched (50)")
    add("--rounds", type=int, default=5, metavar="N", help="timed rounds, after a warm-up (5)")
    add(
        "--memory",
        type=amount_of_memory,
        default=2**31,
        metavar="SIZE",
        help="the budget that the peak is compared with, such as 500M (2G)",
    )
    add(
        "--only",
        action="append",
        choices=PARTS,
        metavar="PART",
        help=f"one part, repeat for several: {', '.join(PARTS)} (all)",
    )
    add(
        "--completeness",
        metavar="DIR",
        help="instead: how far maps account for the detector's change, on originals in DIR, LR by "
        "Pillow's bicubic",
    )
    add("--device", default="cpu", help="cpu, cuda, mps ... (cpu)")
    add("--json", action="store_true", help="print one JSON object")
    return parser


def _size(text: str) -> tuple[int, int]:
    try:
        height, width = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not HxW, such as 64x64 (LR height and width)"
        ) from None
    return height, width


def _run(options: argparse.Namespace) -> int:
    choice = _checked(options)

    from benchmarks.attribution_report import format_costs
    from hpinet.cli.errors import usable_device
    from hpinet.networks.names import open_model
    from lam.attribution.quadrature import quadrature
    from lam.validation.completeness import format_completeness

    quadrature("gausslegendre", options.steps)
    device = usable_device(options.device)
    load = partial(open_model, options.model, options.scale, device=device)
    model = load()
    if options.completeness is not None:
        found, laid_out = _completeness(options, model, choice), format_completeness
    else:
        found, laid_out = _costs(options, model, load, choice), format_costs
    report = {**_about(options, model, device), **found}
    print(json.dumps(report, allow_nan=False) if options.json else laid_out(report))
    return 0


def _about(options: argparse.Namespace, model: Any, device: str) -> dict[str, Any]:
    import torch

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    return {
        "model": options.model,
        "scale": int(model.scale),
        "device": name,
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
    }


def _checked(options: argparse.Namespace) -> WindowChoice:
    """The arguments that can be told to be wrong before anything heavy is imported."""
    choice = parse_choice(options.window)
    if choice.kind == "grid" and options.completeness is None:
        raise ValueError("one window is measured: grid is for --completeness")
    if min(*options.size, options.rounds, options.memory) < 1:
        raise ValueError(
            f"size, rounds and memory must be 1 or more, not "
            f"{options.size[0]}x{options.size[1]}, {options.rounds} and {options.memory}"
        )
    return choice


def _completeness(
    options: argparse.Namespace, model: nn.Module, choice: WindowChoice
) -> dict[str, Any]:
    from lam.validation.completeness import completeness, originals, rules

    count = len(originals(options.completeness)) * choice.windows * len(rules(model))
    with _bar("completeness", count, "map") as bar:
        return completeness(
            model,
            options.completeness,
            choice,
            scale=int(model.scale),  # type: ignore[arg-type]
            steps=options.steps,
            device=options.device,
            progress=bar.update,
        )


def _costs(
    options: argparse.Namespace,
    model: nn.Module,
    load: Callable[[], nn.Module],
    choice: WindowChoice,
) -> dict[str, Any]:
    from hpinet import read_picture

    def choose(lr: Tensor) -> Window:
        return choice.choose(lr, int(model.scale), _WINDOW)[0]  # type: ignore[arg-type]

    picture = photograph(*options.size)
    if options.picture is not None:
        picture = read_picture(options.picture).rgb
    window = choose(picture)
    parts = options.only or PARTS
    report: dict[str, Any] = {
        "picture": options.picture or "photograph",
        "size": list(picture.shape[-2:]),
        "window": [window.left, window.top, window.size],
        "steps": options.steps,
        "rounds": options.rounds,
    }
    if "memory" in parts:  # first: what may fail for want of memory should fail soon
        report["memory"] = _memory(options, load, picture, window, choose)
    here = picture.to(options.device)
    if "accuracy" in parts:
        report["accuracy"] = _accuracy(model, here, window)
    if "time" in parts:
        nodes = report.get("accuracy", {}).get("equal_nodes") or options.steps
        report["time"] = _time(options, model, here, window, nodes)
    if "attention" in parts:
        report["attention"] = _attention(options, model, report["size"])
    return report


def photograph(height: int, width: int) -> Tensor:
    """The astronaut of scikit-image (public domain), cropped and shrunk; (1, 3, height, width)."""
    import numpy as np
    from PIL import Image, ImageOps
    from skimage import data

    from hpinet.imaging.images import from_uint8

    whole = Image.fromarray(data.astronaut())
    fitted = ImageOps.fit(whole, (width, height), Image.Resampling.BICUBIC)
    return from_uint8(np.asarray(fitted))


def _accuracy(model: nn.Module, picture: Tensor, window: Window) -> dict[str, Any]:
    from benchmarks.lam_demo import NODES, accuracy

    with _bar("accuracy", 2 + len(NODES), "map") as bar:
        return accuracy(model, picture, window, progress=bar.update)


def _time(
    options: argparse.Namespace, model: nn.Module, picture: Tensor, window: Window, nodes: int
) -> dict[str, Any]:
    from benchmarks.attribution_cost import time_ratios

    with _bar("time", options.rounds + 1, "round") as bar:
        return time_ratios(
            model,
            picture,
            window,
            nodes=nodes,
            steps=options.steps,
            rounds=options.rounds,
            progress=bar.update,
        )


def _attention(
    options: argparse.Namespace, model: Any, size: Sequence[int]
) -> list[dict[str, Any]] | None:
    from benchmarks.attribution_cost import attention_cost

    if not hasattr(getattr(model, "config", None), "patch_sizes"):
        return None  # a network that does not cut patches
    return attention_cost(
        model.config, (size[0], size[1]), rounds=options.rounds, device=options.device
    )


def _memory(
    options: argparse.Namespace,
    load: Callable[[], nn.Module],
    picture: Tensor,
    window: Window,
    choose: Callable[[Tensor], Window],
) -> list[dict[str, Any]]:
    from benchmarks.attribution_cost import memory_cost

    pairs = [(picture, window)]
    if tuple(picture.shape[-2:]) != LARGE:
        large = photograph(*LARGE)
        pairs.append((large, choose(large)))
    found = []
    with _bar("memory", len(pairs), "picture") as bar:
        for lr, place in pairs:
            found.append(memory_cost(load, lr, place, options.memory))
            bar.update()
    return found


def _bar(what: str, total: int, unit: str) -> Any:
    """A progress bar, hidden unless a person watches."""
    from tqdm import tqdm

    return tqdm(total=total, desc=what, unit=unit, leave=False, disable=None)


if __name__ == "__main__":
    sys.exit(main())
