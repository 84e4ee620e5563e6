"""``python -m hpinet evaluate``: one network on one set, or a table of several."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from . import options as shared
from .errors import SKIPPED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `run`."""
    add = parser.add_argument
    add(
        "--model",
        nargs="+",
        action="extend",
        required=True,
        metavar="NAME|FILE[:no-gpa]",
        help="bundled weights by name (S, M, L) or files of weights, one or several; :no-gpa "
        "behind one means what --no-gpa means for all",
    )
    add(
        "--data",
        nargs="+",
        action="extend",
        required=True,
        metavar="DIR",
        help="one or several sets: each holds HR/ and LR/, or HR/ or originals alone (LR is made "
        "by MATLAB's bicubic), or such a folder for every scale: x2/, x3/, x4/",
    )
    shared.add_scale(parser)
    add("--no-gpa", action="store_true", help=shared.NO_GPA)
    add("--device", default="cpu", help=shared.DEVICE)
    add("--lpips", action="store_true", help="also LPIPS (AlexNet v0.1)")
    shared.add_json(parser)
    shared.add_output(
        parser,
        "write results.md, results.csv and results.json, and per_image.csv, from which an "
        "interrupted run is resumed",
    )
    parser.epilog = (
        "Exits with 0; with 1 after an error; with 3 if images or sets were skipped, each named, "
        "and all others are done."
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
    from hpinet.evaluation.suite import evaluate_all, open_candidates
    from hpinet.evaluation.tables import markdown, write_tables

    store = None if out is None else per_image_store(out / "per_image.csv")
    gpa = not options.no_gpa
    device = shared.usable_device(options.device)
    candidates = open_candidates(options.model, options.scale, gpa, device)
    show = sys.stderr.isatty()
    found = evaluate_all(candidates, options.data, lpips=options.lpips, progress=show, store=store)
    if out is not None:
        write_tables(out, found)
    if len(options.model) == len(options.data) == 1:
        _print_one(found.results[0], options.json)
    elif options.json:
        print(json.dumps(found.summary(), allow_nan=False))
    else:
        print(markdown(found), end="")
    return SKIPPED if found.skipped else 0


_OF_ONE = (
    *("model", "scale", "images", "psnr", "ssim", "lpips", "bicubic", "per_image"),
    *("notes", "skipped"),
)


def _print_one(report: dict[str, Any], as_json: bool) -> None:
    """One network on one set: the object that scripts rely on, or a line per image."""
    from hpinet.evaluation.evaluate import format_table

    plain = {name: report[name] for name in _OF_ONE if name in report}
    print(json.dumps(plain, allow_nan=False) if as_json else format_table(plain))
