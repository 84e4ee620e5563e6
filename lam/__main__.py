"""The command line: ``python -m lam IMAGE --window LEFT TOP SIZE``."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from hpinet import Picture

    from .result import LocalAttributionResult


def main(argv: Sequence[str] | None = None) -> int:
    """Compute one map.

    Args:
        argv: Arguments without the program's name; those of the process by default.

    Returns:
        The exit code: 0, or 1 after one sentence on stderr. Wrong usage exits with 2.
    """
    options = _parser().parse_args(argv)
    try:
        _run(options)
        sys.stdout.flush()  # here, where a closed pipe is still ours to report
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _failed("stopped.")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _failed(f"{where}{error.strerror or error}.")
    except ValueError as error:
        return _failed(str(error))
    return 0


def _failed(text: str) -> int:
    print(f"lam: {' '.join(text.split())}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lam",
        description="Local attribution map: the pixels that a window of the restored picture uses.",
    )
    parser.add_argument("image", metavar="IMAGE", help="the low-resolution picture")
    parser.add_argument(
        "--window",
        nargs=3,
        type=int,
        required=True,
        metavar=("LEFT", "TOP", "SIZE"),
        help="the window, in pixels of the super-resolved picture",
    )
    parser.add_argument(
        "--model", default="S", metavar="NAME|FILE", help="a bundled model or a checkpoint (S)"
    )
    parser.add_argument("--scale", type=int, help="4 for a name; for a file, what the file holds")
    parser.add_argument(
        "--no-gpa",
        action="store_true",
        help="without Global Pixel Access: for a name the twin trained without it, "
        "for a checkpoint trained with it every patch as its own match",
    )
    parser.add_argument("--steps", type=int, default=50, metavar="N", help="gradients (50)")
    parser.add_argument(
        "--matches",
        choices=("live", "frozen"),
        default="live",
        help="matches decided at every step, or the sharp picture's throughout (live)",
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="write map.npz, map.png and params.json there"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _run(options: argparse.Namespace) -> None:
    from .quadrature import quadrature

    method = "gausslegendre"
    quadrature(method, options.steps)
    folder = _folder(options.output)

    from hpinet import load_model, read_picture

    from .attribution import LocalAttribution
    from .detectors import Window

    window = Window(*options.window)
    picture = read_picture(options.image)
    for note in picture.notes:
        print(f"lam: {Path(options.image).name}: {note}", file=sys.stderr)
    model = load_model(options.model, scale=options.scale, gpa=not options.no_gpa)
    # Without access to other patches there is nothing to freeze, and nothing that could switch.
    live = options.no_gpa or not model.config.gpa
    result = _follow(
        LocalAttribution(model).attribute_progressively(
            picture.rgb,
            window,
            n_steps=options.steps,
            method=method,
            matches="live" if live else options.matches,
        )
    )
    if folder is not None:
        asked = {
            "image": str(options.image),
            "model": options.model,
            "gpa": not options.no_gpa and model.config.gpa,
        }
        _write(folder, picture, window, result, asked)
    _report(result, options.json)


def _folder(name: str | None) -> Path | None:
    """The output folder, made now: better to fail before the work than after it."""
    if name is None:
        return None
    folder = Path(name)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, not a folder: choose another place for the output")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _follow(results: Any) -> LocalAttributionResult:
    from tqdm import tqdm

    with tqdm(total=100, unit="%", leave=False, disable=None, bar_format="{l_bar}{bar}|") as bar:
        for result in results:
            bar.update(int(100 * result.progress) - bar.n)
    last: LocalAttributionResult = result
    return last


def _write(
    folder: Path,
    picture: Picture,
    window: Any,
    result: LocalAttributionResult,
    asked: dict[str, Any],
) -> None:
    import numpy as np

    from hpinet.files import write_bytes

    arrays = io.BytesIO()
    np.savez(arrays, attribution=result.attribution, importance=result.importance)
    params = {**asked, **result.params, "result": result.summary()}
    write_bytes(folder / "map.npz", arrays.getvalue())
    write_bytes(folder / "map.png", _drawn(picture, window, result))
    write_bytes(folder / "params.json", (json.dumps(params, indent=2) + "\n").encode())


def _drawn(picture: Picture, window: Any, result: LocalAttributionResult) -> bytes:
    """The map over the LR picture, enlarged to SR size, with the window's outline; a PNG."""
    import numpy as np
    from PIL import Image

    from hpinet.images import to_uint8

    from .figures import draw_window, heatmap_overlay

    height, width = result.params["sr_size"]
    overlay = Image.fromarray(heatmap_overlay(to_uint8(picture.rgb), result.importance))
    enlarged = overlay.resize((width, height), Image.Resampling.NEAREST)
    file = io.BytesIO()
    Image.fromarray(draw_window(np.array(enlarged), window)).save(file, "PNG")
    return file.getvalue()


def _report(result: LocalAttributionResult, as_json: bool) -> None:
    if result.non_finite:
        print(
            f"lam: {result.non_finite} elements of the gradients were not finite and count as 0: "
            f"the map is not to be trusted",
            file=sys.stderr,
        )
    summary = result.summary()
    if as_json:
        print(json.dumps(summary, allow_nan=False))
        return
    for name, value in summary.items():
        text = "undefined" if value is None else f"{value:g}" if name != "non_finite" else value
        print(f"{name.replace('_', ' '):16} {text}")


if __name__ == "__main__":
    sys.exit(main())
