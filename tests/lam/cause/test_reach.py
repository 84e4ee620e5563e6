"""Only what a window can depend on is computed: the same effects, and no block missed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lam import CausalEffect, Window

WINDOW = Window(left=36, top=28, size=8)  # at x2 LR rows 14 to 17 and columns 18 to 21


class Convolutions(nn.Module):
    """Two 3x3 convolutions and one of 5x5, then doubled: reaches 4 LR pixels on each side."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(),
            nn.Conv2d(6, 3, 5, padding=2),
        )  # fmt: skip
        self.requires_grad_(False).eval()
        self.seen: list[tuple[int, ...]] = []

    def forward(self, x):
        self.seen += [tuple(x.shape[-2:])] * len(x)
        return F.interpolate(x + self.layers(x), scale_factor=2, mode="nearest")


@pytest.fixture
def lr():
    return torch.rand(1, 3, 36, 40, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.2


def original(network, lr):
    noise = torch.rand(1, 3, 72, 80, generator=torch.Generator().manual_seed(1)) - 0.5
    return (network(lr) + 0.1 * noise).clamp(0, 1)


def test_a_crop_to_the_reach_gives_the_effects_of_the_whole_image(lr):
    network = Convolutions()
    hr = original(network, lr)
    network.seen.clear()
    narrow = CausalEffect(network).effects(lr, hr, WINDOW, replacement="mean")
    # Rows 10 to 21 and columns 14 to 25 are 6 x 6 blocks of 2, less the 4 inside the window.
    assert narrow.passes == 32
    assert set(network.seen[-32:]) == {(12, 12)}
    assert len(network.seen) < 32 + 20  # few are needed to find the part
    whole = CausalEffect(network).effects(lr, hr, WINDOW, replacement="mean", protocol="cem")
    assert whole.passes == 18 * 20 - 4
    assert np.allclose(narrow.estimate, whole.estimate, atol=1e-3, equal_nan=True)
    outside = np.ones((18, 20), bool)
    outside[5:11, 7:13] = False
    assert (whole.estimate[outside] == 0).all()
    assert (np.nan_to_num(whole.estimate) != 0).sum() > 20  # those at the corners are too small
    assert (narrow.estimate[outside] == 0).all() and (narrow.standard_error[outside] == 0).all()


def test_a_window_at_the_border(lr):
    network, corner = Convolutions(), Window(left=72, top=0, size=8)
    hr = original(network, lr)
    found = [
        CausalEffect(network).effects(lr, hr, corner, replacement="mean", protocol=protocol)
        for protocol in ("adaptive", "cem")
    ]
    assert np.allclose(found[0].estimate, found[1].estimate, atol=1e-3, equal_nan=True)
    assert [one.passes for one in found] == [4 * 4 - 4, 18 * 20 - 4]


def test_samples_agree_too(lr):
    network = Convolutions()
    hr = original(network, lr)
    narrow = CausalEffect(network).effects(lr, hr, WINDOW)
    much = CausalEffect(network).effects(lr, hr, WINDOW, protocol="cem")
    large = np.abs(np.nan_to_num(much.effect)) > 0.05
    assert large.sum() > 5
    assert (np.sign(narrow.effect[large]) == np.sign(much.effect[large])).all()
    assert narrow.passes < much.passes / 8


def copying(x):
    """The window takes its green from afar."""
    sr = F.interpolate(x, scale_factor=2, mode="nearest")
    height, width = sr.shape[-2:]
    if (height, width) == (72, 80):
        sr[:, 1, 28:36, 36:44] = x[:, 1, 33, 2, None, None]
    return sr


def averaging(x):
    return F.interpolate(x - 0.5 * x.mean((2, 3), keepdim=True), scale_factor=2, mode="nearest")


def sized(x):
    """What it adds depends on the size of the image alone."""
    return F.interpolate(x, scale_factor=2, mode="nearest") + x.shape[-1] / 1000


def suspicious(x):
    """Refuses what is no image."""
    if not torch.isfinite(x).all():
        raise ArithmeticError("not finite")
    return F.interpolate(x, scale_factor=2, mode="nearest")


@pytest.mark.parametrize("network", [copying, averaging, sized, suspicious])
def test_the_whole_image_is_computed_where_a_crop_is_not_the_same(lr, network):
    sizes = []

    def watched(x):
        sizes.append(tuple(x.shape[-2:]))
        return network(x)

    hr = original(network, lr)
    narrow = CausalEffect(watched).effects(lr, hr, WINDOW, replacement="mean")
    assert narrow.passes == 18 * 20 - 4
    assert set(sizes[-60:]) == {(36, 40)}
    if network is copying:
        assert narrow.effect[16, 1] > 0.01
