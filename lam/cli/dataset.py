"""``python -m lam dataset DIR``: maps of many images by several networks, as a CSV.

On one device as it is; on many with the launcher of training, ``accelerate launch -m lam dataset``
or ``torchrun -m lam dataset``, all with one folder for the CSV. Each process computes its share of
the pairs of image and network and writes a part file next to the CSV; the first merges them at the
end. A run that finds part files of a killed one merges them first.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpinet.cli import options as shared
from hpinet.cli.errors import SKIPPED, parse_and_run
from hpinet.cli.networks import open_all
from hpinet.errors import UserError
from lam.batch.window_choice import WindowChoice, parse_choice

from .compare import check_scales

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from lam.batch.dataset import Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Compute the maps of a folder.

    Args:
        argv: Arguments after ``dataset``; those of the process by default.

    Returns:
        The exit code: 0; 1 after one sentence on stderr, whole rows are kept; 3 if images were
        skipped, each named on stderr, and all others are done (0 for a process of several). Wrong
        usage exits with 2.
    """
    return parse_and_run("lam", _parser(), _run, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lam dataset",
        description="Diffusion index, areas and completeness of many images for several networks."
        " A CSV that exists is resumed: known rows are not computed again.",
        epilog="Exits with 0; with 1 after an error, whole rows are kept; with 3 if images were "
        "skipped, each named, and all others are done (0 under a launcher).",
    )
    add = parser.add_argument
    add("folder", metavar="DIR", help="low-resolution images; with --hr originals")
    add(
        "--window",
        nargs="+",
        default=["centre"],
        metavar="CHOICE",
        help="centre (default); detail: the window of strongest edges; grid N: N x N windows; "
        "LEFT TOP SIZE: one place, in SR pixels",
    )
    add("--window-size", type=int, default=16, metavar="N", help="side in SR pixels (16)")
    shared.add_model(parser, several="repeat", scales=None)
    add("--hr", action="store_true", help=shared.HR)
    add("--size", type=int, metavar="N", help="crop every LR image to its middle N x N pixels")
    add("--steps", type=int, default=50, metavar="N", help="gradients a map (50)")
    add("--detector", default="gradient", help="what is asked about the window (gradient)")
    add(
        "--method",
        choices=("lam", "cause"),
        default="lam",
        help="LAM's maps, or causal effects beside them: does what is looked at help? They need "
        "--hr to have a sign (lam)",
    )
    add("--protocol", choices=("adaptive", "cem"), help="of --method cause (adaptive)")
    add("--passes", type=int, metavar="N", help="of --method cause: the most that adaptive makes")
    shared.add_matches(parser)
    shared.add_json(parser, "print the summary as one JSON object")
    shared.add_output(parser, "the table", metavar="OUT.csv", required=True)
    return parser


def _run(options: argparse.Namespace) -> int:
    choice, out, labels = _checked(options)

    from hpinet.processes import join_processes
    from lam.attribution.detectors import get_detector
    from lam.attribution.quadrature import quadrature
    from lam.batch.dataset import METHOD, measure_dataset
    from lam.batch.sources import find_sources
    from lam.batch.summary import summarise, summarise_effects, summary_text

    quadrature(METHOD, options.steps)
    get_detector(options.detector)
    state = join_processes(options.device)
    alone = state.num_processes == 1
    if not alone:
        options.device = str(state.device)
    # Rows are known again by the names that were given, paths included.
    candidates = [replace(one, label=one.spec) for one in open_all(options, labels, "lam")]
    check_scales(candidates)
    settings = _settings(options, candidates[0].scale, choice)
    sources = find_sources(options.folder, settings.scale, options.hr)
    rows, skipped = measure_dataset(settings, sources, candidates, out)
    if state.is_main_process:
        summary: dict[str, Any] = {}
        if rows:
            summary = (summarise if options.method == "lam" else summarise_effects)(rows, labels)
        if options.json:
            print(json.dumps({**summary, "skipped": sorted(skipped)}, allow_nan=False))
        elif rows:
            print(summary_text(summary))
        sys.stdout.flush()
        if skipped:
            print(f"lam: {len(skipped)} skipped: {', '.join(sorted(skipped))}", file=sys.stderr)
    state.destroy_process_group()
    # A launcher would take any other code for a crash, and say so at length.
    return SKIPPED if skipped and alone else 0


def _checked(options: argparse.Namespace) -> tuple[WindowChoice, Path, list[str]]:
    """The arguments that can be told to be wrong before anything heavy is imported."""
    choice, out = parse_choice(options.window), Path(options.output)
    labels = shared.models(options)
    if out.is_dir():
        raise UserError(f"{out} is a folder: give the name of a CSV file")
    for name in ("size", "window_size"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} must be at least 1 pixel, not {value}")
    for name in ("protocol", "passes"):
        if options.method == "lam" and getattr(options, name) is not None:
            raise UserError(f"--{name} is for --method cause, not for LAM's maps: leave it out")
    if options.protocol == "cem" and options.passes is not None:
        raise UserError("--passes limits --protocol adaptive: leave it out, cem makes what it must")
    return choice, out, labels


def _settings(options: argparse.Namespace, scale: int, choice: WindowChoice) -> Settings:
    from lam.batch.dataset import Settings
    from lam.cause.quadtree import Sampling

    effects = None
    if options.method == "cause":
        sampling = {"protocol": options.protocol or "adaptive", "passes": options.passes}
        Sampling(**sampling)  # told at once if they do not fit
        effects = {"block": 2, **sampling, "seed": 0}
    return Settings(
        scale, choice, options.window_size, options.size, options.steps, options.detector,
        options.matches, effects,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
