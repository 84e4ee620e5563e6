"""Pictures of maps: sizes, colours at known places, and input that does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from lam import Window
from lam.figures import heatmaps

GREY = np.full((8, 8, 3), 100, np.uint8)


def test_enlarging_repeats_pixels_exactly():
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    large = heatmaps.enlarge(picture, 3)
    assert large.shape == (6, 6, 3)
    np.testing.assert_array_equal(large[1::3, 1::3], picture)
    np.testing.assert_array_equal(large[:3, :3], np.broadcast_to(picture[0, 0], (3, 3, 3)))


@pytest.mark.parametrize(
    ("size", "factor"), [((64, 64), 10), ((1, 1), 640), ((5, 4000), 1), ((256, 200), 3)]
)
def test_small_pictures_are_enlarged_and_large_ones_are_not(size, factor):
    assert heatmaps.enlarging_factor(*size) == factor


def test_heatmap_ends_are_the_colour_maps_ends():
    drawn = heatmaps.heatmap(np.array([[0.0, 2.0]]), vmax=2)
    assert drawn[0, 0].sum() < 10  # inferno begins nearly black
    assert drawn[0, 1, 0] > 245 and drawn[0, 1, 1] > 250  # and ends in pale yellow


def test_root_lifts_faint_values_and_keeps_the_ends():
    values = np.array([[0.0, 0.25, 1.0]])
    plain, lifted = (heatmaps.heatmap(values, vmax=1, root=root) for root in (False, True))
    np.testing.assert_array_equal(lifted[0, [0, 2]], plain[0, [0, 2]])
    np.testing.assert_array_equal(lifted[0, 1], heatmaps.heatmap(np.array([[0.5]]), vmax=1)[0, 0])


def test_overlay_strength_runs_from_picture_to_map():
    importance = np.random.default_rng(0).random((4, 4))
    np.testing.assert_array_equal(heatmaps.heatmap_overlay(GREY, importance, 0.0), GREY)
    full = heatmaps.heatmap_overlay(GREY, importance, 1.0)
    np.testing.assert_array_equal(full, heatmaps.enlarge(heatmaps.heatmap(importance), 2))


def test_a_map_of_zeros_draws():
    drawn = heatmaps.heatmap_overlay(GREY, np.zeros((8, 8)), 1.0)
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) == 1


def test_one_colour_limit_serves_all_maps():
    assert heatmaps.colour_limit([np.full((2, 2), 3.0), np.full((4, 4), 5.0)]) == 5.0
    assert heatmaps.colour_limit([np.zeros((2, 2))]) == 1.0
    single = np.zeros((100, 100))
    single[0, 0] = 7
    assert heatmaps.colour_limit([single], percentile=50) == 7.0


def test_an_outlier_does_not_set_the_limit():
    values = np.ones((100, 100))
    values[0, 0] = 1000
    assert heatmaps.colour_limit([values], percentile=99) == 1.0


def test_the_windows_inside_stays_untouched_and_its_rim_is_drawn():
    picture = np.full((40, 40, 3), 100, np.uint8)
    drawn = heatmaps.draw_window(picture, Window(5, 8, 4), scale=2)
    np.testing.assert_array_equal(drawn[16:24, 10:18], picture[16:24, 10:18])
    assert (drawn[15, 10:18] != 100).all() and (drawn[24, 10:18] != 100).all()
    assert (picture == 100).all()  # a copy was drawn on


def test_a_window_at_the_border_draws():
    assert heatmaps.draw_window(GREY, Window(7, 7, 1), label="here").shape == GREY.shape


@pytest.mark.parametrize(
    "draw",
    [
        lambda: heatmaps.enlarge(GREY.astype(float), 2),
        lambda: heatmaps.enlarge(GREY, 0),
        lambda: heatmaps.heatmap(np.full((2, 2), np.nan)),
        lambda: heatmaps.heatmap_overlay(GREY, np.zeros((3, 3))),
        lambda: heatmaps.heatmap_overlay(GREY, np.zeros((8, 8)), strength=1.5),
        lambda: heatmaps.colour_limit([]),
    ],
)
def test_input_that_does_not_fit_is_one_sentence(draw):
    with pytest.raises(ValueError, match=r"\w+ .*\w"):
        draw()
