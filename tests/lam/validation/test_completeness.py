"""Completeness on photographs: integral and jumps account for the detector's change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from hpinet import load_model
from lam import LocalAttribution, Window

pytestmark = [pytest.mark.reference, pytest.mark.slow]


@pytest.fixture(scope="module")
def network(shared):
    return load_model(shared / "released" / "HPINet-S-x4.pth")


def photograph(shared, number):
    hr = Image.open(shared / "lam" / f"{number}.png").convert("RGB")
    lr = hr.resize((hr.width // 4, hr.height // 4), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(lr)).permute(2, 0, 1)[None].float() / 255


def window(shared, number):
    top, left, size, _ = np.load(shared / "goldens" / f"lam_{number}.npz")["window"]
    return Window(left, top, size)


@pytest.mark.parametrize("number", [1, 3, 7])
def test_live_matches(shared, network, number):
    result = LocalAttribution(network).attribute(
        photograph(shared, number), window(shared, number), n_steps=24
    )
    assert result.match_jumps != 0
    assert abs(result.relative_residual) <= 0.01


@pytest.mark.parametrize(("number", "matches"), [(7, "frozen"), (1, "own")])
def test_matches_that_do_not_switch(shared, network, number, matches):
    result = LocalAttribution(network).attribute(
        photograph(shared, number), window(shared, number), n_steps=24, matches=matches
    )
    assert result.match_jumps == 0
    assert abs(result.relative_residual) <= 0.01
