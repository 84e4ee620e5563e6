"""Saliency, Input x Gradient and Occlusion: by hand on toys, and against captum called directly."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import InputXGradient, Occlusion, Saliency
from torch import nn

from hpinet import HPINet, HPINetConfig
from lam import (
    ATTRIBUTION_METHODS,
    GaussianBlurPath,
    LinearPath,
    LocalAttribution,
    Window,
    explain,
)
from lam.attribution.detectors import gradient_detector
from lam.attribution.methods import (
    explain_progressively,
    occlusion,
    occlusion_progressively,
    saliency,
)

WINDOW = Window(left=6, top=4, size=6)  # of SR pixels: LR columns 3 to 5, rows 2 to 4
TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8), scale=2)


def tripled(x):
    return 3 * F.interpolate(x, scale_factor=2, mode="nearest")


class Smooth(nn.Module):
    scale = 2

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, 6, 3, padding=1).double()
        self.last = nn.Conv2d(6, 12, 3, padding=1).double()

    def forward(self, x):
        return F.pixel_shuffle(self.last(torch.tanh(self.first(x))), 2)


@pytest.fixture
def picture():
    return torch.rand(1, 3, 9, 10, generator=torch.Generator().manual_seed(0)).double()


@pytest.fixture(scope="module")
def hpinet():
    torch.manual_seed(5)
    return HPINet(TINY).eval().requires_grad_(False)


def inside(values):
    """What lies in the window's LR pixels, zero elsewhere."""
    out = np.zeros_like(values)
    out[:, 2:5, 3:6] = values[:, 2:5, 3:6]
    return out


def test_by_hand_on_a_linear_network(picture):
    lr = picture[0].numpy()
    found = {
        method: explain(tripled, picture, WINDOW, method, detector="sum", **options)
        for method, options in (
            ("saliency", {}),
            ("input_x_gradient", {}),
            ("occlusion", {"size": 1, "baseline": "black"}),
        )
    }
    # An LR pixel makes four SR pixels of three times its value.
    assert np.allclose(found["saliency"].attribution, inside(np.full_like(lr, 12.0)))
    assert np.allclose(found["input_x_gradient"].attribution, inside(12 * lr), rtol=1e-6)
    # Channels are covered together, and share the fall alike.
    fall = inside(np.broadcast_to(12 * lr.sum(0) / 3, lr.shape))
    assert np.allclose(found["occlusion"].attribution, fall, rtol=1e-6)
    for method, result in found.items():
        assert result.detector_end == pytest.approx(12 * lr[:, 2:5, 3:6].sum())
        assert result.params["method"] == method
        assert result.finished


def test_occlusion_of_squares_by_hand(picture):
    lr = picture[0].numpy()
    result = occlusion(tripled, picture, WINDOW, detector="sum", size=4, baseline="black")
    used = inside(12 * lr).sum(0)
    expected = np.zeros((9, 10))
    for top in (0, 4, 8):
        for left in (0, 4, 8):
            square = slice(top, top + 4), slice(left, left + 4)
            expected[square] = used[square].sum()
    assert np.allclose(result.attribution.sum(0), expected, atol=1e-4)


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (4, 4), (4, 3), (3, 2), (9, 1), (5, 5)])
@pytest.mark.parametrize("baseline", ["blurred", "black", "mean"])
def test_occlusion_is_captum_s(picture, size, stride, baseline):
    net = Smooth()
    cover = {
        "blurred": GaussianBlurPath().at(picture, np.zeros(1)),
        "black": 0,
        "mean": picture.mean((2, 3), keepdim=True).expand_as(picture),
    }[baseline]
    with torch.no_grad():
        expected = Occlusion(lambda x: gradient_detector(net(x), WINDOW)).attribute(
            picture, sliding_window_shapes=(3, size, size), strides=(3, stride, stride),
            baselines=cover,
        )[0]  # fmt: skip
    found = occlusion(net, picture, WINDOW, size=size, stride=stride, baseline=baseline)
    assert np.allclose(found.attribution, expected.numpy() / 3, rtol=1e-5, atol=1e-7)


def test_gradients_are_captum_s(picture):
    net = Smooth()
    x = picture.clone().requires_grad_()
    f = lambda x: gradient_detector(net(x), WINDOW)  # noqa: E731
    for method, expected in (
        ("saliency", Saliency(f).attribute(x, abs=False)),
        ("input_x_gradient", InputXGradient(f).attribute(x)),
    ):
        found = explain(net, picture, WINDOW, method)
        assert np.allclose(found.attribution, expected[0].detach().numpy(), rtol=1e-6)
        assert (found.attribution < 0).any()  # signs are kept
        assert np.allclose(found.importance, np.abs(found.attribution.sum(0)), rtol=1e-5)


