"""Networks and images as people pass them: random, in place, wrapped, half precision, 0..255."""

import copy
import functools
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hpinet import HPINet, HPINetConfig, OwnPatches, upscale
from hpinet.metrics.psnr_ssim import psnr_y
from hpinet.networks import adapt as adapting
from hpinet.networks.adapt import DoubtfulRange, adapt
from lam import GaussianBlurPath, LocalAttribution, Window, explain

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))
WINDOW = Window(left=30, top=30, size=16)


@pytest.fixture(scope="module")
def image():
    return torch.rand(1, 3, 26, 30, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return HPINet(TINY).eval()


class Random(nn.Module):
    """Doubles an image; ``part`` comes between."""

    def __init__(self, part):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), part)

    def forward(self, x):
        return F.interpolate(self.body(x), scale_factor=2, mode="bilinear")


class Shaken(nn.Module):
    """Random in every mode, under a name that says nothing."""

    def __init__(self, chance=1.0):
        super().__init__()
        self.chance = chance

    def forward(self, x):
        return x * (1 + 0.1 * torch.rand(())) if torch.rand(()) < self.chance else x


class DropPath(nn.Module):
    def forward(self, x):
        return x * torch.bernoulli(torch.tensor(0.5)) if self.training else x


@pytest.mark.parametrize("method", ["lam", "saliency", "input_x_gradient", "occlusion"])
def test_a_random_network_is_refused_with_both_numbers(image, method):
    with pytest.raises(ValueError, match=r"is random: .* is [-\d.]+ and then [-\d.]+"):
        explain(Random(Shaken()).eval(), image, WINDOW, method)


def test_a_network_that_is_seldom_random_is_refused(image):
    torch.manual_seed(0)
    with pytest.raises(ValueError, match="is random"):
        explain(Random(Shaken(0.3)).eval(), image, WINDOW, "saliency")


@pytest.mark.parametrize("part", [DropPath(), nn.Dropout2d(), nn.BatchNorm2d(3), nn.RReLU()])
@pytest.mark.parametrize("behind", [lambda m: m, lambda m: lambda x: m(x), lambda m: m.forward])
def test_a_part_in_training_mode_is_named(image, part, behind):
    network = Random(part).eval()
    part.train()
    with pytest.raises(ValueError, match=f"{type(part).__name__} is in training mode"):
        explain(behind(network), image, WINDOW)
    part.eval()
    assert explain(behind(network), image, WINDOW, n_steps=2).finished


def test_hpinet_in_training_mode_is_found_in_a_wrapper_and_behind_a_function(image, network):
    training = copy.deepcopy(network).train()
    for forward in (Wrapper(training).eval(), lambda x: training(x), functools.partial(training)):
        training.train()
        with pytest.raises(ValueError, match="HPINet is in training mode"):
            explain(forward, image, WINDOW)


class InPlace(nn.Module):
    """Writes into what it is given."""

    scale = 2

    def forward(self, x):
        x.mul_(2).sub_(0.5)
        return F.interpolate(x, scale_factor=2, mode="nearest")


@pytest.mark.parametrize("method", ["lam", "saliency", "input_x_gradient", "occlusion"])
def test_a_network_that_writes_into_its_input_gives_the_map_of_one_that_does_not(image, method):
    given = image.clone()
    found = explain(InPlace(), given, WINDOW, method)
    expected = explain(
        lambda x: F.interpolate(2 * x - 0.5, scale_factor=2, mode="nearest"), image, WINDOW, method
    )
    assert torch.equal(given, image)
    assert np.allclose(found.attribution, expected.attribution, atol=1e-6)


@pytest.mark.parametrize(
    ("scaled", "seems", "way"),
    [
        (lambda x: 255 * x, "0 to 255", "divide by 255"),
        (lambda x: 65535 * x, "0 to 65535", "divide by 65535"),
        (lambda x: 2 * x - 1, "-1 to 1", "add 1 and halve"),
        (lambda x: 1.2 * x, "beyond 1", "clamp"),
    ],
)
def test_images_of_another_range_are_refused_by_its_name(image, network, scaled, seems, way):
    message = f"as if they were {seems}: {way}"
    for method in ("lam", "saliency", "occlusion"):
        with pytest.raises(ValueError, match=message):
            explain(network, scaled(image), WINDOW, method)
    with pytest.raises(ValueError, match=message):
        upscale(network, scaled(image))


def test_metrics_refuse_other_ranges_and_take_overshoot(image):
    over = (image * 1.2 - 0.1).clamp(-0.1, 1.1)
    assert psnr_y(over, image, 2) == psnr_y(over.clamp(0, 1), image, 2)
    for wrong in (255 * image, 2 * image - 1):
        with pytest.raises(ValueError, match=r"must hold numbers from 0 to 1"):
            psnr_y(image, wrong, 2)
    with pytest.raises(ValueError, match="not an array of float64"):
        psnr_y(np.zeros((9, 9, 3)), np.zeros((9, 9, 3)), 2)


