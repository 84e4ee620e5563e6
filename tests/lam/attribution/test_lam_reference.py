"""Parity with maps that the LAM authors' demo made with the released HPINet-S x4."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hpinet import load_model
from lam import GaussianBlurPath, LocalAttribution, Window, diffusion_index, importance_map
from lam.attribution.detectors import gradient_detector

pytestmark = [pytest.mark.reference, pytest.mark.slow]
IMAGES = (1, 3, 7)


@pytest.fixture(scope="module")
def network(shared):
    return load_model(shared / "released" / "HPINet-S-x4.pth")


def golden(shared, number):
    data = np.load(shared / "goldens" / f"lam_{number}.npz")
    top, left, size, _ = map(int, data["window"])
    lr = torch.from_numpy(data["lr"]).permute(2, 0, 1)[None].float() / 255
    return data, lr, Window(left, top, size)


@pytest.mark.parametrize("number", IMAGES)
@pytest.mark.parametrize("kind", ["gpa", "nogpa"])
def test_diffusion_index_of_the_same_map(shared, number, kind):
    data, _, _ = golden(shared, number)
    found = diffusion_index(importance_map(data[f"attr_{kind}"]))
    assert found == pytest.approx(float(data[f"di_{kind}"]), abs=1e-4)


def test_detector_along_the_path(shared, network):
    for number in IMAGES:
        data, lr, window = golden(shared, number)
        knots = np.array([0, 13, 27, 50])
        with torch.no_grad():
            sr = network(GaussianBlurPath().at(lr, knots / 50))
        found = gradient_detector(sr, window).numpy()
        assert np.allclose(found, data["path_f_gpa"][knots], rtol=1e-3)


@pytest.mark.parametrize("number", IMAGES)
def test_map_without_access_to_other_patches(shared, network, number):
    data, lr, window = golden(shared, number)
    result = LocalAttribution(network).attribute(
        lr, window, n_steps=50, method="riemann_demo", matches="own"
    )
    expected = data["attr_nogpa"]
    error = np.linalg.norm(result.attribution - expected) / np.linalg.norm(expected)
    assert error < 1e-2
    assert result.diffusion_index == pytest.approx(float(data["di_nogpa"]), abs=0.05)


@pytest.mark.parametrize("number", IMAGES)
def test_map_with_live_matches(shared, network, number):
    data, lr, window = golden(shared, number)
    result = LocalAttribution(network).attribute(lr, window, n_steps=50, method="riemann_demo")
    expected = importance_map(data["attr_gpa"])
    correlation = np.corrcoef(result.importance.ravel(), expected.ravel())[0, 1]
    assert correlation > 0.99
    assert result.diffusion_index == pytest.approx(float(data["di_gpa"]), abs=0.5)
