"""The layers for CPUs against the plain formulas: results and gradients."""

import pytest
import torch
import torch.nn.functional as F

from hpinet.modeling.attention import FeedForward, PatchAttention, attend
from hpinet.modeling.cpu_kernels.chunks import sizes


def attention_plainly(layer, x, other):
    z = layer.norm(x)
    other = z if other is None else other
    return x + attend(layer.query(z), layer.key(other), layer.value(other), fused=False)


def feed_forward_plainly(layer, x):
    return x + layer.reduce(F.gelu(layer.expand(layer.norm(x))))


def gradients(y, inputs, layer, weight):
    return torch.autograd.grad((y * weight).sum(), [*inputs, *layer.parameters()])


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(sizes, "few", 0)  # in chunks, however few the pixels
    monkeypatch.setattr(sizes, "scores", 2 * 16**2 + 1)  # two at a time, and a last one
    monkeypatch.setattr(sizes, "rows", 30)  # 112 rows: no multiple


def picture_of_patches(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 7, 16, 10, dtype=torch.float64, generator=generator).requires_grad_()


@pytest.mark.parametrize("crossed", [False, True])
def test_attention_and_its_gradients_are_the_plain_ones(crossed):
    torch.manual_seed(0)
    layer = PatchAttention(10, 6).double()
    torch.nn.init.normal_(layer.norm.weight)
    x, other = picture_of_patches(1), picture_of_patches(2) if crossed else None
    inputs = [x, other] if crossed else [x]
    weight = torch.randn_like(x)
    expected = attention_plainly(layer, x, other)
    found = layer(x, other)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    for mine, plain in zip(
        gradients(found, inputs, layer, weight),
        gradients(expected, inputs, layer, weight),
        strict=True,
    ):
        torch.testing.assert_close(mine, plain, atol=1e-11, rtol=0)


def test_the_feed_forward_network_and_its_gradients_are_the_plain_ones():
    torch.manual_seed(0)
    layer, x = FeedForward(10, 14).double(), picture_of_patches(1)
    torch.nn.init.normal_(layer.norm.weight)
    weight = torch.randn_like(x)
    expected, found = feed_forward_plainly(layer, x), layer(x)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    for mine, plain in zip(
        gradients(found, [x], layer, weight), gradients(expected, [x], layer, weight), strict=True
    ):
        torch.testing.assert_close(mine, plain, atol=1e-11, rtol=0)


def test_only_the_picture_needs_a_gradient_for_attribution():
    torch.manual_seed(0)
    layers = [PatchAttention(10, 6).double(), FeedForward(10, 14).double()]
    for layer in layers:
        layer.requires_grad_(False)
    x = picture_of_patches(1)
    found = torch.autograd.grad(layers[1](layers[0](x, None)).sum(), x)[0]
    plainly = feed_forward_plainly(layers[1], attention_plainly(layers[0], x, None))
    expected = torch.autograd.grad(plainly.sum(), x)[0]
    torch.testing.assert_close(found, expected, atol=1e-11, rtol=0)


def test_bfloat16_autocast_is_near_and_keeps_what_is_added_to_exact():
    torch.manual_seed(0)
    layer, x = PatchAttention(10, 6), picture_of_patches(1).detach().float().requires_grad_()
    exact = torch.autograd.grad(layer(x).sum(), x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x)
    assert found.dtype == torch.float32
    near = torch.autograd.grad(found.sum(), x)[0]
    torch.testing.assert_close(near, exact, atol=0.1, rtol=0)
    assert not torch.equal(near, exact)


def kept_for_backward(layer, x):
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.numel()) or t, lambda t: t
    ):
        layer(x)
    return sum(kept)


def test_only_the_input_is_kept_but_where_a_trained_layer_has_few_pixels(monkeypatch):
    layer, x = PatchAttention(10, 6).double(), picture_of_patches(1)
    least = x.numel() + sum(p.numel() for p in layer.parameters())
    assert kept_for_backward(layer, x) == least
    plainly = 7 * 16 * (16 + 8 * 10)  # scores, and eight numbers a channel
    monkeypatch.setattr(sizes, "few", plainly)
    assert kept_for_backward(layer, x) == least
    monkeypatch.setattr(sizes, "few", plainly + 1)
    assert kept_for_backward(layer, x) > least + 7 * 16**2
    assert kept_for_backward(layer.requires_grad_(False), x) == least
