"""Attribution beside causal effect: numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lam.metrics.agreement import agreement, block_importance, block_rows, ranks

NAN = float("nan")


def test_blocks_hold_the_sums_of_their_pixels_the_last_ones_cut_off():
    found = block_importance(np.arange(15).reshape(3, 5), 2)
    np.testing.assert_array_equal(found, [[12, 20, 13], [21, 25, 14]])
    assert found.sum() == np.arange(15).sum()


def test_agreement_by_hand():
    importance = [[50.0, 30.0, 10.0, 6.0, 4.0, 99.0]]
    effect = [[-0.2, 0.5, 0.0, 0.1, 0.0, NAN]]  # the last one lies inside the window
    found = agreement(importance, effect, 1)
    assert (found.helpful, found.harmful, found.neither) == pytest.approx((0.36, 0.5, 0.14))
    # The first two blocks hold 80%: one of them harms, the other has 0.5 of a gain of 0.6.
    assert (found.looked_at, found.disagreement) == (2, 0.5)
    assert found.unseen == pytest.approx(0.1 / 0.6)
    # Ranks 1 to 5 against 2, 1, 4.5, 3, 4.5: covariance 7, sums of squares 10 and 9.5.
    assert found.rank_correlation == pytest.approx(7 / math.sqrt(10 * 9.5))
    assert found.row()["helpful"] == found.helpful


def test_what_is_undefined_is_no_number():
    nothing = agreement(np.zeros((2, 2)), np.ones((1, 1)), 2)
    assert math.isnan(nothing.helpful)
    assert nothing.row()["disagreement"] is None
    flat = agreement(np.ones((2, 2)), np.zeros((2, 2)), 1)
    assert (flat.neither, flat.disagreement) == (1, 1)
    assert math.isnan(flat.rank_correlation) and math.isnan(flat.unseen)


def test_sizes_that_do_not_fit_are_a_sentence():
    with pytest.raises(ValueError, match="3x2 blocks and effects of 2x2"):
        agreement(np.ones((4, 6)), np.ones((2, 2)), 2)


def test_ranks_are_by_size_and_shared():
    np.testing.assert_array_equal(ranks([-3, 1, NAN, 2, -1, 0]), [1, 3, 0, 2, 3, 5])


def test_a_row_a_block_outside_the_window():
    rows = block_rows(np.ones((2, 4)), [[-0.2, NAN]], [[NAN, NAN]], 2)
    assert rows == [
        {
            "left": 0, "top": 0, "importance": 4.0, "effect": -0.2, "standard_error": None,
            "importance_rank": 1, "effect_rank": 1,
        }
    ]  # fmt: skip
