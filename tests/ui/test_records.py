"""What is shown, redrawn and exported belongs to the maps themselves, whatever is chosen since."""

from __future__ import annotations

import io
import json
import math
import shlex
import zipfile
from itertools import islice

import gradio as gr
import numpy as np
import pytest
import torch
from helpers.catalogue import tiny_runtime
from PIL import Image

from hpinet import HPINet, HPINetConfig, Picture
from hpinet.networks.files import save_checkpoint
from lam import Window
from ui.compute.opening import open_image
from ui.compute.runtime import Runtime
from ui.export import maps as export
from ui.export import matches as export_matches
from ui.layout import build
from ui.networks.model_catalogue import Catalogue
from ui.state.examples import EXAMPLES
from ui.state.inputs import ENLARGE, RESTORE, Source, from_example
from ui.state.options import LAM, Change
from ui.state.session import Session
from ui.tabs.maps.receptive_field import ReceptiveField
from ui.tabs.matching.matches import changed, record_at
from ui.tabs.super_resolve import SuperResolve
from ui.viewer.store import STORE, Owner

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))
SETTINGS = (4, "auto", "twin", LAM, "live")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    networks = {"Tiny-x4": TINY, "Tiny-x2": TINY.with_scale(2)}
    return tiny_runtime(tmp_path_factory, networks)


@pytest.fixture(scope="module")
def lam(runtime):
    with gr.Blocks():
        return ReceptiveField(runtime, gr.State(Session()))


def source(side=40, seed=1):
    torch.manual_seed(seed)
    return Source(f"image {seed}", Picture((torch.rand(1, 3, side, side) * 255).round() / 255))


@pytest.fixture
def session(runtime, lam):
    """A visitor who sees finished maps of the window at (24, 20)."""
    found = Session()
    assert open_image(runtime, found, source(), ENLARGE, "Tiny-x4")
    list(lam.attribute(found, 24, 20, 16, 4))
    return found


def exported(record):
    with zipfile.ZipFile(io.BytesIO(export.archive(record))) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    return files, json.loads(files["parameters.json"])


def belongs_to_the_first_window(session):
    """The ZIP's pixels, maps, parameters and commands are those of the fixture's maps."""
    files, parameters = exported(session.maps)
    assert parameters["window_in_sr_pixels"] == [24, 20, 16]
    assert parameters["network"] == "Tiny-x4"
    words = shlex.split(parameters["commands"]["with_gpa"])
    assert words[words.index("--window") + 1 :][:3] == ["24", "20", "16"]
    assert words[words.index("--model") + 1] == "Tiny-x4.safetensors"
    assert words[words.index("--steps") + 1] == "4"
    lr = np.asarray(Image.open(io.BytesIO(files["lr.png"])))
    expected = (source().image.rgb[0].permute(1, 2, 0) * 255).round().numpy()
    np.testing.assert_array_equal(lr, expected)
    with np.load(io.BytesIO(files["with_gpa.npz"])) as arrays:
        np.testing.assert_array_equal(arrays["importance"], session.maps.results[None].importance)


def status(lam, values):
    return values[lam.page.status]


def test_finished_maps_are_of_what_is_chosen(session, lam):
    assert session.maps.request == session.wanted
    told = status(lam, lam.start(session, "auto"))
    assert "Dimmed" not in told  # the same window once more
    belongs_to_the_first_window(session)


def test_a_click_leaves_the_old_maps_theirs(session, lam):
    told = status(lam, lam.place(session, "auto", (100, 90, 16)))
    assert session.window == Window(100, 90, 16)
    assert 'class="stale"' in told and "window of 16 pixels at (24, 20)" in told
    belongs_to_the_first_window(session)


def scene(lam, values):
    return values[lam.page.viewer]


def numbers(value, session, name):
    """An array of a viewer's value, as the browser decodes it."""
    data, kind = STORE.get(value["pack"]["address"].rsplit("/", 1)[1], session.owner)
    assert kind == "application/octet-stream"
    told = next(a for a in value["pack"]["arrays"] if a["name"] == name)
    array = np.frombuffer(data, told["type"], math.prod(told["shape"]), told["start"])
    return array.reshape(told["shape"]).astype(np.float64) * told["unit"]


