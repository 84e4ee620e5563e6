"""Images composed: every pixel stays, what is added is white, and input that does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from lam.figures.composition import captioned, side_by_side, stacked, text_cell, with_legend

GREY = np.full((80, 80, 3), 100, np.uint8)
BLUE = np.full((10, 30, 3), (0, 0, 200), np.uint8)


def test_images_side_by_side_keep_every_pixel():
    drawn = side_by_side([GREY, GREY + 50], gap=2)
    assert drawn.shape == (80, 162, 3)
    np.testing.assert_array_equal(drawn[:, 82:], GREY + 50)
    assert (drawn[:, 80:82] == 255).all()


def test_labels_stand_above_their_images():
    drawn = side_by_side([GREY, GREY], ["one", "two"])
    np.testing.assert_array_equal(drawn[-80:, :80], GREY)
    above = drawn[:-80]
    assert (above[:, :80] < 100).any() and (above[:, 88:] < 100).any()


def test_a_label_wider_than_its_image_shrinks():
    ink = [(text_cell("trained without GPA", (wide, 24)) < 100).any(-1) for wide in (90, 400)]
    assert not ink[0][:, 0].any() and not ink[0][:, -1].any()  # not cut off
    assert ink[0].any(0).sum() < ink[1].any(0).sum()


def test_images_are_stacked():
    sheet = stacked([GREY, BLUE], gap=4)
    assert sheet.shape == (94, 80, 3)
    assert (sheet[84:, :30] == BLUE[0, 0]).all() and (sheet[84:, 30:] == 255).all()


def test_a_caption_stands_below_and_breaks():
    drawn = captioned(GREY, "which parameters made this image " * 3)
    np.testing.assert_array_equal(drawn[:80], GREY)
    assert drawn.shape[0] > captioned(GREY, "short").shape[0] > 80 and drawn.shape[1] == 80


def test_a_legend_shows_its_samples_below_the_image():
    drawn = with_legend(GREY, [(BLUE, "blue"), (None, "words alone that are wider than the image")])
    np.testing.assert_array_equal(drawn[:80, :80], GREY)
    assert (drawn == BLUE[0, 0]).all(-1).sum() == 300
    assert drawn.shape[1] > 80 and (drawn[:80, 80:] == 255).all()


@pytest.mark.parametrize(
    ("compose", "words"),
    [
        (lambda: side_by_side([GREY, BLUE]), "one height"),
        (lambda: side_by_side([]), "one height"),
        (lambda: side_by_side([GREY], ["a", "b"]), "2 labels"),
        (lambda: stacked([]), "no images"),
        (lambda: captioned(GREY / 255, "text"), "uint8"),
    ],
)
def test_input_that_does_not_fit_is_one_sentence(compose, words):
    with pytest.raises(ValueError, match=words):
        compose()
