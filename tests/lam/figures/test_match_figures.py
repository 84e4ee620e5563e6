"""Figures of matches: boxes, arrows, edges and counts in LR pixels, and wrong input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from hpinet import BlockMatches, Matches
from hpinet.analysis.attention_reach import STRATEGIES, divisions, reach
from hpinet.analysis.match_statistics import block_statistics
from lam.figures import match_statistics, matches
from lam.figures.matches import BLOCK_COLOURS, Pair

LR = np.full((8, 8, 3), 100, np.uint8)
# Four patches of 4 over 8x8. 0 and 3 look at each other, 1 at 3, 2 at itself.
ORIGINS = torch.tensor([[0, 0], [0, 4], [4, 0], [4, 4]])
INDEX = torch.tensor([[3, 3, 2, 0]])
BLOCK = BlockMatches(4, ORIGINS, INDEX, torch.tensor([[0.5, 1.0, 2.0, 0.25]]))
STATISTICS = block_statistics(BLOCK, (8, 8))


def test_a_pixel_finds_its_patch_and_match_in_every_block():
    pairs = matches.pairs_at(Matches((BLOCK, None, BLOCK), (8, 8)), 1.5, 6.5)
    assert pairs == [Pair(1, 4, (0, 4), (4, 4), 1.0), Pair(3, 4, (0, 4), (4, 4), 1.0)]
    assert pairs[1].colour == BLOCK_COLOURS[2] and pairs[0].distance == 4


def test_pairs_are_boxes_of_the_block_s_colour_and_crops_of_one_scale():
    pairs = [Pair(1, 4, (0, 0), (4, 4), 0.5), Pair(2, 2, (0, 0), (0, 0))]
    image = np.arange(16 * 16, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)  # SR of x2
    figure = matches.pairs_figure(image, pairs, (1, 1), 2)
    axes, *crops = figure.axes
    drawn = [(p.get_xy(), p.get_width(), p.get_linestyle() == "-", to_hex(p.get_edgecolor()))
             for p in axes.patches]  # fmt: skip
    first, second = (f"#{bytes(pair.colour).hex()}" for pair in pairs)
    assert drawn == [
        ((3.5, 3.5), 4, False, first), ((-0.5, -0.5), 4, True, first),
        ((-0.5, -0.5), 2, True, second),
    ]  # fmt: skip
    assert sorted(text.get_text() for text in axes.texts) == ["1", "1", "2"]
    np.testing.assert_array_equal(crops[0].images[0].get_array(), image[:8, :8])
    np.testing.assert_array_equal(crops[2].images[0].get_array(), image[8:, 8:])  # its match
    assert len({np.ptp(axes.get_xlim()) for axes in crops}) == 1


def test_equal_boxes_lie_inside_one_another():
    pairs = [Pair(1, 4, (0, 0), (0, 0)), Pair(2, 4, (0, 0), (0, 0))]
    sides = [p.get_width() for p in matches.pairs_figure(LR, pairs, (2, 2)).axes[0].patches]
    assert sides[0] == 4 and 2 < sides[1] < 4


def test_an_arrow_leads_from_centre_to_centre():
    axes = matches.match_figure(LR, Pair(1, 4, (0, 4), (4, 4))).axes[0]
    (arrow,) = axes.texts
    assert arrow.xyann == (5.5, 1.5) and arrow.xy == (5.5, 5.5)
    own = matches.match_figure(LR, Pair(1, 4, (4, 0), (4, 0))).axes[0]
    assert not own.texts and len(own.patches) == 1


def test_a_block_shows_in_degrees_edges_similarities_and_distances():
    matrix = np.where(np.eye(4, dtype=bool), -np.inf, 1.0)
    degrees, graph, similar, far, *_ = matches.block_figure(LR, STATISTICS, matrix, "t").axes
    counts = degrees.images[1].get_array()
    assert [counts[y, x] for y, x in ((0, 0), (0, 7), (7, 0), (7, 7))] == [1, 0, 1, 2]
    edges = graph.collections[0].get_segments()
    np.testing.assert_array_equal(edges[1], [[5.5, 1.5], [5.5, 5.5]])  # (x, y), centre to centre
    nodes = graph.collections[2]
    assert nodes.get_offsets().tolist() == [[1.5, 1.5], [1.5, 5.5], [5.5, 5.5]]
    assert nodes.get_sizes()[2] > nodes.get_sizes()[0] == nodes.get_sizes()[1]
    assert np.isnan(np.asarray(similar.images[0].get_array().filled(np.nan))).sum() == 4
    assert sum(bar.get_height() for bar in far.patches) == 4
    means = [STATISTICS.distance.mean(), STATISTICS.chance_distance]
    assert [line.get_xdata()[0] for line in far.lines] == means


def test_statistics_of_many_images_have_a_mean_a_block():
    rows = [block_statistics(BLOCK, (8, 8), block=b).summary() for b in (0, 1, 0, 1)]
    rows[0]["evenness"] = None  # as for an image of one patch
    figure = match_statistics.statistics_figure(rows, "two images")
    assert len(figure.axes) == 6
    distinct = figure.axes[0].lines[1]
    assert list(distinct.get_xdata()) == [1, 2] and list(distinct.get_ydata()) == [0.75, 0.75]


def test_reach_has_a_panel_a_strategy():
    found = [reach((24, 30), 3, 4, divisions(s, (6, 8), 6), 0, s) for s in STRATEGIES]
    figure = match_statistics.reach_figure(np.full((24, 30, 3), 90, np.uint8), found, "pixel")
    titles = [axes.get_title() for axes in figure.axes[:3]]
    assert [t.split(",")[0] for t in titles] == list(STRATEGIES) and "shifted by 3" in titles[1]
    counts = np.ma.filled(figure.axes[2].images[1].get_array(), 0)
    np.testing.assert_array_equal(counts, found[2].blocks.sum(0))


def test_knock_outs_have_a_panel_an_experiment():
    rows = [
        {"experiment": "off", "block": None, "mean": -0.1, "interval": (-0.2, -0.01)},
        {"experiment": "off", "block": 1, "mean": 0.1, "interval": (-0.2, 0.4)},
        {"experiment": "second", "block": 1, "mean": 0.0, "interval": None},
        {"experiment": "second", "block": 2, "mean": None, "interval": None},
    ]
    figure = match_statistics.knockout_figure(rows, "title")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["off", "second"]
    assert [len(axes.containers) for axes in figure.axes] == [2, 1]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: matches.pairs_at(Matches((BLOCK,), (8, 8)), 9, 2), "x 2, y 9"),
        (lambda: matches.pairs_figure(LR, [], (1, 1)), "no pairs"),
        (lambda: matches.block_figure(LR, STATISTICS, np.zeros((2, 3))), r"\(2, 3\)"),
        (lambda: match_statistics.statistics_figure([]), "no statistics"),
        (lambda: match_statistics.reach_figure(LR, []), "at least one"),
        (lambda: match_statistics.knockout_figure([]), "no interventions"),
    ],
)
def test_input_that_does_not_fit_is_one_sentence(call, told):
    with pytest.raises(ValueError, match=told):
        call()
