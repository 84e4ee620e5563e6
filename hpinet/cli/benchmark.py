"""``python -m hpinet benchmark``: parameters, multi-adds, seconds and memory of networks."""

from __future__ import annotations

import argparse
import json
from typing import Any

from . import options as shared
from .networks import open_all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `run`."""
    shared.add_model(parser, several="list")
    add = parser.add_argument
    told = "LR height and width (the paper's 180x320)"
    add("--size", type=shared.height_and_width, default=(180, 320), metavar="HxW", help=told)
    add("--batch", type=int, default=1, metavar="N", help="images at once (1)")
    shared.add_precision(parser, "fp32", "fp32 (default), bf16, or auto for bf16 where it is fast")
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Measure one network, or several one after the other, each in a process of its own.

    Raises:
        ValueError: If the arguments do not go together, or a network cannot be opened.
    """
    from hpinet.tools.benchmark import SETTING, benchmark, in_new_process

    names = shared.models(options)
    device = options.device = shared.usable_device(options.device)
    how = {name: getattr(options, name) for name in ("size", "batch", "precision")}
    if len(names) == 1:
        networks = {names[0]: benchmark(_network(options, names[0]), **how)}
        report = {"model": names[0], **networks[names[0]]}
    else:
        networks = {
            one.label: in_new_process(_measured, one.spec, one.scale, device, how)
            for one in open_all(options, names)
        }
        setting = next(iter(networks.values()))
        rows = {
            label: {key: value for key, value in one.items() if key not in SETTING}
            for label, one in networks.items()
        }
        report = {"networks": rows, **{key: setting[key] for key in SETTING}}
    print(json.dumps(report) if options.json else _as_text(networks))
    return 0


def _network(options: argparse.Namespace, name: str) -> Any:
    from hpinet.config import VARIANTS, get_config
    from hpinet.modeling.hpinet import HPINet

    if name in VARIANTS:  # its cost does not depend on the weights, bundled or not
        return HPINet(get_config(name, options.scale or 4)).eval().to(options.device)
    return open_all(options, [name])[0].network


def _measured(name: str, scale: int, device: str, how: dict[str, Any]) -> dict[str, Any]:
    """`benchmark` of a network that this process opens."""
    from hpinet.evaluation.candidates import open_candidate
    from hpinet.tools.benchmark import benchmark

    return benchmark(open_candidate(name, scale, device=device).network, **how)


def _as_text(networks: dict[str, dict[str, Any]]) -> str:
    from hpinet.data.tables import markdown_table

    one = next(iter(networks.values()))
    rows = [
        [
            name,
            f"x{cost['scale']}",
            f"{cost['params']:,}",
            _shown(cost["multi_adds"], 1e9, "G"),
            _shown(cost["multi_adds_720p"], 1e9, "G"),
            f"{cost['seconds']:.3f} ({cost['seconds_min']:.3f} to {cost['seconds_max']:.3f})",
            _shown(cost["peak_memory"], 2**20, "MiB"),
        ]
        for name, cost in networks.items()
    ]
    heads = ["network", "scale", "params", "multi-adds", "1280x720 SR", "seconds", "peak memory"]
    height, width = one["size"]
    return "\n".join(
        [
            f"{one['batch']} x {height}x{width} (HxW) on {one['device']}, {one['threads']} CPU "
            f"threads, {one['precision']}; peak memory: {one['peak_memory_is']}",
            *markdown_table(heads, rows),
        ]
    )


def _shown(value: int | None, unit: float, name: str) -> str:
    return "-" if value is None else f"{value / unit:.1f} {name}"
