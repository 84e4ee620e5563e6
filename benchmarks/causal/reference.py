"""Effects by very many interventions, to measure causal effect maps against.

Independent draws, every block, no rule that stops; only what the window cannot depend on is left
out (`lam.cause.reach`, whose crops give the same window). The changes are kept in a file after
every draw, so that a run which was stopped goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.runner import Tick
from hpinet.errors import UserError
from hpinet.networks.files import network_digest
from lam.attribution.target import Target
from lam.cause.interventions import Interventions, Job
from lam.cause.reach import find_reach
from lam.cause.results import blocks_inside
from lam.cause.window_quality import WindowQuality
from lam.window import Window

Array = NDArray[np.float64]
Blocks = NDArray[np.int64]


@dataclass(frozen=True)
class Scene:
    """What is asked: a network, an LR image, its original, and a window.

    Attributes:
        model: From (B, 3, h, w) to (B, 3, sh, sw).
        lr: (1, 3, h, w).
        hr: (1, 3, sh, sw).
        window: In SR pixels.
        block: Side of a block in LR pixels.
    """

    model: nn.Module
    lr: Tensor
    hr: Tensor
    window: Window
    block: int = 2

    @property
    def scale(self) -> int:
        """SR pixels per LR pixel."""
        return int(self.hr.shape[-1] // self.lr.shape[-1])

    @property
    def inside(self) -> NDArray[np.bool_]:
        """(rows, columns), the blocks inside the window, which are not asked about."""
        size = (int(self.lr.shape[-2]), int(self.lr.shape[-1]))
        return blocks_inside(self.window, size, self.block, self.scale)

    def sample(self, count: int | None, seed: int = 0) -> Blocks:
        """Blocks (n, 2), row and column: all of them, or a random choice.

        Of a choice, half lies in the square of three times the window's side around the window,
        where most of the effects are.

        Raises:
            ValueError: If there are not so many.
        """
        blocks = np.argwhere(~self.inside)
        if count is None:
            return blocks
        if not 2 <= count <= len(blocks):
            raise UserError(f"blocks: 2 to {len(blocks)} can be chosen here, not {count}")
        near = self._near(blocks)
        rng = np.random.default_rng(seed)
        first = rng.permutation(np.flatnonzero(near))[: -(-count // 2)]
        others = rng.permutation(np.flatnonzero(~near))[: count - len(first)]
        return blocks[np.sort(np.concatenate([first, others]))]

    def count(self, blocks: Blocks, chosen: NDArray[np.bool_]) -> float:
        """How many of all blocks are like those chosen of a `sample`, by their shares in it.

        Args:
            blocks: (n, 2), the sample.
            chosen: (n,).
        """
        everywhere, near = self._near(np.argwhere(~self.inside)), self._near(blocks)
        shares = [(chosen[near == part], (everywhere == part).sum()) for part in (True, False)]
        return float(sum(one.mean() * total for one, total in shares if len(one)))

    def _near(self, blocks: Blocks) -> NDArray[np.bool_]:
        centres = (blocks + 0.5) * self.block * self.scale  # (n, 2) in SR pixels
        middle = np.array([self.window.top, self.window.left]) + self.window.size / 2
        return np.asarray((np.abs(centres - middle) < 1.5 * self.window.size).all(1))


def changes(
    scene: Scene,
    blocks: Blocks,
    draws: int,
    file: Path | None = None,
    progress: Tick = lambda: None,
    batch: int = 8,
) -> Array:
    """By how much every draw lowers the window's PSNR, block by block.

    Args:
        scene: What is asked.
        blocks: (n, 2), row and column.
        draws: How many, independent of each other in every block.
        file: Keeps what was computed so far, ``.npz``; what it holds already is taken from it.
        progress: Called after every draw.
        batch: Images at once.

    Returns:
        (draws, n) in dB.

    Raises:
        ValueError: If the file belongs to another scene or to other blocks.
    """
    quality = WindowQuality()
    target = Target(scene.model, scene.lr, scene.window, quality)
    image, _ = target.image, target.evaluate()
    normal = quality.compare_with(scene.hr, scene.window)
    box = find_reach(target.network, target.image, scene.window, scene.scale)
    reached = np.ones(len(blocks), bool)
    if box is not None:
        reached = box.blocks(scene.inside.shape, scene.block)[tuple(blocks.T)]
        place = box.window(scene.window, scene.scale)
        target = Target(scene.model, box.crop(target.image), place, quality)
    interventions = Interventions(image, scene.block, scene.scale)
    about = f"{network_digest(scene.model)} {target.params['lr_sha256']} {scene.window}"
    known = _kept(file, about, blocks)
    for _ in known:
        progress()
    for draw in range(len(known), draws):
        jobs = [Job(int(row), int(column), 1, draw) for row, column in blocks[reached]]
        found: list[float] = []
        for begin in range(0, len(jobs), batch):
            images = interventions.images(jobs[begin : begin + batch], scene.inside)
            with torch.no_grad():
                values = target(images if box is None else box.crop(images))
            found += (normal - values).tolist()
        row = np.zeros((1, len(blocks)))
        row[0, reached] = found
        known = np.concatenate([known, row])
        _keep(file, about, blocks, known)
        progress()
    return known[:draws]


def _kept(file: Path | None, about: str, blocks: Blocks) -> Array:
    if file is None or not file.is_file():
        return np.zeros((0, len(blocks)))
    with np.load(file) as found:
        if str(found["about"]) != about or not np.array_equal(found["blocks"], blocks):
            raise UserError(
                f"{file} is the reference of another network, image or choice of blocks"
            )
        return np.asarray(found["changes"])


def _keep(file: Path | None, about: str, blocks: Blocks, known: Array) -> None:
    if file is None:
        return
    part = file.with_suffix(".part.npz")
    np.savez(part, about=about, blocks=blocks, changes=known)
    part.replace(file)
