"""What the page says of figures."""

from types import SimpleNamespace

import pytest

from ui.views import text


def result(di=10.0, start=1.0, end=101.0, integral=87.0, jumps=12.0, switches=True, bad=0):
    return SimpleNamespace(
        finished=True, diffusion_index=di, detector_start=start, detector_end=end,
        change=end - start, integral=integral, match_jumps=jumps,
        switches=object() if switches else None, non_finite=bad,
    )  # fmt: skip


def test_the_account_of_the_change_in_parts_of_100():
    assert text.balance(result()) == (
        "Of 100 parts of the change, **87 are explained by pixels**, "
        "12 by matches that switched; 1 is unaccounted for."
    )
    assert "-5 by matches that switched (they worked against it)" in text.balance(
        result(integral=105.0, jumps=-5.0)
    )
    assert "matches" not in text.balance(result(switches=False, jumps=0.0))
    assert "3 gradient values were not numbers" in text.balance(result(bad=3))


def test_nothing_to_explain_is_said_so():
    assert "no change to explain" in text.balance(result(start=5.0, end=5.0001))


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (20.0, 10.0, "uses a wider area"),
        (10.0, 20.0, "uses a narrower area"),
        (1.9, 1.8, "about as wide"),
        (11.7, 10.0, "about as wide"),  # as neighbouring windows differ
        (11.8, 10.0, "uses a wider area"),
    ],
)
def test_a_difference_is_claimed_only_where_there_is_one(a, b, said):
    assert said in text.comparison(result(a), result(b))


def test_an_unfinished_map_makes_no_claim():
    unfinished = result()
    unfinished.finished = False
    assert text.comparison(unfinished, result()) == ""
    assert text.comparison(result()) == "" and text.comparison(result(), None) == ""
    assert text.comparison(result(float("nan")), result()) == ""


def test_three_figures_are_told_apart():
    told = text.comparison(result(20.0), result(10.0), result(15.0))
    assert told.endswith("DI 20.0 against 10.0 trained without it and 15.0 switched off.")
