"""LocalAttribution in captum's own tools."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import NoiseTunnel, visualization
from captum.metrics import infidelity, sensitivity_max
from torch import nn

from lam import GaussianBlurPath, LocalAttribution, Window

WINDOW = Window(left=6, top=4, size=5)


class Smooth(nn.Module):
    scale = 2

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.conv = nn.Conv2d(3, 12, 3, padding=1)

    def forward(self, x):
        return F.pixel_shuffle(torch.tanh(self.conv(x)), 2)


@pytest.fixture
def method():
    return LocalAttribution(Smooth().eval())


@pytest.fixture
def images():
    return torch.rand(2, 3, 9, 10, generator=torch.Generator().manual_seed(0))


def test_tensors_are_the_maps_of_each_image(method, images):
    found, delta = method.tensors(images, WINDOW, n_steps=8, return_convergence_delta=True)
    for i, image in enumerate(images):
        result, one = method.attribute(image, WINDOW, n_steps=8, return_convergence_delta=True)
        assert torch.equal(found[i], torch.from_numpy(result.attribution))
        assert delta[i] == one[0]


def test_noise_tunnel_without_noise_is_the_map_itself(method, images):
    tunnel = NoiseTunnel(method)
    plain = method.tensors(images, WINDOW, n_steps=8)
    options = {"nt_samples": 2, "window": WINDOW, "n_steps": 8}
    assert torch.allclose(tunnel.attribute(images, stdevs=0.0, **options), plain)
    torch.manual_seed(0)
    noisy, delta = tunnel.attribute(images, stdevs=0.02, return_convergence_delta=True, **options)
    assert noisy.shape == images.shape
    assert delta.shape == (4,)
    assert 0 < float((noisy - plain).abs().max()) < float(plain.abs().max())


def test_convergence_delta_is_the_integral_less_the_change(method, images):
    maps, expected = method.tensors(images, WINDOW, n_steps=16, return_convergence_delta=True)
    start = torch.cat([GaussianBlurPath().at(image[None], np.zeros(1)) for image in images])
    delta = method.compute_convergence_delta(maps, start, images, target=WINDOW)
    assert torch.allclose(delta, expected.float(), atol=1e-4)
    with pytest.raises(NotImplementedError, match="return_convergence_delta=True"):
        method.compute_convergence_delta(maps, start, images)


def test_infidelity_and_sensitivity(method, images):
    value = method.detector_function(WINDOW)
    maps = method.tensors(images, WINDOW, n_steps=8)
    torch.manual_seed(0)

    def perturbed(inputs):
        noise = 0.01 * torch.randn_like(inputs)
        return noise, inputs - noise

    def missed(attributions):
        return infidelity(value, perturbed, images, attributions, n_perturb_samples=8)

    assert missed(maps).shape == (2,)
    assert torch.isfinite(missed(maps)).all()
    assert missed(100 * maps).sum() > missed(maps).sum()
    found = sensitivity_max(
        method.tensors, images, perturb_radius=0.01, n_perturb_samples=2, window=WINDOW, n_steps=4
    )
    assert found.shape == (2,)
    assert (found > 0).all()


def test_captum_draws_the_map(method, images):
    found = method.tensors(images[:1], WINDOW, n_steps=4)[0]
    figure, _ = visualization.visualize_image_attr(
        found.permute(1, 2, 0).numpy(), method="heat_map", sign="absolute_value", use_pyplot=False
    )
    assert figure is not None
