"""``python -m lam dataset``: rows, resuming, faults, processes, and what the summary says."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from hpinet import HPINet, HPINetConfig, load_model, read_picture
from hpinet.imaging.images import shrink
from hpinet.metrics.confidence import interval
from hpinet.networks.files import save_checkpoint
from lam import LocalAttribution, Window
from lam.batch import dataset, sources
from lam.batch.summary import summarise, summary_text
from lam.batch.window_choice import grid, most_detailed, parse_choice
from lam.cli.dataset import main

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))
FILE, TWIN = "tiny.safetensors", "tiny.safetensors:no-gpa"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with pictures of two sizes in pictures/, and two networks."""
    folder = tmp_path_factory.mktemp("dataset")
    rng = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for name, size in (("a", (20, 24)), ("b", (20, 24)), ("c", (18, 18))):
        noise = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "pictures" / f"{name}.png")
    torch.manual_seed(0)
    save_checkpoint(HPINet(TINY), folder / FILE)
    return folder


@pytest.fixture
def run(place, tmp_path, monkeypatch):
    """The command in the folder of networks; the table is out.csv in a fresh folder."""
    monkeypatch.chdir(place)

    def command(*more, pictures="pictures", out=tmp_path / "out.csv", models=(FILE,)):
        named = [word for model in models for word in ("--model", model)]
        fixed = ["--steps", "2", "--device", "cpu", "-o", str(out)]
        return main([str(pictures), *named, *fixed, *more])

    command.out = tmp_path / "out.csv"
    return command


@pytest.fixture
def measured(monkeypatch):
    """The windows that were really computed."""
    found, real = [], dataset.measure_map
    monkeypatch.setattr(dataset, "measure_map", lambda *a: found.append(a[3]) or real(*a))
    return found


def rows(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def without_time(path):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows(path)]


def test_rows_hold_what_a_single_map_says(run, capsys):
    assert run("--window", "8", "12", "16", models=(FILE, TWIN)) == 0
    found = rows(run.out)
    assert tuple(found[0]) == dataset.COLUMNS["lam"]
    assert [r["picture"] for r in found] == ["a.png"] * 2 + ["b.png"] * 2 + ["c.png"] * 2
    assert [r["model"] for r in found[:2]] == [FILE, TWIN]
    lr = read_picture("pictures/a.png").rgb
    result = LocalAttribution(load_model(FILE)).attribute(lr, Window(8, 12, 16), n_steps=2)
    assert float(found[0]["diffusion_index"]) == pytest.approx(result.diffusion_index, rel=1e-4)
    assert float(found[0]["integral"]) == pytest.approx(result.integral, rel=1e-4)
    assert (found[0]["lr_width"], found[0]["lr_height"]) == ("24", "20")
    blocks = json.loads(found[0]["outside_patch_by_block"])
    assert len(blocks) == 2
    assert float(found[0]["outside_patch"]) == pytest.approx(sum(blocks) / 2)
    assert float(found[0]["in_match"]) > 0 == float(found[1]["in_match"])
    said = capsys.readouterr().out
    assert "18x18" in said and "24x20" in said


def test_what_cannot_be_used_is_named_and_skipped(run, place, tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "bad.png").write_text("no picture")
    for name in "ac":
        (folder / f"{name}.png").write_bytes((place / f"pictures/{name}.png").read_bytes())
    # The window lies inside 96x80, outside 72x72.
    assert run("--window", "80", "60", "16", pictures=folder, models=(FILE, TWIN)) == 3
    assert [r["picture"] for r in rows(run.out)] == ["a.png"] * 2
    said = capsys.readouterr().err
    assert said.count("lam: bad.png is skipped: ") == said.count("lam: c.png is skipped: ") == 1
    assert said.splitlines()[-1] == "lam: 2 skipped: bad.png, c.png"


def test_known_rows_are_not_computed_again(run, place, tmp_path, measured):
    assert run("--window", "grid", "2") == 0
    before = run.out.read_text()
    assert len(rows(run.out)) == len(measured) == 12
    # The same pixels under another name are known, too.
    folder = tmp_path / "renamed"
    folder.mkdir()
    Image.open(place / "pictures/a.png").save(folder / "z.bmp")
    assert run("--window", "grid", "2") == 0 and run.out.read_text() == before
    assert run("--window", "grid", "2", pictures=folder) == 0
    assert len(measured) == 12
    assert sum(r["picture"] == "z.bmp" for r in rows(run.out)) == 4
    lines = before.splitlines(keepends=True)
    run.out.write_text("".join(lines[:5] + lines[6:]))
    assert run("--window", "grid", "2") == 0
    assert len(measured) == 13 and len(rows(run.out)) == 12


