"""``python -m hpinet upscale``: one image, super-resolved."""

from __future__ import annotations

import argparse

from . import options as shared


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `run`."""
    parser.add_argument("input", metavar="IN", help="an image of any common format")
    shared.add_output(parser, "a PNG to write", metavar="OUT", required=True)
    parser.add_argument("--overwrite", action="store_true", help=shared.OVERWRITE)
    parser.add_argument(
        "--keep-metadata",
        action="store_true",
        help="write density and capture data (EXIF) of IN into OUT, too",
    )
    shared.add_model(parser, gpa=True)
    shared.add_memory(
        parser,
        "what may be used beside the weights, such as 500M or 2GB (0.9 of what is free); "
        "the result is the same",
    )
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
    from hpinet.checkpoints.loading import load_model
    from hpinet.imaging.files import check_output
    from hpinet.imaging.images import check_png_path, read_picture, write_picture
    from hpinet.inference.upscale import upscale

    check_output(check_png_path(options.output), [options.input], options.overwrite)
    image = read_picture(options.input, keep_metadata=options.keep_metadata)
    device = shared.usable_device(options.device)
    model = load_model(options.model, scale=options.scale, gpa=not options.no_gpa, device=device)
    result = upscale(model, image, memory=options.memory, precision=options.precision)
    write_picture(options.output, result.rgb, result.alpha, result.metadata)
    for note in image.notes:
        print(f"{options.input}: {note}")
    print(
        f"{options.output}: {image.size[1]}x{image.size[0]} -> "
        f"{result.size[1]}x{result.size[0]} pixels"
    )
    return 0
