"""``python -m benchmarks attribution``: what must hold whatever the clock says."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.__main__ import main
from benchmarks.maps.attribution import photograph
from benchmarks.maps.lam_demo import DemoProcedure, accuracy, distance, map_alone
from benchmarks.maps.map_cost import attention_cost, memory_cost, time_rows, timeline
from benchmarks.runner import as_text
from hpinet import HPINet, HPINetConfig
from hpinet.imaging.images import from_uint8
from hpinet.networks.bicubic import Bicubic
from lam import GaussianBlurPath, LocalAttribution, Window
from lam.batch.window_choice import parse_choice
from lam.validation.completeness import completeness, rules, shrunk

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(8, 12), scale=2)
WINDOW = Window(14, 10, 8)


def tiny(gpa=True):
    torch.manual_seed(0)
    config = TINY if gpa else TINY.without_gpa()
    return HPINet(config).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def picture():
    return torch.rand(1, 3, 20, 22, generator=torch.Generator().manual_seed(0))


def test_the_demos_procedure_has_our_gradients_and_leaves_the_network_alone(picture):
    network = tiny()
    demo = DemoProcedure(network, picture, WINDOW)
    assert demo.plain
    ours = [demo.gradient(k / 6) for k in range(1, 7)]
    assert not any(p.requires_grad or p.grad is not None for p in network.parameters())
    # The demo's sum over these gradients is `riemann_demo`.
    knots = GaussianBlurPath().at(picture, np.arange(7) / 6).double().numpy()
    total = sum(g * d for g, d in zip(ours, np.diff(knots, axis=0), strict=True))
    found = map_alone(network, picture, WINDOW, 6, "riemann_demo")
    assert distance(found, total) < 1e-4
    assert not DemoProcedure(Bicubic(2), picture, WINDOW).plain
    with pytest.raises(ValueError, match="at least 12 LR pixels"):
        DemoProcedure(network, picture[..., :9], Window(0, 0, 4))


def test_a_map_alone_is_the_map(picture):
    for n_steps in (1, 3, 8, 12):
        whole = LocalAttribution(tiny()).attribute(picture, WINDOW, n_steps=n_steps)
        alone = map_alone(tiny(), picture, WINDOW, n_steps)
        assert np.array_equal(alone, whole.attribution)


def test_a_timeline_goes_forward_to_the_final_map(picture):
    seen = timeline(tiny(), picture, WINDOW, 24)
    assert 0 < seen.first <= seen.level <= seen.map <= seen.whole
    assert seen.steps == (3, 3, 24)  # small pictures: a level at once
    whole = LocalAttribution(tiny()).attribute(picture, WINDOW, n_steps=24)
    assert np.array_equal(seen.maps[2], whole.attribution)


def test_more_nodes_are_more_accurate_where_matches_cannot_switch(picture):
    seen = []
    rows, equal = accuracy(
        tiny(gpa=False), picture, WINDOW, nodes=(1, 4, 16), demo_steps=10, reference_steps=100,
        progress=lambda: seen.append(1),
    )  # fmt: skip
    assert [row["steps"] for row in rows] == [10, 1, 4, 16, 1]
    demo, *errors, plain = (row["error"] for row in rows)
    assert errors[0] > errors[1] >= errors[2]
    assert demo > errors[2]
    assert equal in (4, 16)
    assert plain < 1e-4
    assert len(seen) == 5


def test_no_number_of_nodes_may_do(picture):
    rows, equal = accuracy(
        tiny(gpa=False), picture, WINDOW, nodes=(1, 2), demo_steps=20, reference_steps=20
    )
    assert rows[0]["error"] == 0
    assert equal is None


def test_ratios_of_rounds(picture):
    rows = time_rows(tiny(), picture, WINDOW, nodes=4, steps=16, demo_steps=10, rounds=2)
    demo, *others = rows
    assert demo["what"] == "step of the demo, plain formulas" and demo["ratio"] is None
    for row in others:
        for found in (row["seconds"], row["ratio"]):
            assert 0 < found["min"] <= found["median"] <= found["max"]
    step, whole_map, result, first, level = others
    assert (step["steps"], whole_map["steps"], level["steps"]) == (1, 4, 2)
    assert whole_map["ratio"]["median"] <= result["ratio"]["max"]
    assert first["ratio"]["min"] <= level["ratio"]["max"] <= 1
    assert 0 < level["error"] < 1


def test_attention_is_compared_at_every_patch_size():
    found = attention_cost(TINY, (20, 22), rounds=2)
    # Steps of 6 and 10 pixels on 20 x 22: 3 x 4 patches of 8, 2 x 2 of 12.
    assert [(row["patch_size"], row["patches"]) for row in found] == [(8, 12), (12, 4)]
    for row in found:
        assert row["ratio"]["min"] <= row["ratio"]["median"] <= row["ratio"]["max"]


@pytest.mark.slow
def test_memory_is_measured_in_a_process_of_its_own(picture):
    found = memory_cost(tiny, picture, WINDOW, 2**30)
    assert (found["size"], found["budget"]) == ([20, 22], 2**30)
    assert found["steps_at_once"] == 16 and not found["recompute"]
    if found["peak_memory"] is not None:
        assert found["share"] == found["peak_memory"] / 2**30 < 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("originals")
    for name, seed in (("a", 0), ("b", 1)):
        noise = np.random.default_rng(seed).integers(0, 256, (49, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).save(place / f"{name}.png")
    return place


@pytest.mark.slow
def test_accounts_of_a_folder(folder):
    found = completeness(
        tiny(), folder, parse_choice(["grid", "2"]), scale=2, window_size=8, steps=12
    )
    assert len(found["maps"]) == 2 * 4 * 3
    assert {m["picture"] for m in found["maps"]} == {"a.png", "b.png"}
    assert set(found["worst"]) == set(found["worst_without_jumps"]) == {"live", "frozen", "own"}
    for m in found["maps"]:
        left = m["change"] - m["integral"] - m["match_jumps"]
        assert m["residual"] == pytest.approx(left)
        assert m["match_jumps"] == 0 or m["matches"] == "live"
    for rule in ("frozen", "own"):
        assert found["worst"][rule] == found["worst_without_jumps"][rule]
    assert rules(Bicubic(2)) == rules(tiny(gpa=False)) == ("live",)


def test_nothing_to_explain_is_no_share(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "flat.png")  # black: no rounding either
    found = completeness(Bicubic(2), tmp_path, parse_choice(["centre"]), scale=2, steps=2)
    assert found["maps"][0]["relative_residual"] is None
    assert found["worst"] == {"live": None}


def test_lr_is_pillows(folder):
    with Image.open(folder / "a.png") as image:
        expected = image.resize((20, 24), Image.Resampling.BICUBIC)
    assert torch.equal(shrunk(folder / "a.png", 2), from_uint8(np.asarray(expected)))
    with pytest.raises(ValueError, match="too few"):
        shrunk(folder / "a.png", 64)


def test_the_photograph_keeps_its_proportions():
    assert photograph(30, 40).shape == (1, 3, 30, 40)
    wide, square = photograph(32, 64), photograph(64, 64)
    assert distance(wide.numpy(), square[..., 16:48, :].numpy()) < 0.01


def test_the_command(capsys):
    arguments = ["--model", "bicubic", "--scale", "2", "--size", "16x20", "--window", "4", "4", "8"]
    arguments += ["--steps", "8", "--rounds", "1"]
    for part in ("accuracy", "time", "attention"):
        arguments += ["--only", part]
    assert main(["attribution", *arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    setting = report["setting"]
    assert (setting["size"], setting["window"], setting["scale"]) == ([16, 20], [4, 4, 8], 2)
    accuracy_title, time_title = report["tables"]  # bicubic has no attention
    assert report["tables"][time_title][0]["what"] == "step of the demo, the network as it is"
    text = as_text(report)
    assert "the demo's" in text and "| first map " in text and accuracy_title in text


def test_one_part_of_an_image_from_a_file(tmp_path, capsys):
    path = tmp_path / "mine.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 26, 3), np.uint8)).save(path)
    words = ["--image", str(path), "--only", "attention", "--rounds", "1", "--json"]
    assert main(["attribution", *words]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["setting"]["size"] == [30, 26]
    [rows] = report["tables"].values()
    assert [row["patch_size"] for row in rows] == [12, 16, 20, 24]


def test_completeness_by_the_command(folder, capsys):
    arguments = ["completeness", str(folder), "--model", "bicubic", "--scale", "2"]
    assert main([*arguments, "--steps", "20"]) == 0
    assert "worst without jumps" in capsys.readouterr().out
    assert main([*arguments, "--steps", "2", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["tables"]["maps"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["attribution", "--size", "0x5"], "1 or more"),
        (["attribution", "--rounds", "0"], "1 or more"),
        (["attribution", "--steps", "0"], "number of steps"),
        (["attribution", "--window", "grid", "2"], "grid is for"),
        (["attribution", "--window", "here"], "not understood"),
        (["attribution", "--window", "250", "0", "16"], "reaches outside"),
        (["attribution", "--model", "XXL"], "XXL"),
        (["attribution", "--image", "nothing.png"], "nothing.png"),
        (["completeness", "nowhere"], "not a folder"),
        (["attribution", "--device", "cuda:99"], "cuda:99"),
        (["attribution", "--only", "memory", "--memory", "1k"], "raise the budget"),
        (["attribution", "--size", "16x16", "--only", "time"], "at least 24 LR pixels"),
    ],
)
def test_mistakes_get_one_sentence(arguments, message, capsys):
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_bad_file_among_the_originals_is_named(tmp_path, capsys):
    (tmp_path / "text.png").write_text("no picture")
    assert main(["completeness", str(tmp_path)]) == 1
    assert "text.png" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["64", "ax7", "3x4x5"])
def test_sizes_that_are_none_are_wrong_usage(size, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["attribution", "--size", size])
    assert stopped.value.code == 2
    assert "HxW" in capsys.readouterr().err
