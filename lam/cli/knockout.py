"""``python -m lam knockout``: which block's global access matters, over a folder of images."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hpinet.cli import options as shared
from hpinet.cli.errors import SKIPPED, parse_and_run
from hpinet.errors import UserError

from .networks import LATER_HELP, add_network, open_network

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
        "and gain most), summary.csv, knockout.json (parameters and table), knockout.png. Exits "
        "with 3 if images were skipped.",
    )
    add = parser.add_argument
    add("--data", metavar="DIR", required=True, help="holds HR/ and LR/, or originals alone")
    add_network(parser)
    add("--experiments", nargs="+", choices=_EXPERIMENTS, default=_EXPERIMENTS, help="(all)")
    add("--later", choices=("live", "frozen"), default="live", help=LATER_HELP)
    add("--seed", type=int, default=0, metavar="N", help="of random matches (0)")
    add("--window", type=int, default=48, metavar="N", help="of which the extremes are told (48)")
    shared.add_json(parser)
    shared.add_output(parser)
    return parser


def _run(options: argparse.Namespace) -> int:
    out = None if options.output is None else shared.output_folder(options.output)

    from lam.match_analysis.knockout import Knockout, format_knockout, summarise_knockout

    network, about = open_network(options)
    asked = (tuple(options.experiments), options.later, options.seed, options.window)
    work = Knockout(network, *asked)
    rows, skipped = work.folder(options.data, show=True)
    if not rows:
        raise UserError(f"no image of {options.data} could be used")
    summary = summarise_knockout(rows)
    parameters = {
        **about,
        "data": str(options.data),
        "pictures": len({row["picture"] for row in rows}),
        "later": options.later,
        "seed": options.seed,
        "window": options.window,
    }
    report = {"parameters": parameters, "summary": summary, "skipped": skipped}
    if out is not None:
        _write(out, report, rows)
    print(json.dumps(report, allow_nan=False) if options.json else format_knockout(summary))
    return SKIPPED if skipped else 0


def _write(out: Path, report: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    from lam.figures.match_plots import knockout_plot

    from .output import write_csv, write_figure, write_json

    about = report["parameters"]
    title = (
        f"{about['model']} x{about['scale']}: mean change of PSNR-Y over {about['pictures']} "
        f"images of {about['data']}, 95% intervals, later blocks {about['later']}"
    )
    flat = []
    for row in report["summary"]:
        low, high = row["interval"] or (None, None)
        rest = {name: value for name, value in row.items() if name != "interval"}
        flat.append({**rest, "interval_low": low, "interval_high": high})
    write_csv(out / "knockout.csv", rows)
    write_csv(out / "summary.csv", flat)
    write_json(out / "knockout.json", report)
    write_figure(out / "knockout.png", knockout_plot(report["summary"], title))
