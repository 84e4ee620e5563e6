"""Causal effect maps: by hand on networks whose answer is known, and against a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from lam import CausalEffect, Window
from lam.cause.interventions import Interventions, Job

WINDOW = Window(left=8, top=8, size=8)  # at x2 LR rows and columns 4 to 7: four blocks of 2
INSIDE = [(2, 2), (2, 3), (3, 2), (3, 3)]


def enlarged(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


def filtered(x):
    """Each pixel half itself, half the one four columns to its left."""
    return enlarged(0.5 * x + 0.5 * x.roll(4, -1))


def copies_from_afar(x):
    """All of the window takes its green from LR row 1, column 12."""
    sr = enlarged(x)
    sr[:, 1, 8:16, 8:16] = x[:, 1, 1, 12, None, None]
    return sr


def harmed_from_afar(x):
    """A far pixel is added to the window, where it does not belong."""
    sr = enlarged(x)
    sr[..., 8:16, 8:16] = sr[..., 8:16, 8:16] + 0.3 * x[:, :, 12:13, 1:2]
    return sr


def decibels(sr, hr, window=WINDOW):
    """PSNR over the window's RGB values of the clipped 8-bit image, in plain NumPy."""
    rows = slice(window.top, window.top + window.size)
    columns = slice(window.left, window.left + window.size)
    levels = [
        np.floor(x[0, :, rows, columns].numpy().clip(0, 1) * np.float32(255) + 0.5).astype(float)
        for x in (sr, hr)
    ]
    return 10 * math.log10(255**2 / np.mean((levels[0] - levels[1]) ** 2))


@pytest.fixture
def lr():
    return torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.2


@pytest.fixture
def hr(lr):
    return (enlarged(lr) + 0.02).clamp(0, 1)


