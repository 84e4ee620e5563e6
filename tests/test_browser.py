"""The page in a real browser: what a visitor sees, clicks and drags."""

from __future__ import annotations

import re

import pytest
from browser import click_at, number, set_steps, status, tab

pytestmark = pytest.mark.browser


def test_the_first_load_shows_a_result(page):
    page.wait_for_function("[...document.querySelectorAll('#slider img')].every(i => i.complete)")
    sizes = page.evaluate(
        "[...document.querySelectorAll('#slider img')].map(i => [i.naturalWidth, i.naturalHeight])"
    )
    assert sizes == [[768, 768], [768, 768]]  # 256x256, each pixel enlarged three times
    rows = page.locator("#scores tbody tr")
    assert [rows.nth(i).locator("td").first.inner_text() for i in range(2)] == [
        "Bicubic",
        "Tiny-x4",
    ]
    page.wait_for_function("!document.querySelector('#scores').innerText.includes('…')")
    for row in range(3):
        assert float(rows.nth(row).locator("td").nth(1).inner_text()) > 5


def test_the_main_result_fits_the_screen(page):
    for name, last in (
        ("Super-resolve", "#download"),
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


def test_a_tab_opened_late_shows_everything(page):
    tab(page, "Receptive field")
    status(page, "Done: 8 steps")  # from here on the maps are known by content
    page.reload()
    page.wait_for_function("document.querySelectorAll('#slider img').length > 1")
    page.wait_for_timeout(2000)  # everything arrives while the other tabs were never opened
    tab(page, "Receptive field")
    for name in ("lam-picture", "with-map", "without-map"):
        page.locator(f"#{name} img").wait_for()
    status(page, "Done: 8 steps")
    tab(page, "Matched patches")
    for name in ("match-picture", "crops", "popular"):
        page.locator(f"#{name} img").wait_for()


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
    page.get_by_text("Without GPA: same weights, GPA switched off").wait_for()
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
    page.locator("#upload input[type=file]").set_input_files(str(tmp_path / "text.png"))
    page.get_by_text("text.png is not a picture that can be read.").wait_for()
    assert page.locator("#slider img").first.get_attribute("src") == before
    assert "Traceback" not in page.content() and "/tmp/" not in page.locator("body").inner_text()


def test_an_upload_is_enlarged(page, tmp_path):
    from PIL import Image

    Image.new("RGBA", (30, 20), (200, 30, 40, 128)).save(tmp_path / "small.png")
    page.locator("#mode").get_by_text("Enlarge").click()
    page.wait_for_function("document.querySelector('#notes').innerText.includes('no original')")
    page.locator("#upload input[type=file]").set_input_files(str(tmp_path / "small.png"))
    page.wait_for_function("document.querySelector('#notes').innerText.includes('120x80')")
    assert "transparency" in page.locator("#notes").inner_text()


@pytest.mark.parametrize("view", [(800, 1000, "dark")], indirect=True)
def test_a_narrow_page_does_not_overflow(page):
    for name in ("Super-resolve", "Receptive field", "Matched patches", "About"):
        tab(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 800
