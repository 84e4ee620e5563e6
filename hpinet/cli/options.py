"""The options that commands share, so that each is spelt and explained once.

Nothing heavy is imported here: help and wrong usage appear at once.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from hpinet.errors import UserError
from hpinet.imaging.files import check_output

DEVICE = "auto (default: a GPU where there is one), cpu, cuda, cuda:1 or mps"
NETWORK = (
    "S, M or L; a released one such as HPINet-M-x4; bicubic; a file of weights; or FILE.py:build, "
    "a function that returns a module (docs/your_network.md); :no-gpa behind it is --no-gpa for it "
    "alone"
)
NO_GPA = (
    "without Global Pixel Access: the twin trained so for a name, "
    "each patch its own match for a file trained with it"
)
OVERWRITE = "allow an output that is the input, or a link to another file"
HR = "DIR holds originals: LR by MATLAB's bicubic, or DIR/LR"


def add_model(
    parser: argparse.ArgumentParser,
    help_text: str = NETWORK,
    *,
    several: str | None = None,
    required: bool = False,
    gpa: bool = False,
    scales: tuple[int, ...] | None = (2, 3, 4),
) -> None:
    """``--model``, ``--scale``, ``--device`` and ``--yes``, and on request ``--no-gpa``.

    Args:
        parser: Takes the options.
        help_text: What a model can be here.
        several: ``"repeat"`` where the option may be repeated, ``"list"`` where several may follow
            it as well, as no positional argument can be taken for one; `models` reads both.
        required: Whether there is no default.
        gpa: Whether Global Pixel Access can be switched off.
        scales: What ``--scale`` can be; None leaves it to whoever opens the network.
    """
    how: dict[str, Any] = {"default": "S"}
    if several is not None:
        how = {"action": "append" if several == "repeat" else "extend"}
        help_text = f"{help_text}; {'repeat it for' if several == 'repeat' else 'one or'} several"
    if several == "list":
        how["nargs"] = "+"
    told = help_text if required else f"{help_text} (S)"
    parser.add_argument("--model", metavar="NETWORK", required=required, help=told, **how)
    add_scale(parser, scales)
    if gpa:
        parser.add_argument("--no-gpa", action="store_true", help=NO_GPA)
    add_device(parser)
    parser.add_argument("--yes", action="store_true", help="fetch released weights without asking")


def models(options: argparse.Namespace) -> list[str]:
    """The networks that `add_model` took, S where none is named.

    Raises:
        ValueError: If one is named twice.
    """
    names = options.model or ["S"]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"{twice[0]} is given twice: name each --model once")
    return list(names)


def add_scale(parser: argparse.ArgumentParser, scales: tuple[int, ...] | None) -> None:
    """``--scale``, see `add_model`."""
    told = "4 by default for a name; others have their own"
    parser.add_argument("--scale", type=int, choices=scales, help=told)


def add_device(parser: argparse.ArgumentParser) -> None:
    """``--device``, see `usable_device`."""
    parser.add_argument("--device", default="auto", metavar="DEVICE", help=DEVICE)


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
    """Bytes from text such as ``500M`` or ``2 GiB``, for argparse; units are powers of 1024."""
    amount = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?", text.strip().lower())
    size = int(float(amount[1]) * 1024 ** " kmg".index(amount[2] or " ")) if amount else 0
    if size < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of memory such as 500M or 2GB")
    return size


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
    """A device that this machine has.

    Args:
        name: ``"auto"`` for an NVIDIA or Apple GPU where there is one, else the CPU; or PyTorch's
            name of a device.

    Raises:
        ValueError: It has not.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.zeros(1, device=name).cpu()
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UserError(
            f"there is no device {name!r} here: --device auto takes what there is"
        ) from None
    return name
