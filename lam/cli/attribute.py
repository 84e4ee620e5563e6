"""``python -m lam IMAGE --window LEFT TOP SIZE``: the map of one window."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpinet.cli.errors import parse_and_run
from hpinet.cli.networks import open_all
from hpinet.cli.options import models, output_folder
from hpinet.errors import UserError

from .arguments import lam_options, make_parser

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from torch import nn

    from hpinet import Picture
    from lam.attribution.results import LocalAttributionResult, MethodResult
    from lam.validation.faithfulness import FaithfulnessResult

    Result = LocalAttributionResult | MethodResult


def main(argv: Sequence[str] | None = None) -> int:
    """Compute one map.

    Args:
        argv: Arguments without the program's name; those of the process by default.

    Returns:
        The exit code: 0, or 1 after one sentence on stderr. Wrong usage exits with 2.
    """
    return parse_and_run("lam", make_parser(), _run, argv)


def _run(options: argparse.Namespace) -> int:
    names = models(options)
    if len(names) > 1:
        return _several(options)
    options.model = names[0]
    for_lam = lam_options(options)
    folder = None if options.output is None else output_folder(options.output)

    from hpinet import HPINet, read_picture
    from lam.attribution.detectors import get_detector
    from lam.attribution.methods import explain_progressively
    from lam.window import Window

    from .progress import followed

    window = Window(*options.window)
    get_detector(options.detector)
    image = read_picture(options.image)
    for note in image.notes:
        print(f"lam: {Path(options.image).name}: {note}", file=sys.stderr)
    candidate = open_all(options, [options.model], "lam")[0]
    model = candidate.network
    gpa = isinstance(model, HPINet) and model.config.gpa
    # Without access to other patches there is nothing to freeze, and nothing that could switch.
    matches = options.matches if gpa else "live"
    common = {"detector": options.detector, "matches": matches}
    result = followed(
        explain_progressively(model, image.rgb, window, options.method, **common, **for_lam)
    )
    curves = None
    if options.faithfulness:
        path = for_lam.get("path")
        curves = _curves(model, image, window, result, {**common, "path": path})
    if folder is not None:
        asked = {
            "image": str(options.image),
            "model": options.model,
            "gpa": gpa,
            "weights_sha256": candidate.weights_sha256,
        }
        from lam.report import attribution_files, save

        save(folder, attribution_files(result, image.rgb, asked, curves))
    _report(result, curves, options)
    return 0


def _several(options: argparse.Namespace) -> int:
    """Several networks on one window: what ``python -m lam compare`` does."""
    from .compare import compare

    for name in ("path", "tolerance", "faithfulness"):
        if getattr(options, name):
            raise UserError(f"--{name} is for one network: name one --model")
    if options.method != "lam":
        raise UserError(f"--method {options.method} is for one network: name one --model")
    options.steps = 50 if options.steps is None else options.steps
    options.quadrature = options.quadrature or "gausslegendre"
    options.hr, options.sort, options.mend = None, "diffusion_index", 0
    return compare(options)


def _curves(
    model: nn.Module, image: Picture, window: Any, result: Result, options: dict[str, Any]
) -> FaithfulnessResult:
    from lam.validation.faithfulness import faithfulness_curves

    from .progress import percent_bar

    with percent_bar() as show:
        return faithfulness_curves(
            model, image.rgb, window, result.importance, progress=show, **options
        )


def _report(result: Result, curves: FaithfulnessResult | None, options: argparse.Namespace) -> None:
    if result.non_finite:
        print(
            f"lam: {result.non_finite} elements of the gradients were not finite and count as 0: "
            f"the map is not to be trusted",
            file=sys.stderr,
        )
    if result.no_index:
        print(f"lam: {result.no_index}", file=sys.stderr)
    summary = result.summary()
    areas = {} if curves is None else curves.summary()
    if options.json:
        found: dict[str, Any] = {**summary, "method": options.method}
        if result.no_index:
            found["reason"] = result.no_index
        if curves is not None:
            found["faithfulness"] = {**areas, **curves.curves()}
        print(json.dumps(found, allow_nan=False))
        return
    for name, value in {**summary, **areas}.items():
        text = "undefined" if value is None else f"{value:g}" if name != "non_finite" else value
        print(f"{name.replace('_', ' '):22} {text}")
