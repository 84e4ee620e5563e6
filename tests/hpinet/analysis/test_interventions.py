"""Matches exchanged: what changes, what must not, and the published check values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hpinet import HPINet, HPINetConfig, load_model, own_matches
from hpinet.analysis.intervention_effect import effect, extreme_windows, window_psnrs
from hpinet.analysis.interventions import (
    KINDS,
    Intervention,
    all_but,
    forced,
    hr_similarity,
    intervene,
    random_matches,
    second_best,
)
from hpinet.data.pairs import find_pairs, load_pair
from hpinet.metrics.psnr_ssim import psnr_y

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16, 12), overlap=0, scale=2)
ALL = (0, 1, 2)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return HPINet(TINY).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def lr():
    return torch.rand(1, 3, 36, 48, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def hr():
    return torch.rand(1, 3, 72, 96, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def normal(network, lr):
    return network.trace(lr, similarity_matrix=True)


def same_matches(one, other, blocks):
    pairs = ((one.matches.blocks[i], other.matches.blocks[i]) for i in blocks)
    return all(torch.equal(a.index, b.index) for a, b in pairs)


@pytest.mark.parametrize("later", ["live", "frozen"])
@pytest.mark.parametrize("blocks", [(0,), (1,), (2,), (0, 2), ALL])
def test_forcing_the_recorded_matches_reproduces_every_bit(network, lr, normal, blocks, later):
    again = intervene(network, normal, Intervention("recorded", blocks), later)
    assert torch.equal(again.sr, normal.sr)
    with torch.inference_mode():
        assert torch.equal(network(lr), normal.sr)


@pytest.mark.parametrize("later", ["live", "frozen"])
def test_off_everywhere_is_the_network_with_own_matches(network, lr, normal, later):
    changed = intervene(network, normal, Intervention("off", ALL), later)
    with torch.inference_mode():
        assert torch.equal(changed.sr, network(lr, matches=own_matches(TINY, 36, 48)))


def test_blocks_before_a_change_keep_their_matches_and_are_not_computed(network, normal):
    calls = []
    hooks = [
        block.register_forward_hook(lambda *_, i=i: calls.append(i))
        for i, block in enumerate(network.blocks)
    ]
    try:
        changed = intervene(network, normal, Intervention("off", (2,)))
    finally:
        for hook in hooks:
            hook.remove()
    assert calls == [2]
    assert changed.matches.blocks[:2] == normal.matches.blocks[:2]
    assert not torch.equal(changed.sr, normal.sr)


def test_later_blocks_decide_anew_or_keep_what_they_had(network, normal):
    off = Intervention("off", (0,))
    frozen, live = (intervene(network, normal, off, later) for later in ("frozen", "live"))
    assert same_matches(frozen, normal, (1, 2))
    with torch.inference_mode():
        free = network.resume(normal, 0, own_matches(TINY, 36, 48).live((1, 2)))
    assert same_matches(live, free, ALL) and torch.equal(live.sr, free.sr)
    assert not same_matches(live, normal, (1, 2))


def test_a_forced_match_changes_only_what_it_must(network, normal):
    known = normal.matches.blocks[2]
    target = (int(known.index[0, 5]) + 1) % 12 or 1
    changed = intervene(network, normal, Intervention("forced", (2,), pairs=((5, target),)))
    moved = changed.matches.blocks[2].index != known.index
    assert moved.nonzero()[:, 1].tolist() == [5]
    # Patch 5 of the 3 x 4 patches of 12 is rows 12 to 23 and columns 12 to 23. The block's
    # convolution carries a change one LR pixel further and the decoder two more.
    top, bottom = (12 - 3) * 2, (24 + 3) * 2
    difference = (changed.sr != normal.sr).any(1)[0]
    assert difference[24:48, 24:48].any()
    difference[top:bottom, top:bottom] = False
    assert not difference.any()


def test_several_patches_can_be_forced_and_one_sent_to_itself(normal):
    known = normal.matches.blocks[0]
    index = forced(known, ((0, 7), (3, 3)))
    assert (int(index[0, 0]), int(index[0, 3])) == (7, 3)
    rest = [i for i in range(12) if i not in (0, 3)]
    assert torch.equal(index[:, rest], known.index[:, rest])


def test_random_matches_are_seeded_even_and_never_the_patch_itself():
    draws = torch.stack([random_matches(5, seed, 0) for seed in range(4000)])
    assert (draws != torch.arange(5)).all()
    counts = torch.stack([(draws[:, 0] == i).float().mean() for i in range(1, 5)])
    assert torch.allclose(counts, torch.full((4,), 0.25), atol=0.03)
    assert torch.equal(random_matches(50, 3, 1), random_matches(50, 3, 1))
    assert not torch.equal(random_matches(50, 3, 1), random_matches(50, 4, 1))
    assert not torch.equal(random_matches(50, 3, 1), random_matches(50, 3, 2))


def test_second_best_is_the_second_of_the_sorted(normal):
    for block in normal.matches.blocks:
        order = block.matrix[0].argsort(descending=True)
        assert torch.equal(second_best(block)[0], order[:, 1])


def test_second_best_in_all_blocks_follows_the_changed_features(network, normal):
    changed = intervene(network, normal, Intervention("second", ALL))
    # By hand: each block is asked for its second best on what came out of the one before.
    features = normal.inputs[0]
    with torch.inference_mode():
        for i, block in enumerate(network.blocks):
            _, own = block(features, None, True)
            index = own.matrix.argsort(-1, descending=True)[..., 1]
            assert torch.equal(changed.matches.blocks[i].index, index)
            features, _ = block(features, own.with_index(index))


def test_the_hr_match_is_the_patch_with_the_same_structure(network, lr):
    rng = torch.Generator().manual_seed(3)
    hr = torch.rand(1, 3, 72, 96, generator=rng)
    # Patch 0 of block 1 covers 24x24 HR pixels; patch 6 gets it darker and with less contrast.
    hr[..., 24:48, 48:72] = 0.4 * hr[..., :24, :24] + 0.1
    scores = hr_similarity(network, hr, 0, (36, 48))[0]
    assert float(scores[0, 6]) == pytest.approx(1, abs=1e-5)
    assert scores.argmax(-1)[0] == 6 and scores.argmax(-1)[6] == 0
    assert torch.isneginf(scores.diagonal()).all()
    changed = intervene(network, network.trace(lr), Intervention("hr", (0,)), hr=hr)
    assert torch.equal(changed.matches.blocks[0].index[0], scores.argmax(-1))


def test_the_hr_similarity_is_a_correlation(network, hr):
    scores = hr_similarity(network, hr, 0, (36, 48))[0]
    a = hr[0, :, :24, :24].flatten(1)
    b = hr[0, :, :24, 24:48].flatten(1)
    a, b = ((x - x.mean(1, keepdim=True)).flatten() for x in (a, b))
    assert float(scores[0, 1]) == pytest.approx(float(a @ b / a.norm() / b.norm()), abs=1e-5)


def test_a_patch_without_structure_is_as_like_to_all(network, hr):
    flat = hr.clone()
    flat[..., :24, :24] = 0.3
    scores = hr_similarity(network, flat, 0, (36, 48))[0]
    assert (scores[0, 1:] == 0).all()


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "forced"])
@pytest.mark.parametrize("size", [(5, 7), (13, 12), (12, 40)])
def test_small_pictures_with_few_patches_go_through(network, kind, size):
    torch.manual_seed(0)
    x, hr = torch.rand(1, 3, *size), torch.rand(1, 3, size[0] * 2, size[1] * 2)
    normal = network.trace(x, similarity_matrix=True)
    changed = intervene(network, normal, Intervention(kind, ALL), hr=hr)
    assert changed.sr.shape == hr.shape and torch.isfinite(changed.sr).all()


def test_an_effect_counts_grey_levels_and_decibels():
    hr = torch.full((1, 3, 24, 24), 0.5)
    before, after = hr + 4 / 255, hr.clone() + 4 / 255
    after[..., :12, :12] += 4 / 255  # twice the error in the window
    found = effect(before, after, hr, scale=4, window=(0, 0, 12))
    assert found.max_difference == pytest.approx(4, abs=1e-4)
    assert found.mean_difference == pytest.approx(1, abs=1e-4)
    # Luma is rounded: 4 and 8 grey levels are 3 or 4, and 7, of it.
    assert found.window_psnr_change == pytest.approx(-6.02, abs=1.4)
    assert found.window_psnr_change < found.psnr_change < 0
    assert found.psnr == psnr_y(after, hr, 4)
    assert found.window_psnr == psnr_y(after[..., :12, :12], hr[..., :12, :12], 0)
    assert set(found.summary()) >= {"psnr", "psnr_change", "window_psnr_change"}
    assert effect(before, after).psnr is None
    assert effect(hr, hr, hr).psnr_change is None  # infinite before and after


def test_the_windows_that_lose_and_gain_most_are_found():
    hr = torch.full((1, 3, 25, 34), 0.5)
    before, after = hr + 4 / 255, hr + 4 / 255
    after[..., 8:16, 16:24] += 8 / 255
    after[..., 0:8, 24:32] -= 2 / 255
    psnrs = window_psnrs(before, after, hr, 8)
    assert psnrs[0].shape == psnrs[1].shape == (3, 4)
    assert psnrs[1][1, 2] == pytest.approx(psnr_y(after[..., 8:16, 16:24], hr[..., :8, :8], 0))
    found = extreme_windows(*psnrs, 8)
    assert (found["worst_window_left"], found["worst_window_top"]) == (16, 8)
    assert (found["best_window_left"], found["best_window_top"]) == (24, 0)
    assert found["worst_window_change"] == pytest.approx(psnrs[1][1, 2] - psnrs[0][1, 2])
    assert found["worst_window_psnr"] == psnrs[0][1, 2] and found["best_window_change"] > 0
    # A window that equals the original is infinite and no extreme.
    before[..., 8:16, 16:24] = 0.5
    assert extreme_windows(*window_psnrs(before, after, hr, 8), 8)["worst_window_top"] != 8
    assert extreme_windows(*window_psnrs(hr, hr, hr, 8), 8)["worst_window_change"] is None


def test_the_report_of_an_intervention_counts_from_one():
    assert Intervention("random", (2, 0), seed=4).describe() == {
        **{"kind": "random", "blocks": [1, 3], "seed": 4}
    }
    assert Intervention("forced", (1,), pairs=((0, 5),)).describe()["pairs"] == ((0, 5),)
    assert all_but(1, 3) == (0, 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda n, t, hr: intervene(n, t, Intervention("off", (3,))), "no block 3"),
        (lambda n, t, hr: intervene(n, t, Intervention("off", (-1,))), "no block -1"),
        (
            lambda n, t, hr: intervene(n, t, Intervention("forced", (1,), pairs=((0, 99),))),
            "no patch 99 in block 2",
        ),
        (lambda n, t, hr: intervene(n, t, Intervention("off", (0,)), "never"), "never"),
        (lambda n, t, hr: intervene(n, t, Intervention("hr", (0,))), "pass hr"),
        (lambda n, t, hr: intervene(n, t, Intervention("hr", (0,)), hr=hr[..., 1:]), "fit"),
        (
            lambda n, t, hr: intervene(n, n.trace(t.lr), Intervention("second", (0,))),
            "similarity_matrix",
        ),
        (lambda n, t, hr: Intervention("best", (0,)), "best"),
        (lambda n, t, hr: Intervention("off", ()), "at least one block"),
        (lambda n, t, hr: Intervention("off", (0,), pairs=((0, 1),)), "forced"),
        (lambda n, t, hr: Intervention("forced", (0,)), "forced"),
        (lambda n, t, hr: all_but(3, 3), "no block 3"),
        (lambda n, t, hr: effect(t.sr, t.sr[..., 1:]), "size"),
        (lambda n, t, hr: effect(t.sr, t.sr, hr, 2, (90, 0, 8)), "outside"),
        (lambda n, t, hr: window_psnrs(t.sr, t.sr, hr, 73), "windows of 73"),
    ],
)
def test_input_that_does_not_fit_is_one_sentence(network, normal, hr, call, words):
    with pytest.raises(ValueError, match=words):
        call(network, normal, hr)


def test_a_network_without_access_has_nothing_to_intervene_in(lr):
    twin = HPINet(TINY.without_gpa()).eval()
    with pytest.raises(ValueError, match="no Global Pixel Access"):
        intervene(twin, twin.trace(lr), Intervention("off", (0,)))


@pytest.mark.slow
@pytest.mark.reference
def test_check_values_of_the_released_network(shared):
    """Set5, x4: own matches, second best and none; random ones depend on the seed."""
    model = load_model(shared / "released" / "HPINet-S-x4.pth")
    blocks = tuple(range(8))
    expected = {"recorded": (32.474, 5e-4), "second": (32.457, 5e-4), "off": (32.437, 5e-4)}
    expected["random"] = (32.46, 5e-3)
    found = {kind: [] for kind in expected}
    for pair in find_pairs(shared / "benchmarks" / "Set5" / "x4", 4):
        lr, hr = load_pair(pair, 4)
        normal = model.trace(lr.rgb, similarity_matrix=True)
        for kind, values in found.items():
            changed = intervene(model, normal, Intervention(kind, blocks))
            values.append(effect(normal.sr, changed.sr, hr.rgb, 4).psnr)
    for kind, (value, tolerance) in expected.items():
        assert np.mean(found[kind]) == pytest.approx(value, abs=tolerance), kind
