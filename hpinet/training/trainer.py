"""The training loop, on one device or many: `Trainer`.

A step is decided by its number and the seed alone (crops, Gumbel noise, learning rate), so a run
that was killed goes on from its last checkpoint as if nothing had happened. Only a run that is
ended by the clock takes its learning rate from the time that is left.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor

from hpinet.config import HPINetConfig
from hpinet.data.pairs import find_pairs
from hpinet.home import cache_folder
from hpinet.imaging.files import check_output, write_bytes
from hpinet.imaging.images import to_uint8
from hpinet.inference.precision import has_bf16
from hpinet.metrics.psnr_ssim import psnr_y
from hpinet.modeling.hpinet import HPINet
from hpinet.networks.files import save_checkpoint
from hpinet.processes import join_processes

from .crops import noise_seed
from .log import Progress, add_row, start_tensorboard
from .optimizers import make_optimizer
from .processes import gradients_of_all
from .recipes import Recipe
from .saved_run import (
    FILE,
    are_finite,
    check_saved,
    fitting,
    read_saved,
    restored_origin,
    restored_state,
)
from .state import Average, Origin, State, TrainingError, take_weights
from .training_data import load_held_out, open_loader


class Trainer:
    """One training run.

    Args:
        config: The network.
        recipe: The values of the run.
        data: Folder of training images, see `data.pairs.pair_training_images`.
        out: Folder for checkpoints and the log.
        validation: Folder of held-out images, see `data.pairs.pair_images`, or None; where ``data``
            holds them, too, they are not trained on.
        cache: Folder for decoded images.
        workers: Loader processes; 0 loads in the training process.
        resume: Go on from ``out``'s last checkpoint.
        init: Checkpoint whose weights a new run starts from, see `take_weights`.
        tensorboard: Also write the log as TensorBoard's event files.

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
        init: str | Path | None = None,
        tensorboard: bool = False,
    ) -> None:
        if resume and init is not None:
            raise TrainingError("a resumed run has weights already: leave out --init or --resume")
        if recipe.crop < config.scale:
            raise TrainingError(
                f"a crop of {recipe.crop} HR pixels is no LR pixel at x{config.scale}"
            )
        self._began = time.perf_counter()
        self.config, self.out = config, check_output(out)
        saved = read_saved(self.out) if resume else {}
        team = join_processes()
        self.recipe = recipe = _with_known_precision(recipe, saved.get("precision"), team.device)
        self.accelerator = Accelerator(
            cpu=team.device.type == "cpu",
            mixed_precision=recipe.precision,
            kwargs_handlers=[gradients_of_all(config, recipe)],
            log_with="tensorboard" if tensorboard else None,
            project_dir=self.out,
        )
        self.main = self.accelerator.is_main_process
        self.stopping = False
        self._prepare_weights(saved, init)
        if tensorboard:
            start_tensorboard(self.accelerator)
        held = find_pairs(validation, config.scale) if validation else []
        self.validation = load_held_out(held, config.scale)
        self.loader = open_loader(
            data, held, cache or cache_folder(), workers, recipe, config, self.state.step,
            self.accelerator,
        )  # fmt: skip

    def _prepare_weights(self, saved: dict[str, Any], init: str | Path | None) -> None:
        recipe, device = self.recipe, self.accelerator.device
        torch.manual_seed(recipe.seed)
        self.model = HPINet(self.config)
        self.origin: Origin | None = None
        if init is not None:
            self.origin = take_weights(self.model, init)
            if self.main:
                print(self.origin)
        self.average = Average(self.model, recipe.ema, self._random_start)
        self.smooth = HPINet(self.config).eval().requires_grad_(False).to(device)
        self.optimizer = make_optimizer(self.model, recipe)
        self.state = State()
        self._saved_at: int | None = None
        if saved:
            self._load(saved)
        elif (self.out / FILE).exists():
            raise TrainingError(f"{self.out} holds a run already: pass --resume or another folder")
        self._seconds_before = self.state.seconds
        self.average.weights = [w.to(device) for w in self.average.weights]
        self.wrapped, self.optimizer = self.accelerator.prepare(self.model, self.optimizer)

    def stop(self) -> None:
        """Have the run save and end after the step it is at."""
        self.stopping = True

    @property
    def share(self) -> float | None:
        """How much of the run's time lies behind, from 0 up; None where it is counted in steps."""
        return self.state.seconds / (60 * self.recipe.minutes) if self.recipe.minutes else None

    @property
    def finished(self) -> bool:
        """Whether the last step is done."""
        return self.state.step >= self.recipe.steps if self.share is None else self.share >= 1

    def run(self, on_step: Callable[[int, float], None] | None = None) -> None:
        """Train to the last step of the recipe, or for as long as it says.

        Args:
            on_step: Called with (steps done, loss) after each step.

        Raises:
            TrainingError: If the loss is not finite.
            KeyboardInterrupt: After saving, when `stop` was called or Ctrl-C came between steps.
        """
        recipe, state = self.recipe, self.state
        progress = Progress(state.step, None if recipe.minutes else recipe.steps, self.main)
        mark = time.perf_counter()
        self._agree()
        try:
            for lr, hr, numbers in self.loader:
                if self.finished:
                    break
                waited = time.perf_counter() - mark
                rate = recipe.lr_at(state.step, self.share)
                loss = self._step(lr, hr, numbers.tolist(), rate)
                state.step += 1
                self._agree()
                images = len(lr) * self.accelerator.num_processes
                left = 60 * recipe.minutes - state.seconds if recipe.minutes else float("inf")
                progress.update(loss, rate, images, waited, left)
                self._milestones(progress, rate)
                if on_step is not None:
                    on_step(state.step, loss)
                if self.stopping:
                    raise KeyboardInterrupt
                mark = time.perf_counter()
        except KeyboardInterrupt:
            self.save()
            raise
        finally:
            progress.bar.close()
            for tracker in self.accelerator.trackers:
                tracker.finish()

    def _agree(self) -> None:
        """Read the clock; of many processes all go by the slowest's, and all stop if one must."""
        seconds = self._seconds_before + time.perf_counter() - self._began
        if self.accelerator.num_processes > 1:
            mine = torch.tensor([seconds, self.stopping], device=self.accelerator.device)
            seconds, stopping = self.accelerator.gather(mine).view(-1, 2).amax(0).tolist()
            self.stopping = bool(stopping)
        self.state.seconds = seconds

    def _step(self, lr: Tensor, hr: Tensor, numbers: list[int], rate: float) -> float:
        recipe, step = self.recipe, self.state.step
        lr, hr = (x.to(self.accelerator.device, non_blocking=True).float() / 255 for x in (lr, hr))
        # Gumbel noise follows from a crop's number, not from what was drawn before it: a resumed
        # run and one on more devices draw the same.
        seeds = [noise_seed(recipe.seed, number) for number in numbers]
        self.wrapped.train()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with self.accelerator.autocast():
            sr = self.wrapped(lr, seeds=seeds)
        loss = F.l1_loss(sr.float(), hr)
        value = float(loss.detach())
        if not value < float("inf"):
            raise TrainingError(self._diverged(f"the loss is {value}"))
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        if recipe.clip:
            self.accelerator.clip_grad_norm_(self.wrapped.parameters(), recipe.clip)
        self.optimizer.step()
        if recipe.ema:
            self.average.update(self.model, step)
        return value

    def _milestones(self, progress: Progress, rate: float) -> None:
        step, recipe = self.state.step, self.recipe
        validate = step % recipe.validate_every == 0 or self.finished
        if not (validate or step % recipe.save_every == 0) or not self.main:
            return
        psnr = self.validate() if validate and self.validation else None
        if psnr is not None and psnr > self.state.best:
            self.state.best = psnr
            self._export("best.safetensors")
        self.save()
        row = {"step": step, **progress.row(), "lr": rate, "psnr_y": psnr}
        add_row(self.out / "log.csv", row)
        # Not `accelerator.log`: it waits for the other processes, which are at the next step.
        for tracker in self.accelerator.trackers:
            tracker.log({k: v for k, v in row.items() if k != "step" and v is not None}, step)

    def validate(self) -> float:
        """Mean PSNR-Y in dB of the weights that would be saved, on the held-out images."""
        self._smoothed()
        scores = []
        with torch.inference_mode():
            for lr, hr in self.validation:
                sr = self.smooth(lr.to(self.accelerator.device)).cpu()
                scores.append(psnr_y(to_uint8(sr.clamp(0, 1)), hr, self.config.scale))
        return sum(scores) / len(scores)

    def save(self) -> None:
        """Write the weights and, beside them, what a resumed run needs; each file atomically.

        Raises:
            TrainingError: If a weight is not finite; what was saved before stays.
        """
        if not self.main:
            return
        self._check_weights()
        if not self.recipe.ema:  # a run that is resumed with it averages from here on
            self.average = Average(self.model, 0.0, random_start=False)
        self._export("last.safetensors")
        scaler = self.accelerator.scaler
        buffer = io.BytesIO()
        torch.save(
            {
                "state": asdict(self.state),
                "origin": self.origin and asdict(self.origin),
                "config": asdict(self.config),
                "model": self.model.state_dict(),
                "average": self.average.weights,
                "optimizer": self.optimizer.state_dict(),
                "optimizer_name": self.recipe.optimizer,
                "precision": self.recipe.precision,
                "ema": self.recipe.ema,
                "scaler": scaler.state_dict() if scaler else {},
            },
            buffer,
        )
        write_bytes(self.out / FILE, buffer.getvalue())
        write_bytes(self.out / "recipe.json", json.dumps(self._facts(), indent=1).encode())
        self._saved_at = self.state.step

    def _check_weights(self) -> None:
        tensors = [*self.model.state_dict().values()]
        if not are_finite(tensors + (self.average.weights if self.recipe.ema else [])):
            raise TrainingError(self._diverged("the weights are not finite, and were not saved,"))

    def _diverged(self, what: str) -> str:
        return (
            f"{what} at step {self.state.step}: lower lr ({self.recipe.lr}), clip gradients "
            f"(--clip 1) or use --precision no, and {self._way_on}"
        )

    @property
    def _way_on(self) -> str:
        if self._saved_at is None:
            return "begin again: nothing was saved yet"
        return f"go on with --resume from step {self._saved_at}, the last that was saved"

    def _load(self, saved: dict[str, Any]) -> None:
        path = self.out / FILE
        check_saved(saved, self.config, self.recipe.optimizer, path)
        with fitting(path):
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.origin = restored_origin(saved.get("origin"))
            self.average = Average(self.model, self.recipe.ema, self._random_start)
            if saved["ema"] != 0:  # else there was none: it begins with the weights as they are
                self.average.take(saved["average"])
            if saved.get("scaler") and self.accelerator.scaler:
                self.accelerator.scaler.load_state_dict(saved["scaler"])
            self.state = restored_state(saved["state"])
        self._saved_at = self.state.step

    @property
    def _random_start(self) -> bool:
        return self.origin is None or not self.origin.same_network

    def _facts(self) -> dict[str, Any]:
        """What a run can be told by: the recipe, and the weights it began with."""
        origin = {"init": asdict(self.origin)} if self.origin else {}
        return {**asdict(self.recipe), **origin}

    def _smoothed(self) -> None:
        source = self.average if self.recipe.ema else Average(self.model, 0)
        source.copy_to(self.smooth)

    def _export(self, name: str) -> None:
        self._smoothed()
        note = {"recipe": json.dumps(self._facts()), "step": str(self.state.step)}
        save_checkpoint(self.smooth, self.out / name, note)


def _with_known_precision(recipe: Recipe, begun_with: str | None, device: torch.device) -> Recipe:
    """A recipe whose precision is no longer left to the device."""
    if recipe.precision != "auto":
        return recipe
    found: Any = begun_with or ("bf16" if has_bf16(device) else "no")
    return replace(recipe, precision=found)
