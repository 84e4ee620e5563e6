"""Paths, quadrature and detectors of LAM: known numbers, exact derivatives, equality with numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lam import METHODS, GaussianBlurPath, LinearPath, Window
from lam.attribution.detectors import DETECTORS, detect, get_detector, gradient_detector
from lam.attribution.quadrature import quadrature


@pytest.fixture
def picture():
    generator = torch.Generator().manual_seed(5)
    return torch.rand(1, 3, 11, 7, generator=generator, dtype=torch.float64)


def blurred_plainly(picture, sigma, kernel=9):
    """A two-dimensional kernel over a picture that numpy mirrors: the definition, slowly."""
    half = kernel // 2
    rows, columns = np.mgrid[-half : half + 1, -half : half + 1]
    weights = np.exp(-(rows**2 + columns**2) / (2 * sigma**2))
    weights /= weights.sum()
    padded = np.pad(picture[0].numpy(), ((0, 0), (half, half), (half, half)), mode="reflect")
    out = np.zeros(picture.shape[1:])
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            out[:, i, j] = (padded[:, i : i + kernel, j : j + kernel] * weights).sum((1, 2))
    return out


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.75])
def test_blur_is_the_gaussian_with_mirrored_borders(picture, alpha):
    found = GaussianBlurPath().at(picture, np.array([alpha]))[0].numpy()
    assert np.abs(found - blurred_plainly(picture, 1.2 * (1 - alpha))).max() < 1e-12


def test_blur_ends_at_the_picture_itself(picture):
    assert torch.equal(GaussianBlurPath().at(picture, np.array([1.0])), picture)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 2), (3, 20)])
def test_blur_of_pictures_smaller_than_the_kernel(size):
    picture = torch.rand(1, 3, *size, dtype=torch.float64)
    found = GaussianBlurPath().at(picture, np.array([0.0]))[0].numpy()
    assert np.abs(found - blurred_plainly(picture, 1.2)).max() < 1e-12


@pytest.mark.parametrize("path", [GaussianBlurPath(), LinearPath(), LinearPath("black")])
def test_derivative_is_the_slope_of_the_path(picture, path):
    alphas, h = np.array([0.1, 0.5, 0.8, 0.93]), 1e-5
    slope = (path.at(picture, alphas + h) - path.at(picture, alphas - h)) / (2 * h)
    assert (path.derivative(picture, alphas) - slope).abs().max() < 1e-7


def test_blur_does_not_move_at_the_sharp_end(picture):
    slope = GaussianBlurPath().derivative(picture, np.array([1.0, 1 - 1e-12]))
    assert torch.equal(slope, torch.zeros_like(slope))


def test_straight_lines_begin_where_they_say(picture):
    start = np.zeros(1)
    assert not LinearPath("black").at(picture, start).any()
    blurred = GaussianBlurPath().at(picture, start)
    assert torch.equal(LinearPath("blurred").at(picture, start), blurred)


@pytest.mark.parametrize(
    "bad", [{"sigma": 0}, {"sigma": float("nan")}, {"kernel": 8}, {"kernel": 0}]
)
def test_impossible_blurs_are_refused(bad):
    with pytest.raises(ValueError, match="must be"):
        GaussianBlurPath(**bad)
    with pytest.raises(ValueError, match="must be"):
        LinearPath(**bad)
    with pytest.raises(ValueError, match="white"):
        LinearPath("white")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [2, 7, 50])
def test_nodes_lie_in_cells_as_long_as_their_weights(method, n):
    rule = quadrature(method, n)
    assert len(rule.nodes) == len(rule.weights) == n
    assert rule.weights.sum() == pytest.approx(1, abs=1e-12)
    assert (rule.knots[:-1] - 1e-12 <= rule.nodes).all()
    assert (rule.nodes <= rule.knots[1:] + 1e-12).all()


@pytest.mark.parametrize("sigma", [0.01, 0.3, 1.2, 4.0])
def test_clock_covers_the_path_at_the_rate_it_says(sigma):
    path, times = GaussianBlurPath(sigma), np.linspace(0, 0.99, 34)
    alphas, rates = path.clock(times)
    h = 1e-6
    assert np.allclose(
        rates[1:], (path.clock(times + h)[0] - path.clock(times - h)[0])[1:] / (2 * h)
    )
    assert (np.diff(alphas) > 0).all()
    assert path.clock(np.array([0.0, 1.0]))[0].tolist() == [0, 1]
    rule = quadrature("gausslegendre", 20, path.clock)
    assert (rule.knots[:-1] < rule.nodes).all()
    assert (rule.nodes < rule.knots[1:]).all()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 13, 50, 64, 400])
def test_levels_visit_every_node_once_and_begin_evenly(n):
    levels = quadrature("riemann_middle", n).levels()
    assert sorted(node for level in levels for node in level) == list(range(n))
    if n >= 16:
        first = np.sort(levels[0])
        assert len(first) <= np.ceil(n / 8)
        assert set(np.diff(first)) == {8}


def test_gauss_legendre_is_exact_for_polynomials():
    rule = quadrature("gausslegendre", 4)
    assert (rule.weights * rule.nodes**7).sum() == pytest.approx(1 / 8, abs=1e-14)


@pytest.mark.parametrize("steps", [0, -1, 10**9, 1.5, True, "5"])
def test_impossible_numbers_of_steps_are_refused(steps):
    with pytest.raises(ValueError, match="number of steps"):
        quadrature("gausslegendre", steps)


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match="simpson"):
        quadrature("simpson", 5)
    with pytest.raises(ValueError, match="2 to"):
        quadrature("riemann_trapezoid", 1)


def test_gradient_detector_by_hand():
    sr = torch.zeros(1, 3, 5, 5)
    sr[0, 0, 2, 2] = 3.0
    # The step up to the bright pixel is seen by its left and upper neighbours, and by itself twice.
    assert gradient_detector(sr, Window(1, 1, 2)).item() == pytest.approx(3 + 3 + 3 * 2**0.5)
    assert gradient_detector(sr, Window(0, 0, 1)).item() == 0


def test_gradient_detector_equals_whole_picture_then_crop():
    sr = torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(1))
    down, across = sr[..., 1:, :-1] - sr[..., :-1, :-1], sr[..., :-1, 1:] - sr[..., :-1, :-1]
    whole = (down**2 + across**2).sqrt()
    for window in (Window(0, 0, 4), Window(7, 3, 16), Window(20, 16, 4)):
        expected = window.crop(whole).sum((1, 2, 3))
        assert torch.allclose(gradient_detector(sr, window), expected, rtol=1e-6)


def test_flat_areas_have_finite_gradients():
    sr = torch.full((1, 3, 8, 8), 0.5)
    sr[..., 4:, :] = 1.0
    sr.requires_grad_()
    gradient_detector(sr, Window(1, 1, 6)).sum().backward()
    assert torch.isfinite(sr.grad).all()
    assert sr.grad.abs().max() == 1


def test_sum_and_mean_detectors():
    sr = torch.arange(48.0).reshape(1, 3, 4, 4)
    window = Window(1, 2, 2)  # values 9, 10, 13, 14 and the same plus 16 and 32
    total = 3 * (9 + 10 + 13 + 14) + 4 * (16 + 32)
    assert DETECTORS["sum"](sr, window).item() == total
    assert DETECTORS["mean_colour"](sr, window).item() == total / 12


def test_detectors_are_checked():
    with pytest.raises(ValueError, match="entropy"):
        get_detector("entropy")
    with pytest.raises(ValueError, match="one number per image"):
        detect(lambda sr, window: sr.sum(), torch.rand(2, 3, 4, 4), Window(0, 0, 2))


@pytest.mark.parametrize("bad", [(-1, 0, 4), (0, -2, 4), (0, 0, 0), (0, 0, -5), (0.5, 0, 4)])
def test_impossible_windows_are_refused(bad):
    with pytest.raises(ValueError, match="window"):
        Window(*bad)


def test_windows_outside_are_refused():
    Window(4, 2, 4).check_inside(6, 8)
    for window in (Window(5, 2, 4), Window(4, 3, 4)):
        with pytest.raises(ValueError, match="8 pixels wide, 6 high"):
            window.check_inside(6, 8)
