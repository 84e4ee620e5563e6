"""The page's parts without a browser: sentences, sessions, regions, and the API."""

from __future__ import annotations

import dataclasses
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.catalogue import without_networks
from PIL import Image

from hpinet import HPINet, HPINetConfig, Picture, PictureError, UserError
from hpinet.networks.files import save_checkpoint
from lam import LocalAttribution, Window
from ui.compute.maps.attribution import Attribution
from ui.compute.super_resolution import Restored, SuperResolution
from ui.events.handlers import is_outdated, sentence, with_user_errors
from ui.networks.model_catalogue import Catalogue
from ui.networks.network import BOTH, SWITCHED_OFF, TWIN
from ui.state.examples import EXAMPLES, draw_facade
from ui.state.inputs import ENLARGE, RESTORE, Source, from_example, from_file, make_study
from ui.state.options import How
from ui.state.region import region_around
from ui.state.session import Session, clamped_window, default_window
from ui.storage.cache import Cache, size_in_bytes
from ui.storage.file_store import FileStore, ImageStore
from ui.views import text

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with a tiny random network, its twin, and one without a twin."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    save_checkpoint(HPINet(TINY), folder / "Tiny-x4.safetensors")
    save_checkpoint(HPINet(TINY.without_gpa()), folder / "Tiny-x4-no-gpa.safetensors")
    save_checkpoint(HPINet(TINY.with_scale(2)), folder / "Lone-x2.safetensors")
    return folder


@pytest.fixture
def catalogue(weights, monkeypatch, tmp_path):
    without_networks(monkeypatch, tmp_path)
    return Catalogue(weights)


def result(pixels, jumps, start=1.0, change=100.0):
    """A finished attribution with given parts."""
    network = lambda x: torch.nn.functional.interpolate(x, scale_factor=2)  # noqa: E731
    found = LocalAttribution(network).attribute(torch.rand(1, 3, 8, 8), Window(0, 0, 4), n_steps=1)
    attribution = np.full((3, 8, 8), pixels / 192, np.float32)
    return dataclasses.replace(
        found, attribution=attribution, match_jumps=jumps, detector_start=start,
        detector_end=start + change, switches=object(),
    )  # fmt: skip


def test_the_balance_adds_up_to_a_hundred():
    assert text.balance(result(87.0, 12.0)) == (
        "Of 100 parts of the change, **87 are explained by pixels**, 12 by matches that switched; "
        "1 is unaccounted for."
    )
    assert "-20 by matches that switched (they worked against it); 5 are" in text.balance(
        result(115.0, -20.0)
    )


def test_the_balance_of_nothing_and_of_an_unfinished_map():
    assert "no change to explain" in text.balance(result(0.0, 0.0, change=0.0))
    unfinished = dataclasses.replace(result(1.0, math.nan), progress=0.5)
    assert "at the end" in text.balance(unfinished)


def test_popularity_names_the_hub():
    assert text.popularity([3, 3, 3, 0]).startswith("**3 of 4 patches (75%) chose the same target")
    assert "hub" in text.popularity([3, 3, 3, 0])
    assert "hub" not in text.popularity([1, 2, 3, 0])
    assert "only match itself" in text.popularity([0])


def test_a_patch_is_named_by_row_and_column():
    origins = np.array([[0, 0], [0, 4], [4, 0], [4, 4]])
    assert text.position(2, origins) == "row 2, column 1"


def test_examples_are_the_same_every_time_and_offline():
    for example in EXAMPLES:
        pixels = example.pixels()
        assert pixels.shape == (256, 256, 3) and pixels.dtype == np.uint8
        left, top, size = example.window
        assert left + size <= 256 and top + size <= 256
        assert pixels[top : top + size, left : left + size].std() > 5  # something to explain
    np.testing.assert_array_equal(draw_facade(), draw_facade())


def test_restore_shrinks_and_keeps_the_original():
    source = Source("odd", Picture(torch.rand(1, 3, 31, 46)))
    study = make_study(source, RESTORE, 4)
    assert study.size == (7, 11) and study.hr.shape == (28, 44, 3)
    assert "cropped to 44x28" in study.notes[0]
    assert make_study(source, ENLARGE, 4).hr is None
    assert make_study(source, ENLARGE, 4).key != study.key


