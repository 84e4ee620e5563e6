"""HPINet as PyTorch's tools expect a module: hooks, replaced layers, types, graphs, transforms."""

import copy
import pickle

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
import torch.nn.utils.parametrize as parametrize
import torch.nn.utils.prune as prune
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hpinet import HPINet, HPINetConfig
from hpinet.modeling.multi_adds import count_multi_adds

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


def observed(model):
    """A copy whose every layer is called, as a hook on each makes sure."""
    found = copy.deepcopy(model)
    for module in found.modules():
        module.register_forward_hook(lambda *_: None)
    return found


def difference(a, b):
    return float((a - b).abs().max())


def test_every_hook_fires_once_a_pass_with_the_whole_tensor(model, x):
    shapes = {}
    named = {
        name: m for name, m in model.named_modules() if name and not isinstance(m, nn.ModuleList)
    }
    plain = run(model, x)
    for name, module in named.items():
        module.register_forward_hook(
            lambda _, __, out, name=name: shapes.setdefault(name, []).append(out)
        )
    assert difference(run(model, x), plain) < SAME
    assert set(shapes) == set(named)
    assert all(len(calls) == 1 for calls in shapes.values())
    # 2 x 3 patches of 12 pixels a side.
    assert shapes["blocks.0.attentions.1.value"][0].shape == (1, 6, 144, 8)
    assert shapes["upsamplers.0"][0].shape == (1, 32, 22, 30)


def test_backward_hooks_fire(model, x):
    fired = []
    for block in model.blocks:
        layer = block.feed_forwards[0].expand
        layer.register_full_backward_hook(lambda module, *_: fired.append(module))
    model(x.requires_grad_()).sum().backward()
    assert len(fired) == 2


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Adapter(nn.Module):
    """As LoRA adapters are: a layer around a layer."""

    def __init__(self, base):
        super().__init__()
        self.base = base
        self.weight, self.bias = base.weight, base.bias

    def forward(self, x):
        return 3 * self.base(x)


class Twice(nn.Module):
    def forward(self, weight):
        return 2 * weight


def subclass(layer):
    found = Doubled(layer.in_features, layer.out_features, layer.bias is not None)
    found.load_state_dict(layer.state_dict())
    return found


def own_forward(layer):
    layer.forward = lambda x: 2 * nn.functional.linear(x, layer.weight, layer.bias)
    return layer


def parametrized(layer):
    return parametrize.register_parametrization(layer, "weight", Twice())


def pruned(layer):
    return prune.l1_unstructured(layer, "weight", 0.5)


@pytest.mark.parametrize("change", [subclass, Adapter, own_forward, parametrized, pruned])
@pytest.mark.parametrize(
    "place", ["attentions.0.value", "attentions.2.query", "feed_forwards.1.reduce"]
)
def test_a_changed_layer_takes_effect_as_where_gradients_are_wanted(model, x, change, place):
    before = run(model, x)
    parent, _, name = place.rpartition(".")
    parent = model.blocks[0].get_submodule(parent)
    setattr(parent, name, change(getattr(parent, name)))
    after = run(model, x)
    assert difference(after, before) > 1e-4
    assert difference(after, run(observed(model), x)) < SAME
    assert difference(after, model(x.requires_grad_()).detach()) < SAME


@pytest.mark.parametrize("place", ["blocks.0.conv", "upsamplers.1", "last"])
@pytest.mark.parametrize(
    "options", [{"kernel_size": 3, "padding_mode": "reflect"}, {"kernel_size": 5}]
)
def test_a_replaced_convolution_is_the_one_that_is_computed(model, x, place, options):
    parent, _, name = place.rpartition(".")
    old = model.get_submodule(place)
    new = nn.Conv2d(
        old.in_channels, old.out_channels, padding=options["kernel_size"] // 2, **options
    )
    if parent.startswith("upsamplers"):
        model.upsamplers[1] = new
    else:
        setattr(model.get_submodule(parent), name, new)
    assert difference(run(model, x), model(x.requires_grad_()).detach()) < SAME


def test_dynamic_quantisation_runs(model, x):
    kinds = {nn.Linear}
    with pytest.warns(DeprecationWarning):
        quantised = torch.ao.quantization.quantize_dynamic(copy.deepcopy(model), kinds)
    found = run(quantised, x)
    assert found.shape == (1, 3, 88, 120)
    assert 0 < difference(found, run(model, x)) < 0.1


def test_other_weights_by_functional_call(model, x):
    weights = {name: 1.1 * p for name, p in model.named_parameters()}
    found = torch.func.functional_call(model, weights, x)
    model.load_state_dict(weights)
    assert difference(found, run(model, x)) < SAME


def test_counting_modes_see_every_product(model, x):
    with FlopCounterMode(display=False) as counter:
        run(model, x)
    assert counter.get_total_flops() == 2 * count_multi_adds(model, x)


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
    with pytest.raises(Exception, match="traced for 1 images of 30x22 pixels, not 1 of 22x30"):
        traced(x.transpose(2, 3))


@pytest.mark.parametrize("strict", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_exported_network_is_right_on_another_image(model, x, strict):
    program = torch.export.export(model, (torch.zeros_like(x),), strict=strict)
    assert difference(run(program.module(), x), run(model, x)) < SAME
    with pytest.raises((AssertionError, RuntimeError)):
        program.module()(x.transpose(2, 3))
    run(model, x)  # nothing of the graph is left behind


@pytest.mark.slow
@pytest.mark.parametrize("gradients", [False, True])
def test_a_compiled_network_is_right_at_every_size(model, x, gradients):
    torch.compiler.reset()
    compiled = torch.compile(model, backend="aot_eager")
    with torch.set_grad_enabled(gradients):
        for image in (x, x[..., :20, :25]):
            assert difference(compiled(image), run(model, image)) < SAME


def test_transforms_of_torch_func(model, x):
    model.double().requires_grad_(False)
    x = x.double()
    images = torch.stack([x, x.flip(-1)])
    each = torch.stack([run(model, image) for image in images])
    assert difference(torch.func.vmap(model)(images), each) < 1e-12
    image = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(image).square().sum(), image)
    assert difference(torch.func.grad(lambda z: model(z).square().sum())(x), gradient) < 1e-9
    # Forward and backward mode agree: <w, J v> = <J^T w, v>.
    v = torch.randn_like(x)
    sr, along = torch.func.jvp(model, (x,), (v,))
    (back,) = torch.autograd.grad(model(image), image, sr)
    assert float((sr * along).sum()) == pytest.approx(float((back * v).sum()))
    with forward_ad.dual_level():
        dual = forward_ad.unpack_dual(model(forward_ad.make_dual(x, v))).tangent
    assert difference(dual, along) < 1e-12


def test_gradients_of_gradients(model, x):
    """Against the same by layers that autograd knows, and against differences."""
    model.double().requires_grad_(False)
    x = x.double()
    v = torch.randn_like(x)

    def gradient(network, image, again=False):
        image = image.detach().requires_grad_()
        (found,) = torch.autograd.grad(network(image).square().sum(), image, create_graph=again)
        return image, found

    def second(network):
        image, found = gradient(network, x, again=True)
        return torch.autograd.grad((found * v).sum(), image)[0]

    found, step = second(model), 1e-6
    assert difference(found, second(observed(model))) < 1e-8 * float(found.abs().max())
    up, down = (gradient(model, x + sign * step * v)[1] for sign in (1, -1))
    assert difference((up - down) / (2 * step), found) < 1e-4 * float(found.abs().max())


def test_copies_and_pickles(model, x):
    before = run(model, x)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(run(other, x), before)
