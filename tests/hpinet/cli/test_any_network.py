"""Commands that take any network, several at a time."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.released_host import released_host
from PIL import Image

from hpinet import HPINet, HPINetConfig
from hpinet.cli.main import main
from hpinet.networks.files import save_checkpoint

ROOT = Path(__file__).parents[3]
TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8), scale=2)
MINE = """
import sys
sys.path.insert(0, %r)
from helpers.architectures import Of255, TakesTheScale

def of_255():
    return Of255()

def takes_the_scale():
    return TakesTheScale(), {"arguments": {"scale": 2}, "name": "CARN"}
"""


@pytest.fixture
def networks(tmp_path):
    torch.manual_seed(0)
    save_checkpoint(HPINet(TINY), tmp_path / "tiny.safetensors")
    (tmp_path / "mine.py").write_text(MINE % str(ROOT / "tests"))
    mine = f"{tmp_path}/mine.py"
    return [f"{tmp_path}/tiny.safetensors", f"{mine}:of_255", f"{mine}:takes_the_scale", "bicubic"]


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "set"
    place.mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 36, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    return str(place)


@pytest.mark.slow
def test_evaluate_prints_one_table(networks, folder, capsys):
    assert main(["evaluate", "--model", *networks, "--data", folder]) == 0
    said = capsys.readouterr()
    table = said.out.split("Differences")[0].splitlines()
    first = [line.split("|")[3].strip() for line in table if line.startswith("| set (2)")]
    assert first == ["bicubic", "tiny.safetensors", "mine.py:of_255", "mine.py:takes_the_scale"]
    assert "luma rounded to 8 bit" in said.out
    assert "hpinet: mine.py:of_255: Of255 enlarges 2 times, pixels of 0 to 255" in said.err


def test_exact_luma_is_another_figure(networks, folder, tmp_path, capsys):
    out = str(tmp_path / "out")
    found = {}
    for luma in ("rounded", "exact"):
        arguments = ["evaluate", "--model", networks[1], "--data", folder, "-o", out, "--json"]
        assert main([*arguments, "--luma", luma]) == 0
        found[luma] = json.loads(capsys.readouterr().out)
    assert found["exact"]["luma"] == "exact"
    assert "luma" not in found["rounded"]
    assert 0 < abs(found["exact"]["psnr"] - found["rounded"]["psnr"]) < 0.1
    with (tmp_path / "out" / "per_image.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4  # neither is taken for the other


def test_upscale_writes_an_image_each(networks, folder, tmp_path, capsys):
    models = [word for name in networks for word in ("--model", name)]
    assert main(["upscale", f"{folder}/0.png", "-o", str(tmp_path / "out"), *models]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "bicubic.png", "mine.py_of_255.png", "mine.py_takes_the_scale.png", "tiny.safetensors.png",
    ]  # fmt: skip
    assert {Image.open(path).size for path in (tmp_path / "out").iterdir()} == {(72, 64)}
    assert capsys.readouterr().out.count("36x32 -> 72x64 pixels, ") == 4


def test_an_unknown_architecture_names_the_way_out(tmp_path, folder, capsys):
    torch.save({"weight": torch.ones(3)}, tmp_path / "unknown.pth")
    arguments = ["upscale", f"{folder}/0.png", "-o", str(tmp_path / "o.png")]
    assert main([*arguments, "--model", str(tmp_path / "unknown.pth")]) == 1
    said = capsys.readouterr().err
    assert "unknown.pth" in said and "FILE.py:build" in said


def test_a_released_network_is_fetched_with_yes_and_not_without(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("HPINET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HPINET_SHARED", raising=False)
    save_checkpoint(HPINet(TINY), tmp_path / "tiny.safetensors")
    content = (tmp_path / "tiny.safetensors").read_bytes()
    with released_host(monkeypatch, {"HPINet-M-x2": content}) as server:
        out = str(tmp_path / "o.png")
        arguments = ["upscale", f"{folder}/0.png", "-o", out, "--model", "HPINet-M-x2"]
        assert main(arguments) == 1
        assert "add --yes" in capsys.readouterr().err
        assert server.asked == []
        assert main([*arguments, "--yes"]) == 0
        assert server.asked == ["HPINet-M-x2.pth"]
    assert main(arguments) == 0  # offline


def test_a_device_that_is_not_there(networks, folder, tmp_path, capsys):
    arguments = [
        "upscale",
        f"{folder}/0.png",
        "-o",
        str(tmp_path / "o.png"),
        "--model",
        networks[0],
    ]
    assert main([*arguments, "--device", "cuda:77"]) == 1
    assert "no device 'cuda:77' here: --device auto" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_make_the_table_of_one(networks, folder, tmp_path):
    tables = []
    for processes in (1, 2):
        out = tmp_path / f"out{processes}"
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        command = [
            sys.executable,
            *(launcher if processes == 2 else []),
            "-m",
            "hpinet",
            "evaluate",
        ]
        command += ["--model", *networks, "--data", folder, "-o", str(out), "--device", "cpu"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        tables.append([(out / name).read_bytes() for name in ("results.md", "per_image.csv")])
        assert not list(out.glob("*.part*"))
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_benchmark_of_several(networks, capsys):
    arguments = ["benchmark", "--model", *networks, "--size", "16x16", "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)["networks"]
    assert list(found) == [Path(name).name for name in networks]
    assert found["bicubic"]["params"] == 0
    assert all(cost["seconds"] > 0 for cost in found.values())
