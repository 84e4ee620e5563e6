"""Run by torchrun from test_trainer.py: one training step, its gradients written by process 0.

Arguments: folder of images, output folder, cache folder.
"""

import sys
from pathlib import Path

import torch
from helpers.training_run import RECIPE, TINY

from hpinet.training.trainer import Trainer

images, out, cache = map(Path, sys.argv[1:])
torch.set_num_threads(1)
run = Trainer(TINY, RECIPE, images, out, cache=cache)


class Done(Exception):  # noqa: N818
    """Ends the run after its first step."""


def write(step: int, loss: float) -> None:
    """Keep what every process now has: the mean gradient over the global batch."""
    if run.main:
        torch.save([p.grad for p in run.model.parameters()], out / "gradients.pt")
    raise Done


try:
    run.run(write)
except Done:
    print(f"{run.accelerator.num_processes} processes")
finally:
    run.accelerator.end_training()
