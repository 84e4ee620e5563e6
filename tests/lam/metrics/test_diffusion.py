"""Diffusion index and areas: numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lam import Window, area_fractions, diffusion_index, gini, importance_map, mean_distance


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 1, 1, 1], 0.0),
        ([0, 0, 0, 1], 0.75),  # all of it in one of n: (n - 1) / n
        ([0, 1], 0.5),
        ([1, 2, 3, 4], 0.25),  # (-3 - 2 + 3 + 12) / (4 * 10)
        ([4, 1, 3, 2], 0.25),
    ],
)
def test_gini_by_hand(values, expected):
    assert gini(values) == pytest.approx(expected, abs=1e-6)
    assert gini(np.array(values) * 1e-4) == pytest.approx(expected, abs=1e-6)
    assert diffusion_index(values) == pytest.approx(100 * (1 - expected), abs=1e-4)


def test_importance_is_the_absolute_sum_of_the_channels():
    attribution = np.array([[[1.0, -2.0]], [[-3.0, -1.0]], [[0.5, 0.0]]])
    assert importance_map(attribution).tolist() == [[1.5, 3.0]]


def test_area_fractions_by_hand():
    values = [[5, 3], [1, 1], [0, 0], [0, 0], [0, 0]]
    assert area_fractions(values) == (0.1, 0.2, 0.4)
    assert area_fractions(np.ones((10, 10)), (0.25, 1.0)) == (0.25, 1.0)


def test_mean_distance_by_hand():
    values = np.zeros((8, 8))
    values[3, 3] = 1  # inside the window, which spans LR pixels 2 to 4
    assert mean_distance(values, Window(8, 8, 8), 4) == 0
    values[3, 7] = 1  # its centre lies 3.5 right of the window's border at 4
    assert mean_distance(values, Window(8, 8, 8), 4) == pytest.approx(3.5 / 2)
    corner = np.zeros((8, 8))
    corner[0, 0] = 2
    assert mean_distance(corner, Window(8, 8, 8), 4) == pytest.approx(math.hypot(1.5, 1.5))


def test_a_map_of_zeros_has_no_spread():
    zeros = np.zeros((4, 4))
    assert math.isnan(gini(zeros))
    assert math.isnan(diffusion_index(zeros))
    assert all(map(math.isnan, area_fractions(zeros)))
    assert math.isnan(mean_distance(zeros, Window(0, 0, 1), 1))


@pytest.mark.parametrize("bad", [[], [-1, 2], [float("nan"), 1]])
def test_invalid_maps_are_refused(bad):
    for function in (gini, diffusion_index, area_fractions):
        with pytest.raises(ValueError, match="map"):
            function(bad)
    with pytest.raises(ValueError, match="share"):
        area_fractions([1, 2], (0.5, 1.5))