def test_other_weights_under_the_same_name_are_another_network(run, tmp_path, capsys):
    for seed in (1, 2):
        torch.manual_seed(seed)
        save_checkpoint(HPINet(TINY), tmp_path / "mine.safetensors")
        assert run("--json", models=(str(tmp_path / "mine.safetensors"),)) == 0
    assert len({r["weights_sha256"] for r in rows(run.out)}) == 2
    assert len(rows(run.out)) == 6
    second = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [size["models"][0]["n"] for size in second["sizes"]] == [1, 2]


def test_a_broken_run_keeps_whole_rows_and_goes_on(run, tmp_path, monkeypatch, capsys):
    real, calls = dataset.measure_map, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(dataset, "measure_map", interrupted)
    assert run("--json") == 1
    assert [r["picture"] for r in rows(run.out)] == ["a.png", "b.png"]
    assert capsys.readouterr().out == ""
    assert run("--json") == 0 and len(calls) == 4
    resumed = capsys.readouterr().out
    assert run("--json", out=tmp_path / "whole.csv") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(resumed)
    assert without_time(run.out) == without_time(tmp_path / "whole.csv")


def test_a_full_disk_leaves_the_table_whole(run, monkeypatch, capsys):
    assert run("--window", "centre") == 0
    before = run.out.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    run("--window", "detail")
    assert "No space left" in capsys.readouterr().err
    assert run.out.read_bytes() == before
    assert [p.name for p in run.out.parent.iterdir()] == ["out.csv"]


@pytest.mark.slow
def test_two_processes_write_the_table_of_one(place, tmp_path):
    # Where there is a GPU, two processes could not share it.
    device = ["--device", "cpu"] if torch.cuda.is_available() else []
    script = tmp_path / "command.py"
    script.write_text("import sys; from lam.cli.dataset import main; sys.exit(main())")
    found = []
    for processes in (1, 2):
        out = tmp_path / f"{processes}.csv"
        arguments = [
            "pictures", "--model", FILE, "--model", TWIN, "--window", "grid", "2", "--steps", "2",
            *device, "--json", "-o", str(out),
        ]  # fmt: skip
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        done = subprocess.run(
            [sys.executable, *(launcher if processes == 2 else []), str(script), *arguments],
            cwd=place, capture_output=True, text=True, timeout=300, check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3])},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        found.append((without_time(out), json.loads(done.stdout)))
    assert found[0] == found[1]
    assert len(found[0][0]) == 3 * 2 * 4
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1.csv", "2.csv", "command.py"]


def test_processes_that_do_not_find_each_other_stop(run, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    lone = SimpleNamespace(num_processes=1, device="cpu")
    monkeypatch.setattr("hpinet.processes.PartialState", lambda **_: lone)
    assert run() == 1
    assert "2 processes were started" in capsys.readouterr().err
    assert not run.out.exists()


def test_pictures_are_cropped_to_one_size(run):
    assert run("--size", "18", "--window", "centre") == 0
    found = {(r["lr_width"], r["lr_height"], r["left"], r["top"]) for r in rows(run.out)}
    assert found == {("18", "18", "28", "28")}
    lr, hr = sources.Source("a", Path("pictures/a.png")).read(4, 18)
    assert torch.equal(lr, read_picture("pictures/a.png").rgb[..., 1:19, 3:21]) and hr is None
    assert run("--size", "19", out=run.out.with_name("19.csv")) == 3  # the smallest is left out


def test_any_network_will_do_also_one_without_patches(run, capsys):
    assert run(models=(FILE, "bicubic"), pictures="pictures") == 0
    found = [r for r in rows(run.out) if r["model"] == "bicubic"]
    assert len(found) == 3
    assert found[0]["outside_patch"] == found[0]["outside_patch_by_block"] == ""
    assert float(found[0]["diffusion_index"]) < 20
    assert "tiny.safetensors - bicubic" in capsys.readouterr().out


def test_originals_are_shrunk_as_benchmarks_are(place, tmp_path):
    hr = np.random.default_rng(1).integers(0, 256, (81, 84, 3), dtype=np.uint8)
    Image.fromarray(hr).save(tmp_path / "x.png")
    (source,) = sources.find_sources(tmp_path, 4, hr=True)
    lr, original = source.read(4, None)
    assert torch.equal(lr, shrink(hr, 4)) and original.shape == (1, 3, 80, 84)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--window", "left"], "--window left"),
        (["--window", "grid", "0"], "1 to 64"),
        (["--window", "1", "2"], "LEFT TOP SIZE"),
        (["--window-size", "0"], "--window-size"),
        (["--size", "-3"], "--size"),
        (["--model", FILE], "given twice"),
        (["--model", "bicubic", "--scale", "2"], "x2"),
        (["--steps", "0"], "steps"),
        (["--detector", "taste"], "taste"),
        (["--model", "nothing.pth"], "nothing.pth"),
    ],
)
def test_mistakes_get_one_sentence(run, arguments, message, capsys):
    assert run(*arguments) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith("lam: ") and captured.err.count("\n") == 1
    assert not run.out.exists()


