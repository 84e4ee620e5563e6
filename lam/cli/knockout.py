"""``python -m lam knockout``: which block's global access matters, over a folder of images."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpinet.cli import options as shared
from hpinet.cli.errors import SKIPPED, parse_and_run
from hpinet.cli.networks import open_all
from hpinet.errors import UserError

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
        from lam.report import knockout_files, save

        save(out, knockout_files(reports, rows))
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
