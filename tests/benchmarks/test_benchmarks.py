"""``python -m benchmarks``: rounds, reports, and each script on something tiny."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.__main__ import SCRIPTS, main
from benchmarks.causal.cause import agreement
from benchmarks.runner import add_memory, as_text, compare
from benchmarks.speed.checkout_worker import prepared
from benchmarks.speed.exploration import exploration_cost
from hpinet import HPINet, HPINetConfig
from hpinet.benchmark.rounds import Timing, in_turns, spread, timed
from hpinet.networks.files import save_checkpoint

ROOT = Path(__file__).parents[2]
TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8), scale=2)


@pytest.fixture
def weights(tmp_path) -> str:
    torch.manual_seed(0)
    save_checkpoint(HPINet(TINY), tmp_path / "tiny.safetensors")
    return str(tmp_path / "tiny.safetensors")


def tables(capsys, *words: str) -> dict:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["tables"]


def refusal(capsys, *words: str) -> str:
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("benchmarks: ") and err.count("\n") == 1
    return err


def test_no_part_of_the_product_needs_the_benchmarks():
    files = [ROOT / "app.py"]
    for package in ("hpinet", "lam", "ui"):
        files += (ROOT / package).rglob("*.py")
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not any(name.split(".")[0] == "benchmarks" for name in names), file
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        text = notebook.read_text(encoding="utf-8")
        assert "import benchmarks" not in text and "from benchmarks" not in text


def test_all_take_turns_and_the_first_round_does_not_count():
    seen = []
    calls = {name: lambda name=name: seen.append(name) or len(seen) for name in ("a", "b")}
    ticks = []
    found = in_turns(calls, 2, lambda: ticks.append(1))
    assert seen == ["a", "b"] * 3 and len(ticks) == 3
    assert found == [{"a": 3, "b": 4}, {"a": 5, "b": 6}]
    with pytest.raises(ValueError, match="rounds must be 1 or more, not 0"):
        in_turns(calls, 0)


def test_ratios_are_taken_within_a_round():
    plain, new = iter([9, 1, 2, 4]), iter([9, 3, 2, 2])  # the first is the warm-up
    calls = {"plain": lambda: Timing(next(plain), 0.5), "new": lambda: Timing(next(new), 0.5)}
    first, second = compare(calls, "plain", 3)
    assert first["ratio"] == {"median": 1, "min": 1, "max": 1}
    assert second["ratio"] == {"median": 1, "min": 0.5, "max": 3}
    assert second["seconds"] == {"median": 2, "min": 2, "max": 3}
    add_memory([first, second], {"plain": 4, "new": 1}, "plain")
    assert (first["memory_ratio"], second["memory_ratio"]) == (1, 0.25)
    add_memory([second], {"plain": 4, "new": None}, "plain")
    assert second["memory_ratio"] is None


def test_work_of_another_process_is_not_timed_here():
    assert timed(lambda: Timing(7, 3)) == (7, 3)
    assert 0 <= timed(lambda: None).seconds < 7


def test_a_report_as_text():
    rows = [
        {"contestant": "a", "seconds": spread([1.0, 2.0, 4.0]), "peak_memory": 2**21},
        {"contestant": "b", "ratio": 0.51234, "peak_memory": None},
    ]
    text = as_text({"benchmark": "x", "setting": {"size": [3, 4]}, "tables": {"all": rows}})
    lines = text.splitlines()
    assert lines[0] == "x: size 3 4"
    assert lines[2] == "all:"
    assert [cell.strip() for cell in lines[6].split("|")[1:-1]] == ["a", "2 (1 to 4)", "2 MiB", "-"]
    assert [cell.strip() for cell in lines[7].split("|")[1:-1]] == ["b", "-", "-", "0.5123"]


def test_help_lists_all(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    out = capsys.readouterr().out
    assert all(name in out for name in SCRIPTS)
    for wrong in ([], ["fly"]):
        with pytest.raises(SystemExit) as left:
            main(wrong)
        assert left.value.code == 2


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_has_its_help(name, capsys):
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0 and "--json" in capsys.readouterr().out


@pytest.mark.slow
def test_a_pass_beside_plain_formulas(weights, capsys):
    words = ["forward", "--model", weights, "--size", "12x16", "--rounds", "1"]
    found = tables(capsys, *words, "--precision", "fp32")
    hpinet, plain = found["networks"]
    assert (hpinet["network"], plain["network"]) == ("hpinet", "plain")
    assert hpinet["params"] == plain["params"] and hpinet["multi_adds"] == plain["multi_adds"]
    [ratio] = found["against plain"]
    assert ratio["time"] == pytest.approx(hpinet["seconds"] / plain["seconds"])
    assert "at least 8 pixels a side" in refusal(capsys, *words[:3], "--size", "4x9")


@pytest.mark.slow
def test_a_training_step_beside_plain_formulas(weights, capsys):
    words = ["training", "--model", weights, "--size", "8x8", "--rounds", "1", "--batch", "2"]
    [rows] = tables(capsys, *words).values()
    assert [row["contestant"] for row in rows] == ["plain", "hpinet", "hpinet_bf16"]
    assert rows[0]["ratio"]["median"] == 1 and rows[1]["ratio"]["median"] > 0
    assert "the largest patch" in refusal(capsys, *words[:3], "--size", "4x9")


def test_exploring_is_told_in_passes(weights, capsys):
    [rows] = tables(
        capsys, "exploration", "--model", weights, "--size", "12x12", "--rounds", "1"
    ).values()
    names = [row["contestant"] for row in rows]
    assert names == ["pass", "exploration", "trace", "off in block 1", "off in block 2"]
    assert all(row["ratio"]["median"] > 0 for row in rows)
    twin = HPINet(TINY.without_gpa()).eval()
    with pytest.raises(ValueError, match="no Global Pixel Access"):
        exploration_cost(twin, (24, 24))
    with pytest.raises(ValueError, match="0x8"):
        exploration_cost(HPINet(TINY).eval(), (0, 8))


@pytest.mark.slow
def test_a_checkout_that_is_the_same_computes_the_same(tmp_path, capsys):
    for package in ("hpinet", "lam"):
        (tmp_path / "before").mkdir(exist_ok=True)
        (tmp_path / "before" / package).symlink_to(ROOT / package)
    words = ["checkouts", str(tmp_path / "before"), "--size", "24x24", "--rounds", "1"]
    here, before = tables(capsys, *words)["checkouts"]
    assert (here["contestant"], before["contestant"]) == ("here", "before")
    assert here["result"] == before["result"] and before["ratio"]["median"] > 0


@pytest.mark.parametrize("work", ["training", "attribution"])
def test_other_work_of_a_checkout_gives_a_number(work):
    wanted = {"work": work, "variant": "S", "scale": 4, "size": [24, 24], "batch": 1, "steps": 2}
    numbers = [prepared(wanted)() for _ in range(2)]
    assert numbers[0] == numbers[1] != 0


@pytest.mark.slow
def test_folders_that_are_no_checkouts(tmp_path, capsys):
    assert "holds no hpinet/" in refusal(capsys, "checkouts", str(tmp_path))
    assert "this working tree itself" in refusal(capsys, "checkouts", str(ROOT))
    broken = tmp_path / "hpinet"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('an old fault')")
    assert "an old fault" in refusal(capsys, "checkouts", str(tmp_path), "--size", "24x24")


def test_causal_effects_beside_a_reference(weights, tmp_path, capsys):
    kept = tmp_path / "reference.npz"
    words = ["cause", "--model", weights, "--size", "20x20", "--window", "16", "16", "8"]
    words += ["--blocks", "6", "--draws", "4", "--no-published", "--rounds", "1"]
    words += ["--reference", str(kept)]
    found = tables(capsys, *words, "--only", "procedures", "--only", "time")
    published, adaptive, halves = found["procedures"]
    # 100 blocks less the 4 inside the window, 3 draws each, and 50 on a number of them.
    assert (published["passes"] - 3 * 96) % 50 == 0
    assert adaptive["ratio"] == adaptive["passes"] / published["passes"]
    assert adaptive["not_null"] <= 6 and "rank_correlation" in halves
    assert np.load(kept)["changes"].shape == (7, 6)
    first, covered = found["time to the first map"]
    assert 0 < first["seconds"]["median"] <= covered["seconds"]["median"]
    words[words.index("6")] = "8"
    assert "another network, image or choice of blocks" in refusal(
        capsys, *words, "--only", "procedures"
    )
    assert "2 to 96" in refusal(capsys, *words, "--blocks", "97")


def test_agreement_with_a_reference_by_hand():
    truth = np.array([0.2, -0.1, 0.02, 0.004, 0.0])
    found = agreement(np.array([0.3, 0.1, 0.015, 0.001, -0.001]), truth)
    # Effects of 0.2, -0.1, 0.02, 0, 0 have ranks 5, 1, 4, 2.5, 2.5, those found 5, 4, 3, 1.5, 1.5.
    ranks = np.array([[5, 1, 4, 2.5, 2.5], [5, 4, 3, 1.5, 1.5]])
    assert found["rank_correlation"] == pytest.approx(np.corrcoef(ranks)[0, 1])
    assert found["where_not_null"] == pytest.approx(np.corrcoef([[3, 1, 2], [3, 2, 1]])[0, 1])
    assert (found["not_null"], found["large"], found["wrong_signs"]) == (3, 2, 1)
    assert agreement(np.zeros(3), np.zeros(3))["rank_correlation"] is None
