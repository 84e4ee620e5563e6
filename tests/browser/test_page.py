"""The page in a real browser: what a visitor sees, clicks and drags."""

from __future__ import annotations

import re

import numpy as np
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
    upload,
    visitor,
)
from helpers.foreign import foreign, saved
from PIL import Image

from ui.state.examples import EXAMPLES

pytestmark = pytest.mark.browser


PAGES = ("Super-resolve", "Receptive field", "Matched patches", "Your model", "About")


def scored(page):
    """Wait until the table is complete."""
    page.wait_for_function(
        "document.querySelector('#scores td') &&"
        " !document.querySelector('#scores').innerText.includes('…')"
    )


def test_the_first_load_shows_a_result(page):
    page.wait_for_function("[...document.querySelectorAll('#slider img')].every(i => i.complete)")
    sizes = page.evaluate(
        "[...document.querySelectorAll('#slider img')].map(i => [i.naturalWidth, i.naturalHeight])"
    )
    assert sizes == [[768, 768], [768, 768]]  # 256x256, each pixel enlarged three times
    rows = page.locator("#scores tbody tr")
    assert [rows.nth(i).locator("th").inner_text() for i in range(2)] == [
        "Bicubic",
        "Tiny-x4",
    ]
    scored(page)
    for row in range(3):
        assert float(rows.nth(row).locator("td").nth(0).inner_text()) > 5
        lpips = rows.nth(row).locator("td").nth(2).inner_text()
        if page.locator("#lpips-reason").count():
            assert lpips == "none"
        else:
            assert 0 < float(lpips) < 2


def test_the_main_result_fits_the_screen(page):
    for name, last in (
        ("Super-resolve", "#strip"),
        ("Your model", "#own-forget"),
        ("Receptive field", "#colours"),
        ("Matched patches", "#popular"),
    ):
        tab(page, name)
        page.locator(last).wait_for()
        box = page.locator(last).bounding_box()
        assert box["y"] + box["height"] <= 900, name
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440


def test_the_slider_drags(page):
    tab(page, "Super-resolve")
    box = page.locator("#slider").bounding_box()
    middle = box["y"] + box["height"] / 2
    clip = "getComputedStyle([...document.querySelectorAll('#slider img')].pop()).clipPath"
    styles = "[...document.querySelectorAll('#slider *')].map(e => e.style.cssText).join()"
    before = page.evaluate(clip) + page.evaluate(styles)
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, middle, steps=4)
    page.mouse.up()
    assert page.evaluate(clip) + page.evaluate(styles) != before


def test_a_click_places_the_window_and_the_maps_follow(page):
    tab(page, "Receptive field")
    set_steps(page, 4)
    page.locator("#lam-picture img").wait_for()
    click_at(page, "lam-picture", 200, 60)
    page.wait_for_function("document.querySelector('#lam-left input').value != 88")
    assert abs(number(page, "lam-left") - 192) <= 1
    assert abs(number(page, "lam-top") - 52) <= 1
    status(page, "Done: 4 steps")
    indices = []
    for name in ("with", "without"):
        assert page.locator(f"#{name}-map img").evaluate("i => i.naturalWidth") >= 640
        text = page.locator(f"#{name}-words").inner_text()
        assert "Of 100 parts of the change" in text
        indices.append(float(re.search(r"Diffusion index ([\d.]+)", text)[1]))
    assert indices[0] != indices[1]


def test_number_fields_place_the_window_too(page):
    tab(page, "Receptive field")
    status(page, "Done: 8 steps")  # what is typed before all has arrived would be replaced
    set_steps(page, 4)
    for name, value in (("lam-left", 9999), ("lam-top", 30)):
        page.locator(f"#{name} input").fill(str(value))
    page.locator("#lam-top input").press("Enter")
    page.wait_for_function("document.querySelector('#lam-left input').value == 240")
    status(page, "Done: 4 steps")
    assert number(page, "lam-top") == 30


def test_stop_stops(page):
    tab(page, "Receptive field")
    set_steps(page, 100)
    page.locator("#without-map img").wait_for()
    page.locator("#lam-run").click()
    status(page, "of 100")
    page.locator("#lam-stop").click()
    status(page, "Stopped after")
    assert "of 100 steps" in page.locator("#lam-status").inner_text()
    set_steps(page, 4)  # and one can go on
    page.locator("#lam-run").click()
    status(page, "Done: 4 steps")


def test_a_click_shows_the_matched_pair(page):
    tab(page, "Matched patches")
    page.locator("#match-picture img").wait_for()
    page.wait_for_function("document.querySelector('#pair').innerText.includes('Block 1')")
    click_at(page, "match-picture", 20, 236)
    page.wait_for_function("document.querySelector('#match-x input').value == 20")
    assert abs(number(page, "match-y") - 236) <= 1
    # 7x7 patches of 12 in steps of 10 LR pixels: (5, 59) LR is in the last row, first column.
    page.wait_for_function("document.querySelector('#pair').innerText.includes('row 7, column 1')")
    page.locator("#block").get_by_text("2", exact=True).click()
    page.wait_for_function("document.querySelector('#pair').innerText.includes('Block 2')")
    page.wait_for_function("document.querySelector('#hub').innerText.includes('patches (')")
    page.wait_for_function("document.querySelector('#crops img')?.naturalWidth > 200")


