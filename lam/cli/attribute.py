"""The command line: ``python -m lam IMAGE --window LEFT TOP SIZE``, and sub-commands."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import lam_options, make_parser

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from torch import nn

    from hpinet import Picture
    from lam.attribution.results import LocalAttributionResult, MethodResult
    from lam.validation.faithfulness import FaithfulnessResult

    Result = LocalAttributionResult | MethodResult

_COMMANDS = {
    "dataset": ("dataset", "main"),
    "explore": ("explore", "main"),
    "intervene": ("intervene", "main"),
    "knockout": ("knockout", "knockout_main"),
}
"""Sub-commands: module and function, imported when asked for."""


def main(argv: Sequence[str] | None = None) -> int:
    """Compute one map, or run a sub-command.

    Args:
        argv: Arguments without the program's name; those of the process by default.

    Returns:
        The exit code: 0, or 1 after one sentence on stderr. Wrong usage exits with 2.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in _COMMANDS:
        module, function = _COMMANDS[arguments[0]]
        command = getattr(import_module(f"lam.cli.{module}"), function)
        return int(command(arguments[1:]))
    options = make_parser().parse_args(arguments)

    from hpinet.cli.errors import run_command

    return run_command("lam", lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    for_lam = lam_options(options)
    folder = _folder(options.output)

    from hpinet import HPINet, read_picture
    from hpinet.networks.names import open_model
    from lam.attribution.detectors import get_detector
    from lam.attribution.methods import explain_progressively
    from lam.window import Window

    window = Window(*options.window)
    get_detector(options.detector)
    picture = read_picture(options.image)
    for note in picture.notes:
        print(f"lam: {Path(options.image).name}: {note}", file=sys.stderr)
    model = open_model(options.model, scale=options.scale, gpa=not options.no_gpa)
    gpa = isinstance(model, HPINet) and model.config.gpa
    # Without access to other patches there is nothing to freeze, and nothing that could switch.
    matches = options.matches if gpa else "live"
    common = {"detector": options.detector, "matches": matches}
    result = _follow(
        explain_progressively(model, picture.rgb, window, options.method, **common, **for_lam)
    )
    curves = None
    if options.faithfulness:
        path = for_lam.get("path")
        curves = _curves(model, picture, window, result, {**common, "path": path})
    if folder is not None:
        asked = {"image": str(options.image), "model": options.model, "gpa": gpa}
        _write(folder, picture, window, result, curves, asked)
    _report(result, curves, options)
    return 0


def _folder(name: str | None) -> Path | None:
    """The output folder, made now: better to fail before the work than after it."""
    if name is None:
        return None
    folder = Path(name)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, not a folder: choose another place for the output")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _follow(results: Any) -> Result:
    from tqdm import tqdm

    with tqdm(total=100, unit="%", leave=False, disable=None, bar_format="{l_bar}{bar}|") as bar:
        for result in results:
            bar.update(int(100 * result.progress) - bar.n)
    last: Result = result
    return last


def _curves(
    model: nn.Module, picture: Picture, window: Any, result: Result, options: dict[str, Any]
) -> FaithfulnessResult:
    from tqdm import tqdm

    from lam.validation.faithfulness import faithfulness_curves

    with tqdm(total=100, unit="%", leave=False, disable=None, bar_format="{l_bar}{bar}|") as bar:
        return faithfulness_curves(
            model,
            picture.rgb,
            window,
            result.importance,
            progress=lambda share: bar.update(int(100 * share) - bar.n),
            **options,
        )


def _write(
    folder: Path,
    picture: Picture,
    window: Any,
    result: Result,
    curves: FaithfulnessResult | None,
    asked: dict[str, Any],
) -> None:
    import numpy as np

    from hpinet.imaging.files import write_bytes

    arrays = io.BytesIO()
    np.savez(arrays, attribution=result.attribution, importance=result.importance)
    params = {**asked, **result.params, "result": result.summary()}
    write_bytes(folder / "map.npz", arrays.getvalue())
    write_bytes(folder / "map.png", _drawn(picture, window, result))
    write_bytes(folder / "params.json", _json(params))
    if curves is not None:
        found = {**curves.summary(), **curves.curves(), "params": curves.params}
        write_bytes(folder / "faithfulness.json", _json(found))


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=2, allow_nan=False) + "\n").encode()


def _drawn(picture: Picture, window: Any, result: Result) -> bytes:
    """The map over the LR picture, enlarged to SR size, with the window's outline; a PNG."""
    import numpy as np
    from PIL import Image

    from hpinet.imaging.images import to_uint8
    from lam.figures.heatmaps import draw_window, heatmap_overlay

    height, width = result.params["sr_size"]
    overlay = Image.fromarray(heatmap_overlay(to_uint8(picture.rgb), result.importance))
    enlarged = overlay.resize((width, height), Image.Resampling.NEAREST)
    file = io.BytesIO()
    Image.fromarray(draw_window(np.array(enlarged), window)).save(file, "PNG")
    return file.getvalue()


def _report(result: Result, curves: FaithfulnessResult | None, options: argparse.Namespace) -> None:
    if result.non_finite:
        print(
            f"lam: {result.non_finite} elements of the gradients were not finite and count as 0: "
            f"the map is not to be trusted",
            file=sys.stderr,
        )
    summary = result.summary()
    areas = {} if curves is None else curves.summary()
    if options.json:
        found: dict[str, Any] = {**summary, "method": options.method}
        if curves is not None:
            found["faithfulness"] = {**areas, **curves.curves()}
        print(json.dumps(found, allow_nan=False))
        return
    for name, value in {**summary, **areas}.items():
        text = "undefined" if value is None else f"{value:g}" if name != "non_finite" else value
        print(f"{name.replace('_', ' '):22} {text}")
