"""Deletion and insertion curves and the randomisation check, on toys with known answers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from torch import nn

from hpinet import HPINet, HPINetConfig
from lam import LinearPath, Window, explain, faithfulness_curves, weight_randomisation
from lam.validation.randomisation import randomised, rank_correlation

BLACK = LinearPath("black")
WHOLE = Window(0, 0, 4)
TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8), scale=2)


def doubled(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


@pytest.fixture
def four():
    """Four LR pixels worth 1, 2, 3 and 4 to the sum over the SR picture of ``doubled``."""
    values = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64) / 12
    return values.expand(1, 3, 2, 2).contiguous()


def test_curves_by_hand(four):
    importance = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = faithfulness_curves(
        doubled, four, WHOLE, importance, detector="sum", path=BLACK, steps=4, random_orders=2
    )
    assert found.deletion.fractions == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert found.deletion.values == pytest.approx([10, 6, 3, 1, 0])
    assert found.insertion.values == pytest.approx([0, 4, 7, 9, 10])
    # Trapezoids of the normalised heights, a quarter wide.
    assert found.deletion.area == pytest.approx((0.5 + 0.6 + 0.3 + 0.1) / 4)
    assert found.insertion.area == pytest.approx((0.4 + 0.7 + 0.9 + 0.5) / 4)
    assert (found.detector_start, found.detector_end) == (pytest.approx(0), pytest.approx(10))


def test_random_orders_lie_between_the_best_and_the_worst(four):
    importance = np.array([[1.0, 2.0], [3.0, 4.0]])
    options = {"detector": "sum", "path": BLACK, "steps": 4, "random_orders": 40}
    found = faithfulness_curves(doubled, four, WHOLE, importance, **options)
    worst = faithfulness_curves(doubled, four, WHOLE, importance.max() - importance, **options)
    areas = found.random_areas
    assert areas.shape == (40,)
    assert (areas >= found.deletion.area - 1e-12).all()
    assert (areas <= worst.deletion.area + 1e-12).all()
    assert areas.mean() == pytest.approx(0.5, abs=0.03)  # a linear detector: straight on average
    assert found.random_deletions[:, [0, -1]] == pytest.approx(np.tile([10, 0], (40, 1)))
    assert found.random_insertions[:, [0, -1]] == pytest.approx(np.tile([0, 10], (40, 1)))
    summary = json.loads(json.dumps(found.summary(), allow_nan=False))
    assert summary["random_deletion_area"] == pytest.approx(areas.mean())
    assert summary["random_insertion_area"] == pytest.approx(1 - areas.mean())
    assert summary["random_area_spread"] == pytest.approx(areas.std(ddof=1))


def test_a_falling_detector_is_normalised_too(four):
    def minus(sr, window):
        return -window.crop(sr).sum((1, 2, 3))

    importance = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = faithfulness_curves(
        doubled, four, WHOLE, importance, detector=minus, path=BLACK, steps=4
    )
    assert found.deletion.values == pytest.approx([-10, -6, -3, -1, 0])
    assert found.deletion.area == pytest.approx((0.5 + 0.6 + 0.3 + 0.1) / 4)


def test_no_change_gives_no_area():
    flat = torch.full((1, 3, 5, 5), 0.4)
    found = faithfulness_curves(doubled, flat, WHOLE, np.ones((5, 5)), steps=3)
    assert np.isnan(found.deletion.area)
    assert set(found.summary().values()) == {None}
    assert np.isfinite(found.deletion.values).all()


def test_the_path_s_beginning_replaces_pixels():
    picture = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    window = Window(4, 4, 8)
    importance = explain(doubled, picture, window, n_steps=8).importance
    found = faithfulness_curves(doubled, picture, window, importance, steps=10)
    lam = explain(doubled, picture, window, n_steps=8)
    assert found.detector_start == pytest.approx(lam.detector_start, rel=1e-5)
    assert found.detector_end == pytest.approx(lam.detector_end, rel=1e-5)
    assert found.deletion.area < found.random_areas.mean() < found.insertion.area
    assert found.params["path"]["name"] == "gaussian_blur"


def test_equal_pixels_do_not_come_row_by_row():
    picture = torch.rand(1, 3, 10, 10, generator=torch.Generator().manual_seed(1))
    upper = Window(0, 0, 10)  # the upper left quarter of the picture
    found = faithfulness_curves(
        doubled, picture, upper, np.ones((10, 10)), detector="sum", path=BLACK, steps=2
    )
    # Half of the pixels in raster order would be the whole upper half, and with it the window.
    assert 0.2 < found.deletion.values[1] / found.deletion.values[0] < 0.8


def test_steps_are_reproducible_and_batches_do_not_matter(four):
    importance = np.array([[1.0, 1.0], [3.0, 4.0]])
    seen = []
    runs = [
        faithfulness_curves(
            doubled, four, WHOLE, importance, detector="sum", seed=7, random_orders=3,
            internal_batch_size=batch, progress=seen.append,
        )
        for batch in (1, 2, 5)
    ]  # fmt: skip
    assert len(runs[0].deletion.values) == 5  # no more steps than pixels
    for run in runs[1:]:
        assert run.deletion.values == pytest.approx(runs[0].deletion.values)
        assert run.random_deletions == pytest.approx(runs[0].random_deletions)
    assert runs[0].seeds == (7, 8, 9)
    assert seen[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1])


def test_no_random_orders(four):
    found = faithfulness_curves(doubled, four, WHOLE, np.eye(2), random_orders=0, path=BLACK)
    assert found.random_deletions.shape == (0, 5)
    assert found.summary()["random_deletion_area"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"importance": np.ones((3, 2))}, r"\(3, 2\)"),
        ({"importance": -np.ones((2, 2))}, "negative"),
        ({"importance": np.full((2, 2), np.nan)}, "non-finite"),
        ({"steps": 0}, "steps"),
        ({"steps": 2.5}, "steps"),
        ({"random_orders": -1}, "random_orders"),
        ({"window": Window(3, 0, 4)}, "reaches outside"),
        ({"internal_batch_size": 0}, "internal_batch_size"),
    ],
)
def test_bad_input_is_refused(four, change, message):
    options = {"window": WHOLE, "importance": np.ones((2, 2)), **change}
    with pytest.raises(ValueError, match=message):
        faithfulness_curves(doubled, four, **options)


# --- random weights --------------------------------------------------------------------------


class Chain(nn.Module):
    """Three layers, so that a third of them is one."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.layers = nn.ModuleList(nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.norm = nn.Identity()

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return x


