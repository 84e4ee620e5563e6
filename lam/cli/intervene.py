"""``python -m lam intervene``: matches of one image taken away or exchanged."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpinet.cli import options as shared
from hpinet.cli.errors import parse_and_run
from hpinet.errors import UserError

from .networks import LATER_HELP, add_network, open_network

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from hpinet import HPINet
    from hpinet.analysis.interventions import Intervention
    from hpinet.modeling.hpinet import Trace

_KINDS = ("off", "random", "second", "hr", "forced", "recorded")
"""`hpinet.analysis.interventions.KINDS`, which takes seconds to import."""


def main(argv: Sequence[str] | None = None) -> int:
    """Intervene in one image.

    Args:
        argv: Arguments after ``intervene``; those of the process by default.

    Returns:
        The exit code: 0, or 1 after one sentence on stderr. Wrong usage exits with 2.
    """
    return parse_and_run("lam", _parser(), _run, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lam intervene",
        description="Super-resolve an image with other matches in some blocks, weights untouched.",
        epilog="Files written: sr.png, difference.png, effect.csv, effect.json (parameters and "
        "numbers). off: every patch its own match. hr: the patch whose true pixels correlate most.",
    )
    add = parser.add_argument
    add("image", metavar="IMAGE", help="the low-resolution image")
    add("--kind", choices=_KINDS, default="off", help="what is done to the matches (off)")
    add("--blocks", nargs="+", type=int, metavar="N", help="block numbers from 1 (all)")
    add("--but", type=int, metavar="N", help="all blocks but this one")
    add("--force", nargs="+", type=_pair, metavar="PATCH:TARGET", help="for --kind forced")
    add("--seed", type=int, default=0, metavar="N", help="for --kind random (0)")
    add("--later", choices=("live", "frozen"), default="live", help=LATER_HELP)
    add("--hr", metavar="FILE", help="the true image: for PSNR, and for --kind hr")
    shared.add_window(parser)
    add("--steps", type=int, metavar="N", help="also the window's diffusion index, by N gradients")
    add_network(parser)
    shared.add_json(parser)
    shared.add_output(parser, required=True)
    return parser


def _pair(text: str) -> tuple[int, int]:
    try:
        patch, target = (int(part) for part in text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not PATCH:TARGET, such as 3:17 (patch numbers from 0, row by row)"
        ) from None
    return patch, target


def _intervention(options: argparse.Namespace, count: int) -> Intervention:
    from hpinet.analysis.interventions import Intervention, all_but

    if options.blocks and options.but is not None:
        raise UserError("--blocks and --but exclude each other")
    numbers = options.blocks or ([] if options.but is None else [options.but])
    for number in numbers:
        if not 1 <= number <= count:
            raise UserError(f"there is no block {number}: they are numbered from 1 to {count}")
    blocks = tuple(range(count))
    if options.blocks:
        blocks = tuple(number - 1 for number in options.blocks)
    elif options.but is not None:
        blocks = all_but(options.but - 1, count)
    return Intervention(options.kind, blocks, options.seed, tuple(options.force or ()))


def _run(options: argparse.Namespace) -> int:
    if options.steps is not None and options.window is None:
        raise UserError("--steps asks for the diffusion index of a window: give --window, too")
    out = shared.output_folder(options.output)

    from hpinet import read_picture
    from hpinet.analysis.intervention_effect import effect
    from hpinet.analysis.interventions import intervene
    from lam.report import intervention_files, save

    network, about = open_network(options)
    intervention = _intervention(options, len(network.blocks))
    lr = read_picture(options.image).rgb.to(next(network.parameters()).device)
    hr = None if options.hr is None else read_picture(options.hr).rgb.to(lr.device)
    normal = network.trace(lr, similarity_matrix=True)
    changed = intervene(network, normal, intervention, options.later, hr)
    window = None if options.window is None else tuple(options.window)
    found = effect(normal.sr, changed.sr, hr, network.scale, window)
    numbers = found.summary()
    if options.steps is not None:
        numbers |= _diffusion(network, options, changed, intervention, lr)
    parameters = {
        **about,
        "image": str(options.image),
        "hr": options.hr,
        "window": options.window,
        "later": options.later,
        "steps": options.steps,
        **intervention.describe(),
    }
    save(out, intervention_files(changed.sr, found.difference, parameters, numbers))
    if options.json:
        print(json.dumps({"parameters": parameters, "effect": numbers}, allow_nan=False))
    else:
        for name, value in numbers.items():
            print(f"{name.replace('_', ' '):24}{'-' if value is None else f'{value:.4f}'}")
    return 0


def _diffusion(
    network: HPINet,
    options: argparse.Namespace,
    changed: Trace,
    intervention: Intervention,
    lr: Any,
) -> dict[str, float | None]:
    from lam.match_analysis.diffusion_change import diffusion_change
    from lam.window import Window

    window = Window(*options.window)
    return diffusion_change(
        network, lr, window, changed, intervention, options.later, n_steps=options.steps
    ).summary()


if __name__ == "__main__":
    sys.exit(main())
