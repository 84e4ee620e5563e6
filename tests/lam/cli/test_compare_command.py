"""``python -m lam compare``: several networks on one window."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hpinet import HPINet, HPINetConfig
from hpinet.networks.files import save_checkpoint
from lam.batch.comparison import ordered
from lam.cli.main import main

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8), scale=2)
MINE = """
import sys
sys.path.insert(0, %r)
from helpers.architectures import InPlace

def build():
    return InPlace()
"""


@pytest.fixture
def arguments(tmp_path):
    torch.manual_seed(0)
    save_checkpoint(HPINet(TINY), tmp_path / "tiny.safetensors")
    (tmp_path / "mine.py").write_text(MINE % str(Path(__file__).parents[2]))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "hr.png")
    Image.fromarray(pixels).resize((24, 20)).save(tmp_path / "lr.png")
    names = (f"{tmp_path}/tiny.safetensors", f"{tmp_path}/mine.py:build", "bicubic")
    models = [word for name in names for word in ("--model", name)]
    return ["compare", f"{tmp_path}/lr.png", "--window", "12", "12", "16", *models, "--steps", "8"]


def test_a_row_a_network_and_files(arguments, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([*arguments, "--hr", f"{tmp_path}/hr.png", "-o", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "diffusion index" in lines[0]
    with (out / "compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    indices = [float(row["diffusion_index"]) for row in rows]
    assert len(rows) == 3
    assert indices == sorted(indices, reverse=True)
    assert [line.split()[1] for line in lines[2:5]] == [row["model"] for row in rows]
    assert all(float(row["psnr"]) > 5 for row in rows)
    report = json.loads((out / "compare.json").read_text())
    mine = report["parameters"]["networks"]["mine.py:build"]["network"]
    assert (mine["class"], mine["options"]["value_range"]) == ("InPlace", 1)
    assert Image.open(out / "compare.png").size[0] > 3 * 200
    with zipfile.ZipFile(out / "compare.zip") as archive:
        names = archive.namelist()
        assert {"compare.csv", "compare.png", "mine.py_build/map.npz", "bicubic/sr.png"} <= {*names}


def test_effects_stand_beside_the_maps(arguments, tmp_path, capsys):
    out = tmp_path / "out"
    two = [*arguments[:6], *arguments[8:]]  # not the tiny network: its passes are slow
    hr = ["--hr", f"{tmp_path}/hr.png"]
    assert main([*two, *hr, "--cause", "--json", "-o", str(out)]) == 0
    report = json.loads(capsys.readouterr().out)
    names = {row["model"] for row in report["networks"]}
    assert names == {"mine.py:build", "bicubic"} == set(report["parameters"]["effects"])
    for row in report["networks"]:
        assert row["helpful"] + row["harmful"] + row["neither"] == pytest.approx(1)
        assert row["effect_unit"] == "dB" and row["effect_positive"] > 0
    with zipfile.ZipFile(out / "compare.zip") as archive:
        names = {f"{one}/{file}" for one in ("mine.py_build", "bicubic")
                 for file in ("effect.npz", "blocks.csv")}  # fmt: skip
        assert names <= {*archive.namelist()}
    tall = Image.open(out / "compare.png").size[1]
    assert main([*two, *hr, "--cause"]) == 0
    assert "causal effects" in capsys.readouterr().out
    assert main([*two, *hr, "-o", str(out)]) == 0
    assert Image.open(out / "compare.png").size[1] < tall
    assert "causal effects" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a[:8], "2 to 8 networks"),
        (lambda a: [*a, "--model", "bicubic"], "given twice"),
        (lambda a: [*a[:3], "45", *a[4:]], "outside"),
        (lambda a: [*a, "--steps", "0"], "steps"),
        (lambda a: [*a, "--model", "S"], "different scales"),
        (lambda a: [*a, "--hr", a[1]], "the original has 24x20 pixels"),
    ],
)
def test_what_does_not_fit_gets_one_sentence(arguments, change, words, capsys):
    assert main(change(arguments)) == 1
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_several_networks_without_the_word_are_compared_too(arguments, capsys):
    words = [*arguments[1:], "--json"]
    assert main(words) == 0
    assert len(json.loads(capsys.readouterr().out)["networks"]) == 3
    assert main([*words, "--faithfulness"]) == 1
    assert "--faithfulness is for one network" in capsys.readouterr().err


def test_orders_that_are_none():
    with pytest.raises(ValueError, match="sorted by"):
        ordered([], "size")
