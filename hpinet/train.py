"""Training: `python -m hpinet train` on one device, `accelerate launch -m hpinet train` on many.

A step is decided by its number and the seed alone (crops, Gumbel noise, learning rate), so a run
that was killed goes on from its last checkpoint as if nothing had happened.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
import json
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from .config import HPINetConfig, get_config
from .data import Crops, StepSampler, open_cache
from .download import cache_folder
from .evaluate import find_pairs, load_pair
from .files import write_bytes
from .images import to_uint8
from .metrics import psnr_y
from .model import HPINet
from .recipes import RECIPES, Recipe
from .weights import save_checkpoint


class TrainingError(ValueError):
    """A run that cannot start or go on; the last good checkpoint is left as it is."""


@dataclass
class State:
    """What a run needs to go on: everything else follows from the recipe and the step."""

    step: int = 0
    best: float = float("-inf")


class Average:
    """Exponential moving average of a model's weights.

    Args:
        model: Whose weights to follow.
        decay: Weight of the past; the first steps forget faster, so that the random start does.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = [p.detach().clone() for p in model.parameters()]

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after a step (counted from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.weights, [p.detach() for p in model.parameters()], 1 - decay)

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        """Give the averaged weights to a model of the same shape."""
        for mine, theirs in zip(self.weights, model.parameters(), strict=True):
            theirs.copy_(mine)


class Trainer:
    """One training run.

    Args:
        config: The network.
        recipe: The values of the run.
        data: Folder of training pictures, see `data.find_sources`.
        out: Folder for checkpoints and the log.
        validation: Folder of held-out pictures, see `evaluate.find_pairs`, or None.
        cache: Folder of picture caches.
        workers: Loader processes; 0 loads in the training process.
        resume: Go on from ``out``'s last checkpoint.

    Raises:
        ValueError: If data, recipe or checkpoint do not fit.
    """

    def __init__(
        self,
        config: HPINetConfig,
        recipe: Recipe,
        data: str | Path,
        out: str | Path,
        validation: str | Path | None = None,
        cache: str | Path | None = None,
        workers: int = 0,
        resume: bool = False,
    ) -> None:
        self.config, self.recipe, self.out = config, recipe, Path(out)
        self.accelerator = Accelerator(mixed_precision=recipe.precision)
        self.main = self.accelerator.is_main_process
        torch.manual_seed(recipe.seed)
        self.model = HPINet(config)
        self.average = Average(self.model, recipe.ema)
        self.smooth = HPINet(config).eval().requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.model.parameters(), recipe.lr, betas=recipe.betas)
        self.state = State()
        if resume:
            self._load()
        elif (self.out / "state.pt").exists():
            raise TrainingError(f"{self.out} holds a run already: pass --resume or another folder")
        device = self.accelerator.device
        self.average.weights = [w.to(device) for w in self.average.weights]
        self.smooth.to(device)
        self.wrapped, self.optimizer = self.accelerator.prepare(self.model, self.optimizer)
        pictures = open_cache(data, config.scale, recipe.crop, cache or cache_folder(), self.main)
        if pictures.skipped and self.main:
            name, reason = next(iter(pictures.skipped.items()))
            print(f"skipped {len(pictures.skipped)} pictures, for example {name}: {reason}")
        self.validation = _held_out(validation, config.scale) if validation else []
        crops = Crops(pictures, config.scale, recipe.seed)
        sampler = StepSampler(
            recipe, config.scale, self.state.step, crops.largest_crop,
            self.accelerator.process_index, self.accelerator.num_processes,
        )  # fmt: skip
        self.loader = DataLoader(crops, batch_sampler=sampler, num_workers=workers)

    def run(self, on_step: Callable[[int, float], None] | None = None) -> None:
        """Train to the last step of the recipe.

        Args:
            on_step: Called with (steps done, loss) after each step.

        Raises:
            TrainingError: If the loss is not finite.
            KeyboardInterrupt: After saving, when the user stops the run.
        """
        recipe, state = self.recipe, self.state
        bar = tqdm(
            total=recipe.steps,
            initial=state.step,
            unit="step",
            disable=not self.main,
            mininterval=5,
        )
        mean_loss: float | None = None
        waited, mark = 0.0, time.perf_counter()
        try:
            for lr, hr, numbers in self.loader:
                waited += time.perf_counter() - mark
                loss = self._step(lr, hr, numbers.tolist())
                state.step += 1
                mean_loss = loss if mean_loss is None else mean_loss + 0.02 * (loss - mean_loss)
                bar.update()
                bar.set_postfix(
                    loss=f"{mean_loss:.4f}", lr=f"{recipe.lr_at(state.step - 1):.1e}", refresh=False
                )
                self._milestones(mean_loss, waited)
                if on_step is not None:
                    on_step(state.step, loss)
                mark = time.perf_counter()
        except KeyboardInterrupt:
            self.save()
            raise
        finally:
            bar.close()

    def _step(self, lr: Tensor, hr: Tensor, numbers: list[int]) -> float:
        recipe, step = self.recipe, self.state.step
        lr, hr = lr.to(self.accelerator.device), hr.to(self.accelerator.device)
        # Gumbel noise follows from a crop's number, not from what was drawn before it: a resumed
        # run and one on more devices draw the same.
        seeds = [(recipe.seed << 48) + (number << 8) for number in numbers]
        self.wrapped.train()
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.lr_at(step)
        with self.accelerator.autocast():
            sr = self.wrapped(lr, seeds=seeds)
        loss = F.l1_loss(sr.float(), hr)
        value = float(loss.detach())
        if not value < float("inf"):
            raise TrainingError(
                f"the loss is {value} at step {step}: lower lr ({recipe.lr}), clip gradients "
                f"(--clip 1) or use --precision no, and go on with --resume"
            )
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        if recipe.clip:
            self.accelerator.clip_grad_norm_(self.wrapped.parameters(), recipe.clip)
        self.optimizer.step()
        if recipe.ema:
            self.average.update(self.model, step)
        return value

    def _milestones(self, loss: float, waited: float) -> None:
        step, recipe = self.state.step, self.recipe
        validate = step % recipe.validate_every == 0 or step == recipe.steps
        if not (validate or step % recipe.save_every == 0) or not self.main:
            return
        psnr = self.validate() if validate and self.validation else None
        if psnr is not None and psnr > self.state.best:
            self.state.best = psnr
            self._export("best.safetensors")
        self.save()
        self._log(
            {
                "step": step,
                "loss": loss,
                "lr": recipe.lr_at(step - 1),
                "psnr_y": psnr,
                "waited_s": waited,
            }
        )

    def validate(self) -> float:
        """Mean PSNR-Y in dB of the weights that would be saved, on the held-out pictures."""
        self._smoothed()
        scores = []
        with torch.inference_mode():
            for lr, hr in self.validation:
                sr = self.smooth(lr.to(self.accelerator.device)).cpu()
                scores.append(psnr_y(to_uint8(sr.clamp(0, 1)), to_uint8(hr), self.config.scale))
        return sum(scores) / len(scores)

    def save(self) -> None:
        """Write the weights and, beside them, what a resumed run needs; each file atomically."""
        if not self.main:
            return
        self._export("last.safetensors")
        scaler = self.accelerator.scaler
        buffer = io.BytesIO()
        torch.save(
            {
                "state": asdict(self.state),
                "config": asdict(self.config),
                "model": self.model.state_dict(),
                "average": self.average.weights,
                "optimizer": self.optimizer.state_dict(),
                "scaler": scaler.state_dict() if scaler else {},
            },
            buffer,
        )
        write_bytes(self.out / "state.pt", buffer.getvalue())
        write_bytes(self.out / "recipe.json", json.dumps(asdict(self.recipe), indent=1).encode())

    def _load(self) -> None:
        path = self.out / "state.pt"
        if not path.is_file():
            raise TrainingError(f"there is nothing to resume in {self.out}: leave out --resume")
        saved = torch.load(path, map_location="cpu", weights_only=True)
        if saved["config"] != asdict(self.config):
            changed = [k for k, v in asdict(self.config).items() if saved["config"].get(k) != v]
            raise TrainingError(f"{path} is of another network: {', '.join(changed)} differ")
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.average.weights = saved["average"]
        if saved.get("scaler") and self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(saved["scaler"])
        self.state = State(**saved["state"])

    def _smoothed(self) -> None:
        source = self.average if self.recipe.ema else Average(self.model, 0)
        source.copy_to(self.smooth)

    def _export(self, name: str) -> None:
        self._smoothed()
        note = {"recipe": json.dumps(asdict(self.recipe)), "step": str(self.state.step)}
        save_checkpoint(self.smooth, self.out / name, note)

    def _log(self, row: dict[str, Any]) -> None:
        path = self.out / "log.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)