def test_the_key_follows_the_content():
    source = from_example(EXAMPLES[0])
    assert make_study(source, RESTORE, 4).key == make_study(source, RESTORE, 4).key
    assert (
        make_study(from_example(EXAMPLES[1]), RESTORE, 4).key != make_study(source, RESTORE, 4).key
    )


def test_windows_are_put_inside():
    assert clamped_window(-5, 1000, 16, 256, 128) == Window(0, 240, 16)
    assert clamped_window(3, 3, 500, 20, 30) == Window(3, 0, 20)
    assert clamped_window(0, 0, 16, 1, 1) == Window(0, 0, 1)
    for wrong in (None, math.nan, math.inf, "NaN", "left", [1]):
        with pytest.raises(ValueError, match="three numbers"):
            clamped_window(wrong, 0, 16, 10, 10)


def test_uploads_are_kept_to_switch_between():
    session = Session()
    assert session.add_files(["a", "b", "a"]) == 0
    assert session.files == ("a", "b")
    assert session.add_files(["a", "b", "c"]) == 2  # the first that is new is shown
    assert session.add_files(["b"]) == 1
    session.add_files([str(n) for n in range(100)])
    assert len(session.files) == 24


def test_an_uploads_first_window_is_where_the_detail_is():
    sr = np.full((64, 64, 3), 90, np.uint8)
    sr[40:50:2, 20:30] = 255
    source = Source("x", Picture(torch.rand(1, 3, 16, 16)))
    window = default_window(source, make_study(source, ENLARGE, 4), sr, 4, size=12)
    assert window.left <= 20 and window.left + 12 >= 30
    assert window.top <= 41 and window.top + 12 >= 49


def test_regions_hold_the_window():
    assert region_around(Window(100, 100, 16), "auto", (64, 64), 4) == (0, 0, 64, 64)
    assert region_around(Window(800, 0, 16), "auto", (300, 300), 4) == (170, 0, 64, 64)
    assert region_around(Window(0, 0, 16), "96", (50, 200), 4) == (0, 0, 50, 96)
    with pytest.raises(ValueError, match="too large to be attributed"):
        region_around(Window(0, 0, 16), "whole", (300, 300), 4)
    with pytest.raises(ValueError, match="region is auto"):
        region_around(Window(0, 0, 16), "9999", (300, 300), 4)


def test_the_bundled_networks_begin_with_the_default_and_hide_their_twins():
    labels = Catalogue().labels
    assert labels[:3] == ["HPINet-S-x4", "HPINet-S-x2", "HPINet-S-x3"]
    assert not any("no-gpa" in label for label in labels)


def test_twins_stay_with_their_network(catalogue):
    assert catalogue.labels == ["Lone-x2", "Tiny-x4"]
    tiny, lone = catalogue.get("Tiny-x4"), catalogue.get("Lone-x2")
    assert tiny.ways_without == (TWIN, SWITCHED_OFF) and lone.ways_without == (SWITCHED_OFF,)
    assert lone.way(TWIN) == SWITCHED_OFF
    assert [tiny.ways(way) for way in (TWIN, SWITCHED_OFF, BOTH)] == [
        (TWIN,),
        (SWITCHED_OFF,),
        (TWIN, SWITCHED_OFF),
    ]
    assert lone.ways(BOTH) == lone.ways(TWIN) == (SWITCHED_OFF,)
    assert not tiny.without(TWIN).config.gpa and tiny.without(SWITCHED_OFF).model is tiny.model


def test_a_lone_network_without_gpa_is_offered(tmp_path, monkeypatch):
    without_networks(monkeypatch, tmp_path / "none")
    (tmp_path / "none").mkdir()
    save_checkpoint(HPINet(TINY.without_gpa()), tmp_path / "A-no-gpa.safetensors")
    found = Catalogue(tmp_path)
    assert found.labels == ["A-no-gpa"]
    assert found.get("A-no-gpa").ways_without == () and found.get("A-no-gpa").way(TWIN) is None
    assert found.get("A-no-gpa").ways(BOTH) == ()


def test_no_weights_and_no_folder_are_sentences(tmp_path, monkeypatch):
    without_networks(monkeypatch, tmp_path)
    with pytest.raises(ValueError, match="no weights were found"):
        Catalogue(None)
    with pytest.raises(ValueError, match="there is no folder"):
        Catalogue(tmp_path / "missing")


