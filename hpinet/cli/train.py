"""The command ``python -m hpinet train``."""

from __future__ import annotations

import argparse
import dataclasses
import signal
from dataclasses import fields, replace
from types import FrameType

import torch

from hpinet.config import get_config
from hpinet.errors import UserError
from hpinet.training.recipes import CHOICES, RECIPES, Recipe
from hpinet.training.trainer import Trainer


def main(argv: list[str] | None = None) -> int:
    """The ``train`` command. Returns the exit code."""
    arguments = _parser().parse_args(argv)
    overrides = {f.name: v for f in fields(Recipe) if (v := getattr(arguments, f.name)) is not None}
    if "betas" in overrides:
        overrides["betas"] = tuple(overrides["betas"])
    recipe = replace(RECIPES[arguments.recipe], **overrides)
    config = get_config(arguments.model, arguments.scale)
    if arguments.no_gpa:
        config = config.without_gpa()
    _check_counts(arguments)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    trainer = Trainer(
        config, recipe, arguments.data, arguments.out, arguments.validation, arguments.cache,
        arguments.workers, arguments.resume, arguments.init, arguments.tensorboard,
    )  # fmt: skip
    _stop_on_signals(trainer)
    try:
        trainer.run()
    except KeyboardInterrupt:
        print(
            f"stopped after step {trainer.state.step}, saved in {trainer.out}: go on with --resume"
        )
        return 130
    return 0


def _check_counts(arguments: argparse.Namespace) -> None:
    """The numbers that are no values of a recipe."""
    for name, most in (("threads", 4096), ("workers", 1024)):
        value = getattr(arguments, name)
        if not 0 <= value <= most:
            raise UserError(f"--{name} must be from 0 to {most}, not {value}")


def _stop_on_signals(trainer: Trainer) -> None:
    """Ctrl-C, and the SIGTERM of schedulers, end the run after the step it is at."""

    def stop(number: int, frame: FrameType | None) -> None:
        # Ctrl-C twice: the last checkpoint has to do. (torchrun adds a SIGTERM to the first.)
        if trainer.stopping and number == signal.SIGINT:
            raise SystemExit(130)
        trainer.stop()

    # A job in the background ignores Ctrl-C's SIGINT unless told otherwise.
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hpinet train",
        description="Train HPINet.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--recipe",
        choices=list(RECIPES),
        default="quick",
        help="named values; each can be overridden below",
    )
    add("--data", required=True, help="DIV2K's folder, or any folder of images")
    add("--validation", help="folder of held-out HR images")
    add("--model", default="S", help="a variant's name, such as S, M, M-no-cpd")
    add("--scale", type=int, default=4, choices=(2, 3, 4))
    add("--no-gpa", action="store_true", help="the twin without Global Pixel Access")
    add("-o", "--out", default="runs/latest", help="folder for checkpoints and log")
    add("--resume", action="store_true", help="go on from the last checkpoint in --out")
    add("--init", metavar="FILE", help="checkpoint whose weights a new run starts from")
    add("--cache", help="folder for decoded images; the platform's cache folder by default")
    add("--tensorboard", action="store_true", help="also write the log as event files")
    add("--workers", type=int, default=0, help="loader processes")
    add("--threads", type=int, default=0, help="CPU threads; 0 lets PyTorch choose")
    values = parser.add_argument_group("recipe values")
    for field in dataclasses.fields(Recipe):
        flag = "--" + field.name.replace("_", "-")
        if field.name == "betas":
            values.add_argument(flag, type=float, nargs=2, default=None)
            continue
        if field.type == "bool":
            values.add_argument(flag, action=argparse.BooleanOptionalAction, default=None)
            continue
        kind = {"int": int, "float": float}.get(str(field.type), str)
        values.add_argument(flag, type=kind, default=None, choices=CHOICES.get(field.name))
    return parser
