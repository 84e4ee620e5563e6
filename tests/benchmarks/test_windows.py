"""How much diffusion indices differ between neighbouring windows."""

from __future__ import annotations

import math

import pytest

from benchmarks.maps.windows import neighbours, spread
from ui.state.examples import EXAMPLES, SIDE


def test_the_deviation_is_pooled_within_images():
    e = math.e
    # Logarithms 0, 1, 2 around 1, and 5, 5 around 5: squares 2 + 0 over 2 + 1 degrees of freedom.
    images = [[(1, 1), (e, 1), (e**2, 1)], [(e**5, 1), (e**5, 1)]]
    assert spread(images) == pytest.approx(math.sqrt(2 / 3))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_neighbours_lie_inside_and_half_a_window_away(example):
    first, *others = neighbours(example, 5)
    assert (first.left, first.top, first.size) == example.window
    assert len(others) >= 2
    for window in others:
        assert abs(window.left - first.left) + abs(window.top - first.top) == 8
        assert min(window.left, window.top) >= 0
        assert max(window.left, window.top) + window.size <= SIDE
