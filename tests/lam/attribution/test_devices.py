"""What GPUs do otherwise, on the CPU: no float64, fused attention, all at once, little memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.no_float64 import on_device

from hpinet import HPINet, HPINetConfig, upscale
from hpinet.modeling import attention, block, cpu_kernels
from hpinet.modeling.memory import default_chunks
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
    # A tensor of another class goes through layers as PyTorch calls them, not through kernels.
    assert np.allclose(there.importance, here.importance, atol=1e-5 * here.importance.max())
    assert there.match_jumps == pytest.approx(here.match_jumps, abs=1e-4)


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "occlusion"])
def test_nor_do_the_other_methods(model, image, method):
    window = Window(12, 12, 8)
    there = explain(model, on_device(image), window, method)
    assert np.allclose(
        there.importance, explain(model, image, window, method).importance, atol=1e-5
    )


def test_the_branch_of_gpus_gives_the_same(model, image, monkeypatch):
    want, wanted = model(image, return_matches=True)
    plain = attention.attend
    monkeypatch.setattr(cpu_kernels, "pays", lambda *_: False)
    monkeypatch.setattr(attention, "attend", lambda q, k, v, fused: plain(q, k, v, True))
    chunks = default_chunks(torch.device("cuda"))
    monkeypatch.setattr(block, "default_chunks", lambda device: chunks)
    found, matches = model(image, return_matches=True)
    assert torch.allclose(found, want, atol=1e-5)
    for one, other in zip(matches.blocks, wanted.blocks, strict=True):
        assert torch.equal(one.index, other.index)


def test_running_out_of_memory_halves_and_goes_on(model, image):
    budgets = []

    class Full(HPINet):
        def forward(self, x, memory=None, **options):
            budgets.append(memory)
            if memory > 2**30:
                raise RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)")
            return super().forward(x, memory=memory, **options)

    full = Full(TINY).eval()
    full.load_state_dict(model.state_dict())
    found = upscale(full, image, memory=5 * 2**30)
    assert budgets == [5 * 2**30, 5 * 2**29, 5 * 2**28, 5 * 2**27][: len(budgets)]
    assert budgets[-1] <= 2**30
    assert torch.equal(found.rgb, upscale(model, image).rgb)
