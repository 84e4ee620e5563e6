"""MATLAB's bicubic, by hand and against the benchmarks' images."""

from __future__ import annotations

import numpy as np
import pytest

from hpinet import read_picture
from hpinet.imaging.images import from_uint8, shrink, to_uint8
from hpinet.imaging.resize import matlab_imresize

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_halving_by_hand():
    # An output lies between two inputs; the kernel, widened to twice its size, weighs the eight
    # inputs around it with -3 -9 29 111 111 29 -9 -3 over 256.
    row = np.array([[0, 0, 0, 0, 100, 100, 100, 100]], np.uint8)
    # Of a step from 0 to 100, the four outputs see the weights of inputs 4 to 7 (and 7 repeated):
    # -3, 29 - 9 - 3 = 17, 111 + 111 + 29 - 9 - 3 = 239 and 256 + 3 = 259, times 100 / 256.
    assert matlab_imresize(row, (1, 4)).tolist() == [[0, 7, 93, 101]]


def test_doubling_by_hand():
    # Outputs lie 1/4 beside an input; the four inputs around weigh -9 111 29 -3 over 128.
    row = np.array([[0, 128, 0, 0]], np.uint8)
    # Input 1 alone is bright: the weights themselves, the negative ones clipped to 0.
    assert matlab_imresize(row, (1, 8)).tolist() == [[0, 29, 111, 111, 29, 0, 0, 0]]
    bright = 255 - row
    assert matlab_imresize(bright, (1, 8)).tolist() == [[255, 226, 144, 144, 226, 255, 255, 255]]


def test_halves_round_up():
    # Halving 0 0 0 0 128 ...: 17 * 128 / 256 = 8.5 and 239 * 128 / 256 = 119.5.
    row = np.array([[0, 0, 0, 0, 128, 128, 128, 128]], np.uint8)
    assert matlab_imresize(row, (1, 4)).tolist()[0][1:3] == [9, 120]


@pytest.mark.parametrize("scale", [0.2, 1 / 3, 0.5, 1.0, 1.7, 4.0])
@pytest.mark.parametrize("border", ["clamp", "mirror"])
def test_constants_stay_constant(scale, border):
    flat = np.full((11, 6, 2), 77, np.uint8)
    small = matlab_imresize(flat, scale, border)
    assert small.shape == (int(np.ceil(11 * scale)), int(np.ceil(6 * scale)), 2)
    assert (small == 77).all()


def test_scale_one_is_the_identity_and_flips_commute():
    assert np.array_equal(matlab_imresize(RGB, 1.0), RGB)
    flipped = matlab_imresize(RGB[::-1, ::-1].copy(), (3, 20))
    assert np.abs(flipped[::-1, ::-1].astype(int) - matlab_imresize(RGB, (3, 20))).max() <= 1


def test_rounding_between_the_passes():
    # A checkerboard of 0 and 255: the vertical pass overshoots and is clipped before the other.
    board = (np.indices((8, 8)).sum(0) // 4 % 2 * 255).astype(np.uint8)
    vertical = matlab_imresize(board, (4, 8))
    assert np.array_equal(matlab_imresize(vertical, (4, 4)), matlab_imresize(board, (4, 4)))


def test_borders_differ_only_at_the_border():
    clamp, mirror = matlab_imresize(RGB, 4.0), matlab_imresize(RGB, 4.0, "mirror")
    assert not np.array_equal(clamp, mirror)
    assert np.array_equal(clamp[8:-8, 8:-8], mirror[8:-8, 8:-8])


def test_sizes():
    assert matlab_imresize(RGB, 0.5).shape == (3, 4, 3)  # rounded up
    assert matlab_imresize(np.zeros((10, 10), np.uint8), 0.7).shape == (7, 7)
    assert shrink(from_uint8(RGB), 2).shape == (1, 3, 2, 3)  # cropped first


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf, (0, 3), (2, 2, 2)])
def test_unfit_scales(scale):
    with pytest.raises(ValueError, match="scale"):
        matlab_imresize(RGB, scale)


def test_too_small_to_shrink():
    with pytest.raises(ValueError, match="7x5"):
        shrink(RGB, 6)


@pytest.mark.reference
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_benchmark_images_are_reproduced_to_the_last_pixel(shared, name, scale):
    folder = shared / "benchmarks" / name / f"x{scale}"
    originals = sorted((folder / "HR").glob("*.png"))
    assert len(originals) == {"Set5": 5, "Set14": 14}[name]
    for path in originals:
        expected = to_uint8(read_picture(folder / "LR" / path.name).rgb)
        made = to_uint8(shrink(read_picture(path).rgb, scale))
        assert np.array_equal(made, expected), path.name
