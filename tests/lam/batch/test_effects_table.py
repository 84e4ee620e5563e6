"""``python -m lam dataset --method cause``: rows, resuming, originals, and the summary."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image

from hpinet import read_picture
from hpinet.imaging.images import shrink
from hpinet.networks.bicubic import Bicubic
from lam import CausalEffect, LocalAttribution, Window
from lam.batch import dataset
from lam.cli.dataset import main
from lam.metrics.agreement import agreement


@pytest.fixture
def run(tmp_path):
    """The command on a folder of two originals, whose LR images have 14x12 pixels."""
    rng = np.random.default_rng(0)
    (tmp_path / "hr").mkdir()
    for name in "ab":
        noise = Image.fromarray(rng.integers(0, 256, (6, 7, 3), dtype=np.uint8))
        noise.resize((56, 48), Image.Resampling.BICUBIC).save(tmp_path / "hr" / f"{name}.png")

    def command(*more, folder=tmp_path / "hr", hr=True):
        words = [str(folder), "--model", "bicubic", "--scale", "4", "--steps", "2"]
        words += ["--window-size", "8", "--method", "cause", "--device", "cpu"]
        return main([*words, *(["--hr"] if hr else []), "-o", str(tmp_path / "out.csv"), *more])

    command.out, command.hr = tmp_path / "out.csv", tmp_path / "hr"
    return command


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_hold_what_a_single_map_says(run, capsys):
    assert run("--json") == 0
    found = rows(run.out)
    assert tuple(found[0]) == dataset.COLUMNS["cause"]
    assert [row["picture"] for row in found] == ["a.png", "b.png"]
    hr = read_picture(run.hr / "a.png").rgb
    lr, window = shrink(hr, 4), Window(24, 20, 8)
    effects = CausalEffect(Bicubic(4)).effects(lr, hr, window)
    beside = LocalAttribution(Bicubic(4)).attribute(lr, window, n_steps=2, method="gausslegendre")
    both = agreement(beside.importance, effects.effect, 2)
    first = found[0]
    assert (first["left"], first["top"], first["unit"]) == ("24", "20", "dB")
    assert int(first["positive"]) == effects.positive > 0
    assert float(first["psnr"]) == pytest.approx(effects.psnr)
    assert float(first["helpful"]) == pytest.approx(both.helpful)
    assert float(first["diffusion_index"]) == pytest.approx(beside.diffusion_index)
    summary = json.loads(capsys.readouterr().out)
    (model,) = summary["models"]
    assert (model["model"], model["n"], summary["maps"]) == ("bicubic", 2, 2)
    for name in ("helpful", "rank_correlation"):
        values = [float(row[name]) for row in found]
        assert model[name]["mean"] == pytest.approx(np.mean(values))


def test_known_rows_are_not_computed_again(run, monkeypatch):
    assert run() == 0
    before, measured, real = run.out.read_bytes(), [], dataset.measure_effects
    monkeypatch.setattr(dataset, "measure_effects", lambda *a: measured.append(a) or real(*a))
    assert run() == 0
    assert not measured and run.out.read_bytes() == before
    # Another original of the same LR image is another question.
    pixels = np.asarray(Image.open(run.hr / "a.png")).copy()
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(run.hr / "a.png")
    assert run() == 0
    assert len(measured) == 1 and len(rows(run.out)) == 3


def test_without_originals_effects_are_unsigned(run, tmp_path):
    small = tmp_path / "lr"
    small.mkdir()
    Image.open(run.hr / "a.png").resize((14, 12)).save(small / "a.png")
    assert run(folder=small, hr=False) == 0
    (row,) = rows(run.out)
    assert (row["unit"], row["hr_sha256"], row["psnr"]) == ("grey levels", "", "")
    assert row["negative"] == "0" and float(row["helpful"]) > 0
    # A table of effects is none of maps.
    before = run.out.read_bytes()
    assert run("--method", "lam") == 1
    assert run.out.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--method", "lam", "--protocol", "cem"], "--protocol"),
        (["--method", "lam", "--passes", "9"], "--passes"),
        (["--protocol", "cem", "--passes", "9"], "--passes"),
        (["--passes", "0"], "passes"),
    ],
)
def test_mistakes_get_one_sentence(run, arguments, named, capsys):
    assert run(*arguments) == 1
    said = capsys.readouterr().err
    assert named in said and said.count("\n") == 1
    assert not run.out.exists()