class Wrapper(nn.Module):
    """A network inside another whose forward says nothing of matches."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.scale = 4

    def forward(self, x):
        return self.model(x)


@pytest.mark.slow
def test_wrappers_that_are_known_keep_the_matches(image, network):
    plain = LocalAttribution(network).attribute(image, WINDOW, n_steps=6)
    assert plain.jumps_counted
    assert plain.switches is not None
    for wrapped in (nn.DataParallel(network), torch.compile(network), network.forward):
        found = LocalAttribution(wrapped).attribute(image, WINDOW, n_steps=6)
        assert np.array_equal(found.attribution, plain.attribution)
        assert found.match_jumps == plain.match_jumps
        assert found.params["network"] == plain.params["network"]


def test_where_jumps_cannot_be_counted_it_is_said(image, network):
    plain = LocalAttribution(network).attribute(image, WINDOW, n_steps=6)
    for hidden in (Wrapper(network).eval(), lambda x: network(x)):
        found = LocalAttribution(hidden).attribute(image, WINDOW, n_steps=6)
        assert not found.jumps_counted
        assert np.isnan(found.match_jumps)
        assert found.residual == pytest.approx(plain.residual + plain.match_jumps, abs=1e-3)
        assert found.summary()["match_jumps"] is None
    for settled in (OwnPatches(network), HPINet(TINY.without_gpa()).eval(), Wrapper(InPlace())):
        assert LocalAttribution(settled).attribute(image, WINDOW, n_steps=2).jumps_counted


@pytest.mark.slow
@pytest.mark.parametrize("image_type", [torch.float32, torch.float16, torch.float64])
@pytest.mark.parametrize(
    ("network_type", "bound"), [(torch.float64, 1e-3), (torch.bfloat16, 0.3), (torch.float16, 0.1)]
)
def test_networks_and_images_of_any_float_type(image, network, network_type, image_type, bound):
    """A smooth network: half precision may switch a match, which would be another map."""
    torch.manual_seed(1)
    smooth = HPINet(TINY.without_gpa()).eval()
    plain = LocalAttribution(smooth).attribute(image, WINDOW, n_steps=4)
    typed = copy.deepcopy(smooth).to(network_type)
    found = LocalAttribution(typed).attribute(image.to(image_type), WINDOW, n_steps=4)
    change = np.linalg.norm(found.attribution - plain.attribution)
    assert change < bound * np.linalg.norm(plain.attribution)
    sr = upscale(typed, image.to(image_type)).rgb
    assert sr.dtype == torch.float32
    assert float((sr - upscale(smooth, image).rgb).abs().max()) < 0.05
    matching = copy.deepcopy(network).to(network_type)
    assert LocalAttribution(matching).attribute(image.to(image_type), WINDOW, n_steps=2).finished


def test_one_thread_and_many_agree(image, network):
    threads = torch.get_num_threads()
    options = [{"method": "riemann_demo", "n_steps": 10}, {"n_steps": 10}]
    try:
        maps = []
        for count in (1, 4):
            torch.set_num_threads(count)
            found = [LocalAttribution(network).attribute(image, WINDOW, **o) for o in options]
            maps.append([result.attribution for result in found])
    finally:
        torch.set_num_threads(threads)
    for one, many in zip(*maps, strict=True):
        assert np.abs(one - many).max() < 1e-4 * np.abs(one).max()


def test_paths_stay_in_float32_on_the_image_s_device():
    image = torch.rand(1, 3, 8, 8)
    assert GaussianBlurPath().at(image, np.array([0.5])).dtype == torch.float32


class Lookup(nn.Module):
    """Enlarges what lies between 0 and ``top``, and cuts off what is brighter than an image is."""

    def __init__(self, top, least):
        super().__init__()
        self.top, self.least = top, least

    def forward(self, x):
        # Pixels of the wrong range lie under the floor.
        return F.interpolate(x.clamp(self.least, self.top), scale_factor=2, mode="bicubic")


def test_a_module_of_0_to_255_is_warned_of_once(image):
    network = Lookup(255, 2)
    with pytest.warns(DoubtfulRange, match="seems to expect pixels of 0 to 255.*lam.adapt"):
        LocalAttribution(network).attribute(image, WINDOW, n_steps=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LocalAttribution(network).attribute(image, WINDOW, n_steps=1)  # it was said
        LocalAttribution(adapt(network)).attribute(image, WINDOW, n_steps=1)


@pytest.mark.parametrize("made", [lambda: Lookup(1, 0), lambda: nn.Upsample(scale_factor=2)])
def test_a_module_of_0_to_1_or_of_any_range_is_taken_as_it_is(image, made):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LocalAttribution(made()).attribute(image, WINDOW, n_steps=1)


def test_looking_at_the_range_changes_nothing(image):
    network = nn.Sequential(nn.BatchNorm2d(3, momentum=None), nn.Upsample(scale_factor=2)).train()
    before = copy.deepcopy(network.state_dict())
    torch.manual_seed(3)
    adapting.warn_of_range(network)
    assert float(torch.rand(())) == float(torch.rand((), generator=torch.manual_seed(3)))
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
