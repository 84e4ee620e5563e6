"""A small convolutional network, trained on photographs that come along: no global access."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.runner import Tick
from hpinet.imaging.images import from_uint8, shrink
from hpinet.networks.adapt import adapt

SCALE = 4
STEPS = 600
"""Steps of training: half a dB above bicubic on an image that it was not trained on."""

_PHOTOGRAPHS = ("coffee", "chelsea", "brick")  # the image that is measured is another one
_LR, _BATCH, _WIDTH, _DEPTH = 24, 8, 32, 4


class SmallCNN(nn.Module):
    """Residual pairs of 3x3 convolutions and a sub-pixel convolution, added to bilinear upscaling.

    A SR pixel depends on at most 10 LR pixels on each side.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, _WIDTH, 3, padding=1)
        self.pairs = nn.ModuleList(
            nn.Sequential(_convolution(), nn.ReLU(), _convolution()) for _ in range(_DEPTH)
        )
        self.tail = nn.Sequential(
            nn.Conv2d(_WIDTH, 3 * SCALE**2, 3, padding=1), nn.PixelShuffle(SCALE)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, h, w) to (B, 3, 4h, 4w)."""
        features = self.head(x)
        for pair in self.pairs:
            features = features + pair(features)
        enlarged = nn.functional.interpolate(x, scale_factor=SCALE, mode="bilinear")
        return enlarged + self.tail(features)


def trained_cnn(progress: Tick = lambda: None, steps: int = STEPS) -> nn.Module:
    """The network, trained by Adam on random crops; the same at every call on one machine.

    Args:
        progress: Called after every step.
        steps: Of training.

    Returns:
        An `hpinet.networks.adapt.AdaptedNetwork`, which enlarges 4 times.
    """
    from skimage import data

    images = [from_uint8(np.asarray(getattr(data, name)())) for name in _PHOTOGRAPHS]
    pairs = [(shrink(hr, SCALE), hr) for hr in images]
    rng = np.random.default_rng(0)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        network = SmallCNN()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        lr, hr = _crops(pairs, rng)
        loss = (network(lr) - hr).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        progress()
    return adapt(network, value_range=1, name="SmallCNN")


def _convolution() -> nn.Conv2d:
    return nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1)


def _crops(pairs: list[tuple[Tensor, Tensor]], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """(B, 3, n, n) LR crops at random places and the same places of the originals."""
    small, large = [], []
    for _ in range(_BATCH):
        lr, hr = pairs[rng.integers(len(pairs))]
        top, left = (int(rng.integers(lr.shape[axis] - _LR + 1)) for axis in (-2, -1))
        small.append(lr[..., top : top + _LR, left : left + _LR])
        rows = slice(top * SCALE, (top + _LR) * SCALE)
        columns = slice(left * SCALE, (left + _LR) * SCALE)
        large.append(hr[..., rows, columns])
    return torch.cat(small), torch.cat(large)