def _held_out(folder: str | Path, scale: int) -> list[tuple[Tensor, Tensor]]:
    pairs = (load_pair(pair, scale) for pair in find_pairs(folder, scale))
    return [(lr.rgb, hr) for lr, hr in pairs]


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
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    trainer = Trainer(
        config, recipe, arguments.data, arguments.out, arguments.validation, arguments.cache,
        arguments.workers, arguments.resume,
    )  # fmt: skip
    # Schedulers stop a job by SIGTERM, and a job in the background ignores Ctrl-C's SIGINT.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    try:
        trainer.run()
    except KeyboardInterrupt:
        print(
            f"stopped after step {trainer.state.step}, saved in {trainer.out}: go on with --resume"
        )
        return 130
    return 0


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
    add("--data", required=True, help="DIV2K's folder, or any folder of pictures")
    add("--validation", help="folder of held-out HR pictures")
    add("--model", default="S", help="a variant's name, such as S, M, M-no-cpd")
    add("--scale", type=int, default=4, choices=(2, 3, 4))
    add("--no-gpa", action="store_true", help="the twin without Global Pixel Access")
    add("-o", "--out", default="runs/latest", help="folder for checkpoints and log")
    add("--resume", action="store_true", help="go on from the last checkpoint in --out")
    add("--cache", help="folder for decoded pictures; the platform's cache folder by default")
    add("--workers", type=int, default=0, help="loader processes")
    add("--threads", type=int, default=0, help="CPU threads; 0 lets PyTorch choose")
    values = parser.add_argument_group("recipe values")
    for field in dataclasses.fields(Recipe):
        flag = "--" + field.name.replace("_", "-")
        if field.name == "betas":
            values.add_argument(flag, type=float, nargs=2, default=None)
            continue
        kind = {"int": int, "float": float}.get(str(field.type), str)
        values.add_argument(flag, type=kind, default=None)
    return parser
