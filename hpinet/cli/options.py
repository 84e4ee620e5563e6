"""The options that commands share, so that each is spelt and explained once.

Nothing heavy is imported here: help and wrong usage appear at once.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hpinet.errors import UserError
from hpinet.imaging.files import check_output

DEVICE = "cpu (default), cuda, cuda:1, mps"
NO_GPA = (
    "without Global Pixel Access: the twin trained so for a name, "
    "each patch its own match for a file trained with it"
)
OVERWRITE = "allow an output that is the input, or a link to another file"
HR = "DIR holds originals: LR by MATLAB's bicubic, or DIR/LR"


def add_model(
    parser: argparse.ArgumentParser,
    help_text: str = "bundled weights by name (S, M, L), or a file of weights; S by default",
    *,
    scales: tuple[int, ...] | None = (2, 3, 4),
    gpa: bool = False,
    device: bool = True,
) -> None:
    """``--model`` and ``--scale``, and on request ``--no-gpa`` and ``--device``.

    Args:
        parser: Takes the options.
        help_text: What a model can be here.
        scales: The scales there are; None leaves them to whoever opens the model.
        gpa: Whether Global Pixel Access can be switched off.
        device: Whether there is a choice of devices.
    """
    parser.add_argument("--model", default="S", metavar="NAME|FILE", help=help_text)
    add_scale(parser, scales)
    if gpa:
        parser.add_argument("--no-gpa", action="store_true", help=NO_GPA)
    if device:
        parser.add_argument("--device", default="cpu", help=DEVICE)


def add_scale(parser: argparse.ArgumentParser, scales: tuple[int, ...] | None = (2, 3, 4)) -> None:
    """``--scale``, see `add_model`."""
    told = "4 by default for a name; a file says its own"
    parser.add_argument("--scale", type=int, choices=scales, help=told)


def add_matches(parser: argparse.ArgumentParser) -> None:
    """``--matches``, for attribution maps."""
    parser.add_argument(
        "--matches",
        choices=("live", "frozen"),
        default="live",
        help="matches decided at every step, or the sharp image's throughout (live)",
    )


def add_window(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """``--window LEFT TOP SIZE``."""
    parser.add_argument(
        "--window",
        nargs=3,
        type=int,
        required=required,
        metavar=("LEFT", "TOP", "SIZE"),
        help="the window, in pixels of the super-resolved image",
    )


def add_precision(parser: argparse.ArgumentParser, default: str | None, help_text: str) -> None:
    """``--precision``, see `hpinet.inference.precision.PRECISIONS`."""
    choices = ("fp32", "bf16", "auto")
    parser.add_argument("--precision", choices=choices, default=default, help=help_text)


def add_memory(parser: argparse.ArgumentParser, help_text: str, default: int | None = None) -> None:
    """``--memory SIZE``, in bytes."""
    parser.add_argument(
        "--memory", type=amount_of_memory, default=default, metavar="SIZE", help=help_text
    )


def add_json(parser: argparse.ArgumentParser, help_text: str = "print one JSON object") -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help=help_text)


def add_output(
    parser: argparse.ArgumentParser,
    help_text: str = "folder for the files",
    *,
    metavar: str = "DIR",
    required: bool = False,
) -> None:
    """``-o``, ``--output``."""
    parser.add_argument("-o", "--output", metavar=metavar, required=required, help=help_text)


def amount_of_memory(text: str) -> int:
    """Bytes from text such as ``500M`` or ``2 GiB``, for argparse."""
    from hpinet.modeling.memory import parse_bytes

    try:
        return parse_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def height_and_width(text: str) -> tuple[int, int]:
    """Height and width from text such as ``180x320``, for argparse."""
    try:
        height, width = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not HxW, such as 180x320 (LR height and width)"
        ) from None
    return height, width


def check_output_folder(name: str | Path) -> Path:
    """The folder for results, not yet made.

    Raises:
        UserError: If there is a file of that name or above it, or nothing can be written there.
    """
    folder = Path(name)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, not a folder: choose another place for the output")
    return check_output(folder)


def output_folder(name: str | Path) -> Path:
    """The folder for results, made now: better to fail before the work than after it.

    Raises:
        ValueError: If there is a file of that name.
        OSError: If it cannot be made.
    """
    folder = check_output_folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def usable_device(name: str) -> str:
    """Return the device's name if this machine has it.

    Raises:
        ValueError: It has not.
    """
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UserError(f"there is no device {name!r} here: try --device cpu.") from None
    return name


Subparsers = Any
"""What `ArgumentParser.add_subparsers` returns; argparse keeps the type to itself."""
