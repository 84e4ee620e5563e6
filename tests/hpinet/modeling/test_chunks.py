"""Chunks of patches and bands of rows bound the memory of a pass and change nothing else."""

import pytest
import torch

from hpinet import HPINet, HPINetConfig, get_config
from hpinet.modeling import block
from hpinet.modeling import hpinet as network


def build(config):
    torch.manual_seed(0)
    return HPINet(config).eval().requires_grad_(False)


def picture(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def small_chunks(monkeypatch):
    def split(chunk, band):
        monkeypatch.setattr(block, "CHUNK", chunk)
        monkeypatch.setattr(network, "BAND", band)

    return split


@pytest.mark.parametrize("size", [(1, 1), (12, 12), (13, 40), (47, 64)])
@pytest.mark.parametrize("overlap", [0, 2])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_chunks_change_nothing(size, overlap, scale, small_chunks):
    model = build(HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8, 12), overlap=overlap,
                               scale=scale))  # fmt: skip
    x = picture(2, 3, *size).requires_grad_()
    whole, matches = model(x, return_matches=True)
    (expected,) = torch.autograd.grad(whole.square().sum(), x)
    for chunk, band in ((1, 1), (1000, 10_000)):
        small_chunks(chunk, band)
        sr, used = model(x, return_matches=True)
        torch.testing.assert_close(sr, whole, atol=1e-5, rtol=0)
        (gradient,) = torch.autograd.grad(sr.square().sum(), x)
        torch.testing.assert_close(gradient, expected, atol=1e-4, rtol=1e-4)
        for ours, theirs in zip(used.blocks, matches.blocks, strict=True):
            assert ours.index.equal(theirs.index)


@pytest.mark.parametrize("variant", ["S-no-gpa", "M-no-ipsa", "M-no-conv"])
def test_chunks_change_nothing_in_ablated_networks(variant, small_chunks):
    model, x = build(get_config(variant)), picture(1, 3, 30, 50)
    # Matches are given: near ties may fall the other way where sums are ordered differently.
    expected, matches = model(x, return_matches=True)
    small_chunks(1, 1)
    torch.testing.assert_close(model(x, matches=matches), expected, atol=1e-5, rtol=0)


def test_random_matches_of_training_do_not_depend_on_chunks(small_chunks):
    model = build(get_config("S")).train().requires_grad_(True)
    gradients = []
    for chunk in (block.CHUNK, 1000):
        small_chunks(chunk, network.BAND)
        model.zero_grad()
        model(picture(2, 3, 30, 30), seeds=[1, 2]).square().sum().backward()
        gradients.append(model.blocks[0].match_norm.weight.grad.clone())
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5)


def test_no_layer_gets_more_than_a_chunk():
    """What bounds the memory: 180x320 pixels are 80,000 and more in overlapping patches."""
    model, most = build(get_config("S")), {"patches": 0, "upsampled": 0}

    def watch(kind, count):
        def hook(_, inputs, output):
            most[kind] = max(most[kind], count(output))

        return hook

    for one in model.blocks:
        one.attentions[0].register_forward_hook(watch("patches", lambda o: o[..., 0].numel()))
    model.upsamplers[-1].register_forward_hook(watch("upsampled", torch.numel))
    with torch.inference_mode():
        model.to("meta")(torch.empty(1, 3, 180, 320, device="meta"))
    assert block.CHUNK / 2 < most["patches"] <= block.CHUNK + 24**2
    assert network.BAND / 2 < most["upsampled"] <= 1.3 * network.BAND  # with the halo
