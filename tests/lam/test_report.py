"""Results as files: what a folder or a ZIP holds, and contents by the ending of a name."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from lam import CausalEffect, LocalAttribution, Window, report
from lam.batch.comparison import judged
from lam.figures.maps import signed_figure

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
LR = torch.from_numpy(PIXELS).permute(2, 0, 1)[None].float() / 255
WINDOW = Window(2, 2, 4)


def nearest(x):
    return x


def test_a_map_in_a_folder_and_in_a_zip(tmp_path):
    result = LocalAttribution(nearest).attribute(LR, WINDOW, n_steps=2)
    files = report.attribution_files(result, LR, {"image": "a/cat.png"})
    report.save(tmp_path / "out", files)
    report.save(tmp_path / "out.zip", files)
    names = ["map.npz", "map.png", "params.json"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == names
    with zipfile.ZipFile(tmp_path / "out.zip") as packed:
        assert sorted(packed.namelist()) == names
        params = json.loads(packed.read("params.json"))
    assert params["window"] == {"left": 2, "top": 2, "size": 4} and params["image"] == "a/cat.png"
    assert params["result"]["integral"] == result.summary()["integral"]
    with np.load(tmp_path / "out/map.npz") as arrays:
        np.testing.assert_array_equal(arrays["attribution"], result.attribution)
    assert Image.open(tmp_path / "out/map.png").width == round(7.16 * 200)


def test_a_comparison_holds_every_network_and_its_effects():
    result = LocalAttribution(nearest).attribute(LR, WINDOW, n_steps=2)
    effects = CausalEffect(nearest).effects(LR, LR.flip(-1), WINDOW, passes=12)
    one = judged("a b", PIXELS, result, WINDOW, 1)
    object.__setattr__(one, "effects", effects)
    files = report.comparison_files([one], LR, WINDOW, {"hr": None})
    folder = {"a_b/map.npz", "a_b/sr.png", "a_b/effect.npz", "a_b/blocks.csv"}
    assert set(files) == {"compare.csv", "compare.json", "compare.png", *folder}
    lines = report.encoded("x.csv", files["a_b/blocks.csv"]).decode().splitlines()
    assert len(lines) == 1 + 4 * 4 - 4 and lines[0].startswith("left,top,importance,effect")
    with np.load(io.BytesIO(report.encoded("x.npz", files["a_b/effect.npz"]))) as arrays:
        np.testing.assert_array_equal(arrays["effect"], effects.effect)
        assert arrays["map"].shape == (8, 8)


def test_contents_are_written_by_the_ending_of_their_name():
    rows = [{"a": 1, "b": None}, {"a": 2, "c": 3}]
    assert report.encoded("t.csv", rows) == b"a,b,c\n1,,\n2,,3\n"
    assert json.loads(report.encoded("t.json", {"a": [1]})) == {"a": [1]}
    with pytest.raises(ValueError, match="nan"):
        report.encoded("t.json", {"a": float("nan")})
    pixels = Image.open(io.BytesIO(report.encoded("t.png", lambda: PIXELS)))
    np.testing.assert_array_equal(np.asarray(pixels), PIXELS)
    figure = signed_figure(PIXELS[..., 0] - 100.0)
    assert report.encoded("t.pdf", figure)[:5] == b"%PDF-"
    assert b"<svg" in report.encoded("t.svg", figure)