def test_folders_that_do_not_fit(run, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for message, options in (
        ("nowhere is not a folder", {"pictures": "nowhere"}),
        ("holds no images", {"pictures": tmp_path / "empty"}),
        ("is a folder", {"out": tmp_path / "empty"}),
    ):
        assert run(**options) == 1
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1


def test_help_does_not_load_torch():
    code = (
        "import sys, lam.cli.dataset as d\n"
        "try: d.main(['--help'])\n"
        "finally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "grid N" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"


def test_windows_by_hand():
    assert grid(20, 40, 1, 10) == [(15, 5)]
    assert grid(20, 40, 2, 10) == [(5, 0), (25, 0), (5, 10), (25, 10)]
    assert grid(8, 8, 3, 8) == [(0, 0)] * 9
    assert parse_choice(["grid", "3"]).choose(torch.zeros(1, 3, 2, 2), 4, 8) == [Window(0, 0, 8)]
    picture = np.zeros((20, 30, 3))
    picture[6:9, 20:23] = 1
    # Differences count at the pixel before the edge: columns 19 to 22, rows 5 to 8.
    assert most_detailed(picture, 5) == (18, 5)
    assert most_detailed(np.zeros((21, 31, 3)), 5) == (13, 8)  # all alike: the middle
    assert parse_choice(["grid", "3"]).windows == 9
    assert parse_choice(["1", "2", "3"]).fixed == (1, 2, 3)


def row(picture, model, index, left="0", width="64", residual="-0.01"):
    return {
        "picture": picture, "lr_sha256": picture, "model": model, "left": left, "top": "0",
        "window_size": "16", "lr_width": width, "lr_height": "64", "diffusion_index": index,
        "area_80": "0.2", "relative_residual": residual,
        "non_finite": "7" if index == "40" else "0",
    }  # fmt: skip


def test_means_and_intervals_by_hand():
    low, high = interval([1, 2, 3])  # t of 2 degrees of freedom is 4.3027, 1 / sqrt(3)
    assert (low, high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-4)
    assert interval([5]) is None
    found = summarise(
        [
            row("p", "A", "10"), row("p", "A", "20", left="9"),  # one picture: 15
            row("q", "A", "17"), row("r", "A", "40", width="32"), row("s", "A", ""),
            row("p", "B", "9"), row("p", "B", "17", left="9"),
            row("q", "B", "13"), row("r", "B", "30", width="32"),
        ],
        ["A", "B"],
    )  # fmt: skip
    small, large = found["sizes"]
    assert (small["width"], large["width"]) == (32, 64)
    first = large["models"][0]
    assert (first["n"], first["diffusion_index"]) == (2, 16)
    assert first["residual"] == pytest.approx(0.01)
    assert first["interval"] == pytest.approx((16 - 12.7062, 16 + 12.7062), abs=1e-3)
    (difference,) = found["differences"]  # 2, 4 and 10
    assert (difference["n"], difference["diffusion_index"]) == (3, pytest.approx(16 / 3))
    assert (found["maps"], found["undefined"], found["non_finite"]) == (9, 1, 1)
    said = summary_text(found)
    assert "16.00 (3.29 to 28.71)" in said and "A - B" in said
    assert "1 of 9 maps have no mass" in said and "1 of 9 maps have gradients" in said
