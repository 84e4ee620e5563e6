"""Pictures of matched patches: boxes and colours at known places, and input that does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from lam.figures import matches
from lam.metrics.patch_shares import patch_at

GREY = np.full((8, 8, 3), 100, np.uint8)
# Four patches of 4 in a row-major grid over 8x8; all look at patch 3, which looks at 0.
ORIGINS = np.array([[0, 0], [0, 4], [4, 0], [4, 4]])
INDEX = np.array([3, 3, 3, 0])


def test_the_patch_at_a_point_is_the_one_with_the_nearest_centre():
    assert patch_at(ORIGINS, 4, 1, 6) == 1
    overlapping = np.array([[0, 0], [0, 3]])  # both hold column 3.6; the second's centre is nearer
    assert patch_at(overlapping, 4, 2, 3.6) == 1


def test_matches_are_boxed_and_other_pixels_stay():
    picture = np.full((80, 80, 3), 100, np.uint8)
    drawn = matches.draw_matches(picture, ORIGINS, INDEX, 4, 0, scale=10, grid=False)
    changed = (drawn != picture).any(-1)
    assert changed[20, 20] and changed[60, 60]  # the arrow runs from centre to centre
    assert changed[41, 20] and changed[60, 38]  # rims of patch and match
    assert not changed[10, 70] and not changed[70, 10]


def test_a_patch_that_is_its_own_match_has_one_box_and_no_arrow():
    picture = np.full((80, 80, 3), 100, np.uint8)
    drawn = matches.draw_matches(picture, ORIGINS, np.arange(4), 4, 0, scale=10, grid=False)
    assert not (drawn != picture).any(-1)[22:30, 5:38].any()


def test_in_degree_map_is_brightest_where_most_look():
    picture = np.full((80, 80, 3), 100, np.uint8)
    drawn = matches.in_degree_map(picture, ORIGINS, INDEX, 4, scale=10).astype(int).sum(-1)
    corners = [drawn[y, x] for y, x in ((2, 2), (2, 77), (77, 2), (77, 77))]
    assert corners[3] > corners[0] > corners[1] == corners[2]


def test_match_crops_hold_the_patches_pixels():
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:4, :4], picture[4:, 4:] = (200, 10, 10), (10, 10, 200)
    drawn = matches.match_crops(picture, [((0, 0), (4, 4), 4)] * 2, cell=40, chosen=1)
    colours = {tuple(c) for c in drawn.reshape(-1, 3)}
    assert (200, 10, 10) in colours and (10, 10, 200) in colours
    middle = drawn.shape[1] // 4
    assert tuple(drawn[24 + 26, middle]) == (200, 10, 10)
    assert tuple(drawn[24 + 26 + 46, middle]) == (10, 10, 200)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: matches.draw_matches(GREY, ORIGINS, INDEX, 4, 9),
        lambda: matches.match_crops(GREY, []),
    ],
)
def test_input_that_does_not_fit_is_one_sentence(draw):
    with pytest.raises(ValueError, match=r"\w+ .*\w"):
        draw()
