"""Any architecture behind one interface: each trait of published networks, on small ones."""

from __future__ import annotations

import re
import warnings

import pytest
import torch
from helpers import architectures as kinds
from torch import nn

from hpinet import HPINet, HPINetConfig, upscale
from hpinet.networks.adapt import DoubtfulRange, probe_image
from hpinet.networks.adapted_network import AdaptedNetwork
from hpinet.networks.files import network_digest
from lam import LocalAttribution, Window, adapt

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16), scale=2)


@pytest.fixture
def image():
    return probe_image()[..., :20, :23].contiguous()


def plain(x, kind=kinds.Plain):
    """What a network of this kind should make of RGB in [0, 1]."""
    network = kind().eval()
    with torch.no_grad():
        return network(x * kind.top) / kind.top


# --- the range of pixel values ---------------------------------------------------------------


@pytest.mark.parametrize(("kind", "top"), [(kinds.Plain, 1), (kinds.Of255, 255)])
def test_the_range_of_values_is_found(kind, top, image):
    network = adapt(kind())
    assert (network.scale, network.options["value_range"]) == (2, top)
    assert torch.allclose(network(image), plain(image, kind), atol=1e-6)
    assert f"enlarges 2 times, pixels of 0 to {top}" in network.notes[0]
    assert network.notes[0].count(" dB") == 2
    wrong = adapt(kind(), value_range=256 - top)
    assert wrong.options["value_range"] == 256 - top  # who says it is believed
    assert not torch.allclose(wrong(image), network(image), atol=0.01)


def test_a_wrong_range_is_compared_and_not_judged():
    class Close(kinds.Of255):  # in the wrong range as like as 40 dB
        def forward(self, x):
            base = nn.functional.interpolate(x, scale_factor=2, mode="bicubic")
            return base + 0.01 * torch.tanh(x.mean() - 50)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network = adapt(Close())
    assert network.options["value_range"] == 255
    figures = [float(n) for n in re.findall(r"([\d.]+) dB", network.notes[0])]
    assert figures[0] > figures[1] > 33


def test_a_network_that_is_like_nothing_is_doubted():
    class Noise(nn.Module):
        def forward(self, x):
            return nn.functional.interpolate(x, scale_factor=3).flip(-1)

    with pytest.warns(DoubtfulRange, match=r"under 34.*value_range=1 or 255"):
        network = adapt(Noise())
    assert "under 34" in network.notes[-1]
    assert network.scale == 3


# --- what forward takes and returns ----------------------------------------------------------


def test_arguments_beside_the_image(image):
    network = adapt(kinds.TakesTheScale(), arguments={"scale": 2})
    assert torch.equal(network(image), plain(image))
    with pytest.raises(ValueError, match=r"takes scale, too: arguments=\{'scale': \.\.\.\}"):
        adapt(kinds.TakesTheScale())


def test_one_of_several_results(image):
    assert torch.equal(adapt(kinds.ReturnsSeveral(), output=1)(image), plain(image))
    assert torch.equal(adapt(kinds.ReturnsSeveral(), output=-1)(image), plain(image))
    assert torch.equal(adapt(kinds.ReturnsADict(), output="sr")(image), plain(image))
    with pytest.raises(ValueError, match=r"2 results.*output=5"):
        adapt(kinds.ReturnsSeveral(), output=5)
    with pytest.raises(ValueError, match=r"keys 'features', 'sr'.*output=0"):
        adapt(kinds.ReturnsADict())
    with pytest.raises(ValueError, match=r"output=N chooses"):
        adapt(kinds.ReturnsSeveral())  # the first result has eight channels


def test_sizes_of_a_multiple_are_padded_once(image):
    network = adapt(kinds.NeedsMultiples(), multiple=16)
    assert network(image).shape == (1, 3, 40, 46)
    whole = probe_image()
    assert torch.equal(network(whole), plain(whole))  # 48 is a multiple: nothing is padded
    with pytest.raises(ValueError, match="cannot enlarge an image of 23x20 pixels"):
        adapt(kinds.NeedsMultiples())(image)


