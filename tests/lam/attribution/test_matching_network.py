"""LAM of networks with hard matches: jumps in closed form, and a small random HPINet."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hpinet import BlockMatches, HPINet, HPINetConfig, Matches
from lam import LinearPath, LocalAttribution, Window


class Switching(nn.Module):
    """Three pixels in a row; the first adds pixel 1 while it is dark, pixel 2 once it is bright."""

    scale = 1

    def forward(self, x, matches=None, return_matches=False):
        if matches is None:
            first = torch.where(x[:, 0, 0, 0] < 0.5, 1, 2)
            own = torch.tensor([1, 2]).expand(len(x), 2)
            index = torch.cat([first[:, None], own], 1)
            origins = torch.tensor([[0, 0], [0, 1], [0, 2]])
            block = BlockMatches(1, origins, index, torch.zeros(index.shape))
            matches = Matches((block,), (1, 3))
        index = matches.blocks[0].index.expand(len(x), -1)
        matched = x[:, :, 0].gather(2, index[:, None].expand(-1, 3, -1))[:, :, None]
        sr = x + matched
        return (sr, matches) if return_matches else sr


def three_pixels(*values):
    return torch.tensor(values).double().view(1, 1, 1, 3).expand(1, 3, 1, 3)


def test_jump_in_closed_form():
    # On the line from black the first pixel passes 0.5 at alpha = 0.625, a border between 8 cells.
    picture = three_pixels(0.8, 0.1, 0.7)
    result = LocalAttribution(Switching().eval()).attribute(
        picture,
        Window(0, 0, 1),
        path=LinearPath("black"),
        detector="sum",
        n_steps=8,
        method="riemann_middle",
    )
    assert result.change == pytest.approx(3 * (0.8 + 0.7))
    assert np.allclose(result.attribution[:, 0], [0.8, 0.1 * 0.625, 0.7 * 0.375], atol=1e-6)
    assert result.match_jumps == pytest.approx(3 * 0.625 * (0.7 - 0.1))
    assert result.residual == pytest.approx(0, abs=1e-6)
    assert np.allclose(result.switches.alphas, np.arange(9) / 8)
    expected = np.zeros((9, 1))
    expected[5] = 1 / 3  # one patch of three
    assert np.allclose(result.switches.shares, expected)
    assert np.flatnonzero(result.switches.jumps).tolist() == [5]


def test_frozen_and_own_matches_do_not_jump():
    picture = three_pixels(0.8, 0.1, 0.7)
    for matches, expected in (("frozen", [0.8, 0, 0.7]), ("own", [1.6, 0, 0])):
        result = LocalAttribution(Switching().eval()).attribute(
            picture,
            Window(0, 0, 1),
            path=LinearPath("black"),
            detector="sum",
            n_steps=3,
            matches=matches,
        )
        assert np.allclose(result.attribution[:, 0], expected, atol=1e-6)
        assert result.match_jumps == 0
        assert result.switches is None
        assert result.residual == pytest.approx(0, abs=1e-6)


def test_unfinished_results_do_not_pretend_to_know_the_jumps():
    results = list(
        LocalAttribution(Switching().eval()).attribute_progressively(
            three_pixels(0.8, 0.1, 0.7), Window(0, 0, 1), detector="sum", n_steps=8
        )
    )
    assert np.isnan(results[0].match_jumps)
    assert np.isnan(results[0].residual)
    assert results[0].summary()["residual"] is None
    assert np.isfinite(results[-1].residual)


@pytest.fixture(scope="module")
def network():
    generator = torch.Generator().manual_seed(11)
    model = HPINet(HPINetConfig(dim=8, qk_dim=6, ffn_dim=12, patch_sizes=(5, 6), scale=2))
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            size = parameter[0].numel() ** 0.5
            parameter.data = torch.randn(parameter.shape, generator=generator) / size
        elif name.endswith("bias"):
            parameter.data.zero_()
    return model.double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def picture():
    return torch.rand(1, 3, 17, 19, generator=torch.Generator().manual_seed(4)).double()


@pytest.mark.parametrize("method", ["gausslegendre", "riemann_middle"])
def test_integral_and_jumps_account_for_the_change(network, picture, method):
    explain = LocalAttribution(network)
    result = explain.attribute(picture, Window(10, 8, 10), n_steps=64, method=method)
    assert (result.switches.shares > 0).any(0).all()  # matches switched in both blocks
    without_jumps = abs(result.change - result.integral)
    assert without_jumps > 0.02 * abs(result.change)
    assert abs(result.residual) < 0.01 * abs(result.change)
    assert abs(result.residual) < 0.25 * without_jumps


@pytest.mark.parametrize("matches", ["frozen", "own"])
def test_without_switches_the_integral_is_the_change(network, picture, matches):
    result = LocalAttribution(network).attribute(
        picture, Window(10, 8, 10), n_steps=40, matches=matches
    )
    assert abs(result.relative_residual) < 0.01
    with torch.no_grad():
        _, sharp = network(picture, return_matches=True)
        used = sharp if matches == "frozen" else sharp.own()
        sr = network(picture, matches=used)
    assert result.detector_end == pytest.approx(
        float(whole_then_cropped(sr, Window(10, 8, 10))), rel=1e-9
    )


def whole_then_cropped(sr, window):
    rows, columns = sr[..., 1:, :-1] - sr[..., :-1, :-1], sr[..., :-1, 1:] - sr[..., :-1, :-1]
    return window.crop((rows**2 + columns**2).sqrt()).sum()


def test_batches_do_not_change_jumps(network, picture):
    explain = LocalAttribution(network)
    one, many = (
        explain.attribute(picture, Window(10, 8, 10), n_steps=12, internal_batch_size=b)
        for b in (1, 5)
    )
    assert np.allclose(one.attribution, many.attribution, atol=1e-6)
    assert np.allclose(one.switches.jumps, many.switches.jumps, atol=1e-6)
    assert np.array_equal(one.switches.shares, many.switches.shares)


def test_network_without_access_has_nothing_to_switch(picture):
    config = HPINetConfig(dim=8, qk_dim=6, ffn_dim=12, patch_sizes=(5, 6), scale=2, gpa=False)
    model = HPINet(config).double().eval()
    explain = LocalAttribution(model)
    live, frozen = (
        explain.attribute(picture, Window(3, 3, 6), n_steps=3, matches=m)
        for m in ("live", "frozen")
    )
    assert live.switches is None
    assert live.match_jumps == 0
    assert np.array_equal(live.attribution, frozen.attribution)


@pytest.mark.parametrize("matches", ["live", "frozen"])
def test_callers_in_inference_mode_get_the_same_map(network, picture, matches):
    options = {"window": Window(10, 8, 10), "n_steps": 4, "matches": matches}
    expected = LocalAttribution(network).attribute(picture, **options)
    with torch.inference_mode():
        found = LocalAttribution(network).attribute(picture.clone(), **options)
    assert np.array_equal(found.attribution, expected.attribution)
    assert found.match_jumps == expected.match_jumps


def test_training_mode_is_refused(picture):
    model = HPINet(HPINetConfig(dim=8, qk_dim=6, ffn_dim=12, patch_sizes=(5,), scale=2)).double()
    with pytest.raises(ValueError, match=r"\.eval\(\)"):
        LocalAttribution(model).attribute(picture, Window(3, 3, 6))
