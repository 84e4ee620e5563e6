"""``python -m lam explore``: every match of an image, or how matches spread over a folder."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpinet.cli import options as shared
from hpinet.cli.errors import SKIPPED, parse_and_run
from hpinet.errors import UserError

from .networks import add_network, open_network

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from torch import Tensor

    from hpinet import HPINet
    from lam.match_analysis.exploration import Exploration


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
        "(parameters and numbers), pairs.png and crops.png (Fig. 8 of the paper), reach.png "
        "(Fig. 4), and for each block in_degree, graph, similarity and distance as PNG; of a "
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
    from tqdm import tqdm

    from hpinet import read_picture
    from lam.match_analysis.exploration import explore, statistics_text

    from .output import write_csv, write_json

    image = read_picture(options.image)
    for note in image.notes:
        print(f"lam: {Path(options.image).name}: {note}", file=sys.stderr)
    height, width = image.size
    found = explore(network, image.filled, options.pixel, options.runners_up, options.overlap)
    parameters = {
        **about,
        "image": str(options.image),
        "lr_width": width,
        "lr_height": height,
        "pixel": list(found.pixel),
        "runners_up": options.runners_up,
        "overlap": found.overlap,
    }
    report = {"parameters": parameters, **found.summary()}
    write_csv(out / "matches.csv", [row for block in found.blocks for row in block.to_rows()])
    write_csv(out / "blocks.csv", report["blocks"])
    write_json(out / "explore.json", report)
    figures, total = _figures(parameters, image.filled, found), 3 + 4 * len(found.blocks)
    for name, write in tqdm(figures, total=total, unit="figure", leave=False, disable=None):
        write(out / name)
    print(
        json.dumps(report, allow_nan=False) if options.json else statistics_text(report["blocks"])
    )
    return 0


def _figures(
    parameters: dict[str, Any], lr: Tensor, found: Exploration
) -> Iterator[tuple[str, Any]]:
    """File names, and what writes each file."""
    from functools import partial

    from hpinet.imaging.images import to_uint8
    from lam.figures import match_pairs, match_plots
    from lam.figures import matches as match_figures
    from lam.figures.composition import captioned
    from lam.figures.heatmaps import enlarge, enlarging_factor

    from .output import write_figure, write_png

    small, large, matches = to_uint8(lr), to_uint8(found.sr), found.matches
    scale, (x, y) = parameters["scale"], parameters["pixel"]
    factor = enlarging_factor(large.shape[0], large.shape[1], 900)
    wide, across = enlarge(large, factor), scale * factor
    made = f"{Path(parameters['image']).name}, {parameters['model']} x{scale}"
    place = ((x + 0.5) / scale, (y + 0.5) / scale)
    pairs = match_pairs.pairs_at(matches, place[1], place[0])
    words = f"{made}. SR pixel x {x}, y {y}. Solid: the patch that holds it, dashed: its match."
    boxes = match_pairs.draw_pairs(wide, pairs, place, across)
    yield "pairs.png", partial(write_png, image=captioned(boxes, words))
    crops = captioned(match_pairs.pair_rows(large, pairs, scale), f"{made}. SR pixel x {x}, y {y}.")
    yield "crops.png", partial(write_png, image=crops)
    title = f"{made}, SR pixel x {x}, y {y}, overlap {parameters['overlap']}"
    yield (
        "reach.png",
        partial(write_figure, figure=match_plots.reach_figure(small, found.reaches, title)),
    )
    for block in found.blocks:
        title = f"{made}, block {block.block + 1}, P = {block.patch_size}"
        where = (block.origins, block.index, block.patch_size)
        degrees = match_figures.in_degree_map(wide, *where, across)
        text = f"{title}: how many of {len(block.index)} patches attend to each."
        start = f"block{block.block + 1}_"
        yield start + "in_degree.png", partial(write_png, image=captioned(degrees, text))
        graph = match_plots.match_graph(small, *where, title)
        yield start + "graph.png", partial(write_figure, figure=graph)
        known = matches.blocks[block.block]
        if known is not None and known.matrix is not None:
            figure = match_plots.similarity_matrix(known.matrix[0].cpu().numpy(), title)
            yield start + "similarity.png", partial(write_figure, figure=figure)
        figure = match_plots.distance_histogram(block.distance, block.chance_distance, title)
        yield start + "distance.png", partial(write_figure, figure=figure)


def _explore_folder(
    options: argparse.Namespace, network: HPINet, about: dict[str, Any], out: Path
) -> int:
    from lam.batch.sources import find_sources
    from lam.figures.match_plots import statistics_plot
    from lam.match_analysis.exploration import match_survey, mean_statistics, statistics_text

    from .output import write_csv, write_figure, write_json

    sources = find_sources(options.image, network.scale, options.hr)
    rows, skipped = match_survey(network, sources)
    if not rows:
        raise UserError(f"no image of {options.image} could be used")
    means = mean_statistics(rows)
    count = len({row["picture"] for row in rows})
    parameters = {**about, "data": str(options.image), "hr": options.hr, "pictures": count}
    report = {"parameters": parameters, "blocks": means, "skipped": skipped}
    write_csv(out / "statistics.csv", rows)
    write_json(out / "statistics.json", report)
    title = f"{about['model']} x{about['scale']}, {count} images of {options.image}"
    write_figure(out / "statistics.png", statistics_plot(rows, title))
    print(json.dumps(report, allow_nan=False) if options.json else statistics_text(means))
    return SKIPPED if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
