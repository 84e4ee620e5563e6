"""Figures of maps, networks and curves: numbers, limits, places and labels that are drawn."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from lam import Window
from lam.figures import comparison, curves, maps, notebook, panels
from lam.metrics.areas import area_of_interest

LR = np.full((8, 10, 3), 100, np.uint8)
WINDOW = Window(8, 12, 8)
MAP = np.random.default_rng(0).random((8, 10))


def boxes(axes):
    """Corner and side of every outline, in LR pixels; pixel 0 begins at -0.5."""
    return [(*p.get_xy(), p.get_width()) for p in axes.patches]


def test_a_map_shows_window_importance_sign_and_areas():
    attribution = np.stack([MAP, -2 * MAP, 0 * MAP])
    figure = maps.attribution_figure(LR, attribution, MAP, WINDOW, 4, "Cat", limit=2)
    image, importance, signed, areas, *bars = figure.axes
    assert [bar.get_xlabel() for bar in bars] == ["|contribution|", "contribution to the detector"]
    np.testing.assert_array_equal(importance.images[1].get_array(), MAP)
    np.testing.assert_allclose(signed.images[1].get_array(), -MAP)
    assert importance.images[1].get_clim() == (0, 2) and signed.images[1].get_clim() == (-2, 2)
    assert list(bars[0].get_xticks()) == [0, 0.5, 2]  # evenly spaced by the square root
    for axes in (image, importance, signed):
        assert boxes(axes) == [(1.5, 2.5, 2)]
        assert axes.get_xlim() == (-0.5, 9.5) and axes.get_ylim() == (7.5, -0.5)
    found = area_of_interest(MAP)
    legend = [text.get_text() for text in areas.get_legend().get_texts()]
    assert f"{found.box_mass:.0%}" in legend[0] and f"{found.fine_mass:.0%}" in legend[1]
    assert maps.attribution_figure(LR, 0 * attribution, 0 * MAP, WINDOW, 4).axes[3].get_xlabel()


def test_effects_share_the_ends_of_their_colours():
    figure = maps.effect_figure(LR, MAP - 0.5, WINDOW, 4, limit=0.5)
    shown = figure.axes[1].images[1]
    assert shown.get_clim() == (-0.5, 0.5) and "dB" in figure.axes[2].get_xlabel()
    unsigned = maps.effect_figure(LR, MAP, WINDOW, 4, "grey levels")
    assert unsigned.axes[1].images[1].get_clim()[0] == 0


def test_figures_have_a_column_s_or_a_page_s_width_and_fonts_that_journals_take():
    figure = maps.signed_figure(MAP - 0.5, "title", "parts")
    axes, bar = figure.axes
    assert figure.get_figwidth() == 3.5 and (figure.get_suptitle(), bar.get_ylabel()) == (
        "title",
        "parts",
    )
    assert axes.images[0].get_clim()[0] == -axes.images[0].get_clim()[1]
    assert "LR pixels" in axes.get_xlabel() and "LR pixels" in axes.get_ylabel()
    assert b"/FontType 42" in panels.figure_bytes(figure, "pdf") or b"CIDFontType2" in (
        panels.figure_bytes(figure, "pdf")
    )
    with Image.open(io.BytesIO(panels.figure_bytes(figure))) as image:
        assert image.width == 700 and image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert panels.figure_pixels(figure, dpi=100).shape[1:] == (350, 3)


def test_the_difference_of_maps_is_one_of_shares():
    difference = maps.importance_difference([[1.0, 3]], [[30.0, 10]])
    np.testing.assert_allclose(difference, [[-0.5, 0.5]])
    axes = maps.difference_figure([[1.0, 3]], [[30.0, 10]], ("A", "B")).axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), [[-50, 50]])


def test_networks_share_a_scale_of_shares():
    sr = np.zeros((32, 40, 3), np.uint8)
    sr[12:20, 8:16] = 200
    importances, effects = [MAP, 100 * MAP, 0 * MAP], [MAP, -MAP, 2 * MAP]
    figure = comparison.maps_figure(
        LR, importances, list("abc"), WINDOW, 4, images=[sr] * 3, effects=effects
    )
    crops, shown, below = (figure.axes[3 * row : 3 * row + 3] for row in range(3))
    assert [axes.get_title() for axes in crops] == ["a", "b", "c"]
    assert (np.asarray(crops[0].images[0].get_array()) == 200).all()
    first, second, nothing = (axes.images[1].get_array() for axes in shown)
    np.testing.assert_allclose(first, second)
    assert first.sum() == pytest.approx(100) and not nothing.any()
    assert len({axes.images[1].get_clim() for axes in shown}) == 1
    assert len({axes.images[1].get_clim() for axes in below}) == 1
    assert boxes(shown[0]) == boxes(below[2]) == [(1.5, 2.5, 2)]
    alone = comparison.maps_figure(LR, importances[:2], ["a", "b"], WINDOW, 4)
    assert len(alone.axes) == 3  # two maps and a bar


def test_crops_are_the_window_of_each_version():
    versions = [np.full((40, 60, 3), level, np.uint8) for level in (50, 90, 130)]
    versions[1][12:32, 10:30] = 7
    figure = comparison.crops_figure(versions[0], versions, list("abc"), Window(10, 12, 20))
    whole, *crops = figure.axes
    assert boxes(whole) == [(9.5, 11.5, 20)]
    assert [axes.get_title() for axes in crops[:3]] == ["a", "b", "c"]
    assert [np.unique(a.images[0].get_array()).tolist() for a in crops[:3]] == [[50], [7], [130]]


def test_points_of_size_and_psnr():
    points = [("RFDN", 0.5, 32.2), ("HPINet-S", 0.46, 32.47)]
    axes = comparison.size_figure(points, [("S", 0.46, 31.1)]).axes[0]
    drawn = [c.get_offsets().tolist() for c in axes.collections]
    assert drawn == [[[0.5, 32.2]], [[0.46, 32.47]], [[0.46, 31.1]]]
    assert {t.get_text() for t in axes.texts} == {"RFDN", "HPINet-S", "S"}


def test_the_diffusion_index_of_several_images():
    rows = [
        {"picture": p, "model": m, "diffusion_index": v}
        for p, m, v in (
            ("a", "S", "10"), ("a", "S", "14"), ("a", "T", "8"), ("b", "S", "6"), ("b", "T", ""),
            ("b", "other", "9"),
        )
    ]  # fmt: skip
    axes = comparison.diffusion_figure(rows, ["S", "T"]).axes[0]
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    assert list(lines["a"]) == [12, 8]
    np.testing.assert_array_equal(lines["b"], [6, np.nan])


def test_a_point_a_block_of_attribution_against_effect():
    effect = np.array([[0.2, -0.1], [0, np.nan]])
    figure = comparison.effect_scatter([np.ones((4, 4))] * 2, [effect] * 2, ["a", "b"])
    assert [axes.get_title() for axes in figure.axes] == ["a", "b"]
    points = {to_hex(c.get_facecolor()[0]): c.get_offsets()[0] for c in figure.axes[0].collections}
    np.testing.assert_allclose(points["#d55e00"], [100 / 3, 0.2])  # of what lies outside
    np.testing.assert_allclose(points["#0072b2"], [100 / 3, -0.1])


def test_curves_have_their_values_and_repetitions_a_band():
    x = np.array([0.0, 0.5, 1])
    figure = curves.curves_figure(
        [("deletion", x, [3.0, 1, 0]), ("random", x, [[3.0, 2, 0], [3.0, 1, 0]])], "t", "x", "y"
    )
    (axes,) = figure.axes
    deletion, random = axes.get_lines()
    assert random.get_ydata().tolist() == [3, 1.5, 0]
    assert random.get_linestyle() != deletion.get_linestyle() and len(axes.collections) == 1
    assert (figure.get_suptitle(), axes.get_xlabel(), axes.get_ylabel()) == ("t", "x", "y")


def test_the_account_adds_up_step_by_step():
    axes = curves.completeness_figure(6.0, -1.0, 3.0, 8.0).axes[0]
    assert [(b.get_x(), b.get_width()) for b in axes.patches] == [(0, 6), (6, -1), (5, 3), (0, 8)]
    said = [label.get_text().split("\n")[1] for label in axes.get_yticklabels()]
    assert said == ["6 (75.0%)", "-1 (-12.5%)", "3 (37.5%)", "8 (100.0%)"]
    unfinished = curves.completeness_figure(5.0, np.nan, np.nan, 0).axes[0]
    assert len(unfinished.patches) == 2
    assert not any("%" in label.get_text() for label in unfinished.get_yticklabels())


def test_the_path_shows_detector_jumps_and_switches():
    switches = SimpleNamespace(
        alphas=np.array([0.0, 0.5, 1]),
        shares=np.array([[0, 0], [0.25, 0], [0, 0.5]]),
        jumps=np.array([0, -0.5, 0]),
    )
    above, below, *others = curves.path_figure([0.1, 0.6], [2.0, 3], switches).axes
    assert above.get_lines()[0].get_ydata().tolist() == [2, 3]
    cells = below.collections[0].get_array().reshape(2, 3)
    np.testing.assert_allclose(cells, 100 * switches.shares.T)
    assert [bar.get_height() for a in others for bar in a.patches if bar.get_hatch()] == [-0.5]
    assert len(curves.path_figure([0.1, 0.6], [2.0, 3]).axes) == 1


def test_what_a_notebook_says_of_a_figure():
    told = notebook.describe(picture="Cat", window=WINDOW, diffusion_index=12.34567, of={"a": 1})
    assert told == (
        "picture: Cat; window: left 8, top 12, size 8 (SR pixels); diffusion index: 12.35; of: a 1"
    )


@pytest.mark.parametrize(
    ("draw", "told"),
    [
        (lambda: maps.signed_figure([[np.nan]]), "finite"),
        (lambda: maps.attribution_figure(LR, MAP[None], MAP[:5], WINDOW, 4), "10x5"),
        (lambda: maps.importance_difference(np.ones((2, 2)), np.ones((2, 3))), r"\(2, 3\)"),
        (lambda: maps.importance_difference(np.ones((2, 2)), np.zeros((2, 2))), "zeros"),
        (lambda: comparison.maps_figure(LR, [MAP], ["a", "b"], WINDOW, 4), "2 labels"),
        (lambda: comparison.crops_figure(LR, [LR], ["a", "b"], WINDOW), "2 labels"),
        (lambda: comparison.crops_figure(LR, [LR[:4]], ["a"], WINDOW), "as large as"),
        (lambda: comparison.crops_figure(LR, [LR], ["a"], WINDOW), "x 16, y 20"),
        (lambda: comparison.size_figure([]), "no points"),
        (lambda: comparison.diffusion_figure([], ["X"]), "no diffusion index"),
        (lambda: comparison.effect_scatter([MAP], [MAP] * 2, ["a"]), "every network"),
        (lambda: curves.curves_figure([]), "no curves"),
        (lambda: curves.curves_figure([("a", [0, 1], [1, 2, 3])]), "3 values at 2"),
        (lambda: curves.path_figure([0, 1], [1]), "1 values"),
    ],
)
def test_input_that_does_not_fit_is_one_sentence(draw, told):
    with pytest.raises(ValueError, match=told):
        draw()
