"""What ``python -m lam IMAGE`` understands. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from hpinet.cli import options as shared
from hpinet.errors import UserError

if TYPE_CHECKING:
    from lam.attribution.paths import AttributionPath

METHODS = ("lam", "saliency", "input_x_gradient", "occlusion")
"""`lam.ATTRIBUTION_METHODS`, which takes seconds to import."""

_OF_LAM = ("steps", "quadrature", "path", "tolerance", "memory")


def make_parser() -> argparse.ArgumentParser:
    """The parser of ``python -m lam IMAGE``."""
    parser = argparse.ArgumentParser(
        prog="python -m lam",
        description="Local attribution map: the pixels that a window of the restored image uses.",
        epilog="In IMAGE's place: cause (does it help?), compare (many networks), dataset (many "
        "images), explore (matches), intervene (change matches), knockout (take them away); each "
        "has a --help.",
    )
    add = parser.add_argument
    add("image", metavar="IMAGE", help="the low-resolution image")
    shared.add_window(parser, required=True)
    shared.add_model(parser, several="repeat", gpa=True, scales=None)
    shared.add_matches(parser)
    _add_method(parser)
    add(
        "--faithfulness",
        action="store_true",
        help="also deletion and insertion curves, against random orders",
    )
    shared.add_output(parser, "write map.npz, map.png and params.json there")
    shared.add_json(parser)
    return parser


def _add_method(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--detector",
        default="gradient",
        metavar="NAME",
        help="what is asked about the window: gradient, sum, mean_colour or gabor (gradient)",
    )
    add("--method", choices=METHODS, default="lam", help="LAM, or one to compare it with (lam)")
    add("--steps", type=int, metavar="N", help="gradients along LAM's path (50)")
    add(
        "--path",
        choices=("blur", "straight", "black"),
        help="LAM's path: less and less blurred, straight from the blurred image, or straight "
        "from black (blur)",
    )
    add(
        "--quadrature",
        metavar="NAME",
        help="gausslegendre, riemann_right, riemann_middle, riemann_trapezoid or riemann_demo "
        "(gausslegendre)",
    )
    add(
        "--tolerance",
        type=float,
        metavar="X",
        help="stop LAM when refining changes the map by less than this, relatively (never)",
    )
    told = "what LAM may use beside the weights, such as 500M or 2G (half of what is free)"
    shared.add_memory(parser, told)


def lam_options(options: argparse.Namespace) -> dict[str, Any]:
    """What only LAM takes, checked before the heavy imports.

    Raises:
        ValueError: If there is no such quadrature, or the method takes none of it.
    """
    if options.method != "lam":
        for name in _OF_LAM:
            if getattr(options, name) is not None:
                raise UserError(f"--{name} is for LAM, not for --method {options.method}")
        return {}
    from lam.attribution.quadrature import quadrature

    method, steps = options.quadrature or "gausslegendre", options.steps
    steps = 50 if steps is None else steps
    quadrature(method, steps)
    return {
        "n_steps": steps,
        "quadrature": method,
        "path": _path(options.path),
        "tolerance": options.tolerance,
        "memory": options.memory,
    }


def _path(name: str | None) -> AttributionPath:
    from lam.attribution.paths import GaussianBlurPath, LinearPath

    if name == "straight":
        return LinearPath("blurred")
    return LinearPath("black") if name == "black" else GaussianBlurPath()
