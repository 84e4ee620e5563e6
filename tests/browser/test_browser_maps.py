"""Pages 2 and 3 in a real browser: maps, matches, and what happens when matches are changed."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from helpers.browser import (
    choose,
    click_at,
    control,
    hover_at,
    number,
    says,
    screenshot,
    set_steps,
    settled,
    shown,
    status,
    tab,
    upload,
    visitor,
)
from PIL import Image

pytestmark = pytest.mark.browser


def opened(page, steps=4):
    """Page 2 with finished maps of a few steps."""
    tab(page, "Receptive field")
    set_steps(page, steps)
    page.locator("#lam-run").click()
    status(page, f"Done: {steps} steps")
    settled(page, "maps")


def matches(page):
    """Page 3 with matches on it."""
    tab(page, "Matched patches")
    shown(page, "matches")


def check(page, group, label):
    page.locator(f"#{group}").get_by_role("radio", name=label, exact=True).click()


def words(page, pane):
    return page.locator(f"#maps figure[data-pane=map-{pane}] .words").inner_text()


def exported(page, button, path):
    with page.expect_download() as download:
        page.locator(f"#{button}").click()
    download.value.save_as(path)
    return download.value, zipfile.ZipFile(path)


def test_three_maps_and_their_figures(page):
    opened(page)
    found = [words(page, name) for name in ("with", "without", "bicubic")]
    indices = [float(re.search(r"Diffusion index ([\d.]+)", text)[1]) for text in found]
    assert indices[0] != indices[1] and indices[2] < indices[1]
    assert "50 / 80 / 95% of the importance" in found[0]
    assert "Of 100 parts of the change" in found[0] and "lies in matched patches" in found[0]
    says(page, "costs", "64x64 about")


def test_effects_stand_beside_attribution(page, tmp_path):
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (10, 12, 3), dtype=np.uint8))
    small.resize((48, 40), Image.Resampling.BICUBIC).save(tmp_path / "small.png")
    upload(page, "upload", tmp_path / "small.png")
    says(page, "shown", "Shown: small")
    tab(page, "Receptive field")
    choose(page, "method", "Causal effect beside LAM: does it help?")
    page.wait_for_function(
        "/Done: .* replacements of blocks/.test(document.querySelector('#lam-status').innerText)"
    )
    view = control(page, "maps", "view")
    assert view.input_value() == "effect"
    assert "was to its advantage" in words(page, "bicubic")
    assert page.locator("#maps .scatters canvas").count() == 3
    left, top, size = (number(page, f"lam-{name}") for name in ("left", "top", "size"))
    hover_at(page, "maps", min(left + size + 1, 47), top + size // 2)
    said = page.locator("#maps .read").inner_text()
    assert re.search(r"bicubic: this block (adds|takes|has no effect).* dB.*rank \d+ by attr", said)
    assert "helps" in page.locator("#maps .legend").inner_text()
    view.select_option("importance")
    assert "Diffusion index" in words(page, "bicubic")
    assert not page.locator("#maps .scatters").count()


def test_both_ways_to_be_without_gpa_side_by_side(page, tmp_path):
    opened(page)
    assert page.locator("#maps figure").count() == 4
    choose(page, "without", "both, side by side")
    page.wait_for_function("document.querySelectorAll('#maps figure').length == 5")
    status(page, "Done: 4 steps")
    page.wait_for_function(
        "document.querySelector('#maps figure[data-pane=map-with] .words').innerText"
        ".includes('trained without it and')"
    )
    boxes = [page.locator("#maps canvas").nth(i).bounding_box() for i in range(5)]
    assert len({round(box["y"]) for box in boxes}) == 1  # in one row
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    page.get_by_role("button", name="All figures").click()
    _, packed = exported(page, "export", tmp_path / "maps.zip")
    parameters, names = json.loads(packed.read("parameters.json")), packed.namelist()
    commands = parameters["commands"]
    assert "Tiny-x4-no-gpa.safetensors" in commands["without_gpa"]
    assert "Tiny-x4.safetensors --no-gpa" in commands["without_gpa_same_weights"]
    assert {f"without_gpa_same_weights{e}" for e in (".npz", ".png", "_path.png")} <= set(names)
    index = parameters["without_gpa_same_weights"]["diffusion_index"]
    assert f"Diffusion index {index:.1f}" in words(page, "fourth")


def test_another_method_is_computed_and_named(page):
    opened(page)
    page.locator("#method input").click()
    page.get_by_role("option", name="Saliency").click()
    status(page, "Done: ")
    says(page, "maps", "keeps no account")
    # Steps are LAM's alone.
    page.wait_for_function("document.querySelector('#steps input[type=number]').disabled")


def test_the_zip_is_saved_by_one_click(page, tmp_path):
    opened(page)
    control(page, "maps", "colours").select_option("viridis")
    control(page, "maps", "root").click()
    page.get_by_role("button", name="All figures").click()
    download, packed = exported(page, "export", tmp_path / "maps.zip")
    assert {"lr.png", "with_gpa.npz", "without_gpa.npz"} <= set(packed.namelist())
    parameters = json.loads(packed.read("parameters.json"))
    seen = [parameters["drawing"][name] for name in ("palette", "colours", "end")]
    assert seen == ["viridis", "linear", 99.5]  # as on the screen
    commands = parameters["commands"]
    assert "--window 88 80 16 --model Tiny-x4.safetensors" in commands["with_gpa"]
    Path(unquote(download.url.split("file=")[1])).unlink()  # as happens after an hour
    _, again = exported(page, "export", tmp_path / "again.zip")
    assert json.loads(again.read("parameters.json"))["commands"] == commands


def dimmed(page, pane):
    figure = page.locator(f"#maps figure[data-pane={pane}]")
    return "dimmed" in (figure.get_attribute("class") or "")


def test_maps_of_another_window_are_dimmed_and_exported_as_theirs(page, browser, url, tmp_path):
    opened(page)
    assert not dimmed(page, "map-with")
    with visitor(browser, url) as other:
        opened(other)
        set_steps(other, 100)
        other.locator("#lam-run").click()
        status(other, "of 100")
        click_at(page, "maps", 200, 60)
        status(page, "1 job is before yours")
        page.wait_for_function("document.querySelectorAll('#maps figure.dimmed').length == 3")
        says(page, "maps", "window of 16 pixels at (88, 80)")
        assert number(page, "lam-left") > 180  # what is chosen
        assert not dimmed(page, "image")
        page.locator("#lam-stop").click()
        status(page, "Stopped before it began")
        assert dimmed(page, "map-with")
        screenshot(page, "stopped-before-it-began")
        # Somebody else's finished example does not wait in line.
        page.locator("#examples button.thumbnail-item").nth(0).click()
        status(page, "Done: 4 steps")
        page.get_by_role("button", name="All figures").click()
        _, packed = exported(page, "export", tmp_path / "maps.zip")
        other.locator("#lam-stop").click()
    assert "--window 88 80 16" in json.loads(packed.read("parameters.json"))["commands"]["with_gpa"]


def test_an_intervention_changes_the_window_and_reset_restores(page):
    matches(page)
    check(page, "place", "all")
    check(page, "kind", "a random patch")
    says(page, "match-prompt", "Random matches (seed 0) in all blocks")
    says(page, "effect", "PSNR-Y here")
    shown(page, "effect-view")
    assert float(page.locator("#effect td").all_inner_texts()[2].split("/")[1]) > 0
    page.locator("#seed input").fill("7")
    page.locator("#seed input").press("Enter")
    says(page, "match-prompt", "seed 7")
    control(page, "matches", "reset").click()
    says(page, "match-prompt", "The patch follows the pointer")
    page.wait_for_function("!document.querySelector('#effect').innerText.includes('PSNR')")


def test_forced_matches_are_listed_and_undone(page):
    matches(page)
    says(page, "matches", "The patch at")  # the numbers are there
    hover_at(page, "matches", 20, 20)
    page.locator("#matches canvas").first.focus()
    page.keyboard.press("f")
    says(page, "matches", "Click the patch that row 1, column 1 shall attend to")
    click_at(page, "matches", 236, 20)
    says(page, "match-prompt", "row 1, column 1 → row 1, column 7")
    says(page, "matches", "Forced so far")
    page.get_by_role("button", name="undo: block 1: row 1, column 1").click()
    says(page, "match-prompt", "The patch follows the pointer")


def test_the_diffusion_index_of_a_change_on_request(page):
    opened(page)
    matches(page)
    check(page, "kind", "themselves (GPA off)")
    says(page, "match-prompt", "GPA off")
    page.locator("#measure").click()
    says(page, "spread", "with the change")


def test_the_reach_of_a_pixel_is_drawn_on_request(page):
    matches(page)
    page.get_by_role("button", name="Reach (Fig. 4)").click()
    says(page, "reached", "cascaded")


def test_what_does_not_work_is_a_sentence_and_not_chosen(page):
    page.locator("#mode").get_by_text("Enlarge").click()
    says(page, "notes", "no original")
    matches(page)
    check(page, "kind", "the best by HR")
    page.get_by_text("need an original").wait_for()
    page.wait_for_function(
        "document.querySelector('#kind input:checked').parentElement.innerText.includes('own')"
    )
