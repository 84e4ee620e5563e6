"""HPINet as PyTorch's tools expect a module: hooks, replaced layers, types, graphs, transforms."""

import copy
import pickle

import pytest
import torch
import torch.nn.utils.parametrize as parametrize
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from hpinet import HPINet, HPINetConfig

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))
SAME = 1e-5


@pytest.fixture
def model():
    torch.manual_seed(0)
    return HPINet(TINY).eval()


@pytest.fixture
def x():
    return torch.rand(1, 3, 22, 30, generator=torch.Generator().manual_seed(1))


def run(model, x):
    with torch.no_grad():
        return model(x)


def difference(a, b):
    return float((a - b).abs().max())


def test_every_hook_fires_once_a_pass_with_the_whole_tensor(model, x):
    shapes, backward = {}, []
    named = {
        name: m for name, m in model.named_modules() if name and not isinstance(m, nn.ModuleList)
    }
    for name, module in named.items():
        module.register_forward_hook(
            lambda _, __, out, name=name: shapes.setdefault(name, []).append(out)
        )
    layer = model.blocks[0].feed_forwards[0].expand
    layer.register_full_backward_hook(lambda *_: backward.append(1))
    model(x.requires_grad_()).sum().backward()
    assert set(shapes) == set(named) and len(backward) == 1
    assert all(len(calls) == 1 for calls in shapes.values())
    # 2 x 3 patches of 12 pixels a side.
    assert shapes["blocks.0.attentions.1.value"][0].shape == (1, 6, 144, 8)
    assert shapes["upsamplers.0"][0].shape == (1, 32, 22, 30)


class Adapter(nn.Module):
    """As LoRA adapters are: a layer around a layer."""

    def __init__(self, base):
        super().__init__()
        self.base = base

    def forward(self, x):
        return 3 * self.base(x)


class Thrice(nn.Module):
    def forward(self, weight):
        return 3 * weight


@pytest.mark.parametrize(
    "change", [Adapter, lambda m: parametrize.register_parametrization(m, "weight", Thrice())]
)
def test_a_changed_layer_takes_effect(model, x, change):
    expected = copy.deepcopy(model)
    expected.blocks[0].attentions[0].value.weight.data *= 3
    parent = model.blocks[0].attentions[0]
    parent.value = change(parent.value)
    assert difference(run(model, x), run(expected, x)) < SAME


def test_a_replaced_convolution_takes_effect(model, x):
    before = run(model, x)
    model.upsamplers[1] = nn.Conv2d(8, 32, 5, padding=2)
    after = run(model, x)
    assert after.shape == before.shape and difference(after, before) > 1e-4


def test_dynamic_quantisation_runs(model, x):
    with pytest.warns(DeprecationWarning):
        quantised = torch.ao.quantization.quantize_dynamic(copy.deepcopy(model), {nn.Linear})
    assert 0 < difference(run(quantised, x), run(model, x)) < 0.1


def test_other_weights_by_functional_call(model, x):
    weights = {name: 1.1 * p for name, p in model.named_parameters()}
    found = torch.func.functional_call(model, weights, x)
    model.load_state_dict(weights)
    assert difference(found, run(model, x)) < SAME


@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float64, SAME), (torch.bfloat16, 0.05), (torch.float16, 0.01)]
)
def test_networks_of_any_float_type(model, x, dtype, bound):
    before = run(model, x)
    typed = copy.deepcopy(model).to(dtype)
    after = run(typed, x.to(dtype))
    assert after.dtype == dtype
    assert difference(after.float(), before) < bound
    image = x.to(dtype).requires_grad_()
    typed(image).float().sum().backward()
    assert torch.isfinite(image.grad).all()


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_traced_network_is_right_and_refuses_other_sizes(model, x):
    traced = torch.jit.trace(model, torch.zeros_like(x), check_trace=False)
    assert difference(run(traced, x), run(model, x)) < SAME
    for other in (x.transpose(2, 3), x[..., :20]):
        with pytest.raises(RuntimeError):
            traced(other)


@pytest.mark.parametrize("strict", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_exported_network_is_right_on_another_image(model, x, strict):
    program = torch.export.export(model, (torch.zeros_like(x),), strict=strict)
    assert difference(run(program.module(), x), run(model, x)) < SAME
    with pytest.raises((AssertionError, RuntimeError)):
        program.module()(x.transpose(2, 3))


@pytest.mark.slow
@pytest.mark.parametrize("gradients", [False, True])
def test_a_compiled_network_is_right_at_every_size(model, x, gradients):
    torch.compiler.reset()
    compiled = torch.compile(model, backend="aot_eager")
    with torch.set_grad_enabled(gradients):
        for image in (x, x[..., :20, :25]):
            assert difference(compiled(image), run(model, image)) < SAME


def test_transforms_of_torch_func(model, x):
    """Second derivatives and forward mode need the plain formula of attention: MATH."""
    model.double().requires_grad_(False)
    x = x.double()
    images = torch.stack([x, x.flip(-1)])
    each = torch.stack([run(model, image) for image in images])
    assert difference(torch.func.vmap(model)(images), each) < 1e-12
    image, v = x.clone().requires_grad_(), torch.randn_like(x)
    (gradient,) = torch.autograd.grad(model(image).square().sum(), image)
    assert difference(torch.func.grad(lambda z: model(z).square().sum())(x), gradient) < 1e-9
    with sdpa_kernel(SDPBackend.MATH):
        # Forward and backward mode agree: <w, J v> = <J^T w, v>.
        sr, along = torch.func.jvp(model, (x,), (v,))
        (back,) = torch.autograd.grad(model(image), image, sr)
        assert float((sr * along).sum()) == pytest.approx(float((back * v).sum()))
        # A gradient of a gradient, against differences.
        value = model(image).square().sum()
        (found,) = torch.autograd.grad(value, image, create_graph=True)
        (second,) = torch.autograd.grad((found * v).sum(), image)
        up, down = (
            torch.func.grad(lambda z: model(z).square().sum())(x + sign * 1e-6 * v)
            for sign in (1, -1)
        )
    assert difference((up - down) / 2e-6, second) < 1e-4 * float(second.abs().max())


def test_copies_and_pickles(model, x):
    before = run(model, x)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(run(other, x), before)