def test_the_crops_map_equals_that_of_the_crop(catalogue):
    network = catalogue.get("Tiny-x4")
    study = make_study(Source("x", Picture(torch.rand(1, 3, 120, 110))), ENLARGE, 4)
    window = Window(200, 240, 8)
    region = region_around(window, "auto", study.size, 4)
    attribution = Attribution()
    *_, found = attribution.attributed(study, network, None, window, region, How(4))
    left, top, height, width = region
    crop = study.lr.rgb[..., top : top + height, left : left + width]
    inner = Window(window.left - 4 * left, window.top - 4 * top, 8)
    expected = LocalAttribution(network.model).attribute(crop, inner, n_steps=4)
    np.testing.assert_allclose(found.attribution, expected.attribution, atol=1e-6)
    again = list(attribution.attributed(study, network, None, window, region, How(4)))
    assert again == [found]  # known by content


def test_the_cache_forgets_what_was_unused_for_longest():
    cache = Cache(2)
    for key in "ab":
        cache.put(key, key)
    cache.get("a")
    cache.put("c", "c")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == ("a", None, "c")


def test_the_cache_forgets_by_bytes_but_keeps_the_newest():
    cache = Cache(9, limit=100)
    for key, size in (("a", 40), ("b", 40), ("c", 20)):
        cache.put(key, np.zeros(size, np.uint8))
    assert all(key in cache for key in "abc")  # the limit itself still fits
    cache.get("a")
    cache.put("d", np.zeros(1, np.uint8))
    assert [key in cache for key in "abcd"] == [True, False, True, True]
    cache.put("a", np.zeros(90, np.uint8))  # another value of a key counts instead of the old one
    assert [key in cache for key in "acd"] == [True, False, True]
    huge = cache.put("e", np.zeros(1000, np.uint8))
    assert cache.get("e") is huge and "a" not in cache and "d" not in cache
    cache.put("f", np.zeros(100, np.uint8))
    assert "e" not in cache and "f" in cache


def test_a_kept_result_counts_what_it_keeps_alive():
    image = Picture(torch.rand(1, 3, 10, 20), torch.rand(1, 1, 10, 20), ("a note",))
    restored = Restored(image, np.zeros((10, 20, 3), np.uint8), 0.5)
    assert size_in_bytes(restored) == 10 * 20 * (3 * 4 + 4 + 3)
    assert size_in_bytes({"view": torch.zeros(100)[:1], "more": [np.zeros(3)]}) == 400 + 24
    found = result(87.0, 12.0)
    assert size_in_bytes(found) == sum(
        a.nbytes for a in (found.attribution, found.path_alphas, found.path_values)
    )
    assert size_in_bytes(How()) == 0 and size_in_bytes(How) == 0


def test_restored_images_are_bounded_by_bytes(catalogue):
    # Colours in floating point and in 8 bit, twice.
    super_resolved = SuperResolution(limit=2 * 40 * 48 * 15)
    network = catalogue.get("Tiny-x4")
    studies = [
        make_study(Source("x", Picture(torch.rand(1, 3, 10, 12))), ENLARGE, 4) for _ in range(3)
    ]
    found = [super_resolved(study, network) for study in studies]
    assert super_resolved(studies[2], network) is found[2]
    assert super_resolved(studies[1], network) is found[1]
    assert super_resolved(studies[0], network) is not found[0]  # was forgotten


def test_errors_become_sentences_without_folders_or_markup():
    assert sentence(UserError("cannot read /srv/secret/a.png: <b>bad</b>")) == (
        "Cannot read a.png: &lt;b&gt;bad&lt;/b&gt;."
    )
    for fault in (RuntimeError("/srv/secret exploded"), ValueError("shapes (2,) and (3,)")):
        assert "server's log" in sentence(fault)
        assert "secret" not in sentence(fault)


def test_spoken_keeps_generators_generators():
    import gradio as gr

    @with_user_errors
    def count():
        yield 1
        raise UserError("no more")

    running = count()
    assert next(running) == 1
    with pytest.raises(gr.Error, match="No more"):
        next(running)


