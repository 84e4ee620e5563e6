"""Areas of interest and figures with axes: what is drawn where, and input that does not fit."""

from __future__ import annotations

import io

import numpy as np
import pytest

from lam.figures import heatmaps, plots
from lam.figures.areas import draw_area_of_interest
from lam.metrics.areas import AreaOfInterest, area_of_interest

GREY = np.full((60, 80, 3), 100, np.uint8)


def mask(rows, columns):
    found = np.zeros((6, 8), bool)
    found[rows, columns] = True
    return found


AREAS = AreaOfInterest(
    box=(2, 2, 1, 1),
    fine=mask(slice(1, 4), slice(1, 4)),
    coarse=mask(slice(0, 6), slice(5, 7)),
    box_mass=0.25,
    fine_mass=0.5,
    coarse_mass=0.4,
)


def rendered(figure):
    file = io.BytesIO()
    figure.savefig(file)
    return file.getvalue()


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_a_signed_map_is_white_at_zero_and_symmetric():
    drawn = heatmaps.signed_map(np.array([[-2.0, 0.0, 2.0, 9.0]]), limit=2).astype(int)
    blue, white, red, beyond = drawn[0]
    assert white.min() > 240
    assert red[0] > red[2] + 40 and blue[2] > blue[0] + 40
    assert (beyond == red).all()
    assert heatmaps.signed_limit(np.array([[-3.0, 1.0]]), percentile=100) == 3
    assert heatmaps.signed_limit(np.zeros((2, 2))) == 1


def test_areas_are_tinted_in_their_places_and_the_picture_is_kept():
    drawn = draw_area_of_interest(GREY, AREAS, legend=False).astype(int)
    assert drawn.shape == GREY.shape
    fine, coarse, outside = drawn[15, 35], drawn[30, 60], drawn[55, 5]
    assert fine[0] > fine[2] + 40  # yellow
    assert np.ptp(coarse) <= 1 and coarse[0] > outside[0] + 30  # grey, and lighter than outside
    assert (outside == 50).all()
    inside_of_box = drawn[25, 25]
    assert (inside_of_box == fine).all()
    assert drawn[20, 25, 2] > drawn[20, 25, 0] + 100  # the box's blue line


def test_lines_of_the_areas_differ_in_style():
    drawn = draw_area_of_interest(GREY, AREAS, legend=False).astype(int)
    solid = (np.abs(drawn[9:11, 14:36] - (240, 228, 66)).sum(-1) == 0).any(0)
    assert solid.all()  # the fine area's upper border
    side = (drawn[2:58, 49:51].sum(-1) == 3 * 255).any(1)  # the coarse area's left border
    assert 0.3 < side.mean() < 0.7
    assert np.abs(np.diff(side.astype(int))).sum() >= 4


def test_the_legend_is_added_below():
    with_legend = draw_area_of_interest(GREY, AREAS)
    assert with_legend.shape[0] > 60 and with_legend.shape[1] > 80
    np.testing.assert_array_equal(
        with_legend[:60, :80], draw_area_of_interest(GREY, AREAS, legend=False)
    )
    nothing = draw_area_of_interest(GREY, area_of_interest(np.zeros((6, 8))))
    assert 60 < nothing.shape[0] < with_legend.shape[0]


def test_the_difference_of_maps_is_one_of_shares():
    difference = plots.importance_difference([[1.0, 3]], [[30.0, 10]])
    np.testing.assert_allclose(difference, [[0.25 - 0.75, 0.75 - 0.25]])
    axes = plots.difference_figure([[1.0, 3]], [[30.0, 10]], ("A", "B")).axes[0]
    assert "A" in axes.get_title() and "B" in axes.get_title()
    np.testing.assert_allclose(axes.images[0].get_array(), [[-50, 50]])
    low, high = axes.images[0].get_clim()
    assert low == -high == pytest.approx(-50)