@pytest.mark.parametrize("method", ATTRIBUTION_METHODS)
def test_every_method_gives_what_figures_take(method, hpinet):
    picture = torch.rand(3, 12, 13, generator=torch.Generator().manual_seed(1))
    for matches in ("live", "frozen", "own"):
        result = explain(hpinet, picture, Window(8, 6, 8), method, matches=matches)
        assert result.attribution.shape == (3, 12, 13)
        assert result.attribution.dtype == result.importance.dtype == np.float32
        assert 0 < result.diffusion_index <= 100
        assert result.diffusion_index == pytest.approx(100 * (1 - result.gini))
        params = json.loads(json.dumps(result.params))
        assert (params["sr_size"], params["scale"]) == ([24, 26], 2)
        assert (params["matches"], params["detector"]) == (matches, "gradient")
        assert list(json.loads(json.dumps(result.summary(), allow_nan=False))) == list(
            LocalAttribution(hpinet).attribute(picture, Window(8, 6, 8), n_steps=1).summary()
        )
        assert result.finished


@pytest.mark.parametrize("method", ATTRIBUTION_METHODS[1:])
def test_matches_decide(method, hpinet):
    picture = torch.rand(3, 12, 13, generator=torch.Generator().manual_seed(1))
    ends = {
        matches: explain(hpinet, picture, Window(8, 6, 8), method, matches=matches).detector_end
        for matches in ("live", "frozen", "own")
    }
    assert ends["live"] == pytest.approx(ends["frozen"], rel=1e-5)
    assert ends["live"] != pytest.approx(ends["own"], rel=1e-5)


def test_lam_takes_its_options_here_too(picture):
    options = {"detector": "sum", "n_steps": 3, "path": LinearPath("black")}
    found = explain(Smooth(), picture, WINDOW, quadrature="riemann_middle", **options)
    direct = LocalAttribution(Smooth()).attribute(
        picture, WINDOW, method="riemann_middle", **options
    )
    assert np.array_equal(found.attribution, direct.attribution)
    assert found.params["method"] == "riemann_middle"


def test_occlusion_refines_and_stops(picture):
    calls = []

    def counted(x):
        calls.append(len(x))
        return tripled(x)

    running = occlusion_progressively(
        counted, picture, WINDOW, size=3, internal_batch_size=2, baseline="black"
    )
    first = next(running)
    assert first.progress == pytest.approx(1 / 3)
    assert not first.finished
    assert not first.attribution[:, 3:].any()
    seen = list(calls)
    running.close()
    assert calls == seen
    results = list(occlusion_progressively(tripled, picture, WINDOW, size=3, baseline="black"))
    assert [r.progress for r in results] == pytest.approx([1 / 3, 2 / 3, 1])
    whole = occlusion(tripled, picture, WINDOW, size=3, baseline="black")
    assert np.array_equal(results[-1].attribution, whole.attribution)
    assert np.array_equal(results[0].attribution[:, :3], whole.attribution[:, :3])


def test_network_stays_as_it_is_and_modes_do_not_matter(picture):
    net = Smooth()
    for method in ATTRIBUTION_METHODS:
        expected = explain(net, picture, WINDOW, method).attribution
        for mode in (torch.no_grad, torch.inference_mode):
            with mode():
                found = explain(net, picture.clone(), WINDOW, method).attribution
            assert np.array_equal(found, expected)
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert not picture.requires_grad


def test_non_finite_gradients_are_counted(picture):
    net = Smooth()
    net.first.weight.data[0, 0, 0, 0] = float("nan")
    for method in ("saliency", "input_x_gradient", "occlusion"):
        result = explain(net, picture, WINDOW, method)
        assert result.non_finite > 0
        assert np.isfinite(result.attribution).all()
        assert result.summary()["detector_end"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "magic"}, "magic"),
        ({"method": "occlusion", "size": 0}, "1 to 9 LR pixels, not 0"),
        ({"method": "occlusion", "size": 10}, "1 to 9 LR pixels, not 10"),
        ({"method": "occlusion", "size": 3, "stride": 4}, "stride must be 1 to 3"),
        ({"method": "occlusion", "baseline": "white"}, "white"),
        ({"method": "saliency", "matches": "frozen"}, "no matches to make 'frozen'"),
        ({"method": "saliency", "detector": "entropy"}, "entropy"),
        ({"method": "saliency", "window": Window(16, 0, 5)}, "reaches outside"),
        ({"method": "occlusion", "window": Window(16, 0, 5)}, "reaches outside"),
    ],
)
def test_bad_input_is_refused(picture, options, message):
    options = {"window": WINDOW, **options}
    with pytest.raises(ValueError, match=message):
        explain(Smooth(), picture, **options)


def test_mistakes_are_told_before_the_generator_is_asked(picture):
    with pytest.raises(ValueError, match="white"):
        explain_progressively(Smooth(), picture, WINDOW, "occlusion", baseline="white")


def test_detector_without_gradient_is_refused(picture):
    with pytest.raises(ValueError, match="no gradient"):
        saliency(Smooth(), picture, WINDOW, detector=lambda sr, window: torch.ones(len(sr)))
