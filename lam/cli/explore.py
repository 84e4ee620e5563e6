"""``python -m lam explore``: every match of a picture, or how matches spread over a folder."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .dataset import SKIPPED

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from torch import Tensor

    from hpinet import HPINet, Matches
    from hpinet.analysis.match_statistics import BlockStatistics


def main(argv: Sequence[str] | None = None) -> int:
    """Explore a picture or a folder.

    Args:
        argv: Arguments after ``explore``; those of the process by default.

    Returns:
        The exit code: 0; 1 after one sentence on stderr; 3 if pictures of a folder were skipped,
        each named. Wrong usage exits with 2.
    """
    options = _parser().parse_args(argv)
    from hpinet.cli.errors import run_command

    return run_command("lam", lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lam explore",
        description="Which patch each patch looks at (Global Pixel Access). Of a picture: every "
        "match with similarity, runners-up, distance and in-degree, the matches of one pixel in "
        "all blocks, and which pixels it reaches. Of a folder: how matches spread, block by block.",
        epilog="Files written, of a picture: matches.csv (a row a patch), blocks.csv, explore.json "
        "(parameters and numbers), pairs.png and crops.png (Fig. 8 of the paper), reach.png "
        "(Fig. 4), and for each block in_degree, graph, similarity and distance as PNG; of a "
        "folder: statistics.csv, statistics.json, statistics.png. Blocks count from 1.",
    )
    add = parser.add_argument
    add("picture", metavar="IMAGE|DIR", help="a low-resolution picture, or a folder of them")
    add_network(parser)
    add(
        "--pixel",
        nargs=2,
        type=int,
        metavar=("X", "Y"),
        help="in pixels of the super-resolved picture; the middle by default",
    )
    add("--runners-up", type=int, default=3, metavar="K", help="in matches.csv (3)")
    add("--overlap", type=int, metavar="N", help="pixels that patches share in reach.png (its own)")
    add("--hr", action="store_true", help="DIR holds originals: LR by MATLAB's bicubic, or DIR/LR")
    add("--json", action="store_true", help="print one JSON object instead of a table")
    add("-o", "--output", metavar="DIR", required=True, help="folder for the files")
    return parser


def add_network(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which network, and where it runs."""
    parser.add_argument(
        "--model", default="S", metavar="NAME|FILE", help="a bundled model or a checkpoint (S)"
    )
    parser.add_argument("--scale", type=int, help="4 for a name; for a file, what the file holds")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, mps")


def open_network(options: argparse.Namespace) -> tuple[HPINet, dict[str, Any]]:
    """The network that was asked for, and how to tell it apart.

    Raises:
        ValueError: If there is none, or it has no matches.
    """
    from hpinet import HPINet
    from hpinet.cli.errors import usable_device
    from lam.batch.sources import open_contender

    found = open_contender(options.model, options.scale, usable_device(options.device))
    if not isinstance(found.network, HPINet) or not found.network.config.gpa:
        raise ValueError(f"{found.label} has no Global Pixel Access, so there are no matches")
    about = {
        "model": Path(found.label).name,
        "weights_sha256": found.weights_sha256,
        "scale": found.scale,
    }
    return found.network, about


def _run(options: argparse.Namespace) -> int:
    from .output import output_folder

    if options.runners_up < 0:
        raise ValueError(f"--runners-up must be 0 or more, not {options.runners_up}")
    is_folder = Path(options.picture).is_dir()
    if is_folder and options.pixel:
        raise ValueError("--pixel asks about one picture, but a folder was given")
    out = output_folder(options.output)
    network, about = open_network(options)
    return (_explore_folder if is_folder else _explore_picture)(options, network, about, out)