def test_a_signed_figure_names_axes_and_unit():
    figure = plots.signed_figure(np.arange(6.0).reshape(2, 3) - 3, "title", "parts")
    axes, bar = figure.axes
    assert (axes.get_title(), bar.get_ylabel()) == ("title", "parts")
    assert "LR pixels" in axes.get_xlabel() and "LR pixels" in axes.get_ylabel()
    assert axes.images[0].get_clim()[0] == -axes.images[0].get_clim()[1]
    assert rendered(figure)


def test_curves_have_their_values_and_repetitions_a_band():
    x = np.array([0.0, 0.5, 1])
    figure = plots.curves_figure(
        [("deletion", x, [3.0, 1, 0]), ("random", x, [[3.0, 2, 0], [3.0, 1, 0]])], "t", "x", "y"
    )
    (axes,) = figure.axes
    drawn = lines(axes)
    assert drawn["random"].get_ydata().tolist() == [3, 1.5, 0]
    assert drawn["random"].get_linestyle() != drawn["deletion"].get_linestyle()
    assert len(axes.collections) == 1
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["deletion", "random"]
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("t", "x", "y")
    assert rendered(figure)


def test_the_account_adds_up_step_by_step():
    figure = plots.completeness_figure(6.0, -1.0, 3.0, 8.0)
    bars = [(bar.get_x(), bar.get_width()) for bar in figure.axes[0].patches]
    assert bars == [(0, 6), (6, -1), (5, 3), (0, 8)]
    said = [text.get_text().strip() for text in figure.axes[0].texts]
    assert said == ["6 (75.0%)", "-1 (-12.5%)", "3 (37.5%)", "8 (100.0%)"]
    assert rendered(figure)


def test_an_account_without_change_or_not_finished_draws():
    said = [text.get_text() for text in plots.completeness_figure(0, 0, 0, 0).axes[0].texts]
    assert not any("%" in text for text in said)
    unfinished = plots.completeness_figure(5.0, np.nan, np.nan, 8.0)
    said = [text.get_text().strip() for text in unfinished.axes[0].texts]
    assert said == ["5 (62.5%)", "not computed", "not computed", "8 (100.0%)"]
    assert rendered(unfinished)


def test_the_path_shows_detector_jumps_and_switches():
    knots, shares = np.array([0.0, 0.5, 1]), np.array([[0, 0], [0.25, 0], [0, 0.5]])
    figure = plots.path_figure([0.1, 0.6], [2.0, 3], knots, shares, np.array([0, -0.5, 0]))
    above, below, *others = figure.axes
    assert lines(above)["detector"].get_ydata().tolist() == [2, 3]
    cells = below.collections[0].get_array().reshape(2, 3)
    np.testing.assert_allclose(cells, 100 * shares.T)
    jumps = [bar.get_height() for axes in others for bar in axes.patches if bar.get_hatch()]
    assert jumps == [-0.5]
    assert "block" in below.get_ylabel() and "path" in below.get_xlabel()
    assert rendered(figure)
    assert len(plots.path_figure([0.1, 0.6], [2.0, 3]).axes) == 1
    still = plots.path_figure([0.1, 0.6], [2.0, 3], knots, 0 * shares, np.zeros(3))
    assert rendered(still)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_area_of_interest(GREY[:, :70], AREAS),
        lambda: heatmaps.signed_map(np.ones((2, 2)), limit=0),
        lambda: heatmaps.signed_map(np.ones(2)),
        lambda: plots.signed_figure([[np.nan]]),
        lambda: plots.importance_difference(np.ones((2, 2)), np.ones((2, 3))),
        lambda: plots.importance_difference(np.ones((2, 2)), np.zeros((2, 2))),
        lambda: plots.curves_figure([]),
        lambda: plots.curves_figure([("a", [0, 1], [1, 2, 3])]),
        lambda: plots.path_figure([0, 1], [1]),
        lambda: plots.path_figure([0, 1], [1, 2], [0, 1], [[0.0]]),
    ],
)
def test_input_that_does_not_fit_is_one_sentence(draw):
    with pytest.raises(ValueError, match=r"\w+ .*\w"):
        draw()
