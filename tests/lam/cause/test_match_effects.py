"""Effects split into content and matches, and the effect of each match, on a tiny HPINet."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hpinet import HPINet, HPINetConfig
from lam import CausalEffect, Window, match_effects
from lam.cause.window_quality import grey_levels, psnr

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8), scale=2)
WINDOW = Window(left=4, top=4, size=12)


@pytest.fixture(scope="module")
def hpinet():
    torch.manual_seed(5)
    return HPINet(TINY).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def lr():
    return torch.rand(1, 3, 18, 20, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def hr(hpinet, lr):
    noise = torch.rand(1, 3, 36, 40, generator=torch.Generator().manual_seed(2)) - 0.5
    return (hpinet(lr) + 0.1 * noise).clamp(0, 1)


def test_content_and_matches_add_up(hpinet, lr, hr):
    options = {"block": 4, "replacement": "mean", "tolerance": 0.0}
    split = CausalEffect(hpinet).effects(lr, hr, WINDOW, matches="split", **options)
    for name, found in (("live", split.estimate), ("frozen", split.content.estimate)):
        alone = CausalEffect(hpinet).effects(lr, hr, WINDOW, matches=name, **options)
        assert np.allclose(found, alone.estimate, equal_nan=True, atol=1e-9)
    added = split.estimate - split.content.estimate
    assert np.allclose(split.by_matches.estimate, added, equal_nan=True, atol=1e-9)
    assert np.nanmax(np.abs(added)) > 0  # replacing a block does change matches here
    assert set(split.arrays()) >= {"effect", "content", "by_matches", "by_matches_standard_error"}


def test_the_difference_of_paired_draws_has_its_own_error(hpinet, lr, hr):
    split = CausalEffect(hpinet).effects(lr, hr, WINDOW, block=6, matches="split", most=3)
    known = split.draws > 1
    assert known.any()
    assert np.isfinite(split.by_matches.standard_error[known]).all()


@pytest.mark.parametrize("how", ["off", "exchanged"])
def test_each_match_against_a_pass_with_that_match_changed(hpinet, lr, hr, how):
    sr, matches = hpinet(lr, return_matches=True)
    original = grey_levels(WINDOW.crop(hr))
    normal = float(psnr(grey_levels(WINDOW.crop(sr)), original))
    rows = list(match_effects(hpinet, lr, hr, WINDOW, how=how, blocks=(1,)))
    index = matches.blocks[1].index
    assert [row["match"] for row in rows] == index[0].tolist()
    for row in rows:
        assert (row["block"], row["size"], row["unit"]) == (2, 8, "dB")
        if how == "off":
            other = index.clone()
            other[0, row["patch"]] = row["patch"]
            changed = hpinet(lr, matches=matches.with_block(1, other))
            expected = normal - float(psnr(grey_levels(WINDOW.crop(changed)), original))
            assert row["effect"] == pytest.approx(expected, abs=1e-6)
    assert any(row["effect"] != 0 for row in rows)


def test_matches_without_an_original_have_no_sign(hpinet, lr):
    rows = list(match_effects(hpinet, lr, None, WINDOW, later="live"))
    assert {row["block"] for row in rows} == {1, 2}
    assert all(row["effect"] >= 0 and row["unit"] == "grey levels" for row in rows)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"how": "doubled"}, "'doubled'"),
        ({"later": "never"}, "'never'"),
        ({"blocks": (2,)}, "no block 2"),
        ({"window": Window(30, 0, 12)}, "outside"),
        ({"model": torch.nn.Identity()}, "no Global Pixel Access"),
        ({"lr": torch.full((1, 3, 18, 20), 99.0)}, "0 to 255"),
        ({"lr": torch.zeros(2, 3, 18, 20)}, "one RGB image"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(hpinet, lr, hr, change, told):
    arguments = {"model": hpinet, "lr": lr, "hr": hr, "window": WINDOW, **change}
    with pytest.raises(ValueError, match=told):
        match_effects(**arguments)
