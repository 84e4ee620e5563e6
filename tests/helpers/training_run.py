"""A training run of seconds: a tiny network and three images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hpinet import HPINetConfig
from hpinet.training.recipes import Recipe
from hpinet.training.trainer import Trainer

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8), scale=2)
RECIPE = Recipe(
    steps=6, batch=2, crop=24, lr=2e-3, schedule="flat", cooldown=2, clip=1.0, ema=0.9,
    save_every=2, validate_every=3,
)  # fmt: skip


def make_images(folder: Path, suffix: str = ".png") -> Path:
    """Three smooth images of 48x48 pixels in a new folder."""
    folder.mkdir()
    for n in range(3):
        low = np.random.default_rng(n).integers(0, 256, (9, 9, 3), np.uint8)
        large = Image.fromarray(low).resize((48, 48), Image.Resampling.BICUBIC)
        large.save(folder / f"{n}{suffix}")
    return folder


def trainer(
    images: Path,
    out: Path,
    recipe: Recipe = RECIPE,
    config: HPINetConfig = TINY,
    **options: Any,
) -> Trainer:
    """A run of the tiny network; its cache lies beside the images."""
    return Trainer(config, recipe, images, out, cache=images.parent / "cache", **options)