def test_channels_and_mean(image):
    red = torch.tensor([0.2, 0.0, 0.0])[:, None, None]
    rgb, bgr = (adapt(kinds.Bgr(), channels=c, value_range=1) for c in ("rgb", "bgr"))
    assert torch.allclose(rgb(image), plain(image) + red, atol=1e-6)
    assert torch.allclose(bgr(image), plain(image.flip(1)).flip(1) + red.flip(0), atol=1e-6)
    shifted = adapt(kinds.Plain(), mean=(0.4, 0.3, 0.2), value_range=1)
    colour = torch.tensor([0.4, 0.3, 0.2])[:, None, None]
    assert torch.allclose(shifted(image), plain(image - colour) + colour, atol=1e-6)


def test_a_network_on_luma_leaves_chroma_to_bicubic():
    grey = torch.full((1, 3, 9, 9), 0.5)
    network = adapt(kinds.OnLuma(), channels="y")
    assert torch.allclose(network(grey), torch.full((1, 3, 18, 18), 0.5), atol=1e-5)
    colour = torch.tensor([0.9, 0.2, 0.4])[:, None, None].expand(1, 3, 9, 9)
    assert torch.allclose(network(colour)[0, :, 8, 8], torch.tensor([0.9, 0.2, 0.4]), atol=1e-5)
    with pytest.raises(ValueError, match="cannot enlarge"):
        adapt(kinds.OnLuma())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"value_range": 2}, "2"),
        ({"value_range": "255"}, "'255'"),
        ({"arguments": [4]}, r"\[4\]"),
        ({"multiple": 0}, "0"),
        ({"multiple": 2.5}, "2.5"),
        ({"output": 1.5}, "1.5"),
        ({"channels": "cmyk"}, "rgb, bgr, y"),
        ({"mean": (104, 117, 123)}, "104"),
        ({"mean": (0.1, 0.2)}, "0.1, 0.2"),
    ],
)
def test_options_that_are_none(options, words):
    with pytest.raises(ValueError, match=words):
        adapt(kinds.Plain(), **options)


# --- the scale -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kinds.LyingScale, kinds.ResidualScale])
def test_the_scale_is_measured_and_never_believed(kind, image):
    assert adapt(kind()).scale == 2
    assert adapt(kind(factor=4)).scale == 4
    # Passed bare, it is not believed either.
    found = LocalAttribution(kind().eval()).attribute(image, Window(8, 8, 8), n_steps=2)
    assert found.params["sr_size"] == [40, 46]
    with pytest.raises(ValueError, match="reaches outside"):
        LocalAttribution(kind().eval()).attribute(image, Window(60, 60, 8), n_steps=2)


