"""``python -m lam dataset DIR``: maps of many images by several networks, as a CSV.

On one device as it is; on many with the launcher of training, ``accelerate launch -m lam dataset``
or ``torchrun -m lam dataset``, all with one folder for the CSV. Each process computes its share of
the pairs of image and network and writes a part file next to the CSV; the first merges them at the
end. A run that finds part files of a killed one merges them first.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpinet.cli import options as shared
from hpinet.cli.errors import SKIPPED, parse_and_run
from hpinet.errors import UserError
from hpinet.imaging.files import check_output
from lam.batch.window_choice import WindowChoice, parse_choice

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from hpinet.data.result_store import Row
    from hpinet.evaluation.candidates import Candidate
    from lam.batch.runner import Survey

_LONG = timedelta(days=30)  # processes wait for the slowest; the usual half hour is too short


def main(argv: Sequence[str] | None = None) -> int:
    """Compute the maps of a folder.

    Args:
        argv: Arguments after ``dataset``; those of the process by default.

    Returns:
        The exit code: 0; 1 after one sentence on stderr, whole rows are kept; 3 if images were
        skipped, each named on stderr, and all others are done (0 for a process of several). Wrong
        usage exits with 2.
    """
    return parse_and_run("lam", _parser(), _run, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lam dataset",
        description="Diffusion index, areas and completeness of many images for several networks."
        " A CSV that exists is resumed: known rows are not computed again.",
        epilog="Exits with 0; with 1 after an error, whole rows are kept; with 3 if images were "
        "skipped, each named, and all others are done (0 under a launcher).",
    )
    add = parser.add_argument
    add("folder", metavar="DIR", help="low-resolution images; with --hr originals")
    add(
        "--window",
        nargs="+",
        default=["centre"],
        metavar="CHOICE",
        help="centre (default); detail: the window of strongest edges; grid N: N x N windows; "
        "LEFT TOP SIZE: one place, in SR pixels",
    )
    add("--window-size", type=int, default=16, metavar="N", help="side in SR pixels (16)")
    add(
        "--model",
        action="append",
        metavar="NAME|FILE[:no-gpa]",
        help="a network; repeat for several; :no-gpa means what --no-gpa means for one image (S)",
    )
    shared.add_scale(parser, None)
    add("--hr", action="store_true", help=shared.HR)
    add("--size", type=int, metavar="N", help="crop every LR image to its middle N x N pixels")
    add("--steps", type=int, default=50, metavar="N", help="gradients a map (50)")
    add("--detector", default="gradient", help="what is asked about the window (gradient)")
    shared.add_matches(parser)
    add("--device", choices=("auto", "cpu"), default="auto", help="auto: GPUs where there are any")
    shared.add_json(parser, "print the summary as one JSON object")
    shared.add_output(parser, "the table", metavar="OUT.csv", required=True)
    return parser


def _run(options: argparse.Namespace) -> int:
    choice, out, labels = _checked(options)

    from hpinet.evaluation.candidates import open_candidate
    from hpinet.networks.names import open_model
    from lam.attribution.detectors import get_detector
    from lam.attribution.quadrature import quadrature
    from lam.batch.runner import METHOD, Settings, Survey, share_of_work
    from lam.batch.sources import find_sources
    from lam.batch.table import map_store

    quadrature(METHOD, options.steps)
    get_detector(options.detector)
    team = _team(options.device)
    candidates = [
        open_candidate(label, options.scale, device=team.device, opener=open_model)
        for label in labels
    ]
    settings = Settings(
        _common_scale(candidates), choice, options.window_size, options.size,
        options.steps, options.detector, options.matches,
    )  # fmt: skip
    sources = find_sources(options.folder, settings.scale, options.hr)
    if team.is_main_process:
        map_store(out, settings.parameters()).absorb(_parts(out))
    team.wait_for_everyone()
    known = map_store(out, settings.parameters())
    team.wait_for_everyone()  # nobody writes before all have read
    table = known
    if team.num_processes > 1:
        table = map_store(_part(out, team.process_index), settings.parameters())
    survey = Survey(settings, known, table)
    mine = list(share_of_work(sources, candidates, team.process_index, team.num_processes))
    survey.do(mine, show=team.is_main_process)
    return _conclude(team, survey, out, labels, options.json)


def _team(device: str) -> Any:
    """The processes of this run, as accelerate knows them.

    Raises:
        ValueError: If a launcher started several that do not find each other.
    """
    import torch
    from accelerate import PartialState

    # Left to itself on a machine without GPUs, each process would take itself for the only one.
    xpu = getattr(torch, "xpu", None)
    gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    gpu = gpu or (xpu is not None and xpu.is_available())
    team = PartialState(cpu=device == "cpu" or not gpu, timeout=_LONG)
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started != team.num_processes:
        raise UserError(
            f"{started} processes were started, but only {team.num_processes} can work together "
            f"on this device: start one, or pass --device cpu"
        )
    return team


def _checked(options: argparse.Namespace) -> tuple[WindowChoice, Path, list[str]]:
    """The arguments that can be told to be wrong before anything heavy is imported."""
    choice, out, labels = parse_choice(options.window), Path(options.output), options.model or ["S"]
    check_output(out)
    if out.is_dir():
        raise UserError(f"{out} is a folder: give the name of a CSV file")
    if len(set(labels)) < len(labels):
        raise UserError("a --model is given twice: name each once")
    for name in ("size", "window_size"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} must be at least 1 pixel, not {value}")
    return choice, out, labels


def _common_scale(candidates: Sequence[Candidate]) -> int:
    if len({c.scale for c in candidates}) > 1:
        listed = ", ".join(f"{c.label} x{c.scale}" for c in candidates)
        raise UserError(
            f"networks of different scales would be asked about different windows: {listed}"
        )
    return candidates[0].scale


def _part(out: Path, process: int) -> Path:
    return out.with_name(f"{out.name}.part{process}")


def _parts(out: Path) -> list[Path]:
    return sorted(out.parent.glob(f"{out.name}.part*")) if out.parent.is_dir() else []


def _conclude(team: Any, survey: Survey, out: Path, labels: list[str], as_json: bool) -> int:
    """Merge what all processes did and let the first say what came of it."""
    from accelerate.utils import gather_object

    from lam.batch.table import map_store

    team.wait_for_everyone()
    places = gather_object(survey.places)
    skipped = dict(gather_object(list(survey.skipped.items())))
    if team.is_main_process:
        table = map_store(out, survey.settings.parameters())
        table.absorb(_parts(out))
        _report([table.rows[place] for place in places], labels, sorted(skipped), as_json)
    team.wait_for_everyone()
    team.destroy_process_group()
    # A launcher would take any other code for a crash, and say so at length.
    return SKIPPED if skipped and team.num_processes == 1 else 0


def _report(rows: list[Row], labels: list[str], skipped: list[str], as_json: bool) -> None:
    from lam.batch.summary import format_summary, summarise

    summary = summarise(rows, labels)
    if as_json:
        print(json.dumps({**summary, "skipped": skipped}, allow_nan=False))
    elif rows:
        print(format_summary(summary))
    sys.stdout.flush()
    if skipped:
        count = "1 image was" if len(skipped) == 1 else f"{len(skipped)} images were"
        print(f"lam: {count} skipped: {', '.join(skipped)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