def test_a_tab_opened_late_shows_everything(page, browser, url):
    tab(page, "Receptive field")
    status(page, "Done: 8 steps")  # from here on the maps are known by content
    with visitor(browser, url) as late:
        scored(late)
        late.wait_for_timeout(2000)  # everything arrives while the other tabs were never opened
        tab(late, "Receptive field")
        for name in ("lam-picture", "with-map", "without-map"):
            late.locator(f"#{name} img").wait_for()
        status(late, "Done: 8 steps")
        tab(late, "Matched patches")
        for name in ("match-picture", "crops", "popular"):
            late.locator(f"#{name} img").wait_for()


def test_another_example_replaces_everything(page):
    before = page.locator("#slider img").first.get_attribute("src")
    page.locator("#examples button.thumbnail-item").nth(2).click()
    page.wait_for_function(
        "old => document.querySelector('#slider img').getAttribute('src') != old", arg=before
    )
    tab(page, "Receptive field")
    page.wait_for_function("document.querySelector('#lam-left input').value == 165")


def test_a_network_without_a_twin_can_be_chosen_while_maps_are_computed(page):
    page.locator("#examples button.thumbnail-item").nth(1).click()
    page.locator("#network input").click()
    page.get_by_role("option", name="Without-a-twin").click()
    tab(page, "Receptive field")
    page.get_by_text("Without GPA: same weights, switched off").wait_for()
    status(page, "Done: 8 steps")
    assert page.get_by_text("is not in the list of choices").count() == 0


def test_quick_clicks_end_in_the_maps_of_the_last(page):
    tab(page, "Receptive field")
    set_steps(page, 100)  # so that each click comes in the middle of the work for the one before
    for x in (40, 120, 200):
        click_at(page, "lam-picture", x, 100)
        page.wait_for_function(
            "x => Math.abs(document.querySelector('#lam-left input').value - x) <= 1", arg=x - 8
        )
        status(page, "of 100")
    set_steps(page, 8)
    page.locator("#lam-run").click()
    status(page, "Done: 8 steps")
    assert abs(number(page, "lam-left") - 192) <= 1


