"""``python -m lam knockout``: which block's global access matters, over a folder of images."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpinet.cli import options as shared
from hpinet.cli.errors import SKIPPED, parse_and_run
from hpinet.cli.networks import open_all
from hpinet.errors import UserError
from hpinet.imaging.files import file_name

from .networks import LATER_HELP, add_network, with_matches

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from hpinet.evaluation.candidates import Candidate

_EXPERIMENTS = ("off", "off elsewhere", "random", "second", "hr")
"""`lam.match_analysis.knockout.EXPERIMENTS`, which takes seconds to import."""


def main(argv: Sequence[str] | None = None) -> int:
    """The knock-out table of a folder.

    Args:
        argv: Arguments after ``knockout``; those of the process by default.

    Returns:
        The exit code: 0; 1 after one sentence on stderr; 3 if images were skipped, each named.
        Wrong usage exits with 2.
    """
    return parse_and_run("lam", _parser(), _run, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lam knockout",
        description="Which block's global access matters: mean change of PSNR-Y over images when "
        "matches are taken away or exchanged, with 95%% intervals (Student's t of the paired "
        "differences).",
        epilog="Files written with -o: knockout.csv (a row an image, with the windows that lose "
        "and gain most), summary.csv, knockout.json (parameters and table), knockout.png, of "
        "several networks one each. Exits with 3 if images were skipped.",
    )
    add = parser.add_argument
    add("--data", metavar="DIR", required=True, help="holds HR/ and LR/, or originals alone")
    add_network(parser, several="list")
    add("--experiments", nargs="+", choices=_EXPERIMENTS, default=_EXPERIMENTS, help="(all)")
    add("--later", choices=("live", "frozen"), default="live", help=LATER_HELP)
    add("--seed", type=int, default=0, metavar="N", help="of random matches (0)")
    add("--window", type=int, default=48, metavar="N", help="of which the extremes are told (48)")
    shared.add_json(parser)
    shared.add_output(parser)
    return parser


def _run(options: argparse.Namespace) -> int:
    names = shared.models(options)
    out = None if options.output is None else shared.output_folder(options.output)

    from lam.match_analysis.knockout import knockout_text

    reports, rows = [], []
    for candidate in _with_matches(open_all(options, names, "lam"), len(names)):
        report, found = _measured(options, candidate)
        reports.append(report)
        rows.append(found)
    alone = len(reports) == 1
    if out is not None:
        _write(out, reports, rows)
    if options.json:
        print(json.dumps(reports[0] if alone else {"networks": reports}, allow_nan=False))
    else:
        for report in reports:
            heading = "" if alone else f"{report['parameters']['model']}\n"
            print(f"{heading}{knockout_text(report['summary'])}")
    return SKIPPED if any(report["skipped"] for report in reports) else 0


def _with_matches(candidates: Sequence[Candidate], asked: int) -> list[Candidate]:
    """Those that have matches to knock out; of several, the others are named and left out.

    Raises:
        ValueError: If none has.
    """
    found, problem = [], None
    for candidate in candidates:
        try:
            with_matches(candidate)
            found.append(candidate)
        except UserError as error:
            problem = error
            if asked > 1:
                print(f"lam: left out: {error}", file=sys.stderr)
    if problem is not None and not found:
        raise problem
    return found


def _measured(
    options: argparse.Namespace, candidate: Candidate
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The report of a network, and its rows."""
    from lam.match_analysis.knockout import Knockout, summarise_knockout

    network, about = with_matches(candidate)
    asked = (tuple(options.experiments), options.later, options.seed, options.window)
    rows, skipped = Knockout(network, *asked).folder(options.data)
    if not rows:
        raise UserError(f"no image of {options.data} could be used")
    parameters = {
        **about,
        "data": str(options.data),
        "pictures": len({row["picture"] for row in rows}),
        "later": options.later,
        "seed": options.seed,
        "window": options.window,
    }
    summary = summarise_knockout(rows)
    return {"parameters": parameters, "summary": summary, "skipped": skipped}, rows


def _write(out: Path, reports: list[dict[str, Any]], rows: Sequence[list[dict[str, Any]]]) -> None:
    """One table of all networks; with several, a column says whose a row is."""
    from lam.figures.match_plots import knockout_plot

    from .output import write_csv, write_figure, write_json

    alone = len(reports) == 1
    whose = [{} if alone else {"model": report["parameters"]["model"]} for report in reports]
    flat = []
    for report, name in zip(reports, whose, strict=True):
        for row in report["summary"]:
            low, high = row["interval"] or (None, None)
            rest = {key: value for key, value in row.items() if key != "interval"}
            flat.append({**name, **rest, "interval_low": low, "interval_high": high})
    every = [{**name, **row} for name, found in zip(whose, rows, strict=True) for row in found]
    write_csv(out / "knockout.csv", every)
    write_csv(out / "summary.csv", flat)
    write_json(out / "knockout.json", reports[0] if alone else {"networks": reports})
    for report in reports:
        about = report["parameters"]
        title = (
            f"{about['model']} x{about['scale']}: mean change of PSNR-Y over {about['pictures']} "
            f"images of {about['data']}, 95% intervals, later blocks {about['later']}"
        )
        file = "knockout.png" if alone else f"knockout-{file_name(about['model'])}.png"
        write_figure(out / file, knockout_plot(report["summary"], title))
