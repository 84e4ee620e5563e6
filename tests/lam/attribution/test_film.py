"""The kept steps of a path: they add up to the map, and know the matches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hpinet import HPINet, HPINetConfig
from lam import LocalAttribution, Window
from lam.attribution.film import MOST_FRAMES, Film

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))


def filmed(model, steps):
    torch.manual_seed(1)
    film, image = Film(), torch.rand(1, 3, 24, 28)
    result = LocalAttribution(model).attribute(
        image, Window(20, 20, 12), n_steps=steps, on_step=film.add
    )
    return film, result


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return HPINet(TINY).eval().requires_grad_(False)


@pytest.mark.parametrize("steps", [1, 5, MOST_FRAMES + 8])
def test_steps_add_up_to_the_attribution(model, steps):
    film, result = filmed(model, steps)
    frames = film.frames(model)
    assert len(film.steps) == steps and len(frames.alphas) == min(steps, MOST_FRAMES)
    size = np.abs(result.attribution).max()
    np.testing.assert_allclose(frames.steps.sum(0), result.attribution, atol=4e-3 * size)
    assert np.all(np.diff(frames.alphas) > 0)
    assert frames.alphas[-1] == result.path_alphas[-1]
    assert frames.values[-1] == pytest.approx(result.path_values[-1])


def test_matches_of_every_step_are_kept(model):
    film, _ = filmed(model, 4)
    frames = film.frames(model)
    assert [side for _, side in frames.patches] == [12, 16]
    for index, (origins, _) in zip(frames.matches, frames.patches, strict=True):
        assert index.shape == (4, len(origins)) and index.max() < len(origins)


def test_a_function_without_matches_has_none():
    film, _ = filmed(lambda x: torch.nn.functional.interpolate(x, scale_factor=4), 3)
    frames = film.frames(torch.nn.Identity())
    assert frames.matches == () and frames.patches == () and frames.steps.shape[0] == 3
