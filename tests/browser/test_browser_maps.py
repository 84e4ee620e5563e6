"""Pages 2 and 3 in a real browser: maps, matches, and what happens when matches are changed."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pytest
from helpers.browser import (
    choose,
    click_at,
    number,
    picture,
    says,
    set_steps,
    settled,
    status,
    tab,
    visitor,
)

pytestmark = pytest.mark.browser


def opened(page, steps=4):
    """Page 2 with finished maps of a few steps."""
    tab(page, "Receptive field")
    set_steps(page, steps)
    page.locator("#lam-run").click()
    status(page, f"Done: {steps} steps")


def check(page, group, label):
    page.locator(f"#{group}").get_by_role("radio", name=label, exact=True).click()


def source(page, name):
    return page.locator(f"#{name} img").get_attribute("src")


def changed(page, name, before):
    page.wait_for_function(
        "([n, old]) => { const i = document.querySelector(`#${n} img`);"
        " return i && i.getAttribute('src') != old }",
        arg=[name, before],
    )


def indices(page):
    texts = [page.locator(f"#{name}-words").inner_text() for name in ("with", "without", "third")]
    return [float(re.search(r"Diffusion index ([\d.]+)", text)[1]) for text in texts]


def test_three_maps_and_their_figures(page):
    opened(page)
    with_gpa, without, bicubic = indices(page)
    assert with_gpa != without and bicubic < without
    text = page.locator("#with-words").inner_text()
    assert "50 / 80 / 95% of the importance" in text and "Of 100 parts of the change" in text
    says(page, "costs", "64x64 about")
    assert page.locator("#colours").bounding_box()["y"] + 76 <= 900


def test_both_ways_to_be_without_gpa_side_by_side(page, tmp_path):
    opened(page)
    assert page.locator("#fourth-map").count() == 0
    choose(page, "without", "both, side by side")
    page.locator("#fourth-map img").wait_for()
    status(page, "Done: 4 steps")
    found = {}
    for name in ("with", "without", "fourth", "third"):
        box = page.locator(f"#{name}-map").bounding_box()
        found[name] = (box["x"], box["y"], page.locator(f"#{name}-words").inner_text())
        assert box["width"] >= 180
    assert sorted(found, key=lambda n: found[n][0]) == list(found)  # in a row, in this order
    assert len({place[1] for place in found.values()}) == 1
    assert "Without GPA: trained so" in page.locator("#without-map").inner_text()
    assert "Without GPA: switched off" in page.locator("#fourth-map").inner_text()
    assert len({re.search(r"index ([\d.]+)", text)[1] for *_, text in found.values()}) == 4
    check(page, "third", "difference")  # whose scale takes another line
    says(page, "third-words", "of the importance lies elsewhere")
    says(page, "legend", "more with GPA")
    assert page.locator("#colours").bounding_box()["y"] + 76 <= 900
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    page.get_by_role("button", name="All figures").click()
    with page.expect_download() as download:
        page.locator("#export").click()
    download.value.save_as(tmp_path / "maps.zip")
    with zipfile.ZipFile(tmp_path / "maps.zip") as packed:
        parameters = json.loads(packed.read("parameters.json"))
        names = packed.namelist()
    commands = parameters["commands"]
    assert "Tiny-x4-no-gpa.safetensors" in commands["without_gpa"]
    assert "Tiny-x4.safetensors --no-gpa" in commands["without_gpa_same_weights"]
    assert {f"without_gpa_same_weights{e}" for e in (".npz", ".png", "_path.png")} <= set(names)
    index = parameters["without_gpa_same_weights"]["diffusion_index"]
    assert f"Diffusion index {index:.1f}" in found["fourth"][2]
    choose(page, "network", "Without-a-twin")  # which leaves one way
    page.wait_for_function("!document.querySelector('#fourth-map')")
    status(page, "Done: 4 steps")
    assert "same weights, switched off" in page.locator("#without-map").inner_text()


def test_views_and_the_difference_redraw_the_maps(page):
    opened(page)
    page.locator("#third-map img").wait_for()
    before, third = source(page, "with-map"), source(page, "third-map")
    check(page, "view", "signed")
    changed(page, "with-map", before)
    says(page, "legend", "takes away")
    before = source(page, "with-map")
    check(page, "view", "areas of interest")
    changed(page, "with-map", before)
    says(page, "legend", "fine area")
    check(page, "third", "difference")
    says(page, "third-words", "of the importance lies elsewhere")
    assert source(page, "third-map") != third


def test_another_method_is_computed_and_named(page):
    opened(page)
    page.get_by_role("button", name="Advanced").click()
    page.locator("#method input").click()
    page.get_by_role("option", name="Saliency").click()
    status(page, "Done: ")
    says(page, "with-words", "keeps no account")


def test_the_path_shows_the_matches_that_switch(page):
    opened(page)
    page.get_by_role("button", name="From blurred to sharp").click()
    says(page, "switched", "At 1, 0% of the patches attend to another")
    page.locator("#alpha input[type=number]").fill("0")
    page.locator("#alpha input[type=number]").press("Enter")
    says(page, "switched", "At 0, ")
    for name in ("path-picture", "path-window", "path-figure"):
        page.locator(f"#{name} img").wait_for()
    before = source(page, "path-window"), source(page, "path-figure")
    click_at(page, "lam-picture", 200, 60)  # another window: the open pane follows
    changed(page, "path-window", before[0])
    status(page, "Done: 4 steps")
    changed(page, "path-figure", before[1])


def test_the_zip_is_saved_by_one_click(page, tmp_path):
    opened(page)
    page.get_by_role("button", name="All figures").click()
    with page.expect_download() as download:
        page.locator("#export").click()
    download.value.save_as(tmp_path / "maps.zip")
    with zipfile.ZipFile(tmp_path / "maps.zip") as packed:
        assert {"lr.png", "with_gpa.npz", "without_gpa.npz"} <= set(packed.namelist())
        commands = json.loads(packed.read("parameters.json"))["commands"]
    assert "--window 88 80 16 --model Tiny-x4.safetensors" in commands["with_gpa"]
    served = Path(unquote(download.value.url.split("file=")[1]))
    served.unlink()  # as happens after an hour
    with page.expect_download() as again:
        page.locator("#export").click()
    again.value.save_as(tmp_path / "again.zip")
    with zipfile.ZipFile(tmp_path / "again.zip") as packed:
        assert json.loads(packed.read("parameters.json"))["commands"] == commands


def dimmed(page, name):
    return page.evaluate(f"getComputedStyle(document.querySelector('#{name}')).opacity") < "0.9"


def test_maps_of_another_window_are_dimmed_and_exported_as_theirs(page, browser, url, tmp_path):
    opened(page)
    assert not dimmed(page, "with-column") and page.locator("#lam-status .stale").count() == 0
    with visitor(browser, url) as other:
        opened(other)
        set_steps(other, 100)
        other.locator("#lam-run").click()
        status(other, "of 100")
        click_at(page, "lam-picture", 200, 60)
        status(page, "1 job is before yours")
        status(page, "window of 16 pixels at (88, 80)")
        assert number(page, "lam-left") > 180  # what is chosen
        assert dimmed(page, "with-column") and not dimmed(page, "lam-picture")
        before = source(page, "with-map")
        page.locator("#strength input[type=number]").fill("1")
        page.locator("#strength input[type=number]").press("Enter")
        changed(page, "with-map", before)  # the old maps, drawn anew, with their own window
        page.locator("#lam-stop").click()
        status(page, "Stopped before it began")
        assert dimmed(page, "with-column")
        picture(page, "stopped-before-it-began")
        page.get_by_role("button", name="All figures").click()
        with page.expect_download() as download:
            page.locator("#export").click()
        download.value.save_as(tmp_path / "maps.zip")
        other.locator("#lam-stop").click()
        status(other, "Stopped after")
    with zipfile.ZipFile(tmp_path / "maps.zip") as packed:
        parameters = json.loads(packed.read("parameters.json"))
    assert "--window 88 80 16" in parameters["commands"]["with_gpa"]
    assert parameters["drawing"]["strength"] == 1
    page.locator("#lam-run").click()
    status(page, "Done: 4 steps")
    assert not dimmed(page, "with-column") and page.locator("#lam-status .stale").count() == 0


def test_an_intervention_changes_the_window_and_reset_restores(page):
    tab(page, "Matched patches")
    page.locator("#match-picture img").wait_for()
    tab(page, "Change matches")
    page.locator("#after img").wait_for()
    normal, own = source(page, "after"), source(page, "match-picture")
    assert normal == source(page, "before")
    check(page, "place", "all")
    check(page, "kind", "a random patch")
    changed(page, "after", normal)
    says(page, "match-prompt", "Random matches (seed 0) in all blocks")
    assert source(page, "before") == normal
    says(page, "effect", "PSNR-Y here")
    numbers = page.locator("#effect td").all_inner_texts()
    assert float(numbers[2].split("/")[1]) > 0  # the largest change in the picture
    random = source(page, "after")
    page.locator("#seed input").fill("7")
    page.locator("#seed input").press("Enter")
    changed(page, "after", random)
    page.locator("#reset").click()
    says(page, "match-prompt", "Click a patch to see what it attends to")
    page.wait_for_function(
        "old => document.querySelector('#after img').getAttribute('src') == old", arg=normal
    )
    assert source(page, "match-picture") == own


def test_two_clicks_force_a_match(page):
    tab(page, "Matched patches")
    page.locator("#match-picture img").wait_for()
    tab(page, "Change matches")
    page.locator("#after img").wait_for()
    check(page, "effect-place", "clicked patch")
    check(page, "kind", "a patch I choose: two clicks")
    says(page, "match-prompt", "Click 1 of 2")
    click_at(page, "match-picture", 20, 20)
    says(page, "match-prompt", "Click 2 of 2")
    says(page, "match-prompt", "row 1, column 1")
    click_at(page, "match-picture", 236, 20)
    says(page, "match-prompt", "row 1, column 1 → row 1, column 7")
    tab(page, "Its match")
    says(page, "pair", "row 1, column 7")
    tab(page, "Change matches")
    page.wait_for_function(
        "document.querySelector('#before img').src != document.querySelector('#after img').src"
    )
    page.locator("#reset").click()
    says(page, "match-prompt", "Click a patch to see what it attends to")
    page.wait_for_function(
        "document.querySelector('#before img').src == document.querySelector('#after img').src"
    )
    assert number(page, "match-x") == 24  # the middle of the patch whose match was forced


def test_the_diffusion_index_of_a_change_on_request(page):
    opened(page)
    tab(page, "Matched patches")
    tab(page, "Change matches")
    check(page, "kind", "themselves (GPA off)")
    says(page, "match-prompt", "GPA off")
    page.locator("#measure").click()
    says(page, "spread", "with the change")


def test_every_pane_of_the_matches_fits_the_screen(page):
    tab(page, "Matched patches")
    page.locator("#match-picture img").wait_for()
    says(page, "runners", "no. 2")
    for name, last in (
        ("This block", "#distance"),
        ("All blocks (Fig. 8)", "#pair-rows"),
        ("Reach (Fig. 4)", "#reach"),
        ("Change matches", "#spread"),
    ):
        tab(page, name)
        box = page.locator(last)
        if last != "#spread":
            page.locator(f"{last} img").wait_for()
        place = box.bounding_box()
        assert place["y"] + place["height"] <= 900, name
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    says(page, "reached", "cascaded")


@pytest.mark.parametrize("view", [(800, 1000, "dark")], indirect=True)
def test_panes_do_not_overflow_a_narrow_page(page):
    tab(page, "Receptive field")
    for box in ("From blurred to sharp", "Advanced", "All figures"):
        page.get_by_role("button", name=box).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 800
    tab(page, "Matched patches")
    for name in ("Change matches", "This block", "All blocks (Fig. 8)", "Reach (Fig. 4)"):
        tab(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 800, name


def test_clicks_on_an_enlarged_small_picture_hit_the_right_pixel(page, tmp_path):
    from PIL import Image

    Image.new("RGB", (40, 24), (90, 120, 60)).save(tmp_path / "small.png")
    page.locator("#mode").get_by_text("Enlarge").click()
    says(page, "notes", "no original")
    page.locator("#upload input[type=file]").set_input_files(str(tmp_path / "small.png"))
    tab(page, "Matched patches")
    page.wait_for_function("document.querySelector('#match-picture img')?.naturalWidth == 960")
    image = settled(page, "match-picture")  # 160x96 SR pixels, each drawn six times
    box = image.bounding_box()
    width = min(box["width"], box["height"] * 160 / 96)
    left, top = (box["width"] - width) / 2, (box["height"] - width * 96 / 160) / 2
    image.click(position={"x": left + 131.5 / 160 * width, "y": top + 70.5 / 160 * width})
    page.wait_for_function("Math.abs(document.querySelector('#match-x input').value - 131) <= 1")
    assert abs(number(page, "match-y") - 70) <= 1


def test_what_does_not_work_is_a_sentence_and_not_chosen(page):
    page.locator("#mode").get_by_text("Enlarge").click()
    says(page, "notes", "no original")
    tab(page, "Matched patches")
    tab(page, "Change matches")
    page.locator("#after img").wait_for()
    check(page, "kind", "the best by HR")
    page.get_by_text("need an original").wait_for()
    page.wait_for_function(
        "document.querySelector('#kind input:checked').parentElement.innerText.includes('own')"
    )
