"""The Gabor detector, and how far each detector reads."""

from __future__ import annotations

import json
import math

import pytest
import torch

from lam import DETECTORS, GaborDetector, LinearPath, LocalAttribution, Window
from lam.attribution.detectors import describe_detector, get_detector, reads

WINDOW = Window(left=20, top=18, size=12)


def grating(wavelength, degrees, phase=0.0, size=52):
    """Waves of amplitude 1 in all three channels, (1, 3, size, size)."""
    rows, columns = torch.meshgrid(*[torch.arange(size, dtype=torch.float64)] * 2, indexing="ij")
    along = math.cos(math.radians(degrees)) * columns + math.sin(math.radians(degrees)) * rows
    wave = torch.sin(2 * math.pi / wavelength * along + phase)
    return wave.expand(1, 3, -1, -1).contiguous()


@pytest.mark.parametrize("degrees", [0, 30, 90, 135])
def test_gabor_answers_1_a_pixel_to_its_own_grating_whatever_the_phase(degrees):
    gabor = GaborDetector(wavelength=8, orientations=(degrees,))
    for phase in (0.0, 0.9, math.pi / 2):
        value = gabor(grating(8, degrees, phase), WINDOW).item()
        assert value == pytest.approx(3 * 12 * 12, rel=0.02)


def test_gabor_prefers_its_orientation_and_wavelength():
    gabor = GaborDetector(wavelength=8, orientations=(0,))
    own = gabor(grating(8, 0), WINDOW).item()
    turned = [gabor(grating(8, degrees), WINDOW).item() / own for degrees in (15, 30, 45, 90)]
    assert turned == sorted(turned, reverse=True)
    assert turned[-1] < 0.02
    others = [gabor(grating(wavelength, 0), WINDOW).item() / own for wavelength in (4, 6, 12, 24)]
    assert others[0] < others[1] < 1 > others[2] > others[3]
    assert max(others[0], others[3]) < 0.3


def test_orientations_add_up():
    sr = torch.rand(2, 3, 52, 52, generator=torch.Generator().manual_seed(0))
    bank = GaborDetector(orientations=(0, 45, 90))
    single = sum(GaborDetector(orientations=(o,))(sr, WINDOW) for o in (0, 45, 90))
    assert torch.allclose(bank(sr, WINDOW), single, rtol=1e-5)
    assert torch.allclose(bank(sr, WINDOW)[1:], bank(sr[1:], WINDOW), rtol=1e-5)


def test_gabor_of_one_bright_pixel_by_hand():
    """The kernel itself: magnitude 2 g everywhere, with the mean of the cosine taken out."""
    gabor = GaborDetector(wavelength=4, orientations=(0,), sigma=2.0)
    sr = torch.zeros(1, 3, 40, 40, dtype=torch.float64)
    sr[0, 1, 20, 20] = 1
    r = 5  # 2.5 sigma
    assert gabor.halo == r
    g = [math.exp(-(i**2) / 8) for i in range(-r, r + 1)]
    total = sum(g) ** 2
    mean = sum(a * math.cos(math.pi / 2 * (i - r)) for i, a in enumerate(g)) / sum(g)

    def magnitude(dx, dy):
        weight = 2 * g[dx + r] * g[dy + r] / total
        wave = math.pi / 2 * dx
        return weight * math.hypot(math.cos(wave) - mean, math.sin(wave))

    for dx, dy in ((0, 0), (1, 0), (2, -3), (5, 5)):
        found = gabor(sr, Window(20 - dx, 20 - dy, 1)).item()
        assert found == pytest.approx(magnitude(dx, dy), rel=1e-9)
    assert gabor(sr, Window(20 - r - 1, 20, 1)).item() == 0


@pytest.mark.parametrize("colour", [0.0, 0.37])
def test_gabor_of_a_plain_picture_is_0_with_finite_gradients(colour):
    sr = torch.full((1, 3, 30, 30), colour, requires_grad=True)
    value = GaborDetector()(sr, Window(10, 10, 8))
    value.sum().backward()
    assert value.item() == pytest.approx(0, abs=1e-3)
    assert torch.isfinite(sr.grad).all()
    if colour == 0:
        assert not sr.grad.any()


@pytest.mark.parametrize("window", [Window(0, 0, 5), Window(7, 9, 4), Window(0, 0, 11)])
def test_gabor_repeats_the_border_of_small_pictures(window):
    sr = torch.rand(1, 3, 13, 11, generator=torch.Generator().manual_seed(1))
    gabor = GaborDetector()
    far = torch.nn.functional.pad(sr, (30, 30, 30, 30), mode="replicate")
    moved = Window(window.left + 30, window.top + 30, window.size)
    assert torch.allclose(gabor(sr, window), gabor(far, moved), rtol=1e-5)


@pytest.mark.parametrize("name", list(DETECTORS))
@pytest.mark.parametrize("window", [Window(0, 0, 6), Window(15, 14, 6), Window(34, 30, 6)])
def test_named_detectors_read_their_halo_and_no_further(name, window):
    detector = DETECTORS[name]
    sr = torch.rand(1, 3, 36, 40, generator=torch.Generator().manual_seed(2)).double()
    top, left = max(0, window.top - detector.halo), max(0, window.left - detector.halo)
    end = window.size + detector.halo
    part = sr[..., top : window.top + end, left : window.left + end]
    moved = Window(window.left - left, window.top - top, window.size)
    assert torch.allclose(detector(part, moved), detector(sr, window), rtol=1e-12)


def test_gabor_halo_is_as_small_as_it_can_be():
    sr = torch.zeros(1, 3, 52, 52, requires_grad=True)
    noise = torch.rand(sr.shape, generator=torch.Generator().manual_seed(3))
    (seen,) = torch.autograd.grad(DETECTORS["gabor"](sr + noise, WINDOW).sum(), sr)
    rows = seen.abs().sum((0, 1, 3)).nonzero()
    halo = DETECTORS["gabor"].halo
    assert (rows.min(), rows.max()) == (WINDOW.top - halo, WINDOW.top + WINDOW.size - 1 + halo)


def test_descriptions_reproduce_detectors():
    assert describe_detector("gabor") == "gabor"
    own = GaborDetector(wavelength=6, orientations=[10.0])
    described = json.loads(json.dumps(describe_detector(own)))
    assert described == {"name": "gabor", "wavelength": 6, "orientations": [10.0], "sigma": 3.0}
    described.pop("name")
    assert GaborDetector(**described) == own

    @reads(halo=3)
    def mine(sr, window):
        return sr.sum((1, 2, 3))

    assert mine.halo == 3
    assert describe_detector(mine).endswith("mine")
    assert get_detector(mine)[1] is mine


def test_gabor_completes_on_a_path():
    picture = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(4)).double()
    net = torch.nn.Upsample(scale_factor=2, mode="nearest")
    result = LocalAttribution(net).attribute(
        picture, Window(6, 6, 10), path=LinearPath(), detector="gabor", n_steps=64
    )
    assert abs(result.relative_residual) < 0.01
    assert result.non_finite == 0


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"wavelength": 1.5}, "at least 2"),
        ({"wavelength": float("nan")}, "at least 2"),
        ({"sigma": 0}, "sigma"),
        ({"sigma": float("inf")}, "sigma"),
        ({"orientations": ()}, "orientations"),
        ({"orientations": (float("nan"),)}, "orientations"),
    ],
)
def test_impossible_gabors_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        GaborDetector(**bad)
