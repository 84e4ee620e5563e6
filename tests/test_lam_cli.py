"""``python -m lam``: what it prints, what it writes, and one sentence for every mistake."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from lam.__main__ import main

FIELDS = [
    "diffusion_index",
    "detector_start",
    "detector_end",
    "integral",
    "match_jumps",
    "residual",
    "non_finite",
    "seconds",
]


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("lam") / "small.png"
    noise = np.random.default_rng(2).integers(0, 256, (14, 18, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return str(path)


def test_json_and_files(picture, tmp_path, capsys):
    folder = tmp_path / "new" / "out"
    arguments = [picture, "--window", "20", "12", "8", "--steps", "3", "--json", "-o", str(folder)]
    assert main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == FIELDS
    change = printed["detector_end"] - printed["detector_start"]
    accounted = printed["integral"] + printed["match_jumps"] + printed["residual"]
    assert accounted == pytest.approx(change, rel=1e-6)
    assert sorted(p.name for p in folder.iterdir()) == ["map.npz", "map.png", "params.json"]
    arrays = np.load(folder / "map.npz")
    assert arrays["attribution"].shape == (3, 14, 18)
    assert arrays["attribution"].dtype == np.float32
    assert arrays["attribution"].sum(dtype=float) == pytest.approx(printed["integral"], rel=1e-6)
    assert np.allclose(arrays["importance"], np.abs(arrays["attribution"].sum(0)), atol=1e-6)
    assert Image.open(folder / "map.png").size == (72, 56)
    params = json.loads((folder / "params.json").read_text())
    assert params["window"] == {"left": 20, "top": 12, "size": 8}
    assert (params["model"], params["gpa"], params["n_steps"]) == ("S", True, 3)
    assert params["result"] == printed


def test_text_output_and_frozen_matches(picture, capsys):
    assert main([picture, "--window", "0", "0", "16", "--steps", "2", "--matches", "frozen"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0].replace(" ", "_") for line in lines] == FIELDS
    assert lines[4].split() == ["match", "jumps", "0"]


def test_twin_without_gpa(picture, capsys):
    for more in ([], ["--matches", "frozen"]):
        arguments = [
            picture,
            "--window",
            "0",
            "0",
            "8",
            "--steps",
            "2",
            "--no-gpa",
            "--json",
            *more,
        ]
        assert main(arguments) == 0
        assert json.loads(capsys.readouterr().out)["match_jumps"] == 0


@pytest.mark.reference
def test_checkpoint_with_gpa_off_uses_own_matches(picture, shared, capsys):
    found = []
    for more in (["--no-gpa"], []):
        model = str(shared / "released" / "HPINet-S-x4.pth")
        arguments = [
            picture,
            "--window",
            "8",
            "8",
            "16",
            "--steps",
            "2",
            "--json",
            "--model",
            model,
        ]
        assert main([*arguments, *more]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["match_jumps"] == 0
    assert found[0]["detector_end"] != found[1]["detector_end"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--window", "70", "0", "8"], "reaches outside"),
        (["--window", "0", "0", "-8"], "at least 1 pixel"),
        (["--window", "-1", "0", "8"], "begins outside"),
        (["--window", "0", "0", "8", "--steps", "0"], "number of steps"),
        (["--window", "0", "0", "8", "--steps", "1000000000"], "number of steps"),
        (["--window", "0", "0", "8", "--model", "nothing.pth"], "nothing.pth"),
        (["--window", "0", "0", "8", "--model", "XXL"], "XXL"),
        (["--window", "0", "0", "8", "--scale", "7"], "7"),
    ],
)
def test_mistakes_get_one_sentence(picture, arguments, message, capsys):
    assert main([picture, *arguments]) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_bad_files_get_one_sentence(picture, tmp_path, capsys):
    text = tmp_path / "text.png"
    text.write_text("no picture")
    weights = tmp_path / "weights.pth"
    weights.write_text("no weights")
    window = ["--window", "0", "0", "8"]
    for arguments in (
        [str(text), *window],
        [str(tmp_path / "missing.png"), *window],
        [picture, *window, "--model", str(weights)],
        [picture, *window, "-o", str(text)],
    ):
        assert main(arguments) == 1
        captured = capsys.readouterr()
        assert captured.err.startswith("lam: ")
        assert captured.err.count("\n") == 1
    assert text.read_text() == "no picture"


def test_help_does_not_load_torch():
    code = (
        "import sys, lam.__main__ as m\n"
        "try: m.main(['--help'])\n"
        "finally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "--window LEFT TOP SIZE" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"
