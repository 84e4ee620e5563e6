"""A memory budget decides how much is computed at once, never what comes out."""

import functools
import weakref

import numpy as np
import pytest
import torch

from hpinet import HPINet, HPINetConfig, OwnPatches
from lam import LocalAttribution, Window
from lam.attribution.memory_plan import batch_size, make_plan
from lam.attribution.target import Target

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16, 12, 16, 12, 16, 12, 16))
WINDOW = Window(60, 52, 16)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return HPINet(TINY).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def picture():
    return torch.rand(1, 3, 40, 44, generator=torch.Generator().manual_seed(0))


def plan(network, picture, batch=None, memory=None):
    return make_plan(Target(network, picture, WINDOW, "gradient", "live"), batch, memory)


def test_less_memory_means_fewer_steps_at_once_then_recomputing(network, picture):
    plans = [plan(network, picture, 8, memory) for memory in (10**12, 5 * 10**7, 10**7)]
    assert plans[0].batch == 8 and not plans[0].recompute
    assert 1 <= plans[1].batch < 8 and not plans[1].recompute
    assert plans[2].batch == 1 and plans[2].recompute


def test_too_little_for_one_step_gets_a_sentence(network, picture):
    with pytest.raises(ValueError, match="attribute a crop"):
        plan(network, picture, None, 10**6)
    with pytest.raises(ValueError, match="positive number of bytes"):
        plan(network, picture, None, 0)


def test_a_foreign_network_cannot_recompute(picture):
    def double(x):
        return torch.nn.functional.interpolate(x.sin().cos().sin(), scale_factor=4)

    one = plan(double, picture, 1, 10**9)
    assert one.batch == 1 and not one.recompute
    with pytest.raises(ValueError, match="attribute a crop"):
        plan(double, picture, 1, 10**4)


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [lambda n: n, OwnPatches])
def test_the_map_does_not_depend_on_the_budget(network, picture, wrap):
    maps = [
        LocalAttribution(wrap(network)).attribute(picture, WINDOW, n_steps=4, memory=memory)
        for memory in (None, 10**7)
    ]
    assert np.allclose(maps[0].attribution, maps[1].attribution, rtol=1e-3, atol=1e-5)
    assert maps[0].match_jumps == pytest.approx(maps[1].match_jumps, rel=1e-3)


@pytest.mark.slow
def test_what_the_detector_does_not_read_is_not_computed(network, picture):
    seen = []

    class Watched(HPINet):
        @functools.wraps(HPINet.forward)
        def forward(self, *args, **keywords):
            seen.append(keywords.get("region"))
            return super().forward(*args, **keywords)

    watched = Watched(TINY).eval()
    watched.load_state_dict(network.state_dict())
    near = LocalAttribution(watched).attribute(picture, WINDOW, n_steps=2)
    assert set(seen) == {(51, 59, 18, 18)}  # the gradient reads one pixel around the window
    seen.clear()

    def everywhere(sr, window):
        from lam.attribution.detectors import gradient_detector

        return gradient_detector(sr, window)

    whole = LocalAttribution(watched).attribute(picture, WINDOW, n_steps=2, detector=everywhere)
    assert set(seen) == {None}
    assert np.allclose(near.attribution, whole.attribution, rtol=1e-3, atol=1e-5)
    assert near.params["sr_size"] == whole.params["sr_size"] == [160, 176]
    assert near.params["scale"] == 4


def test_pictures_decide_how_many_steps_are_computed_at_once():
    assert batch_size(None, torch.zeros(1, 3, 64, 64)) == 2
    assert batch_size(None, torch.zeros(1, 3, 256, 256)) == 1
    assert batch_size(7, torch.zeros(1, 3, 256, 256)) == 7
    with pytest.raises(ValueError, match="internal_batch_size"):
        batch_size(0, torch.zeros(1, 3, 8, 8))


def test_counting_what_a_pass_keeps_leaves_nothing_behind(picture):
    seen = []

    def network(x):
        grown = x.exp()  # whose backward pass keeps its own output
        seen.append(weakref.ref(grown))
        return torch.nn.functional.interpolate(grown, scale_factor=4)

    plan(network, picture, 1, 10**9)
    assert seen and not any(ref() is not None for ref in seen)
