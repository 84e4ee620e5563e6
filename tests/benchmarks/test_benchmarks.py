"""``python -m benchmarks``: each on something tiny, and what must hold whatever the clock says."""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.__main__ import SCRIPTS, main
from benchmarks.attribution import accuracy, distance, map_alone
from benchmarks.causal_effects import agreement
from benchmarks.lam_demo import DemoProcedure
from benchmarks.passes import CONTESTANTS, prepared
from benchmarks.windows import deviation, neighbours
from hpinet import HPINet, HPINetConfig
from hpinet.networks.files import save_checkpoint
from lam import GaussianBlurPath, Window
from ui.state.examples import EXAMPLES, SIDE

ROOT = Path(__file__).parents[2]
TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8), scale=2)
WINDOW = Window(14, 10, 8)


def tiny(config=TINY):
    torch.manual_seed(0)
    return HPINet(config).eval().requires_grad_(False)


@pytest.fixture
def weights(tmp_path) -> str:
    save_checkpoint(tiny(), tmp_path / "tiny.safetensors")
    return str(tmp_path / "tiny.safetensors")


@pytest.fixture(scope="module")
def picture():
    return torch.rand(1, 3, 20, 22, generator=torch.Generator().manual_seed(0))


def tables(capsys, *words: str) -> dict:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["tables"]


def test_no_part_of_the_product_needs_the_benchmarks():
    files = [
        ROOT / "app.py",
        *(f for p in ("hpinet", "lam", "ui") for f in (ROOT / p).rglob("*.py")),
    ]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "benchmarks" for name in names), file


@pytest.mark.slow
def test_a_pass_against_plain_formulas(weights, capsys):
    words = ["forward", "--model", weights, "--size", "8x10", "--batch", "2"]
    [rows] = tables(capsys, *words).values()
    assert [row["contestant"] for row in rows] == list(CONTESTANTS)
    for row in rows:
        assert row["ratio"] == pytest.approx(row["seconds"] / rows[0]["seconds"])
        assert row["peak_memory"] is None or row["peak_memory"] >= 0
    assert main([*words[:3], "--size", "4x9"]) == 1
    assert "4x9" in capsys.readouterr().err


@pytest.mark.parametrize("name", CONTESTANTS)
def test_a_training_step_can_be_repeated(name):
    step = prepared(name, "training", "cpu", TINY, (8, 10), 2)
    step()
    step()


def test_the_demo_s_gradients_add_up_to_the_map_by_its_sum(picture):
    network = tiny()
    demo = DemoProcedure(network, picture, WINDOW)
    gradients = [demo.gradient(k / 6) for k in range(1, 7)]
    assert not any(p.requires_grad or p.grad is not None for p in network.parameters())
    knots = GaussianBlurPath().at(picture, np.arange(7) / 6).double().numpy()
    total = sum(g * d for g, d in zip(gradients, np.diff(knots, axis=0), strict=True))
    assert distance(map_alone(network, picture, WINDOW, 6, "riemann_demo"), total) < 1e-4
    with pytest.raises(ValueError, match="22x7"):
        DemoProcedure(network, picture[..., :7, :], Window(0, 0, 4))


def test_more_nodes_are_more_accurate_where_matches_cannot_switch(picture):
    rows = accuracy(tiny(TINY.without_gpa()), picture, WINDOW, (1, 4, 16), 10, 100)
    demo, *errors = (row["error"] for row in rows)
    assert errors[0] > errors[1] >= errors[2] < demo


@pytest.mark.slow
def test_the_attribution_command(capsys):
    words = ["attribution", "--model", "bicubic", "--scale", "2", "--size", "16x20"]
    words += ["--steps", "8", "--only", "time", "--only", "memory"]
    found = tables(capsys, *words)
    assert all(row["seconds"] > 0 for row in found["time"])
    assert found["memory"][0]["steps_at_once"] == 16
    for wrong in (["--window", "grid", "2"], ["--size", "0x5"], ["--window", "250", "0", "16"]):
        assert main([*words, *wrong]) == 1
        assert wrong[-1] in capsys.readouterr().err


@pytest.mark.slow
def test_the_cause_command(capsys):
    words = ["cause", "--model", "bicubic", "--scale", "2", "--size", "12x12", "--runs", "2"]
    found = tables(capsys, *words, "--window", "8", "8", "8")
    published, adaptive, _ = found["procedures"]
    # 36 blocks less the 4 inside the window, 3 draws each, and 50 on a number of them.
    assert published["passes"] >= 3 * 32 and adaptive["passes"] < published["passes"]
    assert adaptive["ratio"] == adaptive["passes"] / published["passes"]
    assert found["what the map depends on"][0]["rank_correlation"] == pytest.approx(1)


def test_agreement_with_a_reference_by_hand():
    truth = np.array([0.2, -0.1, 0.02, 0.004, 0.0])
    found = agreement(np.array([0.3, 0.1, 0.015, 0.001, -0.001]), truth)
    # Effects of 0.2, -0.1, 0.02, 0, 0 have ranks 5, 1, 4, 2.5, 2.5, those found 5, 4, 3, 1.5, 1.5.
    ranks = np.array([[5, 1, 4, 2.5, 2.5], [5, 4, 3, 1.5, 1.5]])
    assert found["rank_correlation"] == pytest.approx(np.corrcoef(ranks)[0, 1])
    assert found["where_not_null"] == pytest.approx(np.corrcoef([[3, 1, 2], [3, 2, 1]])[0, 1])
    assert (found["not_null"], found["large"], found["wrong_signs"]) == (3, 2, 1)
    assert agreement(np.zeros(3), np.zeros(3))["rank_correlation"] is None


def test_the_deviation_is_pooled_within_images():
    e = math.e
    # Logarithms 0, 1, 2 around 1, and 5, 5 around 5: squares 2 + 0 over 2 + 1 degrees of freedom.
    images = [[(1, 1), (e, 1), (e**2, 1)], [(e**5, 1), (e**5, 1)]]
    assert deviation(images) == pytest.approx(math.sqrt(2 / 3))
    for example in EXAMPLES:
        left, top, size = example.window
        for window in neighbours(example, 5):
            assert abs(window.left - left) + abs(window.top - top) in (0, 8)
            assert min(window.left, window.top) >= 0
            assert max(window.left, window.top) <= SIDE - size


def test_each_has_its_help(capsys):
    for words in (["--help"], *([name, "--help"] for name in SCRIPTS)):
        with pytest.raises(SystemExit) as left:
            main(words)
        assert left.value.code == 0
    assert "--steps" in capsys.readouterr().out
