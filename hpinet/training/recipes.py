"""How to train: every value of a run in one dataclass, and named recipes.

The command line can override any value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

from hpinet.errors import UserError

_FEW, _MANY = 2**16, 10**9
_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("steps", "save_every", "validate_every"), (1, _MANY)),
    **dict.fromkeys(("halve_every", "cooldown", "warmup"), (0, _MANY)),
    **dict.fromkeys(("batch", "min_batch", "stages", "candidates"), (1, _FEW)),
    **{"crop": (2, _FEW), "max_crop": (0, _FEW), "minutes": (0, 10**6)},
    **{"clip": (0, 10**6), "weight_decay": (0, 10), "seed": (-(2**63), 2**64 - 1)},
}
"""Least and greatest value of a number, both allowed."""

CHOICES: dict[str, tuple[str, ...]] = {
    "optimizer": ("adam", "muon"),
    "precision": ("no", "bf16", "fp16", "auto"),
    "schedule": ("halve", "cosine", "flat"),
}
"""What the values that are words can be."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run, but for the network and the images.

    Attributes:
        steps: Optimiser steps in all.
        minutes: If above 0, the run is this long by the clock instead of ``steps`` long: the
            schedule's plan is stretched or squeezed to fit, whatever the machine's speed.
        batch: Crops a step, over all processes together, while crops are smallest.
        min_batch: The batch shrinks in proportion as crops grow, down to this.
        crop: HR crop side in pixels at the start; rounded down to a multiple of the scale.
        max_crop: HR crop side at the end: crops grow in equal stages ("progressive learning").
        stages: Number of crop sizes.
        fit_crops: Near each crop size, take the one on which the network's patches compute the
            fewest pixels twice (`patches.fitting_size`); crops then grow by equal ratios instead of
            equal steps.
        candidates: Random crops among which the one with the most detail is trained on, see
            `crops.Crops`; 1 takes crops as they come.
        lr: Peak learning rate.
        betas: Adam's decay rates.
        optimizer: ``"adam"``; or ``"muon"`` for matrices and kernels, but for the first and the
            last, with Adam at half the rate for the rest, see `optimizers.Muon`.
        weight_decay: Decoupled decay of the matrices that Muon takes.
        schedule: ``"halve"`` every ``halve_every`` steps; ``"cosine"`` to 0; or ``"flat"`` with a
            linear way down to 0 over the last ``cooldown`` steps, which lets a run be prolonged or
            wound up without having planned its length.
        halve_every: Steps between halvings.
        cooldown: Steps of the way down.
        warmup: Steps of the linear way up.
        clip: Largest gradient norm; 0 for none.
        ema: Decay of the exponential moving average of the weights, which is what is saved and
            validated; 0 for none.
        precision: ``"no"`` for float32, ``"bf16"`` or ``"fp16"`` for autocast; ``"auto"`` for
            bfloat16 where the device multiplies it natively, else float32. A run keeps what it
            began with, unless told otherwise.
        seed: Decides initial weights, crops and Gumbel noise.
        save_every: Steps between checkpoints; ``validate_every`` between validations.
    """

    steps: int
    batch: int
    crop: int
    lr: float
    min_batch: int = 1
    max_crop: int = 0
    stages: int = 1
    fit_crops: bool = False
    candidates: int = 1
    betas: tuple[float, float] = (0.9, 0.999)
    optimizer: Literal["adam", "muon"] = "adam"
    weight_decay: float = 0.0
    schedule: Literal["halve", "cosine", "flat"] = "halve"
    halve_every: int = 0
    cooldown: int = 0
    warmup: int = 0
    clip: float = 0.0
    ema: float = 0.0
    precision: Literal["no", "bf16", "fp16", "auto"] = "no"
    seed: int = 0
    save_every: int = 1000
    validate_every: int = 1000
    minutes: float = 0.0

    def __post_init__(self) -> None:
        self._check_numbers()
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise UserError(f"{name} is one of {', '.join(known)}, not {getattr(self, name)!r}")
        if self.weight_decay and self.optimizer == "adam":
            raise UserError("weight_decay is for the matrices of --optimizer muon; adam has none")
        if self.schedule == "halve" and self.halve_every < 1:
            raise UserError("the schedule 'halve' needs halve_every of at least 1 step")
        if self.minutes and self.stages > 1:
            raise UserError(
                "crops that grow are planned in steps: give --minutes with --stages 1, or --steps"
            )

    def _check_numbers(self) -> None:
        whole = {f.name for f in fields(self) if str(f.type) == "int"}
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if name in whole and not (isinstance(value, int) and not isinstance(value, bool)):
                raise UserError(f"{name} must be a whole number, not {value}")
            if not math.isfinite(value):
                raise UserError(f"{name} must be a finite number, not {value}")
            if not least <= value <= most:
                side = f"at least {least}" if value < least else f"at most {most}"
                raise UserError(f"{name} must be {side}, not {value}")
        if not 0 < self.lr <= 1:  # nor NaN
            side = "at most 1" if self.lr > 1 else "above 0"
            raise UserError(f"lr must be {side}, not {self.lr}")
        decays = {"ema": self.ema, "the first of betas": self.betas[0], "the second": self.betas[1]}
        for name, value in decays.items():
            if not 0 <= value < 1:
                raise UserError(f"{name} must be at least 0 and under 1, not {value}")

    def lr_at(self, step: int, share: float | None = None) -> float:
        """Learning rate of a step.

        Args:
            step: Counted from 0.
            share: How much of the run lies behind, from 0 to 1, where the clock ends it: then
                this decides the place in the plan, and ``step`` only the warm-up.
        """
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        planned = step if share is None else min(1.0, share) * self.steps
        if self.schedule == "halve":
            return self.lr * rise * 0.5 ** (planned // self.halve_every)
        if self.schedule == "cosine":
            return self.lr * rise * 0.5 * (1 + math.cos(math.pi * planned / self.steps))
        left = self.steps - planned
        return self.lr * min(rise, left / self.cooldown if self.cooldown else 1.0)

    def stage_at(self, step: int) -> tuple[int, int]:
        """HR crop side in pixels, as asked for, and global batch of a step (counted from 0)."""
        if self.stages == 1 or self.max_crop <= self.crop:
            return self.crop, self.batch
        stage = min(self.stages - 1, step * self.stages // self.steps)
        share = stage / (self.stages - 1)
        if self.fit_crops:
            crop = round(self.crop * (self.max_crop / self.crop) ** share)
        else:
            crop = round(self.crop + (self.max_crop - self.crop) * share)
        return crop, max(self.min_batch, self.batch * self.crop // crop)


RECIPES: dict[str, Recipe] = {
    # The paper's "Implementation Details". It gives epochs, not steps: as in the released code an
    # epoch is about 1000 steps here; how many epochs in all it does not say, so five halvings.
    "paper": Recipe(
        steps=1_000_000, batch=6, min_batch=6, crop=196, max_crop=896, stages=50, lr=3e-4,
        halve_every=200_000,
    ),
    # What the released code does: 420 epochs of about 1000 steps, crops up to 720.
    "released": Recipe(
        steps=420_000, batch=64, min_batch=8, crop=192, max_crop=720, stages=66, lr=1.5e-4,
        halve_every=60_000, clip=1.0,
    ),
    # Half an hour on one H200. Two runs of S beside each other took 0.15 s a step on 40 crops of LR
    # 56 and 0.2 to 0.25 s on 20 of LR 110, and 0.1 s on 16 of LR 56: launches take most of it, so
    # smaller batches save little. `--minutes 28 --stages 1` fits a run to a GPU that is lent.
    "gpu30": Recipe(
        steps=9000, batch=40, crop=224, max_crop=440, stages=2, fit_crops=True, candidates=4,
        lr=2e-3, optimizer="muon", betas=(0.9, 0.99), schedule="flat", warmup=100, cooldown=5000,
        clip=0.1, ema=0.999, precision="auto", save_every=250, validate_every=1000,
    ),
    # A few CPU hours. 500 steps of Muon did what 1500 of Adam do; 1e-2 diverged. LR crops of 38
    # work on 1.47 pixels for each of theirs, 32 on 1.83; then 56, 68 and 110, as far as GPA is to
    # reach. Gradient norms are about 0.05: clipped at 1, a trial lost 880 good steps to a bad one.
    # Of 4 crops the most detailed: 0.008 dB more after 400 steps late in a run.
    "quick": Recipe(
        steps=6000, batch=6, crop=152, max_crop=440, stages=4, fit_crops=True, lr=2e-3,
        candidates=4, optimizer="muon", betas=(0.9, 0.99), schedule="flat", warmup=100,
        cooldown=2400, clip=0.1, ema=0.999, precision="auto", save_every=250, validate_every=1000,
    ),
}  # fmt: skip
"""Named recipes."""
