"""This working tree beside other commits, each a folder into which one was checked out.

``git worktree add ../before COMMIT`` makes such a folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from benchmarks.runner import Tables, add_memory, add_rounds, add_size, compare, progress
from hpinet.benchmark.rounds import Timing
from hpinet.config import VARIANTS
from hpinet.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
HERE = "here"
WORK = ("forward", "training", "attribution")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `measure`."""
    add = parser.add_argument
    add("folder", nargs="+", metavar="FOLDER", help="a checkout of the repository at some commit")
    add(
        "--work",
        choices=WORK,
        default="forward",
        help="a pass, a training step, or a map in the middle of the image (forward)",
    )
    add("--model", choices=list(VARIANTS), default="S", metavar="NAME", help="a variant (S)")
    add("--scale", type=int, default=4, choices=(2, 3, 4), help="SR pixels per LR pixel (4)")
    add_size(parser, (64, 64))
    add("--batch", type=int, default=1, metavar="N", help="images a pass or step (1)")
    add("--steps", type=int, default=10, metavar="N", help="gradients of a map (10)")
    add_rounds(parser)


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], Tables]:
    """Time and memory of the same work by every checkout, in turns; weights are random.

    Raises:
        ValueError: If a folder is no checkout, or the work fails in one.
    """
    if min(*options.size, options.batch, options.steps) < 1:
        raise UserError("size, batch and steps must be 1 or more")
    folders = checkouts(options.folder)
    wanted = {
        "work": options.work,
        "variant": options.model,
        "scale": options.scale,
        "size": list(options.size),
        "batch": options.batch,
        "steps": options.steps,
        "threads": torch.get_num_threads(),
    }
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(folder, wanted)) for name, folder in folders.items()
        }
        with progress(options.work, options.rounds + 1) as tick:
            calls: dict[str, Callable[[], Timing]] = {n: w.work for n, w in workers.items()}
            rows = compare(calls, HERE, options.rounds, tick)
    add_memory(rows, {name: worker.last["peak_memory"] for name, worker in workers.items()}, HERE)
    for row in rows:
        row["result"] = workers[row["contestant"]].last["result"]
        row["commit"] = commit_of(folders[row["contestant"]])
    return {**wanted, "rounds": options.rounds}, {"checkouts": rows}


def checkouts(folders: Sequence[str]) -> dict[str, Path]:
    """Folders by the names that the report gives them; this working tree first, as ``here``.

    Raises:
        ValueError: If one is no checkout, or given twice.
    """
    found = {HERE: ROOT}
    for folder in folders:
        path = Path(folder).resolve()
        if not (path / "hpinet" / "__init__.py").is_file():
            raise UserError(f"{folder} is no checkout of this repository: it holds no hpinet/")
        if path in found.values():
            raise UserError(f"{folder} is given twice, or is this working tree itself")
        found[path.name if path.name not in found else str(path)] = path
    return found


def commit_of(folder: Path) -> str | None:
    """The commit that is checked out, with + behind it if files were changed; None without git."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty=+"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


class Worker:
    """A process that works in a checkout, see `benchmarks.speed.checkout_worker`.

    Attributes:
        last: What it said last: ``seconds``, ``cpu_seconds``, ``result`` and ``peak_memory``.
    """

    def __init__(self, folder: Path, wanted: dict[str, Any]) -> None:
        self.folder, self.last = folder, dict[str, Any]()
        program = Path(__file__).with_name("checkout_worker.py").read_text(encoding="utf-8")
        # Not as a file: Python would look for modules beside it, instead of in the checkout.
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, json.dumps(wanted)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Worker:
        try:
            self._heard()
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def work(self) -> Timing:
        """Have the work done once.

        Raises:
            ValueError: If it failed.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: what follows says why
        self.last = self._heard()
        return Timing(self.last["seconds"], self.last["cpu_seconds"])

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, errors = self._process.communicate()
            why = errors.strip().splitlines()[-1:] or ["it ended without a word"]
            raise UserError(f"the work failed in {self.folder}: {why[0]}")
        heard: dict[str, Any] = json.loads(line)
        return heard
