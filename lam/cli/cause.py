"""``python -m lam cause IMAGE --window LEFT TOP SIZE``: does what the network looks at help it?"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpinet.cli import options as shared
from hpinet.cli.errors import parse_and_run
from hpinet.cli.networks import open_all
from hpinet.errors import UserError

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from torch import Tensor

    from hpinet import Picture
    from lam.cause.results import CausalEffectResult
    from lam.window import Window

# `lam.cause.quadtree.PROTOCOLS`, `lam.cause.interventions.REPLACEMENTS` and
# `lam.cause.matches.HOWS`, which take seconds to import.
_PROTOCOLS = ("adaptive", "cem")
_REPLACEMENTS = ("natural", "blurred", "mean")
_HOWS = ("off", "exchanged")


def main(argv: Sequence[str] | None = None) -> int:
    """Compute one causal effect map.

    Args:
        argv: Arguments after ``cause``; those of the process by default.

    Returns:
        The exit code: 0, or 1 after one sentence on stderr. Wrong usage exits with 2.
    """
    return parse_and_run("lam", _parser(), _run, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lam cause",
        description="Causal effect map: by how many dB each block of the image helps (or harms) "
        "the window's PSNR, found by replacing the block many times.",
        epilog="Files written with -o: map.npz, map.png (red helps, blue harms), params.json; with "
        "--each-match also matches.csv.",
    )
    add = parser.add_argument
    add("image", metavar="IMAGE", help="the low-resolution image")
    shared.add_window(parser, required=True)
    add(
        "--hr",
        metavar="FILE",
        help="the true image; without it the effect is the unsigned change of the window",
    )
    shared.add_model(parser, gpa=True, scales=None)
    _add_method(parser)
    shared.add_output(parser, "write map.npz, map.png and params.json there")
    shared.add_json(parser)
    return parser


def _add_method(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--block", type=int, default=2, metavar="N", help="side of a block in LR pixels (2)")
    add(
        "--protocol",
        choices=_PROTOCOLS,
        default=_PROTOCOLS[0],
        help="large blocks first and no more draws than needed, or the published one (adaptive)",
    )
    add(
        "--replacement",
        choices=_REPLACEMENTS,
        default=_REPLACEMENTS[0],
        help="what takes a block's place: patches of photographs, blur or mean colour (natural)",
    )
    add("--patches", metavar="DIR", help="images to cut patches from (built-in photographs)")
    add("--seed", type=int, default=0, metavar="N", help="of the patches and draws (0)")
    add(
        "--matches",
        choices=("live", "frozen", "split"),
        default="live",
        help="an HPINet's matches decided anew, those of the untouched image kept, or both: what "
        "the content does and what the change of matches adds (live)",
    )
    add("--tolerance", type=float, metavar="X", help="smaller effects are zero (0.01 dB)")
    add("--passes", type=int, metavar="N", help="the most that adaptive makes (no limit)")
    add(
        "--each-match",
        choices=_HOWS,
        help="also the effect of each of an HPINet's matches, taken away or exchanged",
    )


def _run(options: argparse.Namespace) -> int:
    if options.each_match and options.output is None:
        raise UserError("--each-match writes a table: say where with -o")
    folder = None if options.output is None else shared.output_folder(options.output)

    from hpinet import HPINet, read_picture
    from lam.cause.effects import CausalEffect
    from lam.window import Window

    from .progress import followed

    window = Window(*options.window)
    image = read_picture(options.image)
    hr = None if options.hr is None else read_picture(options.hr)
    for note in image.notes:
        print(f"lam: {Path(options.image).name}: {note}", file=sys.stderr)
    candidate = open_all(options, [options.model], "lam")[0]
    model = candidate.network
    original = None if hr is None else _fitting(hr.rgb, image, candidate.scale)
    rows = _match_rows(options, model, image, original, window)
    names = ("protocol", "replacement", "patches", "seed", "matches", "tolerance", "passes")
    asked = {name: getattr(options, name) for name in names}
    steps = CausalEffect(model).effects_progressively(
        image.rgb, original, window, options.block, **asked
    )
    result = followed(steps)
    if folder is not None:
        about = {
            "image": str(options.image),
            "hr": options.hr,
            "model": options.model,
            "gpa": isinstance(model, HPINet) and model.config.gpa,
            "weights_sha256": candidate.weights_sha256,
        }
        from lam.report import effect_files, save

        each = None if rows is None else list(rows)
        save(folder, effect_files(result, image.rgb, about, each))
    _report(result, options.json)
    return 0


def _match_rows(
    options: argparse.Namespace, model: Any, image: Picture, hr: Tensor | None, window: Window
) -> Any:
    """The rows of ``--each-match``, checked now and computed when they are read; None without."""
    if options.each_match is None:
        return None
    from lam.cause.matches import match_effects

    return match_effects(model, image.rgb, hr, window, how=options.each_match)


def _fitting(hr: Tensor, image: Picture, scale: int) -> Tensor:
    """The original without the last rows and columns that no LR pixel covers."""
    height, width = (side * scale for side in image.size)
    over = (hr.shape[-2] - height, hr.shape[-1] - width)
    return hr[..., :height, :width] if all(0 <= n < scale for n in over) else hr


def _report(result: CausalEffectResult, as_json: bool) -> None:
    summary = result.summary()
    if as_json:
        print(json.dumps(summary, allow_nan=False))
        return
    for name, value in summary.items():
        shown = "undefined" if value is None else f"{value:g}" if name != "unit" else value
        print(f"{name.replace('_', ' '):22} {shown}")