def test_files_too_large_or_broken_are_refused(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(PictureError, match=r"text\.png"):
        from_file(str(tmp_path / "text.png"), RESTORE)
    Image.new("L", (2000, 1500)).save(tmp_path / "large.png")
    with pytest.raises(PictureError, match=r"limit is 2 million.*hpinet upscale"):
        from_file(str(tmp_path / "large.png"), RESTORE)
    with pytest.raises(PictureError, match=r"0\.25 million.* Tick"):
        make_study(Source("x", Picture(torch.rand(1, 3, 600, 600))), ENLARGE, 4)
    with pytest.raises(ValueError, match="restore or enlarge"):
        from_file(str(tmp_path / "large.png"), "sharpen")


def test_a_shown_image_is_one_whole_file():
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20, 3), np.uint8)
    images = ImageStore("test-images-")
    path = images.shown(pixels)
    assert np.array_equal(np.asarray(Image.open(path)), pixels)
    written = Path(path).stat().st_ino
    assert images.shown(pixels.copy()) == path and Path(path).stat().st_ino == written
    assert images.shown(pixels[::-1]) != path
    small = ImageStore("test-images-", limit=Path(path).stat().st_size * 3 // 2)
    small.shown(pixels)
    last = small.shown(pixels[:, ::-1])  # room for one: the older one goes
    assert [p.name for p in small.folder.iterdir()] == [Path(last).name]
    images.close()
    assert not Path(path).exists()


def test_a_click_that_was_overtaken_is_told():
    session = Session()
    assert not is_outdated(session, "image", 10.0)
    assert not is_outdated(session, "image", 30.0)
    assert is_outdated(session, "image", 20.0)
    assert not is_outdated(session, "gallery", 20.0)


def test_the_middle_of_what_is_too_large_is_taken_when_asked_for(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (1500, 2000, 4), np.uint8)
    pixels[..., 3] |= 4  # visible, all of them
    Image.fromarray(pixels).save(tmp_path / "large.png")
    source = from_file(str(tmp_path / "large.png"), ENLARGE, middle=True)
    restored, enlarged = make_study(source, RESTORE, 4), make_study(source, ENLARGE, 4)
    assert "the middle 1414x1414 of 2000x1500 pixels taken" in restored.notes
    assert restored.hr.shape == (1412, 1412, 3) and enlarged.size == (500, 500)
    assert "the middle 500x500 of 2000x1500 pixels taken" in enlarged.notes
    expected = pixels[500:1000, 750:1250]
    assert np.array_equal(
        (enlarged.lr.rgb[0] * 255).round().numpy(), expected[..., :3].transpose(2, 0, 1)
    )
    assert np.array_equal((enlarged.lr.alpha[0, 0] * 255).round().numpy(), expected[..., 3])
    Image.fromarray(pixels[:4, :, :3].repeat(200, 1)).save(tmp_path / "thin.png")
    thin = make_study(from_file(str(tmp_path / "thin.png"), ENLARGE, middle=True), ENLARGE, 4)
    assert thin.size == (4, 4096)
    with pytest.raises(PictureError, match="up to 4096 a side"):
        make_study(Source("x", Picture(torch.rand(1, 3, 4, 5000))), ENLARGE, 4)


def test_old_files_are_deleted():
    import os
    import time

    store = FileStore("test-files-", limit=15, lifetime=3600)
    for name, age in (("old", 7200), ("new", 60)):
        path = store.write(f"folder/{name}", b"x" * 10)
        os.utime(path, (time.time() - age,) * 2)
    store.tidy()
    assert [p.name for p in store.folder.rglob("*") if p.is_file()] == ["new"]
    store.write("newest", b"x" * 10)
    assert [p.name for p in store.folder.rglob("*") if p.is_file()] == ["newest"]


def test_what_many_ask_for_is_computed_once():
    cache, started, go = Cache(2), threading.Event(), threading.Event()
    computed = []

    def work():
        started.set()
        go.wait(30)
        computed.append(1)
        return "value"

    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(cache.compute, "key", work) for _ in range(3)]
        started.wait(30)
        go.set()
        assert [a.result(30) for a in asked] == ["value"] * 3
    assert len(computed) == 1
    with pytest.raises(ZeroDivisionError):
        cache.compute("bad", lambda: 1 // 0)
    assert cache.compute("bad", lambda: 2) == 2  # errors are not kept
