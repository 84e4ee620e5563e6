"""Several networks on several sets: tables, the paper's rows, intervals, broken runs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.architectures import Plain
from PIL import Image

from hpinet import VARIANTS, HPINet, HPINetConfig, OwnPatches, get_config
from hpinet.cli.main import main
from hpinet.evaluation import evaluate as evaluation
from hpinet.evaluation.candidates import Candidate, unique_labels
from hpinet.evaluation.evaluate import evaluate, evaluate_all
from hpinet.evaluation.paper_tables import (
    SETS,
    paper_markdown,
    paper_result,
    size_points,
    table,
    variant_name,
)
from hpinet.evaluation.tables import flat_rows, markdown
from hpinet.modeling.multi_adds import count_multi_adds, multi_adds
from hpinet.networks.files import save_checkpoint
from lam import adapt

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8), scale=2)


def network(seed: int = 0, config: HPINetConfig = TINY) -> HPINet:
    torch.manual_seed(seed)
    return HPINet(config).eval()


def images(folder: Path, count: int, start: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 36, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def weights(tmp_path) -> list[str]:
    paths = []
    for seed, name in enumerate(("first", "second")):
        path = tmp_path / "weights" / f"{name}.safetensors"
        save_checkpoint(network(seed), path)
        paths.append(str(path))
    return paths


@pytest.fixture
def sets(tmp_path) -> list[str]:
    return [str(images(tmp_path / "sets" / name, 3)) for name in ("one", "two")]


def of_variant(name: str, scale: int = 4) -> HPINet:
    with torch.device("meta"):
        return HPINet(get_config(name, scale))


def test_the_paper_s_figures_are_whole():
    assert [len(table(number)) for number in (1, 2, 3, 4)] == [44, 4, 7, 3]
    for number, names in ((1, "psnr ssim"), (2, "psnr ssim lpips"), (3, "psnr milliseconds")):
        for row in table(number):
            for one in SETS:
                assert row[one] is None or list(row[one]) == names.split()
                assert row[one] is None or 25 < row[one]["psnr"] < 40
    # HPINet stands in four tables, and they agree.
    full = [
        next(r for r in table(1) if r["scale"] == 4 and r["model"].startswith("HPINet")),
        table(2)[3],
        next(r for r in table(3) if r["model"] == "HPINet-M"),
        table(4)[2],
    ]
    for one in SETS:
        assert len({row[one]["psnr"] for row in full}) == 1
    assert len({(row["Set14"]["psnr"], row["Set14"]["ssim"]) for row in full[:2]}) == 1
    with pytest.raises(ValueError, match="not 5"):
        table(5)


@pytest.mark.parametrize(
    ("name", "scale", "benchmark", "expected"),
    [
        ("M", 2, "Set14", (33.94, 0.9209, None)),
        ("M", 3, "Urban100", (28.93, 0.8675, None)),
        ("M", 4, "set5", (32.60, 0.8986, 0.1729)),
        ("S", 4, "BSD100", (27.69, None, None)),
        ("L", 4, "Manga109", (31.47, None, None)),
        ("M-no-gpa", 4, "Set5", (32.50, 0.8979, 0.1735)),
        ("M-no-cpd", 4, "Set5", (32.50, 0.8977, 0.1757)),
        ("M-no-cpd-no-gpa", 4, "Set5", (32.46, 0.8974, 0.1760)),
        ("M-no-ipsa", 4, "Set5", (32.26, None, None)),
        ("M-no-conv", 4, "Set5", (32.09, None, None)),
    ],
)
def test_what_the_paper_prints_for_a_network(name, scale, benchmark, expected):
    found = paper_result(of_variant(name, scale), benchmark)
    assert (found["psnr"], found["ssim"], found["lpips"]) == expected


def test_what_the_paper_did_not_measure_has_no_row():
    for model, benchmark in (
        (of_variant("S", 2), "Set5"),
        (of_variant("M"), "DIV2K"),
        (of_variant("M-no-overlap"), "Set5"),
        (OwnPatches(of_variant("M")), "Set5"),
    ):
        assert paper_result(model, benchmark) is None
    assert variant_name(replace(VARIANTS["M"], scale=3)) == "M"


def test_points_of_figure_1():
    points = {name: (params, psnr) for name, params, psnr in size_points()}
    assert (points["HPINet-S"], points["SwinIR-light"]) == ((0.46, 32.47), (0.90, 32.44))
    assert len(points) == 16


def test_multi_adds_of_shapes_are_those_of_a_pass():
    counted = count_multi_adds(network(), torch.rand(1, 3, 21, 30))
    assert multi_adds(network(), (21, 30)) == multi_adds(OwnPatches(network()), (21, 30)) == counted
    # Of other architectures by PyTorch's counter: 3 x 8 and 8 x 12 channels, 3 x 3 each.
    assert multi_adds(adapt(Plain()), (10, 20), 2) == 2 * 200 * 9 * (3 * 8 + 8 * 12)


def test_every_network_on_every_set(weights, sets, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["evaluate", "--model", *weights, "--data", *sets, "-o", str(out)]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert text == (out / "results.md").read_text()
    found = json.loads((out / "results.json").read_text())
    assert [(r["set"], r["model"]) for r in found["results"]] == [
        (one, f"{name}.safetensors") for one in ("one", "two") for name in ("first", "second")
    ]
    alone = evaluate(network(1), sets[0], name="second.safetensors")
    assert {key: found["results"][1][key] for key in alone} == alone
    rows = list(csv.DictReader(io.StringIO((out / "results.csv").read_text())))
    assert [row["model"] for row in rows[:2]] == ["bicubic", "first.safetensors"]
    assert float(rows[2]["psnr"]) == alone["psnr"] and f"{alone['psnr']:.3f}" in text
    assert float(rows[0]["psnr"]) == alone["bicubic"]["psnr"]
    # Intervals and differences by hand: t of two degrees of freedom is 4.3027.
    first, second = ([row["psnr"] for row in r["per_image"]] for r in found["results"][:2])
    half = 4.302653 * np.std(first, ddof=1) / np.sqrt(3)
    ends = np.mean(first) - half, np.mean(first) + half
    assert found["results"][0]["intervals"]["psnr"] == pytest.approx(ends, abs=1e-5)
    one, other = found["differences"]
    assert one["models"] == ["first.safetensors", "second.safetensors"] and other["set"] == "two"
    assert one["mean"]["psnr"] == pytest.approx(np.mean(first) - np.mean(second))
    bicubic = [row["bicubic_psnr"] for row in found["results"][0]["per_image"]]
    gain = np.mean(np.subtract(first, bicubic))
    assert found["results"][0]["gain"]["psnr"] == pytest.approx(gain)


def test_a_broken_run_goes_on_and_new_content_is_measured_anew(
    weights, sets, tmp_path, monkeypatch, capsys
):
    arguments = ["evaluate", "--model", *weights, "--data", *sets, "--json", "-o"]
    whole, calls = evaluation.upscale, []

    def upscale(*given):
        calls.append(given)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return whole(*given)

    monkeypatch.setattr(evaluation, "upscale", upscale)
    assert main([*arguments, str(tmp_path / "out")]) == 1
    assert capsys.readouterr().out == ""
    assert main([*arguments, str(tmp_path / "out")]) == 0
    # Sets one and two hold the same images, so there are six figures, and one was begun twice.
    assert len(calls) == 7
    resumed = json.loads(capsys.readouterr().out)
    assert main([*arguments, str(tmp_path / "anew")]) == 0 and len(calls) == 13
    assert json.loads(capsys.readouterr().out) == resumed
    files = [(tmp_path / name / "per_image.csv").read_text() for name in ("out", "anew")]
    assert files[0] == files[1] and files[0].count("\n") == 13
    # Other weights and other pixels under the same names.
    Path(weights[1]).replace(weights[0])
    more = images(tmp_path / "more", 1, 9) / "9.png"
    (Path(sets[0]) / "1.png").write_bytes(more.read_bytes())
    one = ["evaluate", "--model", weights[0], "--data", sets[0], "--json", "-o"]
    assert main([*one, str(tmp_path / "out")]) == 0
    second = json.loads(capsys.readouterr().out)
    assert second == evaluate(network(1), sets[0], name="first.safetensors")


def test_the_paper_stands_beside_a_complete_benchmark_only(tmp_path):
    model = HPINet(get_config("S")).eval()
    folder = images(tmp_path / "Set5", 4)
    assert evaluate_all([Candidate("S", model)], [folder])["results"][0]["paper"] is None
    images(folder, 1, start=4)
    found = evaluate_all([Candidate("S", model)], [folder])
    [report] = found["results"]
    assert report["paper"]["psnr"] == 32.47
    assert report["paper_difference"]["psnr"] == pytest.approx(report["psnr"] - 32.47)
    assert report["paper_difference"]["ssim"] is None
    assert "paper: HPINet-S, Table 3" in markdown(found)
    assert f"{report['psnr'] - 32.47:+.3f}" in markdown(found)
    [_, row] = flat_rows(found["results"])
    assert (row["paper_psnr"], row["paper_ssim"]) == (32.47, None)
    exact = evaluate_all([Candidate("S", model)], [folder], luma="exact")
    assert exact["results"][0]["paper_difference"] == {"psnr": None, "ssim": None, "lpips": None}
    assert "paper: HPINet-S" in markdown(exact) and "less printed" not in markdown(exact)


def test_what_is_broken_is_named_and_the_rest_is_done(weights, sets, tmp_path, capsys):
    broken = tmp_path / "sets" / "broken"
    for folder, side in (("HR", 32), ("LR", 8)):
        (broken / folder).mkdir(parents=True)
        Image.new("RGB", (side, side)).save(broken / folder / "a.png")
    (Path(sets[0]) / "0.png").write_text("text")
    assert main(["evaluate", "--model", weights[0], "--data", *sets, str(broken), "--json"]) == 3
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [(r["set"], r["images"]) for r in found["results"]] == [("one", 2), ("two", 3)]
    assert "first.safetensors on one: 0.png is not an image" in err
    assert "on broken: a.png in LR has 8x8 pixels, but 1/2" in err
    assert len(found["skipped"]) == 2
    assert main(["evaluate", "--model", weights[0], "--data", sets[0], "--json"]) == 3
    alone = json.loads(capsys.readouterr().out)
    assert list(alone["skipped"]) == ["0.png"]
    assert main(["evaluate", "--model", weights[0], "--data", str(broken)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--data", "{set}", "{set}"], "is given twice"),
        (["--data", "{set}", "nowhere"], "nowhere is not a folder"),
        (["--data", "{set}", "-o", "{file}"], "is a file, not a folder"),
        (["--data", "{set}", "-o", "{folder}"], "per_image.csv is no table of this command"),
        (["--data", "{set}", "-o", "{damaged}"], "per_image.csv is damaged in line 3"),
    ],
)
def test_wrong_arguments_are_one_sentence(weights, sets, tmp_path, capsys, more, words):
    (tmp_path / "per_image.csv").write_text("a,b\n1,2\n")
    good = tmp_path / "damaged"
    assert main(["evaluate", "--model", weights[0], "--data", sets[0], "-o", str(good)]) == 0
    capsys.readouterr()
    rows = (good / "per_image.csv").read_text().splitlines()
    (good / "per_image.csv").write_text("\n".join([*rows[:2], rows[2][:30]]))
    names = {"set": sets[0], "file": weights[1], "folder": tmp_path, "damaged": good}
    assert main(["evaluate", "--model", weights[0], *(w.format(**names) for w in more)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and words in err and err.count("\n") == 1


def test_labels_are_short_where_they_can_be():
    assert unique_labels(["a/x.pth", "b/y.pth"], ["x.pth", "y.pth"]) == ["x.pth", "y.pth"]
    assert unique_labels(["a/x", "b/x", "c"], ["x", "x", "c"]) == ["a/x", "b/x", "c"]


@pytest.mark.slow
@pytest.mark.reference
def test_released_weights_reproduce_table_1_on_set5(shared, capsys):
    files = [str(shared / "released" / f"HPINet-{name}.pth") for name in ("M-x3", "S-x4")]
    data = str(shared / "benchmarks" / "Set5")
    assert main(["evaluate", "--model", *files, "--data", data, "--json"]) == 0
    for report in json.loads(capsys.readouterr().out)["results"]:
        away = report["paper_difference"]
        assert abs(away["psnr"]) < 0.01
        assert away["ssim"] is None or abs(away["ssim"]) < 2e-4


@pytest.mark.reference
def test_the_paper_s_figures_are_the_paper_s(shared):
    text = (shared / "paper" / "hpinet_paper.txt").read_text(encoding="utf-8")
    cells = {cell.strip() for line in text.splitlines() for cell in line.split("\t")}
    formats = {"psnr": ".2f", "ssim": ".4f", "lpips": ".4f", "milliseconds": ".0f"}
    for number in (1, 2, 3, 4):
        for row in table(number):
            for one in SETS:
                found = row[one] or {}
                printed = "/".join(f"{value:{formats[kind]}}" for kind, value in found.items())
                assert not found or printed in cells, (number, row["model"], one)


def test_measured_rows_stand_below_the_paper_s():
    report = {
        "set": "Set5", "scale": 4, "model": "mine", "params": 463131, "multi_adds": 81.9e9,
        "psnr": 31.104, "ssim": 0.87764, "lpips": None,
    }  # fmt: skip
    lines = paper_markdown(1, [report, {**report, "set": "holiday"}]).splitlines()
    assert "32.60/0.8986" in lines[-2]
    cells = [cell.strip() for cell in lines[-1].split("|")[1:-1]]
    assert cells == ["here", "mine", "0.4631", "31.10/0.8776", "-", "-", "-", "-"]
    assert "mine" not in paper_markdown(1, [report], scale=2)
    assert "31.10/0.8776/-" in paper_markdown(2, [report])
    assert "31.10/-" in paper_markdown(3, [report])
