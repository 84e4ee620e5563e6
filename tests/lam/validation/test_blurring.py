"""A window without the detail of some pixels, worked out on networks that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lam import Window
from lam.validation.blurring import blurring_effect

WINDOW = Window(4, 4, 8)


def twice(x):
    """Every pixel repeated: a window depends on its own pixels only."""
    return torch.nn.functional.interpolate(x, scale_factor=2)


@pytest.fixture
def image():
    torch.manual_seed(0)
    return torch.rand(1, 3, 12, 12)


def mask(*cells):
    found = np.zeros((12, 12), bool)
    for row, column in cells:
        found[row, column] = True
    return found


def test_far_pixels_do_nothing_to_a_network_without_reach(image):
    effect = blurring_effect(twice, image, WINDOW, mask((10, 10)))
    assert (effect.lost, effect.mean, effect.largest) == (0, 0, 0)


def test_one_pixel_changes_its_own_square(image):
    effect = blurring_effect(twice, image, WINDOW, mask((3, 3)))
    assert effect.largest > 0
    # Of the window's 64 SR pixels, 4 are this one's.
    assert effect.mean <= effect.largest * 4 / 64 + 1e-6


def test_all_pixels_blurred_take_most_of_the_detail(image):
    effect = blurring_effect(twice, image, WINDOW, np.ones((12, 12), bool))
    assert 0.5 < effect.lost < 1


def test_a_flat_window_has_no_detail_to_lose():
    effect = blurring_effect(twice, torch.full((1, 3, 12, 12), 0.5), WINDOW, mask((3, 3)))
    assert math.isnan(effect.lost) and effect.mean == pytest.approx(0, abs=1e-4)
