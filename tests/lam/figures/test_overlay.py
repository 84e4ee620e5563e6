"""Maps on pixel arrays: colours of known values, limits, places, and input that does not fit."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colormaps

from lam import Window
from lam.figures import overlay
from lam.metrics.areas import AreaOfInterest

GREY = np.full((8, 8, 3), 100, np.uint8)


def colour(name, share):
    return np.floor(np.array(colormaps[name](share))[:3] * 255 + 0.5)


def test_enlarging_repeats_pixels():
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    large = overlay.enlarge(pixels, 3)
    assert large.shape == (6, 6, 3)
    np.testing.assert_array_equal(large[1::3, 1::3], pixels)
    np.testing.assert_array_equal(large[:3, :3], np.broadcast_to(pixels[0, 0], (3, 3, 3)))


@pytest.mark.parametrize(
    ("size", "factor"), [((64, 64), 10), ((1, 1), 640), ((5, 4000), 1), ((256, 200), 3)]
)
def test_small_images_are_enlarged_and_large_ones_are_not(size, factor):
    assert overlay.enlarging_factor(*size) == factor


def test_values_take_their_colours():
    drawn = overlay.heatmap(np.array([[0.0, 0.25, 1.0, 9.0]]), vmax=1)
    for pixel, share in zip(drawn[0], (0.0, 0.25, 1.0, 1.0), strict=True):
        np.testing.assert_array_equal(pixel, colour("inferno", share))
    lifted = overlay.heatmap(np.array([[0.0, 0.25, 1.0]]), vmax=1, root=True, colours="viridis")
    for pixel, share in zip(lifted[0], (0.0, 0.5, 1.0), strict=True):
        np.testing.assert_array_equal(pixel, colour("viridis", share))


def test_signed_values_are_red_and_blue_and_equally_strong():
    values = np.array([[-2.0, 0.0, 2.0, 9.0, 0.5]])
    drawn = overlay.signed_map(values, limit=2)
    for pixel, share in zip(drawn[0], (0.0, 0.5, 1.0, 1.0, 0.625), strict=True):
        np.testing.assert_array_equal(pixel, colour("RdBu_r", share))
    root = overlay.signed_map(-values, limit=2, root=True)
    np.testing.assert_array_equal(root[0, 4], colour("RdBu_r", 0.25))  # 0.5 is drawn as 1


def test_an_overlay_runs_from_the_image_to_the_map():
    importance = np.random.default_rng(0).random((4, 4))
    np.testing.assert_array_equal(overlay.heatmap_overlay(GREY, importance, 0.0), GREY)
    full = overlay.heatmap_overlay(GREY, importance, 1.0)
    np.testing.assert_array_equal(full, overlay.enlarge(overlay.heatmap(importance), 2))
    zeros = overlay.signed_overlay(GREY, np.zeros((8, 8)), 0.8)  # half as strong there
    np.testing.assert_allclose(zeros, 0.6 * GREY + 0.4 * colour("RdBu_r", 0.5), atol=1)


def test_one_limit_serves_all_maps():
    assert overlay.colour_limit([np.full((2, 2), 3.0), np.full((4, 4), -5.0)]) == 5.0
    assert overlay.colour_limit([np.zeros((2, 2))]) == 1.0
    single = np.zeros((100, 100))
    single[0, 0] = 7
    assert overlay.colour_limit([single], percentile=50) == 7.0  # its percentile is 0
    assert overlay.colour_limit([single + 1], percentile=99) == 1.0  # an outlier saturates


def test_a_window_is_outlined_and_its_inside_kept():
    image = np.full((40, 40, 3), 100, np.uint8)
    drawn = overlay.draw_window(image, Window(5, 8, 4), scale=2)
    changed = (drawn != image).any(-1)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (13, 26, 7, 20)
    assert not changed[16:24, 10:18].any() and (image == 100).all()
    assert overlay.draw_window(GREY, Window(7, 7, 1)).shape == GREY.shape  # at the border


def test_areas_lie_where_they_are():
    fine, coarse = np.zeros((2, 4, 4), bool)
    fine[0, 0], coarse[3, 3] = True, True
    areas = AreaOfInterest((1, 1, 1, 1), fine, coarse, 0.2, 0.5, 0.4)
    drawn = overlay.areas_overlay(np.full((40, 40, 3), 100, np.uint8), areas)
    np.testing.assert_allclose(drawn[2, 2], 55 + 0.45 * np.array([240, 228, 66]), atol=1)
    np.testing.assert_allclose(drawn[38, 38], 55 + 0.45 * 170, atol=1)
    assert (drawn[30, 5] == 50).all() and (drawn[15, 15] == 50).all()  # outside, and in the box
    assert (overlay.areas_overlay(GREY, None) == 50).all()


@pytest.mark.parametrize(
    ("draw", "told"),
    [
        (lambda: overlay.enlarge(GREY.astype(float), 2), "float64"),
        (lambda: overlay.enlarge(GREY, 0), "not 0"),
        (lambda: overlay.heatmap(np.full((2, 2), np.nan)), "finite"),
        (lambda: overlay.heatmap_overlay(GREY, np.zeros((3, 3))), "3x3"),
        (lambda: overlay.heatmap_overlay(GREY, np.zeros((8, 8)), strength=1.5), "1.5"),
        (lambda: overlay.signed_map(np.ones((2, 2)), limit=0), "not 0"),
        (lambda: overlay.signed_map(np.ones(2)), r"\(2,\)"),
        (lambda: overlay.colour_limit([]), "at least one"),
        (lambda: overlay.colour_limit([GREY], 101), "101"),
    ],
)
def test_input_that_does_not_fit_is_one_sentence(draw, told):
    with pytest.raises(ValueError, match=told):
        draw()
