"""The commands explore, intervene and knockout: what they write, and what they say."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from hpinet import HPINet, HPINetConfig, load_model, read_picture
from hpinet.analysis.interventions import Intervention, intervene
from hpinet.networks.files import save_checkpoint
from lam import LocalAttribution, Window
from lam.cli.main import main
from lam.match_analysis.diffusion_change import ForcedMatches, diffusion_change
from lam.match_analysis.knockout import (
    EXPERIMENTS,
    Knockout,
    experiments,
    knockout_text,
    summarise_knockout,
)

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16), scale=2)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """HR pictures in data/HR, one of them damaged, an LR picture and two networks."""
    folder = tmp_path_factory.mktemp("explore")
    rng = np.random.default_rng(0)
    (folder / "data" / "HR").mkdir(parents=True)
    for name, size in (("a", (60, 64)), ("b", (56, 72)), ("c", (60, 64))):
        noise = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "data" / "HR" / f"{name}.png")
    (folder / "data" / "HR" / "broken.png").write_bytes(b"not a picture")
    noise = rng.integers(0, 256, (30, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "small.png")
    torch.manual_seed(0)
    save_checkpoint(HPINet(TINY), folder / "tiny.safetensors")
    save_checkpoint(HPINet(TINY.without_gpa()), folder / "twin.safetensors")
    return folder


@pytest.fixture
def run(place, tmp_path, monkeypatch, capsys):
    """A command in that folder, with --json; its report, or the exit code and what it said."""
    monkeypatch.chdir(place)

    def command(*words, model="tiny.safetensors"):
        output = ["-o", str(tmp_path / "out"), "--model", model, "--json"]
        code = main([*map(str, words), *output])
        said = capsys.readouterr()
        return (json.loads(said.out) if said.out else None), code, said.err

    command.out = tmp_path / "out"
    return command


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_exploring_a_picture_writes_pictures_tables_and_parameters(run, place):
    report, code, _ = run("explore", "small.png", "--pixel", "40", "10", "--runners-up", "2")
    assert code == 0 and report["parameters"]["pixel"] == [40, 10]
    assert json.loads((run.out / "explore.json").read_text()) == report
    rows = table(run.out / "matches.csv")
    assert len(rows) == sum(block["patches"] for block in report["blocks"])
    model = load_model("tiny.safetensors")
    with torch.inference_mode():
        _, matches = model(read_picture("small.png").rgb, return_matches=True)
    found = [int(row["match"]) for row in rows if row["block"] == "2"]
    assert found == matches.blocks[1].index[0].tolist()
    assert "runner_up_2" in rows[0] and "runner_up_3" not in rows[0]
    pictures = {path.name for path in run.out.glob("*.png")}
    assert pictures == {"pairs.png", "reach.png", "block1.png", "block2.png"}
    for path in run.out.glob("*.png"):
        Image.open(path).load()


def test_a_picture_smaller_than_a_patch_is_explored(run, place, tmp_path):
    Image.new("RGB", (9, 7), (10, 200, 30)).save(tmp_path / "speck.png")
    report, code, _ = run("explore", tmp_path / "speck.png")
    assert code == 0 and report["blocks"][1]["patches"] == 1
    assert report["blocks"][1]["entropy"] == 0


def test_exploring_a_folder_names_the_picture_it_skips(run):
    report, code, said = run("explore", "data", "--hr")
    assert code == 3 and list(report["skipped"]) == ["broken.png"]
    assert "broken.png is skipped" in said
    rows = table(run.out / "statistics.csv")
    assert [row["picture"] for row in rows] == ["a.png"] * 2 + ["b.png"] * 2 + ["c.png"] * 2
    first = [float(row["entropy"]) for row in rows if row["block"] == "1"]
    assert report["blocks"][0]["entropy"] == pytest.approx(np.mean(first))
    assert (run.out / "statistics.png").is_file()


def test_intervening_tells_psnr_window_and_diffusion(run, tmp_path):
    hr = np.random.default_rng(1).integers(0, 256, (60, 64, 3), dtype=np.uint8)
    Image.fromarray(hr).save(tmp_path / "hr.png")
    words = ("--kind", "second", "--blocks", "2", "--hr", tmp_path / "hr.png", "--steps", "2")
    report, code, _ = run("intervene", "small.png", *words, "--window", "20", "20", "16")
    assert code == 0 and report["parameters"]["blocks"] == [2]
    assert all(value is not None for value in report["effect"].values())
    effect = report["effect"]
    assert effect["diffusion_index_change"] == pytest.approx(
        effect["diffusion_index"] - effect["diffusion_index_normal"]
    )
    (row,) = table(run.out / "effect.csv")
    assert float(row["psnr_change"]) == effect["psnr_change"]
    assert Image.open(run.out / "sr.png").size == (64, 60)
    assert Image.open(run.out / "difference.png").size > (64, 60)


def test_the_knockout_table_of_a_folder(run, place):
    report, code, said = run("knockout", "--data", "data", "--seed", "5")
    assert code == 3 and "broken.png is skipped" in said
    rows = table(run.out / "knockout.csv")
    # Five experiments on two blocks each, four of them also on all.
    assert len(rows) == 3 * (5 * 2 + 4) and len(report["summary"]) == 14
    for row in report["summary"]:
        mine = [
            float(r["psnr_change"])
            for r in rows
            if r["experiment"] == row["experiment"] and r["block"] == str(row["block"] or "")
        ]
        assert row["n"] == 3 and row["mean"] == pytest.approx(np.mean(mine))
        assert row["interval"][0] <= row["mean"] <= row["interval"][1]
        assert row["worst_change"] == min(mine) and row["best_change"] == max(mine)
    assert report["parameters"]["seed"] == 5 and report["parameters"]["pictures"] == 3
    assert (run.out / "knockout.png").is_file() and (run.out / "summary.csv").is_file()
    text = knockout_text(report["summary"])
    assert text.count("\n") == 15 and "off elsewhere" in text


def test_knock_outs_of_several_networks_stand_in_one_table(run, place):
    save_checkpoint(HPINet(TINY), place / "other.safetensors")
    words = ("--data", "data", "--experiments", "off", "--model")
    report, code, said = run("knockout", *words, "bicubic")
    assert code == 3 and "left out: bicubic" in said
    assert report["parameters"]["model"] == "tiny.safetensors"  # alone after all
    report, _, _ = run("knockout", *words, "other.safetensors")
    names = [one["parameters"]["model"] for one in report["networks"]]
    assert names == ["other.safetensors", "tiny.safetensors"]
    assert {row["model"] for row in table(run.out / "summary.csv")} == set(names)
    assert (run.out / "knockout-other.safetensors.png").is_file()


def test_with_two_blocks_off_elsewhere_is_off_in_the_other(place):
    model = load_model(place / "tiny.safetensors")
    work = Knockout(model, ("off", "off elsewhere"))
    rows = list(work.measure(torch.rand(1, 3, 24, 24), torch.rand(1, 3, 48, 48)))
    found = {(row["experiment"], row["block"]): row["psnr"] for row in rows}
    assert found["off", 1] == found["off elsewhere", 2]
    assert found["off", 2] == found["off elsewhere", 1]


def test_equal_pictures_count_nowhere_in_the_mean():
    rows = [
        {"picture": p, "experiment": "off", "block": 1, "psnr_change": c, "mean_difference": 1.0}
        for p, c in (("a", -0.2), ("b", None), ("c", 0.4))
    ]
    (row,) = summarise_knockout(rows)
    assert (row["n"], row["mean"], row["worst"], row["best"]) == (2, pytest.approx(0.1), "a", "c")
    (lone,) = summarise_knockout(rows[:1])
    assert lone["interval"] is None and lone["worst"] == lone["best"] == "a"
    (empty,) = summarise_knockout(rows[1:2])
    assert empty["mean"] is None and "-" in knockout_text([empty])


def test_recorded_and_forced_matches(run):
    report, code, _ = run("intervene", "small.png", "--kind", "recorded")
    assert code == 0 and report["effect"]["max_difference"] == 0
    words = ("intervene", "small.png", "--kind", "forced", "--blocks", "1", "--force")
    report, code, _ = run(*words, "0:3", "2:1")
    assert code == 0 and report["parameters"]["pairs"] == [[0, 3], [2, 1]]
    with pytest.raises(SystemExit, match="2"):
        run(*words, "3-4")


def test_experiments_cover_every_block_once():
    found = experiments(EXPERIMENTS, 3)
    assert len({(name, block) for name, block, _ in found}) == len(found) == 5 * 3 + 4
    assert experiments(["off"], 1)[0] == ("off", None, Intervention("off", (0,)))


@pytest.mark.parametrize("later", ["frozen", "live"])
def test_the_diffusion_index_of_recorded_matches_does_not_change(place, later):
    model, lr = load_model(place / "tiny.safetensors"), torch.rand(1, 3, 24, 24)
    normal, window, nothing = model.trace(lr), Window(16, 16, 16), Intervention("recorded", (0,))
    again = intervene(model, normal, nothing, later)
    # With frozen matches: along a live path a recorded match is held, a normal one may switch.
    found = diffusion_change(model, lr, window, again, nothing, later, n_steps=2)
    np.testing.assert_array_equal(found.normal.attribution, found.changed.attribution)
    assert found.summary()["diffusion_index_change"] == 0


def test_off_everywhere_is_the_map_with_own_matches(place):
    model, lr = load_model(place / "tiny.safetensors"), torch.rand(1, 3, 24, 24)
    off, window = Intervention("off", (0, 1)), Window(16, 16, 16)
    changed = intervene(model, model.trace(lr), off)
    for matches in ("frozen", "live"):
        found = diffusion_change(model, lr, window, changed, off, matches=matches, n_steps=2)
        own = LocalAttribution(model).attribute(lr, window, matches="own", n_steps=2)
        np.testing.assert_allclose(found.changed.attribution, own.attribution, atol=1e-7)
    assert found.normal.params["network"]["class"] == "HPINet"


def test_forced_blocks_hold_while_others_are_set(place):
    model, lr = load_model(place / "tiny.safetensors"), torch.rand(1, 3, 24, 24)
    with torch.inference_mode():
        _, known = model(lr, return_matches=True)
        forced = ForcedMatches(model, known.own((0,)).live((1,)))
        _, used = forced(lr, known, return_matches=True)
    assert torch.equal(used.blocks[0].index, known.own().blocks[0].index)
    assert torch.equal(used.blocks[1].index, known.blocks[1].index)
    assert not forced.training


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("explore", "small.png", "--pixel", "64", "0"), "x 64, y 0 lies outside"),
        (("explore", "data", "--hr", "--pixel", "1", "1"), "one image"),
        (("explore", "small.png", "--runners-up", "-1"), "-1"),
        (("explore", "nothing.png"), "nothing.png"),
        (("intervene", "small.png", "--blocks", "3"), "no block 3"),
        (("intervene", "small.png", "--blocks", "0"), "no block 0"),
        (("intervene", "small.png", "--but", "3"), "no block 3"),
        (("intervene", "small.png", "--but", "1", "--blocks", "1"), "exclude"),
        (("intervene", "small.png", "--steps", "2"), "--window"),
        (("intervene", "small.png", "--kind", "hr"), "HR image"),
        (("intervene", "small.png", "--kind", "forced"), "at least one"),
        (
            ("intervene", "small.png", "--kind", "forced", "--force", "99:0"),
            "no patch 99 in block 1",
        ),
        (("knockout", "--data", "nowhere"), "nowhere is not a folder"),
    ],
)
def test_what_does_not_fit_is_one_sentence(run, words, sentence):
    report, code, said = run(*words)
    assert (report, code) == (None, 1)
    assert sentence in said and said.count("\n") == 1 and said.startswith("lam: ")


@pytest.mark.parametrize("command", [("explore", "small.png"), ("knockout", "--data", "data")])
def test_a_network_without_access_has_nothing_to_show(run, command):
    _, code, said = run(*command, model="twin.safetensors")
    assert code == 1 and "no Global Pixel Access" in said
