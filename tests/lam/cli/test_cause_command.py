"""``python -m lam cause``: what it prints, what it writes, and one sentence for every mistake."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from lam.cli.main import main

FIELDS = [
    *("unit", "psnr", "positive", "negative", "null", "largest", "smallest"),
    *("sum_positive", "sum_negative", "outside_share", "passes", "seconds"),
]
WINDOW = ["--window", "16", "16", "8"]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """An LR image of 12x10 pixels, its original at x4, and one more row than fits."""
    folder = tmp_path_factory.mktemp("cause")
    noise = np.random.default_rng(2).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    small = Image.fromarray(noise)
    small.save(folder / "small.png")
    large = small.resize((48, 41), Image.Resampling.BICUBIC)
    large.save(folder / "large.png")
    return str(folder / "small.png"), str(folder / "large.png")


def test_json_and_files(images, tmp_path, capsys):
    small, large = images
    folder = tmp_path / "new" / "out"
    asked = [small, "--hr", large, *WINDOW, "--model", "bicubic", "--json", "-o", str(folder)]
    assert main(["cause", *asked]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == FIELDS
    assert printed["unit"] == "dB"
    assert printed["positive"] > 0
    assert printed["positive"] + printed["negative"] + printed["null"] == 5 * 6 - 1
    assert sorted(p.name for p in folder.iterdir()) == ["map.npz", "map.png", "params.json"]
    arrays = np.load(folder / "map.npz")
    assert set(arrays) == {"effect", "estimate", "standard_error", "draws", "map"}
    assert arrays["effect"].shape == (5, 6)
    assert arrays["map"].shape == (10, 12)
    assert np.nansum(arrays["effect"].clip(0)) == pytest.approx(printed["sum_positive"])
    assert Image.open(folder / "map.png").width > 800
    params = json.loads((folder / "params.json").read_text())
    assert params["window"] == {"left": 16, "top": 16, "size": 8}
    assert (params["model"], params["block"], params["seed"]) == ("bicubic", 2, 0)
    assert params["sampling"]["protocol"] == "adaptive"
    assert params["result"] == printed


def test_without_an_original_the_change_has_no_sign(images, tmp_path, capsys):
    asked = [images[0], *WINDOW, "--model", "bicubic", "-o", str(tmp_path), "--protocol", "cem"]
    assert main(["cause", *asked]) == 0
    out = capsys.readouterr().out
    assert "grey levels" in out
    assert "undefined" in out  # the PSNR
    assert json.loads((tmp_path / "params.json").read_text())["result"]["negative"] == 0


@pytest.mark.slow
def test_the_effect_of_each_match(images, tmp_path, capsys):
    small, large = images
    out = tmp_path / "out"
    asked = [small, "--hr", large, *WINDOW, "--block", "6", "-o", str(out)]
    options = ["--matches", "split", "--replacement", "mean", "--each-match", "off"]
    assert main(["cause", *asked, *options]) == 0
    lines = (out / "matches.csv").read_text().splitlines()
    assert lines[0].startswith("block,patch,match,top,left")
    assert {line.split(",")[0] for line in lines[1:]} == set("12345678")
    arrays = np.load(out / "map.npz")
    total = arrays["content"] + arrays["by_matches"]
    assert np.allclose(total, arrays["estimate"], equal_nan=True)
    capsys.readouterr()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--block", "11"], "1 to 10"),
        (["--tolerance", "-1"], "-1"),
        (["--passes", "0"], "not 0"),
        (["--seed", "-2"], "-2"),
        (["--patches", "nowhere"], "nowhere"),
        (["--matches", "split"], "no matches"),
        (["--matches", "frozen"], "no matches"),
        (["--each-match", "off"], "-o"),
        (["--hr", "SMALL"], "does not fit"),
        (["--hr", "missing.png"], "missing.png"),
        (["--window", "44", "0", "8"], "outside"),
    ],
)
def test_mistakes_get_one_sentence(images, capsys, options, told):
    options = [images[0] if word == "SMALL" else word for word in options]
    assert main(["cause", images[0], *WINDOW, "--model", "bicubic", *options]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("lam: ")
    assert captured.err.count("\n") == 1
    assert told in captured.err
    assert captured.out == ""
