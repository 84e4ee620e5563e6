"""Drawings of causal effects: colours by hand, one scale for all, files."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from lam import CausalEffect, Window
from lam.figures.effects import (
    effect_files,
    effect_limit,
    effect_maps,
    effect_overlay,
    effect_scatter,
)

GREY = np.full((4, 4, 3), 128, np.uint8)
EFFECTS = np.array([[0.4, -0.4, 0, 0.1]] * 4)


def test_red_helps_blue_harms_and_both_ends_are_equally_strong():
    drawn = effect_overlay(GREY, EFFECTS, 0.4, strength=1.0).astype(int)
    helps, harms, none, faint = drawn[0]
    assert helps[0] > helps[2] + 50 and harms[2] > harms[0] + 50
    assert np.ptp(none) < 10
    # The square root: a quarter of the limit is drawn as a half of it.
    half = effect_overlay(GREY, np.full((4, 4), 0.2), 0.4, strength=1.0, root=False)
    np.testing.assert_array_equal(faint, half[0, 0])


def test_effects_without_a_sign_are_a_heat_map():
    drawn = effect_overlay(GREY, np.abs(EFFECTS), 0.4, signed=False).astype(int)
    np.testing.assert_array_equal(drawn[0, 0], drawn[0, 1])
    assert drawn[0, 0].sum() > drawn[0, 3].sum() > drawn[0, 2].sum()


def test_one_scale_for_all_networks():
    assert effect_limit([EFFECTS, -2 * EFFECTS], 100) == 0.8
    window = Window(4, 4, 8)
    both = effect_maps(GREY, [EFFECTS, EFFECTS], ["a", "b"], window, 4)
    assert both.shape[1] > 2 * 16
    with pytest.raises(ValueError, match="labels"):
        effect_maps(GREY, [EFFECTS], ["a", "b"], window, 4)


def test_a_panel_a_network_and_a_point_a_block():
    effect = np.array([[0.2, -0.1], [0, np.nan]])
    importance = np.ones((4, 4))
    figure = effect_scatter([importance, importance], [effect, effect], ["a", "b"])
    assert [axes.get_title() for axes in figure.axes] == ["a", "b"]
    points = np.concatenate([c.get_offsets() for c in figure.axes[0].collections])
    np.testing.assert_allclose(sorted(points[:, 1]), [-0.1, 0, 0.2])
    np.testing.assert_allclose(points[:, 0], 100 / 3)  # of the importance outside the window
    with pytest.raises(ValueError, match="every network needs"):
        effect_scatter([importance], [effect, effect], ["a"])


def test_files_hold_arrays_and_a_table_of_blocks():
    lr = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    image = torch.from_numpy(lr)
    effects = CausalEffect(lambda x: x).effects(image, image.flip(-1), Window(2, 2, 2))
    files = effect_files(np.ones((8, 8)), effects)
    with np.load(io.BytesIO(files["effect.npz"])) as arrays:
        np.testing.assert_array_equal(arrays["effect"], effects.effect)
        assert arrays["map"].shape == (8, 8)
    lines = files["blocks.csv"].decode().splitlines()
    assert len(lines) == 1 + 4 * 4 - 1
    assert lines[0].startswith("left,top,importance,effect")
