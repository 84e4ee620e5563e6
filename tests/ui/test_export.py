"""The ZIP of page 2: the command line makes the same maps from it."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.catalogue import tiny_runtime
from PIL import Image

from hpinet import HPINetConfig, Picture, UserError, read_picture
from lam import Window
from lam.cli.main import main as lam_main
from ui.export import maps as export
from ui.export import matches, saving
from ui.networks.network import SWITCHED_OFF, TWIN
from ui.state.inputs import ENLARGE, RESTORE, Source, make_study
from ui.state.options import ELSEWHERE, EVERYWHERE, FORCED, Change, How, look_of
from ui.state.record import MapsRecord, MatchesRecord
from ui.state.region import region_around

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    networks = {"Tiny-x4": TINY, "Tiny-x4-no-gpa": TINY.without_gpa()}
    return tiny_runtime(tmp_path_factory, networks)


def attributed(runtime, way, how, region="64", window=(180, 200, 12)):
    """A record whose maps are finished, and its network."""
    torch.manual_seed(3)
    pixels = (torch.rand(1, 3, 70, 90) * 255).round() / 255
    network = runtime.catalogue.get("Tiny-x4")
    study = make_study(Source("x", Picture(pixels)), ENLARGE, 4)
    window = Window(*window)
    region = region_around(window, region, study.size, 4)
    sr = runtime.super_resolved(study, network).pixels
    record = MapsRecord(study, network.info, sr, window, region, how, (way,))
    results = {}
    for which in record.ways:
        *_, results[which] = runtime.attribution.attributed(
            study, network, which, window, region, how
        )
    return replace(record, results=results), network


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "how"),
    [
        (TWIN, How(4)),
        (SWITCHED_OFF, How(3, matches="frozen")),
        (SWITCHED_OFF, How(1, "saliency")),
    ],
)
def test_the_command_line_makes_the_same_maps(runtime, way, how, tmp_path, monkeypatch):
    record, network = attributed(runtime, way, how)
    with zipfile.ZipFile(io.BytesIO(export.archive(record))) as packed:
        packed.extractall(tmp_path)
    for file in (network.path, network.twin_path):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    parameters = json.loads((tmp_path / "parameters.json").read_text())
    assert set(parameters["commands"]) == {"with_gpa", "without_gpa", "bicubic"}
    for name, command in parameters["commands"].items():
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "lam"]
        assert lam_main(words[3:]) == 0
        with np.load(f"{name}/map.npz") as again, np.load(f"{name}.npz") as exported:
            scale = np.abs(exported["attribution"]).max()
            np.testing.assert_allclose(
                again["attribution"], exported["attribution"], atol=1e-6 * max(1, scale)
            )
            assert scale > 0


def test_the_zip_holds_what_was_seen(runtime):
    record, _ = attributed(runtime, TWIN, How(4))
    with zipfile.ZipFile(io.BytesIO(export.archive(record))) as packed:
        names = set(packed.namelist())
        image = Image.open(io.BytesIO(packed.read("with_gpa.png")))
        parameters = json.loads(packed.read("parameters.json"))
    expected = {
        f"{n}{e}" for n in export.names(record).values() for e in (".npz", ".png", "_path.png")
    }
    assert names >= {*expected, "lr.png", "sr.png", "window.png", "difference.png"}
    assert image.width == 1432  # 7.16 inches at 200 dpi
    assert parameters["region"] == {"left": 14, "top": 6, "height": 64, "width": 64}
    assert parameters["with_gpa"]["diffusion_index"] == record.results[None].diffusion_index


@pytest.mark.parametrize(
    "change",
    [
        Change("random", EVERYWHERE, seed=3),
        Change(FORCED, block=2, pairs=((0, 4), (1, 2))),
        Change("hr", ELSEWHERE),
    ],
    ids=lambda change: change.kind,
)
def test_the_command_line_makes_the_same_change(runtime, change, tmp_path, monkeypatch):
    torch.manual_seed(3)
    pixels = (torch.rand(1, 3, 120, 140) * 255).round() / 255
    network = runtime.catalogue.get("Tiny-x4")
    study = make_study(Source("x", Picture(pixels)), RESTORE, 4)
    record = MatchesRecord(study, network.info, Window(40, 20, 12), (46, 26), change=change)
    with zipfile.ZipFile(io.BytesIO(matches.archive(runtime, record, network))) as packed:
        packed.extractall(tmp_path)
    (tmp_path / network.path.name).write_bytes(network.path.read_bytes())
    monkeypatch.chdir(tmp_path)
    told = json.loads((tmp_path / "effect.json").read_text())
    assert lam_main(shlex.split(told["command"])[3:]) == 0
    again = json.loads((tmp_path / "again" / "effect.json").read_text())
    for name, value in again["effect"].items():
        assert told["effect"][name] == pytest.approx(value, abs=1e-6)
    assert told["effect"]["max_difference"] > 0
    rows = (tmp_path / "matches_changed.csv").read_text().splitlines()
    assert len(rows) == 1 + 12 + 6 and rows != (tmp_path / "matches_normal.csv").read_text()
    sr = [np.asarray(Image.open(tmp_path / p)) for p in ("sr_changed.png", "again/sr.png")]
    np.testing.assert_array_equal(*sr)


@pytest.mark.slow
def test_the_commands_run_as_they_stand_where_the_zip_is_unpacked(runtime, tmp_path):
    record, network = attributed(runtime, TWIN, How(4))
    with pytest.MonkeyPatch.context() as patch:  # as of the networks that come with the project
        patch.setattr("ui.export.saving.BUNDLED", network.path.parent)
        data = export.archive(record)
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        packed.extractall(tmp_path)
    folder = Path(sys.executable).parent
    there = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    commands = json.loads((tmp_path / "parameters.json").read_text())["commands"]
    assert len(commands) == 3
    for name, command in commands.items():
        subprocess.run(command, shell=True, cwd=tmp_path, env=there, check=True)
        with (
            np.load(tmp_path / f"{name}/map.npz") as again,
            np.load(tmp_path / f"{name}.npz") as old,
        ):
            scale = np.abs(old["attribution"]).max()
            np.testing.assert_allclose(
                again["attribution"], old["attribution"], atol=1e-6 * max(1, scale)
            )


def test_the_zip_is_drawn_as_the_screen_is(runtime):
    record, _ = attributed(runtime, TWIN, How(4))
    seen = {"view": "signed", "colours": "viridis", "root": False, "strength": 1, "end": 95}
    files = []
    for look in (look_of(seen), look_of({}), look_of(None)):
        with zipfile.ZipFile(io.BytesIO(export.archive(replace(record, look=look)))) as packed:
            drawing = json.loads(packed.read("parameters.json"))["drawing"]
            files.append((packed.read("with_gpa.png"), drawing))
    assert files[0][0] != files[1][0]
    assert files[1] == files[2]
    assert files[0][1] == {
        "strength": 1.0, "colours": "linear", "palette": "viridis", "scale": "percentile",
        "end": 95.0,
    }  # fmt: skip


@pytest.mark.parametrize("seen", [{"end": "x"}, {"colours": "jet"}, {"view": "x"}, {"end": 0}])
def test_a_look_that_is_none_is_a_sentence(seen):
    with pytest.raises(UserError):
        look_of(seen)


def test_nothing_finished_is_a_sentence(runtime):
    record, _ = attributed(runtime, TWIN, How(4))
    record = replace(record, results={})
    with pytest.raises(ValueError, match="compute the maps first"):
        export.archive(record)


@pytest.mark.parametrize("kind", ["8 bit", "16-bit grey", "float grey"])
def test_low_resolution_pixels_are_kept_to_the_last_bit(kind, tmp_path):
    rng = np.random.default_rng(0)
    if kind == "8 bit":
        image = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))
    elif kind == "16-bit grey":
        image = Image.fromarray(rng.integers(0, 65536, (9, 7)).astype(np.uint16))
    else:
        image = Image.fromarray(rng.random((9, 7), np.float32))
    image.save(tmp_path / "given.tif")
    rgb = read_picture(tmp_path / "given.tif").rgb
    name, data = saving.lossless(rgb)
    (tmp_path / name).write_bytes(data)
    assert torch.equal(read_picture(tmp_path / name).rgb, rgb)


def test_colours_that_no_file_holds_are_a_sentence():
    with pytest.raises(ValueError, match="cannot be exported"):
        saving.lossless(torch.rand(1, 3, 4, 4) / 3)