def test_the_viewer_is_sent_the_maps_in_half_precision(session, lam):
    value = scene(lam, lam.start(session, "auto"))
    assert value["size"] == [160, 160] and value["scale"] == 4 and value["stale"] == ""
    assert [m["name"] for m in value["maps"]] == ["with", "without", "bicubic"]
    for name, way in (("with", None), ("bicubic", "bicubic")):
        expected = session.maps.results[way].importance
        np.testing.assert_allclose(
            numbers(value, session, f"importance_{name}"), expected, atol=1e-3 * expected.max()
        )
    assert len(json.dumps(value)) < 12_000  # addresses, not numbers


def test_the_films_steps_add_up_to_the_map(session, lam):
    value = scene(lam, lam.start(session, "auto"))
    assert set(value["film"]) == {"with", "without", "bicubic"}
    film = value["film"]["with"]
    steps = numbers(film, session, "steps")
    expected = session.maps.results[None].attribution
    np.testing.assert_allclose(steps.sum(0), expected, atol=4e-3 * np.abs(expected).max())
    assert film["alphas"] == sorted(film["alphas"]) and len(film["alphas"]) == len(steps) == 4
    assert film["patches"] == [12, 16]
    index = numbers(film, session, "index_0")
    assert index.shape == (4, len(numbers(film, session, "origins_0")))


def test_maps_of_another_window_keep_their_own_and_say_so(session, lam):
    value = scene(lam, lam.place(session, "auto", (100, 90, 16)))
    assert value["window"] == [100, 90, 16] and value["of"]["window"] == [24, 20, 16]
    assert "window of 16 pixels at (24, 20)" in value["stale"] and len(value["maps"]) == 3
    *_, last = lam.refresh(session, *SETTINGS)
    value = scene(lam, last)
    assert value["stale"] == "" and value["of"]["window"] == [100, 90, 16]


def test_another_image_has_no_maps_of_the_old_one(session, lam, runtime):
    assert open_image(runtime, session, source(48, seed=2), ENLARGE, "Tiny-x4")
    value = scene(lam, lam.start(session, "auto"))
    assert value["maps"] == [] and value["size"] == [192, 192]


def test_nobody_else_reads_a_visitors_numbers(session, lam):
    value = scene(lam, lam.start(session, "auto"))
    name = value["pack"]["address"].rsplit("/", 1)[1]
    assert STORE.get(name, session.owner) is not None
    assert STORE.get(name, Session().owner) is None
    assert STORE.get(name, Owner(session.key, "somebody")) is None


@pytest.mark.slow
def test_stopped_maps_go_on_from_where_they_were(session, lam):
    lam.place(session, "auto", (60, 60, 16))
    job = lam.refresh(session, 100, *SETTINGS[1:])
    next(values for values in job if session.maps.how.steps == 100 and None in session.maps.results)
    lam.stop(session)
    list(job)
    before = session.maps.results[None].steps_done
    assert 0 < before < 100
    again = lam.refresh(session, 100, *SETTINGS[1:])
    next(values for values in again if lam.page.viewer in values and None in session.maps.results)
    assert session.maps.results[None].steps_done == before
    list(again)
    assert session.maps.results[None].finished


def test_what_is_known_does_not_wait_in_line(session, lam, runtime):
    with runtime.queue.ticket():  # somebody computes
        values = list(lam.refresh(session, *SETTINGS))
    assert len(values) == 1 and "Done: 4 steps" in status(lam, values[0])


def test_blurring_pixels_stands_beside_their_importance(session, lam):
    height, width = session.maps.study.size
    everything = lam.blurred(session, range(height * width))
    assert everything.count(">100%<") >= 3  # all of the importance
    one = lam.blurred(session, [0])
    assert "1 painted LR pixel<" in one
    for wrong in ([], [-1], [height * width], ["x"]):
        with pytest.raises(ValueError, match="numbered 0 to 1599"):
            lam.blurred(session, wrong)


def test_an_area_that_is_too_large_becomes_automatic(lam, runtime):
    found = Session()
    assert open_image(runtime, found, source(180, seed=4), ENLARGE, "Tiny-x4")
    values = lam.place(found, "whole", (0, 0, 16))
    assert values[lam.page.region] == "auto" and "too large" in status(lam, values)
    assert found.wanted.region[2:] == (64, 64)


def test_another_network_or_example_leaves_the_old_maps_theirs(session, lam, runtime):
    for image, mode, label in (
        (source(), ENLARGE, "Tiny-x2"),
        (from_example(EXAMPLES[0]), RESTORE, "Tiny-x4"),
    ):
        assert open_image(runtime, session, image, mode, label)
        told = status(lam, lam.start(session, "auto"))
        assert "Dimmed: maps of image 1, Tiny-x4" in told
        belongs_to_the_first_window(session)


