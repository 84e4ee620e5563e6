"""*Many networks*: one window, each network's map computed once and kept, saved and repeated."""

from __future__ import annotations

import csv
import io
import json
import shlex
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from helpers.catalogue import tiny_runtime

from hpinet import HPINetConfig, UserError
from lam import Window
from lam.cli.main import main as lam_main
from lam.report import encoded
from ui.compute.maps.network_maps import NetworkMaps
from ui.export import network_maps as export
from ui.state.examples import EXAMPLES
from ui.state.inputs import RESTORE, from_example, make_study
from ui.state.options import How
from ui.state.record import NetworksRecord

CUBED = """
from torch import nn

class Cubed(nn.Module):
    def forward(self, x):
        return nn.functional.interpolate(x**3, scale_factor=4)

def build():
    return Cubed(), {"value_range": 1}
"""
TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    code = tmp_path_factory.mktemp("code") / "cubed.py"
    code.write_text(CUBED)
    networks = {
        "Tiny-x4": TINY, "Tiny-x4-no-gpa": TINY.without_gpa(),
        "Zweite-x4": TINY, "Other-x2": TINY.with_scale(2),
    }  # fmt: skip
    found = tiny_runtime(tmp_path_factory, networks, models=[f"{code}:build"])
    yield found
    found.close()


def asked(runtime, *chosen, steps=4, region=(8, 4, 32, 32)):
    """A comparison of which nothing is known."""
    network = runtime.catalogue.get("Tiny-x4")
    study = make_study(from_example(EXAMPLES[1]), RESTORE, 4)
    record = NetworksRecord(
        study, network.info, Window(96, 68, 16), region, How(steps), tuple(chosen)
    )
    return NetworkMaps(runtime, record, None)


def answered(work, **options):
    """The same with the last answer of each network."""
    found = {}
    for contender in work.chosen:
        *_, found[contender.kind] = work.answers(contender, **options)
    work.record = replace(work.record, found=found)
    return work


def test_all_networks_of_one_scale_can_be_chosen(runtime):
    work = asked(runtime)
    assert list(work.among) == ["bicubic", "network", "without", "cubed.py:build", "Zweite-x4"]
    for chosen in ((), ("network",)):
        with pytest.raises(UserError, match="Choose 2 to 8 networks"):
            asked(runtime, *chosen).check()


def test_maps_grow_and_are_computed_once(runtime):
    work = asked(runtime, "network", "bicubic")
    (contender, _) = work.chosen
    steps = [one.result.steps_done for one in work.answers(contender)]
    assert steps == sorted(steps) and steps[-1] == 4 and len(steps) > 2
    assert work.known(contender)
    (again,) = work.answers(contender)
    assert again.result.finished and again.psnr is not None and again.sr.shape == (128, 128, 3)
    # It is the map that Receptive field shows.
    network, way = work.network(contender)
    record = work.record
    assert runtime.attribution.finished(
        record.study, network, way, record.window, record.region, record.how
    )


def test_what_is_unexplained_is_mended_on_request(runtime):
    work = asked(runtime, "cubed.py:build", "bicubic", steps=1)
    contender = work.chosen[0]
    *_, plain = work.answers(contender)
    assert "unexplained at 1 steps" in plain.note and not plain.tried
    *_, mended = work.answers(contender, mend=True)
    assert mended.tried and abs(mended.result.relative_residual) <= 0.02
    *_, kept = work.answers(contender)  # is taken from then on
    assert kept.result.n_steps == mended.result.n_steps


def test_the_zip_repeats_itself(runtime, tmp_path, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ui.export.saving.BUNDLED", runtime.catalogue.get("Tiny-x4").path.parent)
        work = answered(asked(runtime, "network", "without", "bicubic"))
        files = export.archive(work)
    with zipfile.ZipFile(io.BytesIO(encoded("all.zip", files))) as packed:
        packed.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    about = json.loads((tmp_path / "compare.json").read_text())["parameters"]
    words = shlex.split(about["command"])
    assert words[:4] == ["python", "-m", "lam", "compare"]
    assert lam_main(words[3:]) == 0
    rows = list(csv.DictReader((tmp_path / "compare.csv").open()))
    assert len(rows) == 3 and all(float(row["psnr"]) > 5 for row in rows)
    with zipfile.ZipFile(tmp_path / "again" / "compare.zip") as again:
        theirs = sorted(n for n in again.namelist() if n.endswith("map.npz"))
        for name in theirs:
            with np.load(io.BytesIO(again.read(name))) as found:
                old = {
                    "Tiny-x4.safetensors": "Tiny-x4",
                    "Tiny-x4-no-gpa.safetensors": "Twin_without_GPA",
                    "bicubic": "Bicubic",
                }[name.split("/")[0]]
                with np.load(io.BytesIO(encoded("map.npz", files[f"{old}/map.npz"]))) as kept:
                    scale = np.abs(kept["attribution"]).max()
                    np.testing.assert_allclose(
                        found["attribution"], kept["attribution"], atol=1e-6 * max(1, scale)
                    )
    assert len(theirs) == 3