def by_hand(network, lr, hr, row, column, content):
    changed = lr.clone()
    changed[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = content
    return decibels(network(lr), hr) - decibels(network(changed), hr)


def test_a_linear_filter_by_hand(lr, hr):
    result = CausalEffect(filtered).effects(lr, hr, WINDOW, replacement="mean", tolerance=0)
    mean = lr.mean((2, 3), keepdim=True)
    for row in range(8):
        for column in range(8):
            if (row, column) in INSIDE:
                assert np.isnan(result.effect[row, column])
                continue
            expected = by_hand(filtered, lr, hr, row, column, mean)
            assert result.effect[row, column] == pytest.approx(expected, abs=1e-9)
            reached = (row, column) in [(2, 0), (2, 1), (3, 0), (3, 1)]
            assert (expected != 0) == reached
    assert result.psnr == pytest.approx(decibels(filtered(lr), hr))
    assert (result.unit, result.passes) == ("dB", 60)


@pytest.mark.parametrize("protocol", ["adaptive", "cem"])
def test_the_pixel_that_is_copied_helps_and_nothing_else(lr, protocol):
    truth = (copies_from_afar(lr) + 0.01).clamp(0, 1)
    result = CausalEffect(copies_from_afar).effects(lr, truth, WINDOW, protocol=protocol)
    assert (result.positive, result.negative, result.null) == (1, 0, 59)
    assert result.effect[0, 6] > 1
    assert result.outside_share == 1
    assert result.map.shape == (16, 16)
    assert set(zip(*np.nonzero(result.map), strict=True)) == {(0, 12), (0, 13), (1, 12), (1, 13)}


@pytest.mark.parametrize("protocol", ["adaptive", "cem"])
def test_the_pixel_that_harms_is_negative(lr, hr, protocol):
    lr[:, :, 12, 1] = 1
    result = CausalEffect(harmed_from_afar).effects(lr, hr, WINDOW, protocol=protocol)
    assert (result.positive, result.negative, result.null) == (0, 1, 59)
    assert result.effect[6, 0] < -1
    assert result.effect[6, 0] == result.effect[result.effect < 0].sum()
    assert np.isnan(result.outside_share)  # nothing helps, so there is nothing to share


def test_the_published_protocol_is_a_plain_loop(lr, hr):
    result = CausalEffect(filtered).effects(lr, hr, WINDOW, protocol="cem", seed=5)
    draws = Interventions(lr, 2, scale=2, seed=5)
    passes = 0
    for row, column in np.ndindex(8, 8):
        if (row, column) in INSIDE:
            continue

        def change(k, place=(row, column)):
            return by_hand(filtered, lr, hr, *place, draws.patch(*place, k))

        first = [change(k) for k in range(3)]
        chosen = max(abs(v) for v in first) >= 0.01
        counted = [change(k) for k in range(3, 53)] if chosen else first
        passes += 53 if chosen else 3
        mean = np.mean(counted)
        expected = mean if abs(mean) >= 0.01 else 0.0
        assert result.effect[row, column] == pytest.approx(expected, abs=1e-9)
        error = np.std(counted, ddof=1) / math.sqrt(len(counted))
        assert result.standard_error[row, column] == pytest.approx(error, abs=1e-9)
        assert result.draws[row, column] == (53 if chosen else 3)
    assert result.passes == passes == 60 * 3 + 4 * 50


def test_the_adaptive_protocol_agrees_with_few_passes(lr, hr):
    effects = CausalEffect(filtered)
    much = effects.effects(lr, hr, WINDOW, protocol="cem", seed=1)
    little = effects.effects(lr, hr, WINDOW)
    reached = np.nan_to_num(much.effect) != 0
    assert (np.sign(little.effect[reached]) == np.sign(much.effect[reached])).all()
    assert (np.nan_to_num(little.effect)[~reached] == 0).all()
    assert little.passes < much.passes / 3


def test_no_effect_depends_on_how_many_are_computed_at_once(lr, hr):
    one, many = (
        CausalEffect(filtered).effects(lr, hr, WINDOW, internal_batch_size=size) for size in (1, 7)
    )
    assert np.array_equal(one.effect, many.effect, equal_nan=True)
    assert one.passes == many.passes


def test_it_is_progressive_and_can_be_stopped(lr, hr):
    steps = CausalEffect(filtered).effects_progressively(lr, hr, WINDOW, internal_batch_size=4)
    first = next(steps)
    assert 0 < first.progress < 1
    assert not first.finished
    assert first.passes == 4
    shown = [result.progress for result in steps]
    assert shown == sorted(shown)
    assert shown[-1] == 1
    stopped = CausalEffect(filtered).effects_progressively(lr, hr, WINDOW, internal_batch_size=4)
    next(stopped)
    stopped.close()
    assert list(stopped) == []


@pytest.mark.parametrize("passes", [4, 7, 8, 20])
def test_the_passes_can_be_limited(lr, hr, passes):
    steps = list(CausalEffect(filtered).effects_progressively(lr, hr, WINDOW, passes=passes))
    assert steps[-1].finished
    assert steps[-1].passes == {4: 4, 7: 4, 8: 8, 20: 20}[passes]
    # Before a block is asked itself it has its share of a large block's: 4x4 less 4 in the window.
    whole = steps[0].estimate[0, 0]
    assert steps[0].draws.sum() == 0
    assert np.allclose(steps[0].estimate[:2, :4], whole)


def test_half_of_a_batch_where_memory_runs_out(lr, hr):
    sizes = []

    def small(x):
        sizes.append(len(x))
        if len(x) > 2:
            raise MemoryError
        return filtered(x)

    result = CausalEffect(small).effects(lr, hr, WINDOW, sides=(), internal_batch_size=8)
    whole = CausalEffect(filtered).effects(lr, hr, WINDOW, sides=())
    assert np.array_equal(result.effect, whole.effect, equal_nan=True)
    assert sizes.count(8) == 1


def test_without_an_original_it_is_the_unsigned_change(lr):
    result = CausalEffect(copies_from_afar).effects(lr, None, WINDOW, replacement="mean")
    levels = [math.floor(float(v) * 255 + 0.5) for v in (lr[0, 1, 1, 12], lr[0, 1].mean())]
    # One channel of three moves, by as much everywhere: root of a third of the square.
    expected = abs(levels[0] - levels[1]) / math.sqrt(3)
    assert result.effect[0, 6] == pytest.approx(expected)
    assert (result.unit, result.signed, result.psnr) == ("grey levels", False, None)
    assert (result.positive, result.negative) == (1, 0)


def test_a_perfect_window_stays_finite(lr):
    result = CausalEffect(filtered).effects(lr, filtered(lr), WINDOW, replacement="mean")
    assert result.psnr == pytest.approx(10 * math.log10(255**2 * 3 * 64))
    assert np.isfinite(result.effect[2, 0])


def test_blocks_at_the_border_are_cut_off():
    image = torch.rand(1, 3, 7, 9)
    draws = Interventions(image, 4, scale=2)
    assert draws.shape == (2, 3)
    assert draws.patch(1, 2, 0).shape == (3, 3, 1)
    changed = draws.images([Job(1, 2, 1, 0)], np.zeros((2, 3), bool))
    assert torch.equal(changed[0, :, 4:, 8:], draws.patch(1, 2, 0))
    assert torch.equal(changed[..., :4, :], image[..., :4, :])


def test_patches_come_from_the_folder_that_is_given(lr, hr, tmp_path):
    colour = np.full((16, 16, 3), (10, 200, 30), np.uint8)
    Image.fromarray(colour).save(tmp_path / "flat.png")
    draws = Interventions(lr, 2, scale=2, folder=tmp_path)
    assert torch.allclose(draws.patch(0, 0, 0)[:, 0, 0] * 255, torch.tensor([10.0, 200.0, 30.0]))
    result = CausalEffect(filtered).effects(lr, hr, WINDOW, patches=tmp_path)
    expected = by_hand(filtered, lr, hr, 2, 0, draws.patch(2, 0, 0))
    assert result.effect[2, 0] == pytest.approx(expected, abs=1e-9)
    assert result.standard_error[2, 0] == pytest.approx(0, abs=1e-9)


def test_paired_draws_are_the_same_in_every_block_and_cover_dark_and_bright(lr):
    draws = Interventions(lr, 2, paired=True, seed=3)
    assert torch.equal(draws.patch(0, 0, 2), draws.patch(5, 6, 2))
    brightness = sorted(float(draws.patch(0, 0, k).mean()) for k in range(8))
    assert brightness[0] < 0.25
    assert brightness[-1] > 0.55
    other = Interventions(lr, 2, seed=3)
    assert not torch.equal(other.patch(0, 0, 2), other.patch(5, 6, 2))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"protocol": "quick"}, "'quick'"),
        ({"replacement": "black"}, "'black'"),
        ({"block": 0}, "not 0"),
        ({"block": 17}, "1 to 16"),
        ({"block": 2.0}, "2.0"),
        ({"tolerance": -1}, "-1"),
        ({"tolerance": float("nan")}, "nan"),
        ({"confidence": 1.0}, "1.0"),
        ({"passes": 0}, "not 0"),
        ({"passes": 3}, "takes 4 passes"),
        ({"passes": 59, "sides": ()}, "takes 60 passes"),
        ({"passes": 99, "protocol": "cem"}, "leave it out"),
        ({"passes": 99, "replacement": "mean"}, "leave it out"),
        ({"least": 1}, "not 1"),
        ({"least": 5, "most": 4}, "not 4"),
        ({"sides": (8, 0)}, "not 0"),
        ({"seed": -1}, "-1"),
        ({"matches": "split"}, "no matches"),
        ({"matches": "thawed"}, "'thawed'"),
        ({"patches": "no_such_folder"}, "no_such_folder"),
        ({"patches": ".", "replacement": "mean"}, "'mean'"),
        ({"hr": torch.zeros(1, 3, 31, 32)}, "32x32"),
        ({"hr": torch.full((1, 3, 32, 32), 200.0)}, "divide by 255"),
        ({"hr": torch.full((1, 3, 32, 32), torch.nan)}, "not finite"),
        ({"hr": np.zeros((1, 3, 32, 32))}, "ndarray"),
        ({"window": Window(28, 0, 8)}, "outside"),
        ({"window": Window(0, 0, 32)}, "covers every block"),
        ({"internal_batch_size": 0}, "not 0"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(lr, hr, change, told):
    arguments = {"lr": lr, "hr": hr, "window": WINDOW, **change}
    with pytest.raises(ValueError, match=told):
        CausalEffect(filtered).effects_progressively(**arguments)


def test_a_random_network_is_refused(lr, hr):
    with pytest.raises(ValueError, match="random"):
        CausalEffect(lambda x: enlarged(x) + torch.rand(1)).effects(lr, hr, WINDOW)
