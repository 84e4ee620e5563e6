"""``python -m hpinet export``: a network as an ONNX file for images of one size."""

from __future__ import annotations

import argparse
from pathlib import Path

from hpinet.errors import UserError

from . import options as shared
from .networks import open_all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `run`."""
    told = "an HPINet: S, a released one such as HPINet-M-x4, or a file of weights"
    shared.add_model(parser, told, gpa=True)
    parser.add_argument(
        "--size",
        type=shared.height_and_width,
        required=True,
        metavar="HxW",
        help="LR height and width, the only one that the file takes",
    )
    shared.add_output(parser, "the ONNX file", metavar="OUT.onnx", required=True)


def run(options: argparse.Namespace) -> int:
    """Export, check and write.

    Raises:
        ValueError: If an argument does not fit, or the export is not right.
        OSError: If the file cannot be written.
    """
    place = Path(options.output)
    if place.suffix != ".onnx":
        raise UserError(f"{place} is no name of an ONNX file: give one that ends with .onnx")

    from hpinet.tools.export_onnx import export_onnx

    options.device = "cpu"
    found = open_all(options, [options.model])[0]
    off = export_onnx(found.network, options.size, place)
    height, width = options.size
    print(
        f"{place}: {found.label} x{found.scale}, lr 1x3x{height}x{width} to sr "
        f"1x3x{height * found.scale}x{width * found.scale}, off by {off:.1e} at most on the image "
        f"that it was checked with"
    )
    return 0
