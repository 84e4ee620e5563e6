"""Causal effects beside attribution on the page: computed, told, drawn, exported and kept."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import zipfile

import gradio as gr
import numpy as np
import pytest
import torch
from helpers.catalogue import tiny_runtime
from PIL import Image

from hpinet import HPINetConfig, Picture
from lam.cli.main import main as lam_main
from ui.api import map_endpoints
from ui.compute.opening import open_image
from ui.export import maps as export
from ui.state import address
from ui.state.inputs import ENLARGE, RESTORE, Source
from ui.state.options import BICUBIC, CAUSE, EFFECT, asked
from ui.state.session import Session
from ui.tabs.maps.network_maps import ManyNetworks
from ui.tabs.maps.receptive_field import ReceptiveField
from ui.viewer.store import STORE
from ui.views.attribution import causal

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8))
WAYS = (None, "twin", BICUBIC)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    networks = {"Tiny-x4": TINY, "Tiny-x4-no-gpa": TINY.without_gpa()}
    return tiny_runtime(tmp_path_factory, networks)


@pytest.fixture(scope="module")
def lam(runtime):
    with gr.Blocks():
        return ReceptiveField(runtime, gr.State(Session()))


def opened(runtime, mode=RESTORE):
    """A visitor with an image of 10x8 LR pixels."""
    torch.manual_seed(1)
    rgb = torch.rand(1, 3, 8, 10)
    if mode == RESTORE:
        rgb = rgb.repeat_interleave(4, 2).repeat_interleave(4, 3)
    found = Session()
    source = Source("image", Picture((rgb * 255).round() / 255))
    assert open_image(runtime, found, source, mode, "Tiny-x4")
    return found


@pytest.fixture(scope="module")
def session(runtime, lam):
    """A visitor who sees finished maps and effects."""
    found = opened(runtime)
    list(lam.attribute(found, 4, 8, 8, 2, method=CAUSE))
    return found


def test_effects_stand_beside_the_maps_of_every_network(session):
    record = session.maps
    assert set(record.results) == set(record.effects) == set(WAYS)
    assert all(found.finished and found.signed for found in record.effects.values())
    assert record.how.method == "lam" and record.causal
    assert record.request == session.wanted
    # Bicubic reaches two LR pixels: what lies farther away has no effect.
    far = record.effects[BICUBIC].effect[:, 3:]
    assert not np.nan_to_num(far).any()


def test_the_sentence_says_how_much_of_what_it_looked_at_helped(session):
    said = " ".join(causal.explained(session.maps, BICUBIC))
    assert re.search(r"\*\*\d[\d.]*% of what it looked at was to its advantage\*\*", said)
    assert re.search(r"\d+ blocks help, \d+ harm, \d+ neither \(below 0.01 dB\)", said)


def test_the_viewer_gets_the_blocks(runtime, lam, session):
    values = list(lam.attribute(session, 4, 8, 8, 2, method=CAUSE))[-1]
    scene = values[lam.page.viewer]
    assert scene["address"]["method"] == CAUSE
    data, _ = STORE.get(scene["pack"]["address"].split("/")[-1], session.owner)
    arrays = {a["name"]: a for a in scene["pack"]["arrays"]}
    for name, way in zip(("with", "without", "bicubic"), WAYS, strict=True):
        about = arrays[f"effect_{name}"]
        sent = np.frombuffer(data, np.float16, 4 * 5, about["start"]).reshape(4, 5) * about["unit"]
        found = session.maps.effects[way].effect
        np.testing.assert_allclose(sent, found, atol=1e-3 * max(about["unit"], 1e-3))
    entries = [entry["effect"] for entry in scene["maps"]]
    assert [(e["unit"], e["block"], e["signed"]) for e in entries] == [("dB", 2, True)] * 3


def test_known_effects_are_there_at_once_and_lams_maps_are_shared(runtime, lam, session):
    assert len(list(lam.attribute(session, 4, 8, 8, 2, method=CAUSE))) == 1
    maps = dict(session.maps.results)
    assert len(list(lam.attribute(session, 4, 8, 8, 2))) == 1
    assert all(session.maps.results[way] is maps[way] for way in WAYS)
    assert not session.maps.effects
    list(lam.attribute(session, 4, 8, 8, 2, method=CAUSE))


def test_stopped_effects_stay_and_go_on(runtime, lam):
    found = opened(runtime)
    job = lam.attribute(found, 12, 8, 8, 2, method=CAUSE)
    for _ in job:
        if found.maps and found.maps.effects and found.maps.effects[None].passes > 8:
            break
    lam.stop(found)
    last = list(job)[-1]
    assert "Stopped after" in last[lam.page.status]
    before = found.maps.effects[None].passes
    assert not found.maps.effects[None].finished
    again = lam.attribute(found, 12, 8, 8, 2, method=CAUSE)
    values = next(values for values in again if lam.page.viewer in values)
    assert found.maps.effects[None].passes >= before
    assert "Estimates until the end" in str(values[lam.page.viewer])
    list(again)
    assert all(effects.finished for effects in found.maps.effects.values())


def test_without_an_original_it_is_the_unsigned_change(runtime, lam):
    found = opened(runtime, ENLARGE)
    list(lam.attribute(found, 4, 8, 8, 2, method=CAUSE))
    effects = found.maps.effects[None]
    assert effects.unit == "grey levels" and not effects.signed
    said = " ".join(causal.explained(found.maps, None))
    assert (
        "changes the window" in said and "Without an original nothing can be said to help" in said
    )
    assert "advantage" not in said and "harm" not in said
    files = zipfile.ZipFile(io.BytesIO(export.archive(found.maps)))
    assert "hr.png" not in files.namelist()
    assert "--hr" not in json.loads(files.read("parameters.json"))["commands"]["with_gpa_effect"]


def test_the_zip_holds_tables_and_commands_that_measure_the_same(session, tmp_path, monkeypatch):
    record = session.maps
    with zipfile.ZipFile(io.BytesIO(export.archive(record))) as packed:
        packed.extractall(tmp_path)
    for path in (record.network.path, record.network.twin_path):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    parameters = json.loads((tmp_path / "parameters.json").read_text())
    assert parameters["with_gpa"]["effect"]["positive"] == record.effects[None].positive
    for name, way in zip(("with_gpa", "without_gpa", "bicubic"), WAYS, strict=True):
        words = shlex.split(parameters["commands"][f"{name}_effect"])
        assert words[:4] == ["python", "-m", "lam", "cause"]
        assert lam_main(words[3:]) == 0
        with np.load(f"{name}_effect/map.npz") as again, np.load(f"{name}_effect.npz") as exported:
            assert set(again) == set(exported)
            np.testing.assert_allclose(again["effect"], exported["effect"], atol=1e-5)
        with (tmp_path / f"{name}_blocks.csv").open() as file:
            rows = list(csv.DictReader(file))
        effect = record.effects[way].effect
        assert len(rows) == np.isfinite(effect).sum()
        first = rows[0]
        assert float(first["effect"]) == effect[int(first["top"]) // 2, int(first["left"]) // 2]
        assert Image.open(tmp_path / f"{name}_effect.png").size == (640, 512)  # 40x32, enlarged


def test_the_address_names_the_method():
    wanted = address.read({"method": CAUSE}, ["Tiny-x4"])
    assert wanted.settings[3] == CAUSE


def test_methods_that_do_not_fit_are_sentences():
    with pytest.raises(ValueError, match=r"method must be one of lam, .*cause, not 'magic'"):
        asked(4, "magic", "live")
    with pytest.raises(ValueError, match="needs the method 'cause', not 'lam'"):
        causal.check("lam", EFFECT)


def test_the_endpoint_draws_effects(runtime, lam, session):
    with gr.Blocks() as demo:
        state = gr.State(Session())
        with gr.Tab() as tab:
            many = ManyNetworks(runtime, state, tab)
        map_endpoints.connect(runtime, state, lam, many)
    attribute = next(f.fn for f in demo.fns.values() if f.api_name == "attribute")
    answer = attribute(session, 4, 8, 8, 2, view=EFFECT, method=CAUSE)
    drawn = np.asarray(Image.open(answer[0])).astype(int)
    assert (drawn[..., 0] - drawn[..., 2]).max() > 30  # red somewhere
    assert "Red helps, blue harms" in answer[6] and "advantage" in answer[3]
    assert answer[7]["with_gpa"]["effect"]["unit"] == "dB"
