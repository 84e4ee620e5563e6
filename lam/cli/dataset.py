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
from typing import TYPE_CHECKING

from hpinet.cli import options as shared
from hpinet.cli.errors import SKIPPED, parse_and_run
from hpinet.cli.networks import open_all
from hpinet.cli.processes import Team, parts
from hpinet.errors import UserError
from lam.batch.window_choice import WindowChoice, parse_choice

from .compare import check_scales

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from hpinet.data.result_store import Row
    from lam.batch.runner import Survey


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
    shared.add_matches(parser)
    shared.add_json(parser, "print the summary as one JSON object")
    shared.add_output(parser, "the table", metavar="OUT.csv", required=True)
    return parser


def _run(options: argparse.Namespace) -> int:
    choice, out, labels = _checked(options)

    from lam.attribution.detectors import get_detector
    from lam.attribution.quadrature import quadrature
    from lam.batch.runner import METHOD, Settings, Survey, share_of_work
    from lam.batch.sources import find_sources
    from lam.batch.table import map_store

    quadrature(METHOD, options.steps)
    get_detector(options.detector)
    team = Team(options.device)
    options.device = team.device
    # Rows are known again by the names that were given, paths included.
    candidates = [replace(one, label=one.spec) for one in open_all(options, labels, "lam")]
    check_scales(candidates)
    settings = Settings(
        candidates[0].scale, choice, options.window_size, options.size,
        options.steps, options.detector, options.matches,
    )  # fmt: skip
    sources = find_sources(options.folder, settings.scale, options.hr)
    if team.is_first:
        map_store(out, settings.parameters()).absorb(parts(out))
    team.wait()
    known = map_store(out, settings.parameters())
    team.wait()  # nobody writes before all have read
    table = known
    if team.count > 1:
        table = map_store(team.part(out), settings.parameters())
    survey = Survey(settings, known, table)
    mine = list(share_of_work(sources, candidates, team.number, team.count))
    survey.do(mine, show=team.is_first)
    return _conclude(team, survey, out, labels, options.json)


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
    return choice, out, labels


def _conclude(team: Team, survey: Survey, out: Path, labels: list[str], as_json: bool) -> int:
    """Merge what all processes did and let the first say what came of it."""
    from lam.batch.table import map_store

    team.wait()
    places = team.gather(survey.places)
    skipped = dict(team.gather(list(survey.skipped.items())))
    if team.is_first:
        table = map_store(out, survey.settings.parameters())
        table.absorb(parts(out))
        _report([table.rows[place] for place in places], labels, sorted(skipped), as_json)
    team.end()
    # A launcher would take any other code for a crash, and say so at length.
    return SKIPPED if skipped and team.count == 1 else 0


def _report(rows: list[Row], labels: list[str], skipped: list[str], as_json: bool) -> None:
    from lam.batch.summary import format_summary, summarise

    summary = summarise(rows, labels)
    if as_json:
        print(json.dumps({**summary, "skipped": skipped}, allow_nan=False))
    elif rows:
        print(format_summary(summary))
    sys.stdout.flush()
    if skipped:
        count = "1 image was" if len(skipped) == 1 else f"{len(skipped)} images were"
        print(f"lam: {count} skipped: {', '.join(skipped)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