def _explore_picture(
    options: argparse.Namespace, network: HPINet, about: dict[str, Any], out: Path
) -> int:
    import torch
    from tqdm import tqdm

    from hpinet import read_picture
    from hpinet.analysis.match_statistics import picture_statistics
    from lam.match_analysis.folder_statistics import format_blocks

    from .output import write_csv, write_json

    picture = read_picture(options.picture)
    for note in picture.notes:
        print(f"lam: {Path(options.picture).name}: {note}", file=sys.stderr)
    lr, scale = picture.rgb, network.scale
    height, width = picture.size
    x, y = options.pixel or (width * scale // 2, height * scale // 2)
    if not (0 <= x < width * scale and 0 <= y < height * scale):
        raise ValueError(
            f"the pixel x {x}, y {y} lies outside the super-resolved picture of "
            f"{width * scale}x{height * scale}"
        )
    with torch.inference_mode():
        device = next(network.parameters()).device
        sr, matches = network(lr.to(device), return_matches=True, similarity_matrix=True)
    blocks = picture_statistics(matches, (height, width), options.runners_up)
    overlap = network.config.overlap if options.overlap is None else options.overlap
    reaches = _reaches(network, matches.size, (x, y), overlap)
    summaries = [block.summary() for block in blocks]
    parameters = {
        **about,
        "image": str(options.picture),
        "lr_width": width,
        "lr_height": height,
        "pixel": [x, y],
        "runners_up": options.runners_up,
        "overlap": overlap,
    }
    report = {
        "parameters": parameters,
        "blocks": summaries,
        "coverage_all_blocks": _coverage(blocks),
        "reach": [r.summary() for r in reaches],
    }
    write_csv(out / "matches.csv", [row for block in blocks for row in block.to_rows()])
    write_csv(out / "blocks.csv", summaries)
    write_json(out / "explore.json", report)
    figures = _figures(parameters, lr, sr.float().cpu(), matches, blocks, reaches)
    total = 3 + 4 * len(blocks)
    for name, write in tqdm(figures, total=total, unit="figure", leave=False, disable=None):
        write(out / name)
    print(json.dumps(report, allow_nan=False) if options.json else format_blocks(summaries))
    return 0


def _coverage(blocks: Sequence[BlockStatistics]) -> float:
    """Share of the picture that lies in a patch that another looks at, in any block."""
    used = blocks[0].used.copy()
    for block in blocks[1:]:
        used |= block.used
    return float(used.mean())


def _reaches(
    network: HPINet, size: tuple[int, int], pixel: tuple[int, int], overlap: int
) -> list[Any]:
    from hpinet.analysis.attention_reach import STRATEGIES, VANILLA_SIZE, divisions, reach

    column, row = (v // network.scale for v in pixel)
    sizes, vanilla = network.config.patch_sizes, min(VANILLA_SIZE, *size)
    return [
        reach(size, row, column, divisions(name, sizes, vanilla), overlap, name)
        for name in STRATEGIES
    ]


def _figures(
    parameters: dict[str, Any],
    lr: Tensor,
    sr: Tensor,
    matches: Matches,
    blocks: Sequence[BlockStatistics],
    reaches: Sequence[Any],
) -> Iterator[tuple[str, Any]]:
    """File names, and what writes each file."""
    from functools import partial

    from hpinet.imaging.images import to_uint8
    from lam.figures import match_pairs, match_plots
    from lam.figures import matches as match_figures
    from lam.figures.composition import captioned
    from lam.figures.heatmaps import enlarge, enlarging_factor

    from .output import write_figure, write_png

    small, large = to_uint8(lr), to_uint8(sr)
    scale, (x, y) = parameters["scale"], parameters["pixel"]
    factor = enlarging_factor(large.shape[0], large.shape[1], 900)
    wide, across = enlarge(large, factor), scale * factor
    made = f"{Path(parameters['image']).name}, {parameters['model']} x{scale}"
    place = ((x + 0.5) / scale, (y + 0.5) / scale)
    pairs = match_pairs.pairs_at(matches, place[1], place[0])
    words = f"{made}. SR pixel x {x}, y {y}. Solid: the patch that holds it, dashed: its match."
    boxes = match_pairs.draw_pairs(wide, pairs, place, across)
    yield "pairs.png", partial(write_png, picture=captioned(boxes, words))
    crops = captioned(match_pairs.pair_rows(large, pairs, scale), f"{made}. SR pixel x {x}, y {y}.")
    yield "crops.png", partial(write_png, picture=crops)
    title = f"{made}, SR pixel x {x}, y {y}, overlap {parameters['overlap']}"
    yield (
        "reach.png",
        partial(write_figure, figure=match_plots.reach_figure(small, reaches, title)),
    )
    for block in blocks:
        title = f"{made}, block {block.block + 1}, P = {block.patch_size}"
        where = (block.origins, block.index, block.patch_size)
        degrees = match_figures.in_degree_map(wide, *where, across)
        text = f"{title}: how many of {len(block.index)} patches look at each."
        start = f"block{block.block + 1}_"
        yield start + "in_degree.png", partial(write_png, picture=captioned(degrees, text))
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
    from lam.match_analysis.folder_statistics import format_blocks, match_survey, mean_statistics

    from .output import write_csv, write_figure, write_json

    sources = find_sources(options.picture, network.scale, options.hr)
    rows, skipped = match_survey(network, sources, show=True)
    if not rows:
        raise ValueError(f"no picture of {options.picture} could be used")
    means = mean_statistics(rows)
    pictures = len({row["picture"] for row in rows})
    parameters = {**about, "data": str(options.picture), "hr": options.hr, "pictures": pictures}
    report = {"parameters": parameters, "blocks": means, "skipped": skipped}
    write_csv(out / "statistics.csv", rows)
    write_json(out / "statistics.json", report)
    title = f"{about['model']} x{about['scale']}, {pictures} pictures of {options.picture}"
    write_figure(out / "statistics.png", statistics_plot(rows, title))
    print(json.dumps(report, allow_nan=False) if options.json else format_blocks(means))
    return SKIPPED if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
