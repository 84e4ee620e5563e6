"""``python -m lam explore``: every match of an image, or how matches spread over a folder."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpinet.cli import options as shared
from hpinet.cli.errors import SKIPPED, parse_and_run
from hpinet.errors import UserError

from .networks import add_network, open_network

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from hpinet import HPINet


def main(argv: Sequence[str] | None = None) -> int:
    """Explore an image or a folder.

    Args:
        argv: Arguments after ``explore``; those of the process by default.

    Returns:
        The exit code: 0; 1 after one sentence on stderr; 3 if images of a folder were skipped,
        each named. Wrong usage exits with 2.
    """
    return parse_and_run("lam", _parser(), _run, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lam explore",
        description="Which patch each patch attends to (Global Pixel Access). Of an image: every "
        "match with similarity, runners-up, distance and in-degree, the matches of one pixel in "
        "all blocks, and which pixels it reaches. Of a folder: how matches spread, block by block.",
        epilog="Files written, of an image: matches.csv (a row a patch), blocks.csv, explore.json "
        "(parameters and numbers), pairs.png (Fig. 8 of the paper), reach.png (Fig. 4), for each "
        "block a figure such as block1.png: in-degrees, graph, similarities, distances; of a "
        "folder: statistics.csv, statistics.json, statistics.png. Blocks count from 1.",
    )
    add = parser.add_argument
    add("image", metavar="IMAGE|DIR", help="a low-resolution image, or a folder of them")
    add_network(parser)
    add(
        "--pixel",
        nargs=2,
        type=int,
        metavar=("X", "Y"),
        help="in pixels of the super-resolved image; the middle by default",
    )
    add("--runners-up", type=int, default=3, metavar="K", help="in matches.csv (3)")
    add("--overlap", type=int, metavar="N", help="pixels that patches share in reach.png (its own)")
    add("--hr", action="store_true", help=shared.HR)
    shared.add_json(parser, "print one JSON object instead of a table")
    shared.add_output(parser, required=True)
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.runners_up < 0:
        raise UserError(f"--runners-up must be 0 or more, not {options.runners_up}")
    is_folder = Path(options.image).is_dir()
    if is_folder and options.pixel:
        raise UserError("--pixel asks about one image, but a folder was given")
    out = shared.output_folder(options.output)
    network, about = open_network(options)
    return (_explore_folder if is_folder else _explore_image)(options, network, about, out)


def _explore_image(
    options: argparse.Namespace, network: HPINet, about: dict[str, Any], out: Path
) -> int:
    from hpinet import read_picture
    from lam.match_analysis.exploration import explore, statistics_text
    from lam.report import exploration_files, save

    image = read_picture(options.image)
    for note in image.notes:
        print(f"lam: {Path(options.image).name}: {note}", file=sys.stderr)
    height, width = image.size
    found = explore(network, image.rgb, options.pixel, options.runners_up, options.overlap)
    parameters = {
        **about,
        "image": str(options.image),
        "lr_width": width,
        "lr_height": height,
        "pixel": list(found.pixel),
        "runners_up": options.runners_up,
        "overlap": found.overlap,
    }
    files = exploration_files(found, image.rgb, parameters)
    save(out, files)
    report = files["explore.json"]
    print(
        json.dumps(report, allow_nan=False) if options.json else statistics_text(report["blocks"])
    )
    return 0


def _explore_folder(
    options: argparse.Namespace, network: HPINet, about: dict[str, Any], out: Path
) -> int:
    from lam.batch.sources import find_sources
    from lam.match_analysis.exploration import match_survey, mean_statistics, statistics_text
    from lam.report import save, statistics_files

    sources = find_sources(options.image, network.scale, options.hr)
    rows, skipped = match_survey(network, sources)
    if not rows:
        raise UserError(f"no image of {options.image} could be used")
    means = mean_statistics(rows)
    count = len({row["picture"] for row in rows})
    parameters = {**about, "data": str(options.image), "hr": options.hr, "pictures": count}
    report = {"parameters": parameters, "blocks": means, "skipped": skipped}
    title = f"{about['model']} x{about['scale']}, {count} images of {options.image}"
    save(out, statistics_files(rows, report, title))
    print(json.dumps(report, allow_nan=False) if options.json else statistics_text(means))
    return SKIPPED if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
