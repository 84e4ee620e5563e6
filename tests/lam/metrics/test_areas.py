"""Area of Interest and shares of patches: numbers worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from hpinet import BlockMatches, HPINetConfig, Matches
from lam import Window, diffusion_index
from lam.metrics import areas
from lam.metrics.areas import area_of_interest, area_report
from lam.metrics.patch_shares import (
    block_shares,
    own_patch,
    patches_of,
    share_in_match,
    share_outside_patch,
)

# Four patches of 4 in a row-major grid over 8x8; all look at patch 3, which looks at 0.
ORIGINS = torch.tensor([[0, 0], [0, 4], [4, 0], [4, 4]])
INDEX = torch.tensor([[3, 3, 3, 0]])
BLOCK = BlockMatches(4, ORIGINS, INDEX, torch.zeros(1, 4))
CORNER = Window(0, 0, 8)  # at x4 the LR pixels 0 and 1 of both axes: patch 0


@pytest.fixture
def sharp(monkeypatch):
    """No smoothing, so that areas can be counted by hand."""
    monkeypatch.setattr(areas, "SMOOTHING", 0.01)


def random_map(height=17, width=23):
    return np.random.default_rng(5).random((height, width)) ** 4


def test_fine_and_coarse_area_by_hand(sharp):
    found = area_of_interest([[5, 0, 3], [1, 1, 0]])
    assert found.fine.tolist() == [[True, False, False], [False, False, False]]
    # 5 + 3 + 1 are 90%: both pixels of 1 are needed for 95%, the zeros are not
    assert found.coarse.tolist() == [[False, False, True], [True, True, False]]
    assert (found.fine_mass, found.coarse_mass) == pytest.approx((0.5, 0.5))


def test_the_box_is_the_smallest_square_with_its_share():
    values = np.full((10, 10), 60 / 96)
    values[6:8, 1:3] = 10  # 40 of 100: more than a fifth, but no pixel alone holds one
    found = area_of_interest(values)
    assert found.box == (1, 6, 2, 2)
    assert found.box_mass == pytest.approx(0.4)


def test_one_pixel_is_box_and_centre_of_the_fine_area():
    values = np.zeros((15, 15))
    values[4, 9] = 3
    found = area_of_interest(values)
    assert found.box == (9, 4, 1, 1) and found.box_mass == 1
    assert found.fine[4, 9] and np.argwhere(found.fine).mean(0).tolist() == [4, 9]
    assert 5 < found.fine.sum() < 20  # about a disc of 1.18 standard deviations, 1.77 pixels


def test_the_fine_area_is_where_importance_is_dense_not_where_one_pixel_is_large():
    values = np.zeros((20, 20))
    values[3:6, 3:6], values[15, 15] = 1, 1.5
    found = area_of_interest(values)
    assert found.fine[4, 4] and not found.fine[15, 15]
    assert found.coarse[15, 15]


def test_a_flat_map_is_all_fine_and_its_box_in_the_middle():
    found = area_of_interest(np.full((9, 9), 0.1))
    assert found.fine.all() and not found.coarse.any()
    assert found.box == (2, 2, 5, 5)  # 16 of 81 pixels are less than a fifth: side 5
    assert found.box_mass == pytest.approx(25 / 81)


def test_a_box_longer_than_the_picture_is_cut_to_it():
    assert area_of_interest(np.ones((3, 40))).box == (16, 0, 8, 3)  # 24 of 120
    assert area_of_interest(np.ones((40, 3))).box == (0, 16, 3, 8)
    assert area_of_interest([[2.0]]).box == (0, 0, 1, 1)


def test_areas_do_not_depend_on_the_unit_and_turn_with_the_map():
    values = random_map()
    found = area_of_interest(values)
    assert 0 < found.fine.sum() < found.coarse.sum()
    assert not (found.fine & found.coarse).any()
    left, top, width, height = found.box
    for factor in (1e-30, 1e30):
        scaled = area_of_interest(values * factor)
        assert scaled.box == found.box
        np.testing.assert_array_equal(scaled.fine, found.fine)
        np.testing.assert_array_equal(scaled.coarse, found.coarse)
    mirrored = area_of_interest(values[:, ::-1])
    assert mirrored.box == (23 - left - width, top, width, height)
    np.testing.assert_array_equal(mirrored.fine, found.fine[:, ::-1])
    turned = area_of_interest(values.T)
    assert turned.box == (top, left, height, width)
    np.testing.assert_array_equal(turned.coarse, found.coarse.T)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 3), (20, 5)])
def test_smoothing_keeps_the_mass_of_flat_maps_of_any_shape(shape):
    found = area_of_interest(np.ones(shape))
    assert found.fine.all() and found.fine_mass == pytest.approx(1)


def test_the_window_belongs_to_the_patch_with_the_nearest_centre():
    assert [own_patch(ORIGINS, 4, Window(x, y, 8), 4) for x, y in ((0, 0), (20, 0), (8, 24))] == [
        0, 1, 2,
    ]  # fmt: skip


def test_shares_of_patches_by_hand():
    flat = np.ones((8, 8))
    assert share_outside_patch(flat, ORIGINS, 4, CORNER, 4) == 0.75
    assert share_in_match(flat, ORIGINS, 4, INDEX[0], CORNER, 4) == 0.25
    values = np.zeros((8, 8))
    values[0, 0], values[7, 7], values[0, 7] = 5, 3, 2  # own patch, its match, elsewhere
    assert share_outside_patch(values, ORIGINS, 4, CORNER, 4) == pytest.approx(0.5)
    assert share_in_match(values, ORIGINS, 4, INDEX[0], CORNER, 4) == pytest.approx(0.3)
    assert share_in_match(values, ORIGINS, 4, [0, 1, 2, 3], CORNER, 4) == 0
    assert np.isnan(share_outside_patch(0 * flat, ORIGINS, 4, CORNER, 4))


def test_what_a_match_shares_with_the_patch_is_not_counted_twice():
    origins = [[0, 0], [0, 3]]  # patches of 4 on 4x7 overlap in column 3
    share = share_in_match(np.ones((4, 7)), origins, 4, [1, 0], Window(0, 0, 4), 4)
    assert share == pytest.approx(12 / 28)


def test_blocks_are_numbered_and_unknown_ones_left_out():
    matches = Matches((None, BLOCK), (8, 8))
    assert block_shares(np.ones((8, 8)), matches, CORNER, 4) == [
        {"block": 2, "patch_size": 4, "patch": 0, "match": 3, "outside_patch": 0.75,
         "in_match": 0.25}
    ]  # fmt: skip
    two = Matches((replace(BLOCK, index=INDEX.expand(2, -1)),), (8, 8))
    with pytest.raises(ValueError, match="2 images"):
        block_shares(np.ones((8, 8)), two, CORNER, 4)


def test_patches_of_a_network_without_gpa_and_of_a_small_picture():
    config = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16)).without_gpa()
    found = block_shares(random_map(20, 24), patches_of(config, 20, 24), CORNER, 4)
    assert [(b["patch_size"], b["patch"], b["match"], b["in_match"]) for b in found] == [
        (12, 0, 0, 0), (16, 0, 0, 0),
    ]  # fmt: skip
    small = block_shares(random_map(5, 6), patches_of(config, 5, 6), CORNER, 4)
    assert [b["outside_patch"] for b in small] == [0, 0]  # padded: the patch holds all of it


def test_the_report_is_plain_json():
    values = random_map(8, 8)
    report = area_report(values, CORNER, 4, Matches((BLOCK,), (8, 8)))
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["diffusion_index"] == diffusion_index(values)
    assert report["outside_patch"] == report["blocks"][0]["outside_patch"] > 0
    assert len(report["box"]) == 4
    assert 0.95 > report["fine_area"] + report["coarse_area"] > report["fine_area"] > 0
    without = area_report(values, CORNER, 4)
    assert without["blocks"] == [] and without["in_match"] is None


def test_a_map_without_mass_has_nothing_to_report():
    zeros = np.zeros((8, 8))
    assert area_of_interest(zeros) is None
    report = area_report(zeros, CORNER, 4, Matches((BLOCK,), (8, 8)))
    numbers = {k: v for k, v in report.items() if k != "blocks"}
    assert set(numbers.values()) == {None}
    assert report["blocks"][0]["outside_patch"] is None


@pytest.mark.parametrize("bad", [np.ones(4), [[-1.0, 2]], [[np.nan]], np.zeros((0, 3))])
def test_invalid_maps_are_refused(bad):
    for function in (area_of_interest, lambda m: share_outside_patch(m, ORIGINS, 4, CORNER, 4)):
        with pytest.raises(ValueError, match="map"):
            function(bad)