def test_what_does_not_enlarge_by_a_whole_number_is_refused():
    class Odd(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.size = size

        def forward(self, x):
            return nn.functional.interpolate(x, self.size)

    for size in ((100, 100), (96, 48), (40, 40)):
        with pytest.raises(ValueError, match="no whole number of times"):
            adapt(Odd(size))
    fixed = adapt(Odd((96, 96)))
    with pytest.raises(ValueError, match=r"Odd makes 96x96 pixels from 20x20.*multiple=N"):
        fixed(torch.rand(1, 3, 20, 20))


# --- batches ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kinds.OneAtATime, kinds.MixesUpTheBatch, kinds.Plain])
def test_a_batch_is_each_image_alone(kind, image):
    network = adapt(kind())
    batch = torch.cat([image, image.flip(-1), 1 - image])
    alone = torch.cat([network(one[None]) for one in batch])
    assert torch.allclose(network(batch), alone, atol=1e-6)
    found = LocalAttribution(network).attribute(image, Window(8, 8, 8), n_steps=8)
    one = LocalAttribution(network).attribute(
        image, Window(8, 8, 8), n_steps=8, internal_batch_size=1
    )
    assert found.diffusion_index == pytest.approx(one.diffusion_index, abs=1e-4)


# --- writing in place ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kinds.InPlace, kinds.InPlaceOfAView])
def test_networks_that_write_in_place_have_their_true_gradient(kind, image):
    network = adapt(kind())
    x = image.clone().requires_grad_()
    weights = torch.rand(1, 3, 40, 46, generator=torch.Generator().manual_seed(1))
    (found,) = torch.autograd.grad((network(x) * weights).sum(), x)
    step = torch.rand(image.shape, generator=torch.Generator().manual_seed(2)).double()
    exact = adapt(kind().double(), value_range=1)
    values = [
        float((exact(image.double() + sign * 1e-6 * step) * weights).sum()) for sign in (1, -1)
    ]
    assert float((found.double() * step).sum()) == pytest.approx(
        (values[0] - values[1]) / 2e-6, rel=1e-3
    )
    result = LocalAttribution(network).attribute(image, Window(8, 8, 8), n_steps=20)
    assert abs(result.relative_residual) < 0.02


def test_the_input_stays_as_it_is(image):
    before = image.clone()
    network = adapt(kinds.ScalesItsInput())
    x = image.requires_grad_()
    torch.autograd.grad(network(x).sum(), x)
    assert torch.equal(image, before)


# --- evaluation mode, gradients, types -------------------------------------------------------


def test_always_in_evaluation_mode_and_without_gradients(image):
    network = adapt(kinds.LeftInTraining())
    assert not any(module.training for module in network.modules())
    assert not any(p.requires_grad for p in network.parameters())
    assert torch.equal(network(image), network(image))
    network.train()
    assert not any(module.training for module in network.modules())


def test_half_precision_weights_are_widened(image):
    network = adapt(kinds.Plain().half())
    assert torch.allclose(network(image), plain(image), atol=1e-3)


def test_what_has_the_interface_already_passes(image):
    model = HPINet(TINY).train()
    assert adapt(model) is model
    assert not model.training
    adapted = adapt(kinds.Plain())
    assert adapt(adapted) is adapted
    for network in (model, adapted):
        with pytest.raises(ValueError, match="leave the options out"):
            adapt(network, value_range=255)
    assert isinstance(adapt(nn.DataParallel(kinds.Plain())), AdaptedNetwork)
    assert adapt(nn.DataParallel(kinds.Plain())).name == "Plain"
    for wrong in (kinds.Plain, {"weights": 1}, None):
        with pytest.raises(ValueError, match=r"torch\.nn\.Module"):
            adapt(wrong)


def test_errors_of_an_architecture_are_one_sentence():
    class Broken(kinds.Plain):
        def features(self, x):
            raise KeyError("body.7\nand more")

    with pytest.raises(ValueError, match="Broken cannot enlarge an image of 48x48") as caught:
        adapt(Broken())
    assert "\n" not in str(caught.value)


def test_running_out_of_memory_is_not_the_architecture_s_fault(image):
    class Greedy(kinds.Plain):
        def features(self, x):
            if x.shape[-1] != 48:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
            return super().features(x)

    with pytest.raises(RuntimeError, match="out of memory"):
        adapt(Greedy())(image)
    with pytest.raises(ValueError, match="not enough memory"):
        upscale(adapt(Greedy()), image)


# --- what was used is recorded ---------------------------------------------------------------


def test_results_say_what_made_them(image):
    network = adapt(kinds.TakesTheScale(), arguments={"scale": 2}, name="CARN")
    result = LocalAttribution(network).attribute(image, Window(8, 8, 8), n_steps=2)
    told = result.params["network"]
    assert told["class"] == "CARN"
    assert told["options"]["arguments"] == {"scale": 2}
    assert told["options"]["value_range"] == 1
    assert told["weights_sha256"] == network_digest(network)
    other = adapt(kinds.TakesTheScale(), arguments={"scale": 2}, value_range=255, name="CARN")
    assert network_digest(other) != network_digest(network)
