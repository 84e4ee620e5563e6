"""LocalAttribution on toy networks with answers known in closed form, and against captum."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import GradientAttribution, IntegratedGradients
from torch import nn

from lam import METHODS, GaussianBlurPath, LinearPath, LocalAttribution, Window
from lam.attribution.detectors import gradient_detector

WINDOW = Window(left=6, top=4, size=5)


class Pixelwise(nn.Module):
    """exp of every pixel, doubled in size: each pixel's attribution is its own change, exactly."""

    scale = 2

    def forward(self, x):
        return F.interpolate(x.exp(), scale_factor=2, mode="nearest")


class Smooth(nn.Module):
    """A small network of smooth functions, x2."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.first = nn.Conv2d(3, 6, 3, padding=1).double()
        self.last = nn.Conv2d(6, 12, 3, padding=1).double()
        for parameter in self.parameters():
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator).double()

    def forward(self, x):
        return F.pixel_shuffle(self.last(torch.tanh(self.first(x))), 2)


@pytest.fixture
def picture():
    return torch.rand(1, 3, 9, 10, generator=torch.Generator().manual_seed(0)).double()


def squares(sr, window):
    return (window.crop(sr) ** 2).sum((1, 2, 3))


def test_linear_network_on_a_straight_line_is_exact_in_one_step(picture):
    def doubled(x):
        return 3 * F.interpolate(x, scale_factor=2, mode="nearest")

    result = LocalAttribution(doubled).attribute(
        picture, Window(4, 2, 4), path=LinearPath("black"), detector="sum", n_steps=1
    )
    expected = np.zeros((3, 9, 10))
    # An LR pixel makes four SR pixels; the window covers 2 x 2 LR pixels from column 2, row 1.
    expected[:, 1:3, 2:4] = 4 * 3 * picture[0, :, 1:3, 2:4].numpy()
    assert np.allclose(result.attribution, expected, rtol=1e-6)
    assert result.residual == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("path", [GaussianBlurPath(), LinearPath(), LinearPath("black")])
def test_closed_form_with_16_gauss_legendre_nodes(picture, path):
    window = Window(0, 0, 18)
    result = LocalAttribution(Pixelwise()).attribute(
        picture, window, path=path, detector="sum", n_steps=16
    )
    start, end = path.at(picture, np.array([0.0, 1.0])).exp()
    expected = 4 * (end - start).numpy()
    expected[:, :, 9:] = 0  # outside the window
    assert np.abs(result.attribution - expected).max() < 1e-5
    assert abs(result.residual) < 1e-4
    assert result.change == pytest.approx(expected.sum(), rel=1e-9)
    assert result.match_jumps == 0
    assert result.switches is None


@pytest.mark.parametrize("method", METHODS)
def test_every_method_converges(picture, method):
    explain = LocalAttribution(Smooth())
    errors = [
        abs(explain.attribute(picture, WINDOW, detector=squares, n_steps=n, method=method).residual)
        for n in (8, 64)
    ]
    assert errors[1] < max(errors[0] / 4, 1e-6)


def test_equals_captum_on_the_straight_line(picture):
    net = Smooth()
    ours = LocalAttribution(net).attribute(
        picture, WINDOW, path=LinearPath("black"), n_steps=12, method="gausslegendre"
    )
    captum = IntegratedGradients(lambda x: gradient_detector(net(x), WINDOW))
    expected, delta = captum.attribute(
        picture, baselines=0, n_steps=12, method="gausslegendre", return_convergence_delta=True
    )
    assert np.allclose(ours.attribution, expected[0].detach().numpy(), rtol=1e-5, atol=1e-6)
    assert delta.item() == pytest.approx(-ours.residual, abs=1e-5)


def test_equals_captum_summed_over_segments_of_the_blur_path(picture):
    net, path = Smooth(), GaussianBlurPath()
    ours = LocalAttribution(net).attribute(picture, WINDOW, detector=squares, n_steps=32)
    knots = path.at(picture, np.linspace(0, 1, 201))
    captum = IntegratedGradients(lambda x: squares(net(x), WINDOW))
    segments = captum.attribute(knots[1:], baselines=knots[:-1], n_steps=2)
    expected = segments.sum(0).detach().numpy()
    error = np.linalg.norm(ours.attribution - expected) / np.linalg.norm(expected)
    assert error < 1e-3


def test_is_at_home_in_captum(picture):
    explain = LocalAttribution(Smooth())
    assert isinstance(explain, GradientAttribution)
    assert explain.has_convergence_delta()
    result, delta = explain.attribute(picture, WINDOW, n_steps=4, return_convergence_delta=True)
    assert delta.shape == (1,)
    assert delta.item() == pytest.approx(result.integral - result.change)


@pytest.mark.parametrize("n_steps", [1, 3, 16, 21])
def test_last_progressive_result_is_the_result(picture, n_steps):
    explain = LocalAttribution(Smooth())
    results = list(explain.attribute_progressively(picture, WINDOW, n_steps=n_steps))
    whole = explain.attribute(picture, WINDOW, n_steps=n_steps)
    assert np.array_equal(results[-1].attribution, whole.attribution)
    assert results[-1].params == whole.params
    assert results[-1].finished
    assert not any(result.finished for result in results[:-1])
    shares = [result.progress for result in results]
    assert shares == sorted(shares)


def test_early_maps_are_usable_and_refined(picture):
    explain = LocalAttribution(Smooth())
    results = list(
        explain.attribute_progressively(
            picture, WINDOW, detector=squares, n_steps=48, internal_batch_size=6
        )
    )
    final = results[-1].attribution
    errors = [np.linalg.norm(r.attribution - final) / np.linalg.norm(final) for r in results]
    assert results[0].steps_done == 6
    assert results[0].progress == pytest.approx(1 / 8)
    assert errors[0] < 0.1
    assert errors[-2] == 0 or errors[-2] < errors[0]


def test_closing_the_generator_stops_the_work(picture):
    calls, network = [], Smooth()

    def counted(x):
        calls.append(len(x))
        return network(x)

    running = LocalAttribution(counted).attribute_progressively(
        picture, WINDOW, n_steps=40, internal_batch_size=5
    )
    next(running)
    seen = list(calls)
    running.close()
    assert calls == seen
    # Twice the image itself, to see whether the network repeats itself; both ends; one batch.
    assert sum(seen) == 2 + 2 + 5


def test_batches_do_not_change_the_map(picture):
    explain = LocalAttribution(Smooth())
    maps = [
        explain.attribute(picture, WINDOW, n_steps=7, internal_batch_size=b).attribution
        for b in (1, 3, 7)
    ]
    assert np.allclose(maps[0], maps[1], atol=1e-6)
    assert np.allclose(maps[0], maps[2], atol=1e-6)


def test_batches_are_halved_when_memory_runs_out(picture):
    sizes = []

    def hungry(x):
        sizes.append(len(x))
        if len(x) > 3:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried")
        return Smooth()(x)

    result = LocalAttribution(hungry).attribute(picture, WINDOW, n_steps=24, internal_batch_size=6)
    expected = LocalAttribution(Smooth()).attribute(picture, WINDOW, n_steps=24)
    assert np.allclose(result.attribution, expected.attribution, atol=1e-6)
    assert max(sizes) == 6  # in the third level; those before have 3 nodes each
    assert sizes.count(6) == 1

    def broken(x):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        LocalAttribution(broken).attribute(picture, WINDOW, n_steps=2)


def test_network_stays_as_it_is_and_modes_do_not_matter(picture):
    net = Smooth()
    expected = LocalAttribution(net).attribute(picture, WINDOW, n_steps=3).attribution
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            found = LocalAttribution(net).attribute(picture.clone(), WINDOW, n_steps=3)
        assert np.array_equal(found.attribution, expected)


def test_threads_share_a_network(picture):
    explain, found = LocalAttribution(Smooth()), {}

    def work(left):
        found[left] = explain.attribute(picture, Window(left, 2, 4), n_steps=6).attribution

    threads = [threading.Thread(target=work, args=(left,)) for left in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for left in range(4):
        alone = explain.attribute(picture, Window(left, 2, 4), n_steps=6).attribution
        assert np.array_equal(found[left], alone)


def test_flat_picture_gives_a_finite_map_of_zeros():
    flat = torch.full((1, 3, 8, 8), 0.4)
    net = nn.Upsample(scale_factor=2, mode="nearest")
    result = LocalAttribution(net).attribute(flat, Window(2, 2, 8), n_steps=5)
    assert np.abs(result.attribution).max() < 1e-6
    assert np.isfinite(result.attribution).all()
    assert result.non_finite == 0
    assert np.isnan(result.relative_residual)  # nothing changed: no ratio
    assert json.loads(json.dumps(result.summary(), allow_nan=False))["non_finite"] == 0


def test_non_finite_gradients_are_counted(picture):
    net = Smooth()
    net.first.weight.data[0, 0, 0, 0] = float("nan")
    result = LocalAttribution(net).attribute(picture, WINDOW, n_steps=3)
    # The window's gradient reaches every pixel that its two convolutions see, in each of 3 steps.
    assert result.non_finite > 0
    assert result.non_finite % 3 == 0
    assert np.isfinite(result.attribution).all()
    assert result.summary()["detector_end"] is None


def test_bicubic_is_a_network_too(picture):
    net = nn.Upsample(scale_factor=3, mode="bicubic", align_corners=False)
    result = LocalAttribution(net).attribute(picture.float(), Window(12, 9, 6), n_steps=20)
    assert abs(result.relative_residual) < 0.01
    outside = np.ones((9, 10), bool)
    outside[1:8, 2:9] = False  # bicubic sees two pixels around the window's own, the halo one more
    assert not result.importance[outside].any()
    for matches in ("frozen", "own"):
        with pytest.raises(ValueError, match=f"no matches to make '{matches}'"):
            LocalAttribution(net).attribute(picture.float(), Window(12, 9, 6), matches=matches)


def test_result_says_what_reproduces_it(picture):
    result = LocalAttribution(Smooth()).attribute(picture[0], WINDOW, n_steps=4)
    params = json.loads(json.dumps(result.params))
    assert params["window"] == {"left": 6, "top": 4, "size": 5}
    assert params["path"] == {"name": "gaussian_blur", "sigma": 1.2, "kernel": 9}
    assert (params["lr_size"], params["sr_size"], params["scale"]) == ([9, 10], [18, 20], 2)
    again = LocalAttribution(Smooth()).attribute(
        picture,
        Window(**params["window"]),
        **{k: params[k] for k in ("detector", "n_steps", "method", "matches")},
    )
    assert np.array_equal(again.attribution, result.attribution)
    assert result.attribution.dtype == result.importance.dtype == np.float32
    assert result.path_values.shape == result.path_alphas.shape == (4,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": torch.rand(2, 3, 9, 10)}, "one RGB image"),
        ({"inputs": torch.rand(1, 1, 9, 10)}, "one RGB image"),
        ({"inputs": torch.zeros(1, 3, 9, 10, dtype=torch.uint8)}, "divide by 255"),
        ({"inputs": torch.full((1, 3, 9, 10), float("inf"))}, "not finite"),
        ({"inputs": np.zeros((1, 3, 9, 10))}, "tensor"),
        ({"window": Window(16, 0, 5)}, "reaches outside"),
        ({"n_steps": 0}, "number of steps"),
        ({"n_steps": 10**9}, "number of steps"),
        ({"matches": "dead"}, "dead"),
        ({"internal_batch_size": 0}, "internal_batch_size"),
        ({"detector": lambda sr, window: torch.zeros(len(sr))}, "no gradient"),
    ],
)
def test_bad_input_is_refused(picture, change, message):
    options = {"inputs": picture, "window": WINDOW, **change}
    with pytest.raises(ValueError, match=message):
        LocalAttribution(Smooth()).attribute(**options)


def test_training_mode_is_refused(picture):
    net = nn.Sequential(nn.Dropout(0.5), nn.Upsample(scale_factor=2))
    with pytest.raises(ValueError, match=r"\.eval\(\)"):
        LocalAttribution(net).attribute(picture, WINDOW)
    assert LocalAttribution(net.eval()).attribute(picture, WINDOW, n_steps=1).n_steps == 1


@pytest.mark.parametrize("method", ["gausslegendre", "riemann_right"])
def test_a_tolerance_stops_when_the_map_holds_still(picture, method):
    exact = LocalAttribution(Smooth()).attribute(picture, WINDOW, n_steps=400)
    options = {"n_steps": 64, "method": method}
    loose = LocalAttribution(Smooth()).attribute(picture, WINDOW, tolerance=0.1, **options)
    tight = LocalAttribution(Smooth()).attribute(picture, WINDOW, tolerance=1e-9, **options)
    assert 8 < loose.steps_done < 64 == tight.steps_done
    assert loose.finished and loose.progress == 1 and loose.map_change < 0.1
    missing = np.linalg.norm(loose.attribution - exact.attribution)
    assert missing < 0.1 * np.linalg.norm(exact.attribution)
    every = LocalAttribution(Smooth()).attribute(picture, WINDOW, **options)
    assert np.array_equal(tight.attribution, every.attribution)


@pytest.mark.parametrize("tolerance", [-0.1, 1, float("nan")])
def test_a_tolerance_that_is_none_gets_a_sentence(picture, tolerance):
    with pytest.raises(ValueError, match="tolerance"):
        LocalAttribution(Smooth()).attribute(picture, WINDOW, tolerance=tolerance)


def test_a_flat_image_has_no_diffusion_index():
    result = LocalAttribution(Smooth()).attribute(
        torch.full((1, 3, 20, 20), 0.3, dtype=torch.float64), Window(10, 8, 16), n_steps=4
    )
    assert result.is_flat
    assert np.isnan(result.diffusion_index) and np.isnan(result.gini)
    assert result.summary()["diffusion_index"] is None
    assert "no diffusion index" in result.no_index
    assert not result.importance.any()


def test_a_faint_detail_is_not_flat():
    image = torch.full((1, 3, 20, 20), 0.3, dtype=torch.float64)
    image[..., 10, 10] += 0.02
    result = LocalAttribution(Smooth()).attribute(image, Window(12, 12, 16), n_steps=4)
    assert not result.is_flat
    assert 0 < result.diffusion_index < 100
    assert result.no_index == ""
