"""``python -m lam``: what it prints, what it writes, and one sentence for every mistake."""

from __future__ import annotations

import json
import subprocess
import sys
import types

import numpy as np
import pytest
from helpers.foreign import foreign, saved
from PIL import Image

import lam.cli.arguments
from lam.cli.main import COMMANDS, main

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
    assert list(printed) == [*FIELDS, "method"]
    change = printed["detector_end"] - printed["detector_start"]
    accounted = printed["integral"] + printed["match_jumps"] + printed["residual"]
    assert accounted == pytest.approx(change, rel=1e-6)
    assert sorted(p.name for p in folder.iterdir()) == ["map.npz", "map.png", "params.json"]
    arrays = np.load(folder / "map.npz")
    assert arrays["attribution"].shape == (3, 14, 18)
    assert arrays["attribution"].dtype == np.float32
    assert arrays["attribution"].sum(dtype=float) == pytest.approx(printed["integral"], rel=1e-6)
    assert np.allclose(arrays["importance"], np.abs(arrays["attribution"].sum(0)), atol=1e-6)
    assert Image.open(folder / "map.png").width == 1432  # 7.16 inches at 200 dpi
    params = json.loads((folder / "params.json").read_text())
    assert params["window"] == {"left": 20, "top": 12, "size": 8}
    assert (params["model"], params["gpa"], params["n_steps"]) == ("S", True, 3)
    assert params["result"] == {name: printed[name] for name in FIELDS}
    assert (params["detector"], params["path"]["name"]) == ("gradient", "gaussian_blur")


def test_text_output_and_frozen_matches(picture, capsys):
    assert main([picture, "--window", "0", "0", "16", "--steps", "2", "--matches", "frozen"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0].replace(" ", "_") for line in lines] == FIELDS
    assert lines[4].split() == ["match", "jumps", "0"]


