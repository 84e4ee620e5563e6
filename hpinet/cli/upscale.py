"""``python -m hpinet upscale``: one image, super-resolved by one network or by several."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hpinet.imaging.files import file_name

from . import options as shared
from .networks import open_all

if TYPE_CHECKING:  # the heavy imports wait inside the functions
    from hpinet import Picture
    from hpinet.evaluation.candidates import Candidate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `run`."""
    parser.add_argument("input", metavar="IN", help="an image of any common format")
    told = "a PNG to write; with several networks a folder, for a PNG each"
    shared.add_output(parser, told, metavar="OUT", required=True)
    parser.add_argument("--overwrite", action="store_true", help=shared.OVERWRITE)
    shared.add_model(parser, several="repeat", gpa=True)
    shared.add_precision(
        parser,
        "fp32",
        "bf16 is about twice as fast where the processor has it, matching stays in fp32; "
        "auto takes it there (fp32)",
    )


def run(options: argparse.Namespace) -> int:
    """Super-resolve and write.

    Raises:
        ValueError: If an argument or the image does not fit.
        OSError: If a file cannot be read or written.
    """
    from hpinet.imaging.files import check_output
    from hpinet.imaging.images import check_png_path
    from hpinet.imaging.read import read_picture

    names = shared.models(options)
    folder = None
    if len(names) > 1:
        folder = shared.check_output_folder(options.output)
    else:
        check_output(check_png_path(options.output), [options.input], options.overwrite)
    image = read_picture(options.input)
    candidates = open_all(options, names)
    places = [Path(options.output)]
    if folder is not None:
        places = [folder / f"{file_name(candidate.label)}.png" for candidate in candidates]
        for place in places:
            check_output(place, [options.input], options.overwrite)
        folder.mkdir(parents=True, exist_ok=True)
    for note in image.notes:
        print(f"{options.input}: {note}")
    for candidate, place in zip(candidates, places, strict=True):
        _write(options, image, candidate, place, timed=folder is not None)
    return 0


def _write(
    options: argparse.Namespace, image: Picture, candidate: Candidate, place: Path, timed: bool
) -> None:
    from hpinet.imaging.images import write_picture
    from hpinet.inference.upscale import upscale

    began = time.perf_counter()
    result = upscale(candidate.network, image, precision=options.precision)
    seconds = time.perf_counter() - began
    write_picture(place, result)
    print(
        f"{place}: {image.size[1]}x{image.size[0]} -> {result.size[1]}x{result.size[0]} pixels"
        + (f", {seconds:.2f} s" if timed else "")
    )
