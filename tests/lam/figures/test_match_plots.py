"""Figures of one pixel's matches and of many: what is drawn where, and input that does not fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hpinet import BlockMatches, Matches
from hpinet.analysis.attention_reach import STRATEGIES, divisions, reach
from hpinet.analysis.match_statistics import block_statistics
from lam.figures import match_pairs, match_plots
from lam.figures.match_pairs import BLOCK_COLOURS, Pair

GREY = np.full((80, 80, 3), 100, np.uint8)
SMALL = np.full((8, 8, 3), 100, np.uint8)
# Four patches of 4 over 8x8. 0 and 3 look at each other, 1 at 3, 2 at itself.
ORIGINS = torch.tensor([[0, 0], [0, 4], [4, 0], [4, 4]])
INDEX = torch.tensor([[3, 3, 2, 0]])
BLOCK = BlockMatches(4, ORIGINS, INDEX, torch.tensor([[0.5, 1.0, 2.0, 0.25]]))
PAIR = Pair(1, 4, (0, 0), (4, 4), 0.5)


def has(picture, colour):
    return (picture == colour).all(-1)


def test_a_pixel_finds_its_patch_and_match_in_every_block():
    pairs = match_pairs.pairs_at(Matches((BLOCK, None, BLOCK), (8, 8)), 1.5, 6.5)
    assert pairs == [Pair(1, 4, (0, 4), (4, 4), 1.0), Pair(3, 4, (0, 4), (4, 4), 1.0)]
    assert pairs[1].colour == BLOCK_COLOURS[2]


def test_pairs_are_boxes_of_the_blocks_colour_and_the_match_is_dashed():
    drawn = match_pairs.draw_pairs(GREY, [PAIR], (2, 2), scale=10)
    orange = has(drawn, PAIR.colour)
    assert orange[40, :30].any() and orange[39, 50:75].any()  # right below, and at the match's top
    lower, right = orange[60:78, 79], orange[39, 60:78]
    assert (lower.any() and not lower.all()) or (right.any() and not right.all())
    assert not (drawn != GREY).any(-1)[2:28, 50:78].any()  # nothing where no box is


def test_blocks_that_share_a_box_both_show():
    second = Pair(2, 4, (0, 0), (4, 0), 0.5)
    drawn = match_pairs.draw_pairs(GREY, [PAIR, second], (2, 2), scale=10)
    corner = drawn[:45, :45]
    assert has(corner, PAIR.colour).sum() > 60 and has(corner, second.colour).sum() > 60


def test_an_own_match_is_one_box():
    own = Pair(1, 4, (4, 4), (4, 4))
    drawn = match_pairs.draw_pairs(GREY, [own], (6, 6), scale=10)
    assert not (drawn != GREY).any(-1)[:36, :36].any()


def test_rows_hold_the_pixels_and_grow_with_the_patch():
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:4, :4], picture[4:, 4:] = (200, 10, 10), (10, 10, 200)
    one = match_pairs.pair_rows(picture, [PAIR], zoom=5)
    red, blue = has(one, (200, 10, 10)), has(one, (10, 10, 200))
    assert red.sum() == blue.sum() == (4 * 5) ** 2
    assert np.nonzero(red.any(0))[0].max() < np.nonzero(blue.any(0))[0].min()
    np.testing.assert_array_equal(red.any(1), blue.any(1))
    two = match_pairs.pair_rows(picture, [PAIR, Pair(2, 2, (0, 0), (4, 4))], zoom=5)
    assert has(two, (200, 10, 10)).sum() == (4 * 5) ** 2 + (2 * 5) ** 2


def test_similarity_matrix_leaves_the_diagonal_blank():
    matrix = np.array([[-np.inf, 1.0], [1.0, -np.inf]])
    figure = match_plots.similarity_matrix(matrix, "block 1")
    shown = figure.axes[0].images[0].get_array()
    assert np.isnan(np.asarray(shown.filled(np.nan))).tolist() == [[True, False], [False, True]]


def test_the_graph_has_an_edge_a_patch_and_grows_hubs():
    figure = match_plots.match_graph(SMALL, ORIGINS, INDEX[0], 4, "block 1")
    edges = figure.axes[0].collections[0].get_segments()
    assert len(edges) == 4
    np.testing.assert_array_equal(edges[1], [[5.5, 1.5], [5.5, 5.5]])  # (x, y), centre to centre
    nodes = figure.axes[0].collections[2]
    assert nodes.get_offsets().tolist() == [[1.5, 1.5], [1.5, 5.5], [5.5, 5.5]]
    assert nodes.get_sizes()[2] > nodes.get_sizes()[0] == nodes.get_sizes()[1]
    assert figure.axes[0].get_title() == "block 1"


def test_the_histogram_counts_patches_and_marks_the_means():
    axes = match_plots.distance_histogram([0, 4, 4, 8], chance=5, title="t", bins=4).axes[0]
    assert sum(bar.get_height() for bar in axes.patches) == 4
    assert [line.get_xdata()[0] for line in axes.lines] == [4, 5]


def test_statistics_of_many_pictures_have_a_mean_a_block():
    rows = [block_statistics(BLOCK, (8, 8), block=b).summary() for b in (0, 1, 0, 1)]
    rows[0]["evenness"] = None  # as for a picture of one patch
    figure = match_plots.statistics_plot(rows, "two pictures")
    assert len(figure.axes) == 6
    distinct = figure.axes[0].lines[1]
    assert list(distinct.get_xdata()) == [1, 2] and list(distinct.get_ydata()) == [0.75, 0.75]


def test_reach_has_a_panel_a_strategy():
    found = [reach((24, 30), 3, 4, divisions(s, (6, 8), 6), 0, s) for s in STRATEGIES]
    figure = match_plots.reach_figure(np.full((24, 30, 3), 90, np.uint8), found, "pixel")
    titles = [axes.get_title() for axes in figure.axes[:3]]
    assert [t.split(",")[0] for t in titles] == list(STRATEGIES)
    assert "every second shifted by 3" in titles[1] and "P = 6, 8" in titles[2]
    counts = np.ma.filled(figure.axes[2].images[1].get_array(), 0)
    np.testing.assert_array_equal(counts, found[2].blocks.sum(0))


def test_the_knockout_plot_has_a_panel_an_experiment():
    rows = [
        {"experiment": "off", "block": None, "mean": -0.1, "interval": (-0.2, -0.01)},
        {"experiment": "off", "block": 1, "mean": 0.1, "interval": (-0.2, 0.4)},
        {"experiment": "second", "block": 1, "mean": 0.0, "interval": None},
        {"experiment": "second", "block": 2, "mean": None, "interval": None},
    ]
    figure = match_plots.knockout_plot(rows, "title")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["off", "second"]
    assert len(figure.axes[0].containers) == 2 and len(figure.axes[1].containers) == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: match_pairs.pairs_at(Matches((BLOCK,), (8, 8)), 9, 2), "x 2, y 9"),
        (lambda: match_pairs.draw_pairs(GREY, [], (1, 1)), "no pairs"),
        (lambda: match_pairs.pair_rows(GREY, []), "no pairs"),
        (lambda: match_plots.similarity_matrix(np.zeros((2, 3))), "shaped"),
        (lambda: match_plots.distance_histogram([]), "no distances"),
        (lambda: match_plots.statistics_plot([]), "no statistics"),
        (lambda: match_plots.reach_figure(SMALL, []), "at least one"),
        (lambda: match_plots.knockout_plot([]), "no interventions"),
    ],
)
def test_input_that_does_not_fit_is_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
