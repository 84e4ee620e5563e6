"""What the page's address says, both ways."""

from __future__ import annotations

import pytest

from ui.networks.network import NetworkInfo
from ui.state import address
from ui.state.examples import EXAMPLES
from ui.state.inputs import ENLARGE, RESTORE, from_example, make_study
from ui.state.record import Opened

LABELS = ["S", "M"]


def test_nothing_is_the_default():
    found = address.read({}, LABELS)
    assert (found.example, found.network, found.tab) == (EXAMPLES[0], "S", "sr")
    assert (found.mode, found.window, found.told) == (RESTORE, None, "")


def test_what_is_written_is_read_again():
    source = from_example(EXAMPLES[2])
    opened = Opened(make_study(source, ENLARGE, 4), NetworkInfo("M", 4, True), source)
    found = address.read(address.written(opened, (3, 4, 8)), LABELS)
    assert (found.example, found.network, found.mode) == (EXAMPLES[2], "M", ENLARGE)
    assert found.window == (3, 4, 8) and found.told == ""


def test_options_are_read():
    given = {"steps": "12", "area": "96", "without": "both", "method": "saliency", "rule": "frozen"}
    assert address.read(given, LABELS).settings == (12, "96", "both", "saliency", "frozen")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"example": "upload"}, "upload it again"),
        ({"example": "Nothing"}, "no example 'Nothing'"),
        ({"network": "L"}, "no network 'L'"),
    ],
)
def test_what_cannot_be_followed_is_said(given, told):
    found = address.read(given, LABELS)
    assert told in found.told and found.example == EXAMPLES[0] and found.network == "S"


@pytest.mark.parametrize(
    "given",
    [
        {"steps": "x"}, {"steps": "-3"}, {"steps": "99999"}, {"steps": "3"}, {"steps": "101"},
        {"area": "7"}, {"tab": "<b>"},
        {"window": "1,2"}, {"window": "a,b,c"}, {"mode": "sharpen"}, {"method": "magic"},
    ],
)  # fmt: skip
def test_nonsense_is_the_default(given):
    assert address.read(given, LABELS) == address.read({}, LABELS)
