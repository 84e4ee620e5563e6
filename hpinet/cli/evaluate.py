"""``python -m hpinet evaluate``: one network on one set, or a table of several."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpinet.errors import UserError

from . import options as shared
from .errors import SKIPPED
from .networks import offer_lpips, open_all
from .processes import Team, parts

if TYPE_CHECKING:  # the heavy imports wait inside the functions
    from hpinet.evaluation.candidates import Candidate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `run`."""
    add = parser.add_argument
    shared.add_model(parser, several="list", required=True, gpa=True)
    add(
        "--data",
        nargs="+",
        action="extend",
        required=True,
        metavar="DIR",
        help="one or several sets: each holds HR/ and LR/, or HR/ or originals alone (LR is made "
        "by MATLAB's bicubic), or such a folder for every scale: x2/, x3/, x4/",
    )
    add("--lpips", action="store_true", help="also LPIPS (AlexNet v0.1)")
    add(
        "--luma",
        choices=("rounded", "exact"),
        default="rounded",
        help="for PSNR and SSIM: rounded to 8 bit as in HPINet's paper, or not, as in most of the "
        "field, which gives about 0.02 dB more (rounded)",
    )
    shared.add_json(parser)
    shared.add_output(
        parser,
        "write results.md, results.csv and results.json, and per_image.csv, from which an "
        "interrupted run is resumed",
    )
    parser.epilog = (
        "Exits with 0; with 1 after an error; with 3 if images or sets were skipped, each named, "
        "and all others are done (0 under a launcher). Under torchrun or accelerate launch the "
        "images are shared out, with -o."
    )


def run(options: argparse.Namespace) -> int:
    """Do what the arguments of `add_arguments` ask for.

    Returns:
        The exit code: 0, or `SKIPPED`.

    Raises:
        ValueError: If an argument does not fit, or nothing could be measured.
        OSError: If a file cannot be read or written.
    """
    out = None if options.output is None else shared.check_output_folder(options.output)

    from hpinet.evaluation.per_image import per_image_store
    from hpinet.evaluation.suite import evaluate_all
    from hpinet.evaluation.tables import markdown, write_tables

    names, team = shared.models(options), Team(options.device)
    if team.count > 1 and out is None:
        raise UserError("several processes write their parts of per_image.csv: give -o DIR")
    options.device = team.device
    candidates = open_all(options, names)
    if options.lpips and team.count == 1:
        offer_lpips(options.yes)
    store = None
    if out is not None:
        _shared_work(options, candidates, out, team)
        store = per_image_store(out / "per_image.csv")
    if not team.is_first:
        team.end()
        return 0
    found = evaluate_all(
        candidates, options.data, lpips=options.lpips, progress=sys.stderr.isatty(), store=store,
        luma=options.luma,
    )  # fmt: skip
    if out is not None:
        write_tables(out, found)
    if len(options.model) == len(options.data) == 1:
        _print_one(found.results[0], options.json)
    elif options.json:
        print(json.dumps(found.summary(), allow_nan=False))
    else:
        print(markdown(found), end="")
    sys.stdout.flush()
    team.end()
    # A launcher would take any other code for a crash, and say so at length.
    return SKIPPED if found.skipped and team.count == 1 else 0


def _shared_work(
    options: argparse.Namespace, candidates: list[Candidate], out: Path, team: Team
) -> None:
    """Measure this process's images and merge the parts of all, a killed run's among them."""
    from hpinet.evaluation.per_image import per_image_store
    from hpinet.evaluation.sharing import measure_share

    whole = out / "per_image.csv"
    if team.is_first:
        per_image_store(whole).absorb(parts(whole))
    team.wait()
    if team.count == 1:
        return
    known = per_image_store(whole)
    measure_share(
        candidates, options.data, known, per_image_store(team.part(whole)),
        process=team.number, processes=team.count, lpips=options.lpips, luma=options.luma,
    )  # fmt: skip
    team.wait()
    if team.is_first:
        per_image_store(whole).absorb(parts(whole))


_OF_ONE = (
    *("model", "scale", "images", "psnr", "ssim", "lpips", "bicubic", "per_image"),
    *("luma", "notes", "skipped"),
)


def _print_one(report: dict[str, Any], as_json: bool) -> None:
    """One network on one set: the object that scripts rely on, or a line per image."""
    from hpinet.evaluation.evaluate import format_table

    plain = {name: report[name] for name in _OF_ONE if name in report}
    print(json.dumps(plain, allow_nan=False) if as_json else format_table(plain))