def test_another_method_is_not_that_of_the_maps(session, lam):
    first = next(iter(lam.refresh(session, 4, "auto", "twin", "saliency", "live")))
    assert "Dimmed" in status(lam, first) and "4 steps" in status(lam, first)
    belongs_to_the_first_window(session)


def test_a_job_stopped_before_its_first_step_leaves_the_old_maps(session, lam):
    lam.place(session, "auto", (100, 90, 16))
    job = lam.refresh(session, 9, *SETTINGS[1:])
    next(job)
    assert lam.stop(session) == gr.skip()
    *_, last = job
    assert "Stopped before the first step" in status(lam, last)
    assert "Dimmed" in status(lam, last)
    belongs_to_the_first_window(session)


def test_a_job_stopped_on_its_way_shows_what_it_has(session, lam):
    lam.place(session, "auto", (100, 90, 16))
    job = lam.refresh(session, 100, *SETTINGS[1:])
    told = [status(lam, values) for values in islice(job, 3)]
    assert "of 100" in told[-1] and "Dimmed" not in told[-1]
    assert session.maps.window == Window(100, 90, 16) and session.maps.how.steps == 100
    lam.stop(session)
    *_, last = job
    assert "Stopped after" in status(lam, last) and "of 100 steps" in status(lam, last)
    with pytest.raises(ValueError, match="compute the maps first"):
        exported(session.maps)


def test_records_cannot_be_changed(session):
    with pytest.raises(AttributeError):
        session.maps.window = Window(0, 0, 4)
    with pytest.raises(AttributeError):
        session.opened.study = None


def test_a_change_of_matches_is_exported_as_it_was_shown(runtime):
    session = Session()
    open_image(runtime, session, source(), ENLARGE, "Tiny-x4")
    session.window = Window(24, 20, 16)
    network = runtime.catalogue.get("Tiny-x4")
    record = changed(runtime, record_at(runtime, session, 1), network, Change("off"))
    session.matches = record
    session.window = Window(100, 90, 16)  # moved on another page
    open_image(runtime, session, source(48, seed=2), ENLARGE, "Tiny-x4")
    data = export_matches.archive(runtime, session.matches, network)
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        effect = json.loads(packed.read("effect.json"))
        size = Image.open(io.BytesIO(packed.read("lr.png"))).size
    assert effect["window"] == [24, 20, 16] and effect["kind"] == "off" and size == (40, 40)
    assert "--window 24 20 16" in effect["command"]
    fresh = record_at(runtime, session, 1)
    assert fresh.change.nothing and not fresh.same(record)  # nothing of it enters the other image


def test_a_comparison_belongs_to_its_image(runtime):
    with gr.Blocks():
        page = SuperResolve(runtime, gr.State(Session()))
    session = Session()
    open_image(runtime, session, source(), ENLARGE, "Tiny-x4")
    page.first(session)
    scores = page.rest(session)
    next(scores)
    open_image(runtime, session, source(48, seed=2), ENLARGE, "Tiny-x4")
    assert session.comparison.study.name == "image 1"  # until the other one is shown
    page.first(session)
    assert session.comparison.study.name == "image 2"
    assert list(scores) == []  # the rest of the first would stand under the second


def test_two_pages_in_one_process_share_nothing(runtime, tmp_path):
    save_checkpoint(HPINet(TINY), tmp_path / "Other.safetensors")
    other = Runtime(Catalogue(tmp_path))
    pages = build(runtime), build(other)
    assert pages[0] is not pages[1]
    pixels = np.zeros((4, 4, 3), np.uint8)
    assert runtime.images.folder != other.images.folder
    kept = runtime.images.shown(pixels)
    gone = other.images.shown(pixels)
    other.close()
    assert Image.open(kept).size == (4, 4)
    with pytest.raises(FileNotFoundError):
        Image.open(gone)
    found = Session()
    open_image(runtime, found, source(), ENLARGE, "Tiny-x4")  # the first one goes on
    network = runtime.catalogue.get("Tiny-x4")
    study, window, region = found.opened.study, Window(0, 0, 8), (0, 0, 40, 40)
    assert list(runtime.attribution.attributed(study, network, "bicubic", window, region))
    assert list(other.attribution.attributed(study, network, "bicubic", window, region)) == []