def test_a_wrong_file_gives_a_sentence(page, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    before = page.locator("#slider img").first.get_attribute("src")
    upload(page, "upload", tmp_path / "text.png")
    page.get_by_text("text.png is not an image that can be read.").wait_for()
    assert page.locator("#slider img").first.get_attribute("src") == before
    assert "Traceback" not in page.content() and "/tmp/" not in page.locator("body").inner_text()


def test_an_upload_is_enlarged(page, tmp_path):
    Image.new("RGBA", (30, 20), (200, 30, 40, 128)).save(tmp_path / "small.png")
    page.locator("#mode").get_by_text("Enlarge").click()
    page.wait_for_function("document.querySelector('#notes').innerText.includes('no original')")
    upload(page, "upload", tmp_path / "small.png")
    page.wait_for_function("document.querySelector('#notes').innerText.includes('120x80')")
    assert "transparency" in page.locator("#notes").inner_text()


def test_any_two_contenders_are_compared_and_saved(page, tmp_path):
    scored(page)
    choose(page, "left", "Twin without GPA")
    says(page, "slider", "left: Twin without GPA, right: Tiny-x4")
    choose(page, "right", "The original")
    page.get_by_role("button", name="Save The original (PNG)").wait_for()
    files = {}
    for name in ("save-left", "save-right"):
        with page.expect_download() as started:
            page.locator(f"#{name}").click()
        started.value.save_as(tmp_path / f"{name}.png")
        files[name] = np.asarray(Image.open(tmp_path / f"{name}.png"))
    assert started.value.suggested_filename == "Facade-The-original.png"
    # Nothing lost: what is saved is the example itself, and the left half is another picture.
    assert np.array_equal(files["save-right"], EXAMPLES[0].pixels())
    assert files["save-left"].shape == (256, 256, 3)
    assert not np.array_equal(files["save-left"], files["save-right"])


def test_the_lens_shows_all_contenders_and_shares_its_window(page):
    scored(page)
    captions = page.locator("#strip figcaption")
    assert [t.strip() for t in captions.all_inner_texts()] == [
        "Bicubic", "Tiny-x4", "Twin without GPA", "The original",
    ]  # fmt: skip
    # The pixels themselves, enlarged in the browser.
    page.wait_for_function(
        "[...document.querySelectorAll('#strip img')].filter(i => i.naturalWidth == 16).length == 4"
    )
    rendering = "getComputedStyle(document.querySelector('#strip img')).imageRendering"
    assert page.evaluate(rendering) == "pixelated"
    click_at(page, "overview", 200, 60)
    page.wait_for_function("!document.querySelector('#strip').innerText.includes('column 88,')")
    column, row = map(
        int, re.search(r"column (\d+), row (\d+)", page.locator("#strip").inner_text()).groups()
    )
    assert abs(column - 192) <= 1 and abs(row - 52) <= 1  # gradio rounds a click's place
    tab(page, "Receptive field")
    page.wait_for_function(f"document.querySelector('#lam-left input').value == {column}")
    status(page, "Done")
    page.locator("#lam-left input").fill("10")
    page.locator("#lam-left input").press("Enter")
    status(page, "Done")
    tab(page, "Super-resolve")
    says(page, "strip", f"from column 10, row {row}")


def test_error_maps_share_one_scale_and_need_an_original(page):
    scored(page)
    page.locator("#closer-view").get_by_text("Errors everywhere").click()
    says(page, "strip", "of 255 levels; one scale for all")
    means = [
        float(t.split("mean ")[1]) for t in page.locator("#strip figcaption").all_inner_texts()
    ]
    assert len(means) == 3 and min(means) > 0
    page.locator("#mode").get_by_text("Enlarge").click()
    says(page, "strip", "There is no original")


def test_the_views_are_chosen_by_keyboard(page):
    scored(page)
    page.locator("#closer-view input").nth(1).focus()
    page.keyboard.press("Space")
    says(page, "strip", "of 255 levels")


def test_the_slider_moves_by_keyboard(page):
    scored(page)
    settled(page, "slider")
    handle = page.get_by_role("slider", name="Where the left image ends")
    before = handle.bounding_box()["x"]
    handle.focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    moved = before - handle.bounding_box()["x"]
    width = page.locator("#slider img").first.bounding_box()["width"]
    assert 0.15 * width < moved < 0.25 * width
    assert handle.get_attribute("aria-valuenow") == "30"


def test_every_control_has_a_name(page):
    for name in PAGES:
        tab(page, name)
        page.wait_for_timeout(300)
        nameless = page.evaluate(
            """[...document.querySelectorAll('input, button, textarea, select')]
               .filter(e => e.offsetParent && !(e.labels?.length || e.ariaLabel || e.title
                            || e.innerText?.trim() || e.getAttribute('aria-labelledby')
                            || e.getAttribute('data-testid') === 'file-upload'))
               .map(e => e.outerHTML.slice(0, 200))"""
        )
        assert nameless == [], name


def test_a_model_of_ones_own_joins_and_is_nobody_elses(page, browser, url, tmp_path):
    path = saved(foreign("Compact"), tmp_path / "mine.pth")
    tab(page, "Your model")
    upload(page, "weights", path)
    says(page, "own-card", "RealESRGAN Compact")
    tab(page, "Super-resolve")
    page.wait_for_function("document.querySelectorAll('#scores tbody tr').length == 4")
    scored(page)
    assert "mine (yours)" in page.locator("#scores").inner_text()
    with visitor(browser, url) as other:
        scored(other)
        assert other.locator("#scores tbody tr").count() == 3
        other.locator("#network input").click()
        assert other.get_by_role("option").count() == 2
    tab(page, "Your model")
    page.locator("#own-use").click()
    page.wait_for_function(
        "document.querySelector('#network input').value.startsWith('mine (yours')"
    )
    tab(page, "Receptive field")
    status(page, "Done: 8 steps")
    tab(page, "Matched patches")
    page.get_by_text("has no Global Pixel Access").first.wait_for()
    tab(page, "Your model")
    page.locator("#own-forget").click()
    says(page, "own-card", "No model of yours is loaded")
    page.wait_for_function("document.querySelector('#network input').value == 'Tiny-x4'")


def test_a_file_that_is_no_model_gives_a_sentence(page, tmp_path):
    tab(page, "Your model")
    (tmp_path / "text.pth").write_text("no weights")
    upload(page, "weights", tmp_path / "text.pth")
    page.get_by_text("text.pth is no file of plain weights").wait_for()
    says(page, "own-card", "No model of yours is loaded")


def test_two_visitors_have_their_own_pictures_and_wait_in_line(page, browser, url, tmp_path):
    Image.new("RGB", (64, 48), (20, 90, 200)).save(tmp_path / "mine.png")
    upload(page, "upload", tmp_path / "mine.png")
    says(page, "notes", "64x48 pixels was shrunk")
    with visitor(browser, url) as other:
        says(other, "notes", "256x256 pixels was shrunk")
        for each in (other, page):
            tab(each, "Receptive field")
            set_steps(each, 100)
        status(other, "Done")
        other.locator("#lam-run").click()
        status(other, "of 100")
        page.locator("#lam-run").click()
        status(page, "1 job is before yours")
        page.locator("#lam-stop").click()
        status(page, "Stopped before it began")
        other.locator("#lam-stop").click()
        status(other, "Stopped after")
    tab(page, "Super-resolve")
    says(page, "notes", "64x48 pixels was shrunk")


@pytest.mark.parametrize("view", [(1440, 900, "dark"), (800, 1000, "light")], indirect=True)
def test_all_pages_are_pictured_and_none_overflows(page, view):
    width, _, theme = view
    scored(page)
    for name in PAGES:
        tab(page, name)
        if name == "About":
            page.wait_for_function("document.querySelectorAll('#about-figures img').length == 12")
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        picture(page, f"page-{name.replace(' ', '-').lower()}-{width}-{theme}", whole=True)
