"""What a training run carries from step to step, and where its first weights come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from hpinet.errors import UserError
from hpinet.modeling.hpinet import HPINet
from hpinet.networks.files import read_weights, sha256_of
from hpinet.networks.hpinet_weights import hpinet_state


class TrainingError(UserError):
    """A run that cannot start or go on; the last good checkpoint is left as it is."""


@dataclass
class State:
    """What a run needs to go on: everything else follows from the recipe and the step.

    Attributes:
        step: Steps done.
        best: Highest validation PSNR-Y so far, in dB.
        seconds: What the run has taken by the clock, up to the last checkpoint and since.
    """

    step: int = 0
    best: float = float("-inf")
    seconds: float = 0.0


@dataclass(frozen=True)
class Origin:
    """The file that a run took its first weights from.

    Attributes:
        file: Its name.
        sha256: Its checksum, which tells it apart whatever it is called.
        taken: Number of tensors taken.
        left: Names of the network's tensors that found no equal in it and start at random.
        unused: Names of the file's tensors that have no place in the network.
    """

    file: str
    sha256: str
    taken: int
    left: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def same_network(self) -> bool:
        """Whether the run starts from a network that works, and not from most of one."""
        return not self.left and not self.unused

    def __str__(self) -> str:
        total = self.taken + len(self.left)
        left = f"; at their random start: {', '.join(self.left)}" if self.left else ""
        unused = f"; not used of it: {', '.join(self.unused)}" if self.unused else ""
        return f"took {self.taken} of {total} tensors from {self.file}{left}{unused}"


@torch.no_grad()
def take_weights(model: HPINet, path: str | Path) -> Origin:
    """Start from a checkpoint, for fine-tuning: every tensor that fits by name and shape.

    Across scales all but the upsamplers fits; the rest of the model stays as it is.

    Args:
        model: The network, changed in place.
        path: A checkpoint, see `hpinet.networks.files.read_weights`.

    Raises:
        ValueError: If the file cannot be read, or less than half of the network is in it.
    """
    path = Path(path)
    found = hpinet_state(read_weights(path), path.name)
    if found is None:
        raise TrainingError(f"{path} holds no HPINet: choose a checkpoint of this --model")
    config, state = found
    mine = model.state_dict()
    fitting = [name for name in mine if name in state and state[name].shape == mine[name].shape]
    if 2 * len(fitting) < len(mine):
        raise TrainingError(
            f"{path} is of another network ({config.dim} channels, {config.blocks} blocks): only "
            f"{len(fitting)} of {len(mine)} tensors fit one of {model.config.dim} channels and "
            f"{model.config.blocks} blocks; choose a checkpoint of this --model"
        )
    for name in fitting:
        mine[name].copy_(state[name])
    taken = set(fitting)
    left = tuple(name for name in mine if name not in taken)
    unused = tuple(name for name in state if name not in mine)
    checksum = sha256_of(path)
    return Origin(path.name, checksum, len(taken), left, unused)


class Average:
    """Exponential moving average of a model's weights.

    Args:
        model: Whose weights to follow.
        decay: Weight of the past.
        random_start: The first steps forget faster, so that a random start is forgotten. Weights
            that are trained already deserve the full decay from the first step on.
    """

    def __init__(self, model: nn.Module, decay: float, random_start: bool = True) -> None:
        self.decay = decay
        self.random_start = random_start
        self.weights = [p.detach().clone() for p in model.parameters()]

    def take(self, weights: list[Tensor]) -> None:
        """Go on from weights that were averaged before.

        Raises:
            ValueError: If they are those of another network.
        """
        if [w.shape for w in weights] != [w.shape for w in self.weights]:
            raise UserError("the averaged weights are of another network")
        self.weights = list(weights)

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after a step (counted from 0)."""
        early = (1 + step) / (10 + step) if self.random_start else 1.0
        decay = min(self.decay, early)
        torch._foreach_lerp_(self.weights, [p.detach() for p in model.parameters()], 1 - decay)

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        """Give the averaged weights to a model of the same shape."""
        for mine, theirs in zip(self.weights, model.parameters(), strict=True):
            theirs.copy_(mine)
