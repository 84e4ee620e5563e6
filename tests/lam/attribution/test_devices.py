"""What GPUs do otherwise, on the CPU: no float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.no_float64 import on_device

from hpinet import HPINet, HPINetConfig
from lam import LocalAttribution, Window, explain

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16), scale=2)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return HPINet(TINY).eval().requires_grad_(False)


@pytest.fixture
def image():
    return torch.rand(1, 3, 20, 23, generator=torch.Generator().manual_seed(0))


def test_the_stand_in_refuses_what_an_apple_gpu_refuses():
    x = on_device(torch.ones(2))
    for wrong in (x.double, x.numpy, lambda: x * 2.0 + x.to(torch.float64)):
        with pytest.raises(TypeError):
            wrong()
    assert type((x + 1).cpu()) is torch.Tensor


@pytest.mark.parametrize("detector", ["gradient", "sum", "mean_colour", "gabor"])
def test_maps_need_no_float64_on_the_device(model, image, detector):
    options = {"n_steps": 4, "detector": detector}
    window = Window(12, 12, 8)
    there = LocalAttribution(model).attribute(on_device(image), window, **options)
    here = LocalAttribution(model).attribute(image, window, **options)
    assert np.allclose(there.importance, here.importance, atol=1e-5 * here.importance.max())
    assert there.match_jumps == pytest.approx(here.match_jumps, abs=1e-4)


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "occlusion"])
def test_nor_do_the_other_methods(model, image, method):
    window = Window(12, 12, 8)
    there = explain(model, on_device(image), window, method)
    assert np.allclose(
        there.importance, explain(model, image, window, method).importance, atol=1e-5
    )