def test_random_weights_begin_at_the_output_and_leave_the_network_alone():
    network = Chain().eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    copies = {share: randomised(network, share, seed=4) for share in (1 / 3, 0.5, 1.0)}
    changed = {
        share: [not torch.equal(a.weight, b.weight) for a, b in zip(c.layers, network.layers)]  # noqa: B905
        for share, c in copies.items()
    }
    assert changed == {
        1 / 3: [False, False, True], 0.5: [False, True, True], 1.0: [True, True, True]
    }  # fmt: skip
    assert torch.equal(copies[1.0].layers[2].weight, copies[0.5].layers[2].weight)  # one cascade
    assert torch.equal(randomised(network, 1.0, 4).layers[0].weight, copies[1.0].layers[0].weight)
    assert not torch.equal(
        randomised(network, 1.0, 5).layers[0].weight, copies[1.0].layers[0].weight
    )
    assert all(torch.equal(network.state_dict()[name], t) for name, t in before.items())
    assert not copies[1.0].training


def test_random_weights_keep_their_scale():
    network = nn.Sequential(nn.Linear(300, 300), nn.LayerNorm(300))
    network[0].weight.data.mul_(3).add_(1)
    copied = randomised(network)
    old, new = network[0].weight, copied[0].weight
    assert new.mean().item() == pytest.approx(old.mean().item(), abs=0.01)
    assert new.std().item() == pytest.approx(old.std().item(), rel=0.02)
    assert torch.equal(copied[1].weight, torch.ones(300))


def test_maps_of_random_networks_are_compared():
    torch.manual_seed(5)
    network = HPINet(TINY).eval().requires_grad_(False)
    picture = torch.rand(1, 3, 12, 13, generator=torch.Generator().manual_seed(1))
    window, seen = Window(8, 6, 8), []
    own = explain(network, picture, window, "saliency").importance
    found = weight_randomisation(
        network, picture, window, shares=(0.1, 1.0), method="saliency", progress=seen.append
    )
    assert found.importances.shape == (2, 12, 13)
    assert seen == [0.5, 1.0]
    by_scipy = [spearmanr(own.ravel(), m.ravel()).statistic for m in found.importances]
    assert found.rank_correlations == pytest.approx(by_scipy)
    given = weight_randomisation(
        network, picture, window, shares=(0.1, 1.0), method="saliency", importance=own
    )
    assert given.rank_correlations == found.rank_correlations


def test_a_method_that_ignores_the_network_is_found_out():
    """Input times gradient of a network that is one number: weights change the scale alone."""

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = nn.Parameter(torch.tensor([2.0, 3.0]))

        def forward(self, x):
            return x * self.weights.sum()

    picture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    found = weight_randomisation(
        Scaled(), picture, Window(2, 2, 4), method="input_x_gradient", detector="sum"
    )
    assert found.rank_correlations == pytest.approx((1.0,))


@pytest.mark.parametrize("shares", [(), (0.0,), (0.5, 1.5), (float("nan"),)])
def test_impossible_shares_are_refused(shares):
    with pytest.raises(ValueError, match="shares"):
        weight_randomisation(Chain().eval(), torch.rand(1, 3, 8, 8), WHOLE, shares=shares)


def test_rank_correlation_is_spearman_s():
    rng = np.random.default_rng(0)
    for a, b in (
        (rng.random(50), rng.random(50)),
        (rng.integers(0, 4, 60), rng.integers(0, 3, 60)),
        ([1, 2, 3], [10, 20, 15]),
    ):
        assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert rank_correlation([1, 2, 3], [1, 8, 27]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert np.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))