def test_bicubic_by_other_quadrature_path_and_detector(picture, tmp_path, capsys):
    arguments = [
        *(picture, "--window", "20", "12", "8", "--model", "bicubic", "--scale", "3", "--json"),
        *("--detector", "gabor", "--path", "straight", "--quadrature", "riemann_middle"),
        *("--steps", "40", "--matches", "frozen", "-o", str(tmp_path)),
    ]
    assert main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    change = printed["detector_end"] - printed["detector_start"]
    assert printed["residual"] == pytest.approx(0, abs=0.05 * abs(change))
    params = json.loads((tmp_path / "params.json").read_text())
    assert (params["model"], params["gpa"], params["detector"]) == ("bicubic", False, "gabor")
    assert params["path"] == {
        "name": "linear", "baseline": "blurred", "sigma": 1.2, "kernel": 9
    }  # fmt: skip
    assert (params["method"], params["n_steps"]) == ("riemann_middle", 40)
    assert main([*arguments, "--path", "black"]) == 0
    capsys.readouterr()
    params = json.loads((tmp_path / "params.json").read_text())
    assert params["path"] == {"name": "linear", "baseline": "black"}


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "occlusion"])
def test_other_methods(picture, method, tmp_path, capsys):
    arguments = [picture, "--window", "20", "12", "8", "--model", "bicubic", "--method", method]
    assert main([*arguments, "--json", "-o", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == [*FIELDS, "method"]
    assert printed["method"] == method
    assert printed["residual"] is None
    assert printed["detector_end"] > 0
    assert np.load(tmp_path / "map.npz")["importance"].shape == (14, 18)
    assert json.loads((tmp_path / "params.json").read_text())["method"] == method
    assert main(arguments) == 0
    assert "undefined" in capsys.readouterr().out


def test_methods_of_the_help_are_those_there_are():
    assert lam.cli.arguments.METHODS == lam.ATTRIBUTION_METHODS


def test_faithfulness_is_printed_and_written(picture, tmp_path, capsys):
    arguments = [
        *(picture, "--window", "20", "12", "8", "--model", "bicubic", "--steps", "4"),
        *("--path", "black", "--faithfulness"),
    ]
    assert main([*arguments, "--json", "-o", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == [*FIELDS, "method", "faithfulness"]
    found = printed["faithfulness"]
    assert found["deletion"][0] == pytest.approx(printed["detector_end"], rel=1e-4)
    assert found["deletion"][-1] == pytest.approx(printed["detector_start"], abs=1e-4)
    assert len(found["fractions"]) == len(found["random_deletion_mean"]) == 21
    # Bicubic sees few pixels: without them nothing is left, and with them all is there.
    assert found["insertion_area"] > found["random_insertion_area"]
    written = json.loads((tmp_path / "faithfulness.json").read_text())
    assert written["params"]["path"] == {"name": "linear", "baseline": "black"}
    assert {name: written[name] for name in found} == found
    assert main(arguments) == 0
    assert "deletion area" in capsys.readouterr().out


def test_tolerance_and_memory(picture, tmp_path, capsys):
    arguments = [
        *(picture, "--window", "20", "12", "8", "--model", "bicubic", "--steps", "64"),
        *("--tolerance", "0.1", "--memory", "64M", "-o", str(tmp_path)),
    ]
    assert main(arguments) == 0
    assert json.loads((tmp_path / "params.json").read_text())["tolerance"] == 0.1
    capsys.readouterr()
    arguments[arguments.index("bicubic")] = "S"
    assert main([*arguments, "--scale", "4", "--memory", "1k"]) == 1
    assert "raise the budget" in capsys.readouterr().err
    assert main([*arguments, "--tolerance", "-1"]) == 1
    assert "tolerance" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "size"), [("64M", 2**26), ("1.5 GiB", 3 * 2**29), ("10kb", 10240), ("7", 7)]
)
def test_amounts_of_memory(text, size):
    options = lam.cli.arguments.make_parser().parse_args(
        ["x.png", "--window", "0", "0", "8", "--memory", text]
    )
    assert options.memory == size


@pytest.mark.parametrize("text", ["much", "-5G", "", "2T"])
def test_no_amounts_of_memory(text, capsys):
    with pytest.raises(SystemExit):
        main(["x.png", "--window", "0", "0", "8", f"--memory={text}"])
    assert "amount of memory" in capsys.readouterr().err


def test_foreign_file(picture, tmp_path, capsys):
    path = saved(foreign("RCAN"), tmp_path / "rcan.pth")
    assert main([picture, "--window", "8", "8", "6", "--model", path, "--steps", "2"]) == 0
    assert "diffusion index" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_sub_commands_get_their_arguments(name, monkeypatch):
    seen = []
    module = types.ModuleType(f"lam.cli.{name}")
    module.main = lambda argv: seen.append(argv) or 5
    monkeypatch.setitem(sys.modules, f"lam.cli.{name}", module)
    assert main([name, "DIR", "--json"]) == 5
    assert seen == [["DIR", "--json"]]


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
        (["--window", "0", "0", "8", "--detector", "entropy"], "gabor"),
        (["--window", "0", "0", "8", "--quadrature", "simpson"], "simpson"),
        (["--window", "0", "0", "8", "--model", "bicubic", "--no-gpa"], "no Global Pixel Access"),
        (["--window", "0", "0", "8", "--method", "saliency", "--steps", "9"], "--steps is for LAM"),
        (["--window", "0", "0", "8", "--method", "occlusion", "--path", "black"], "--path is for"),
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


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--help"], "--window LEFT TOP SIZE"),
        (["explore", "--help"], "--runners-up"),
        (["intervene", "--help"], "PATCH:TARGET"),
        (["knockout", "--help"], "--experiments"),
        (["x.png"], "--window"),
        (["intervene", "x.png"], "--output"),
    ],
)
def test_help_and_wrong_usage_do_not_load_torch(words, shown):
    code = (
        "import sys, lam.cli.main as m\n"
        f"try: m.main({words!r})\n"
        "finally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert shown in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "False"
