"""``python -m lam compare IMAGE --model A --model B ...``: maps of many networks of one window."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpinet.cli import options as shared
from hpinet.cli.errors import parse_and_run
from hpinet.cli.networks import open_all
from hpinet.errors import UserError

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from hpinet import Picture
    from hpinet.evaluation.candidates import Candidate
    from lam.batch.comparison import Compared
    from lam.window import Window

_MOST_STEPS = 800  # of mending: what is unexplained then is no matter of steps
_SORTS = (
    *("diffusion_index", "psnr", "area_50", "area_80", "area_95", "mean_distance"),
    *("relative_residual", "given"),
)
"""`lam.batch.comparison.SORTS`, which takes seconds to import."""


def main(argv: Sequence[str] | None = None) -> int:
    """Compare networks.

    Args:
        argv: Arguments after ``compare``; those of the process by default.

    Returns:
        The exit code: 0, or 1 after one sentence on stderr. Wrong usage exits with 2.
    """
    return parse_and_run("lam", _parser(), compare, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lam compare",
        description="The maps of two to eight networks of one window, in one colour scale: each "
        "network's SR crop, map, diffusion index, areas and PSNR of the window.",
        epilog="Files written with -o: compare.csv, compare.json, compare.png, and compare.zip, "
        "which holds these and each network's map.npz and sr.png; with --cause also effect.npz and "
        "blocks.csv.",
    )
    add = parser.add_argument
    add("image", metavar="IMAGE", help="the low-resolution image")
    shared.add_window(parser, required=True)
    shared.add_model(parser, several="repeat", required=True, scales=None)
    add("--hr", metavar="FILE", help="the true image, for the window's PSNR")
    add("--steps", type=int, default=50, metavar="N", help="gradients a map (50)")
    add("--quadrature", default="gausslegendre", metavar="NAME", help="as in python -m lam IMAGE")
    add("--detector", default="gradient", metavar="NAME", help="as in python -m lam IMAGE")
    shared.add_matches(parser)
    shared.add_memory(parser, "what a map may use beside the weights (half of what is free)")
    add(
        "--cause",
        action="store_true",
        help="also each network's causal effects, beside its map: does what it looks at help? "
        "They need --hr to have a sign",
    )
    add("--sort", choices=_SORTS, default=_SORTS[0], help=f"of the table ({_SORTS[0]})")
    add(
        "--mend", type=int, nargs="?", const=_MOST_STEPS, default=0, metavar="N",
        help="double the steps, up to N (800), where over 2%% of the change is left unexplained",
    )  # fmt: skip
    shared.add_json(parser)
    shared.add_output(parser)
    return parser


def compare(options: argparse.Namespace) -> int:
    """Compare the networks that the arguments name.

    Returns:
        The exit code.

    Raises:
        ValueError: If an argument does not fit.
        OSError: If a file cannot be read or written.
    """
    names = shared.models(options)
    out = None if options.output is None else shared.output_folder(options.output)

    from hpinet import read_picture
    from lam.attribution.detectors import get_detector
    from lam.attribution.quadrature import quadrature
    from lam.batch.comparison import MOST, comparison_text, ordered
    from lam.window import Window

    if not 2 <= len(names) <= MOST:
        raise UserError(f"compare takes 2 to {MOST} networks, not {len(names)}: repeat --model")
    quadrature(options.quadrature, options.steps)
    get_detector(options.detector)
    window = Window(*options.window)
    image = read_picture(options.image)
    hr = None if options.hr is None else read_picture(options.hr)
    for note in image.notes:
        print(f"lam: {Path(options.image).name}: {note}", file=sys.stderr)
    candidates = open_all(options, names, "lam")
    check_scales(candidates)
    found = ordered(_computed(options, candidates, image, hr, window), options.sort)
    about = {
        "image": str(options.image),
        "hr": options.hr,
        "window": [window.left, window.top, window.size],
        "networks": {one.label: one.result.params for one in found},
    }
    if effects := {one.label: one.effects.params for one in found if one.effects is not None}:
        about["effects"] = effects
    report = {"parameters": about, "networks": [one.row() for one in found]}
    if out is not None:
        from lam.report import comparison_files, encoded, save

        contents = comparison_files(found, image.rgb, window, about)
        files = {name: encoded(name, content) for name, content in contents.items()}
        top = {name: content for name, content in files.items() if "/" not in name}
        save(out, {**top, "compare.zip": files})
    print(json.dumps(report, allow_nan=False) if options.json else comparison_text(found))
    return 0


def check_scales(candidates: Sequence[Candidate]) -> None:
    """Refuse networks that would be asked about different windows.

    Raises:
        ValueError: If they do not enlarge alike.
    """
    if len({c.scale for c in candidates}) > 1:
        listed = ", ".join(f"{c.label} x{c.scale}" for c in candidates)
        raise UserError(
            f"networks of different scales would be asked about different windows: {listed}"
        )


def _computed(
    options: argparse.Namespace,
    candidates: Sequence[Candidate],
    image: Picture,
    hr: Picture | None,
    window: Window,
) -> list[Compared]:
    from lam.batch.comparison import compared

    from .progress import percent_bar

    found = []
    for number, one in enumerate(candidates, 1):
        with percent_bar(f"{one.label} ({number} of {len(candidates)})") as progress:
            found.append(
                compared(
                    one.label, one.network, image.rgb, window,
                    weights_sha256=one.weights_sha256,
                    hr=hr,
                    matches=options.matches,
                    mend=options.mend,
                    cause=getattr(options, "cause", False),
                    progress=progress,
                    n_steps=options.steps, method=options.quadrature,
                    detector=options.detector, memory=options.memory,
                )
            )  # fmt: skip
    return found


if __name__ == "__main__":
    sys.exit(main())
