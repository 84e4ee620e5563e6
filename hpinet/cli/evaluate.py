"""``python -m hpinet evaluate``: one network on one set, or a table of several."""

from __future__ import annotations

import argparse
import json
import sys

from hpinet.errors import UserError

from . import options as shared
from .errors import SKIPPED
from .networks import offer_lpips, open_all


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

    from hpinet.evaluation.evaluate import evaluate_all, plain_report
    from hpinet.evaluation.tables import markdown, per_image, write_tables
    from hpinet.processes import join_processes

    names, state = shared.models(options), join_processes(options.device)
    alone = state.num_processes == 1
    if not alone:
        options.device = str(state.device)
        if out is None:
            raise UserError("several processes write their parts of per_image.csv: give -o DIR")
    candidates = open_all(options, names)
    if options.lpips and alone:
        offer_lpips(options.yes)
    found = evaluate_all(
        candidates, options.data, lpips=options.lpips, luma=options.luma,
        progress=sys.stderr.isatty(), path=None if out is None else out / "per_image.csv",
    )  # fmt: skip
    if state.is_main_process:
        if out is not None:
            write_tables(out, found)
        of_one = found["results"][0] if len(options.model) == len(options.data) == 1 else None
        if options.json:
            print(json.dumps(plain_report(of_one) if of_one else found, allow_nan=False))
        else:
            print(per_image(of_one) if of_one else markdown(found), end="")
        sys.stdout.flush()
    state.destroy_process_group()
    # A launcher would take any other code for a crash, and say so at length.
    return SKIPPED if found["skipped"] and alone else 0
