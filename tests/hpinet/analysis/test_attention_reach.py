"""What a pixel reaches on grids small enough to draw by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hpinet.analysis.attention_reach import STRATEGIES, BlockDivision, axis_reach, divisions, reach
from hpinet.modeling.patches import division


def picture(mask):
    return ["".join("#" if v else "." for v in row) for row in mask]


def test_one_patch_reaches_itself_alone():
    found = reach((4, 6), 1, 2, [BlockDivision(2)])
    assert picture(found.blocks[0]) == ["..##..", "..##..", "......", "......"]
    assert found.blind.sum() == 24 - 4
    # Its eight neighbours: three are in the patch.
    assert found.blind_share(1) == 5 / 8


def test_a_pixel_in_an_overlap_reaches_both_patches():
    # Patches of 3 that share a pixel begin at 0, 2, 4: pixel 2 is in two of them.
    assert picture(axis_reach(7, 3, 1)) == [
        "###....",
        "###....",
        "#####..",
        "..###..",
        "..#####",
        "....###",
        "....###",
    ]


def test_the_last_patch_is_flush_with_the_border():
    # Patches of 3 over 7 begin at 0, 3 and 4 (Eq. 4-5).
    assert picture(axis_reach(7, 3, 0))[3:] == ["...###.", "...####", "...####", "....###"]


def test_a_shift_moves_the_borders_and_does_not_join_the_ends():
    # Rolled by 2, pixels 2..5 and 6, 7, 0, 1 come together; Swin's mask parts the latter.
    assert picture(axis_reach(8, 4, 0, shift=2)) == [
        *["##......"] * 2,
        *["..####.."] * 4,
        *["......##"] * 2,
    ]
    # Rolled by 1: pixels 1..4, then 5..7 and, apart, 0.
    assert picture(axis_reach(8, 4, 0, shift=1)) == [
        "#.......",
        *[".####..."] * 4,
        *[".....###"] * 3,
    ]


def test_cascaded_division_leaves_no_border_that_lasts():
    # P = 2 parts pixels 1 and 2 of a row; P = 3 joins them.
    vanilla = reach((1 * 6, 6), 0, 1, [BlockDivision(2)] * 2)
    cascaded = reach((6, 6), 0, 1, [BlockDivision(2), BlockDivision(3)])
    assert not vanilla.direct[0, 2] and cascaded.direct[0, 2]
    assert vanilla.blind_share(1) > cascaded.blind_share(1)


def test_two_steps_go_through_an_earlier_block_first():
    # Along a row, block 1 joins 0-1, 2-3, 4-5; block 2 joins 0-2, 3-5. Pixel 0 gets in block 2 what
    # 2 got from 3 in block 1; nothing from 4 or 5, which would take block 2 first.
    found = reach((6, 6), 0, 0, [BlockDivision(2), BlockDivision(3)])
    assert picture(found.two_hops[:1]) == picture(found.two_hops[:, :1].T) == ["####.."]
    back = reach((6, 6), 0, 0, [BlockDivision(3), BlockDivision(2)])
    assert picture(back.two_hops[:1]) == picture(back.two_hops[:, :1].T) == ["###..."]


@pytest.mark.parametrize("overlap", [0, 2])
def test_it_is_what_dividing_says(overlap):
    """A pixel reaches exactly the pixels of the patches that its own mark lands in."""
    cut = division(21, 30, 8, overlap)
    for row, column in ((0, 0), (13, 22), (20, 29), (8, 7)):
        mark = torch.zeros(1, 21, 30, 1)
        mark[0, row, column] = 1
        inside = cut.divide(mark).amax((2, 3), keepdim=True).expand(-1, -1, 64, -1)
        expected = cut.aggregate(inside.contiguous())[0, ..., 0].numpy() > 0
        found = reach((21, 30), row, column, [BlockDivision(8)], overlap)
        np.testing.assert_array_equal(found.blocks[0], expected)


def test_strategies_have_the_networks_number_of_blocks():
    sizes = (12, 16, 20, 24)
    assert divisions("cascaded", sizes) == tuple(BlockDivision(p) for p in sizes)
    assert divisions("vanilla", sizes) == (BlockDivision(18),) * 4
    assert divisions("shifted", sizes, 10) == (BlockDivision(10), BlockDivision(10, 5)) * 2
    for name in STRATEGIES:
        found = reach((48, 48), 20, 20, divisions(name, sizes), 0, name)
        summary = found.summary()
        assert summary["strategy"] == name and len(summary["patch_sizes"]) == 4
        assert found.direct[20, 20] and (found.two_hops >= found.direct).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: reach((8, 8), 8, 0, [BlockDivision(4)]), "x 0, y 8"),
        (lambda: reach((8, 8), 0, -1, [BlockDivision(4)]), "x -1, y 0"),
        (lambda: reach((8, 8), 0, 0, [BlockDivision(9)]), "patch of 9"),
        (lambda: reach((8, 8), 0, 0, []), "no block"),
        (lambda: reach((8, 8), 0, 0, [BlockDivision(4)]).blind_share(0), "radius"),
        (lambda: divisions("random", (12,)), "random"),
    ],
)
def test_input_that_does_not_fit_is_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
