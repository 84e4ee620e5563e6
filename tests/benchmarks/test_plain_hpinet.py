"""The fast network against the paper's formulas written out."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from benchmarks.plain_hpinet import PlainHPINet
from hpinet import HPINet, HPINetConfig

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8, 16), scale=2)


def network(config=TINY):
    torch.manual_seed(0)
    return HPINet(config)


@pytest.mark.parametrize("overlap", [0, 2])
@pytest.mark.parametrize("gpa", [True, False])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_evaluation_gives_the_plain_numbers(overlap, gpa, scale):
    model = network(replace(TINY, overlap=overlap, gpa=gpa, scale=scale)).eval()
    x = torch.rand(2, 3, 23, 31)
    with torch.no_grad():
        torch.testing.assert_close(model(x), PlainHPINet(model)(x), atol=1e-4, rtol=0)


def loss_and_gradients(model, call, x, target):
    model.zero_grad()
    loss = F.l1_loss(call(x, seeds=[3, 4]), target)
    loss.backward()
    return loss.detach(), [p.grad.clone() for p in model.parameters()]


def test_a_training_step_gives_the_plain_gradients():
    model = network().double().train()
    x, target = torch.rand(2, 3, 23, 31).double(), torch.rand(2, 3, 46, 62).double()
    loss, gradients = loss_and_gradients(model, model, x, target)
    plain_loss, plain = loss_and_gradients(model, PlainHPINet(model), x, target)
    torch.testing.assert_close(loss, plain_loss, atol=0, rtol=1e-5)
    for (name, _), got, expected in zip(model.named_parameters(), gradients, plain, strict=True):
        assert expected.abs().max() > 0, name
        error = (got - expected).abs().max() / expected.abs().max()
        assert error < 1e-5, f"{name}: {error}"
