"""*Many networks* in a real browser."""

from __future__ import annotations

import csv
import json
import zipfile

import pytest
from helpers.browser import (
    click_at,
    control,
    frame,
    hover_at,
    no_requests,
    pixels,
    says,
    screenshot,
    shown,
    tab,
)

pytestmark = pytest.mark.browser


def computed(page, steps=4):
    tab(page, "Many networks")
    shown(page, "networks")
    field = page.locator("#networks-steps input[type=number]")
    field.fill(str(steps))
    field.press("Tab")
    page.locator("#networks-run").click()
    says(page, "networks-status", "Done: 3 of 3 maps")


def titles(page):
    return page.locator("#networks figure[data-pane^=map] figcaption").all_inner_texts()


def saved(page, button, path):
    with page.expect_download() as download:
        page.locator(f"#networks-{button}").click()
    download.value.save_as(path)
    return path


def test_networks_stand_side_by_side_sorted_and_asked_without_a_request(page):
    computed(page)
    page.wait_for_function(
        "document.querySelectorAll('#networks figure[data-pane^=map] .words b').length == 3"
    )
    assert page.locator("#networks canvas").count() == 6
    with no_requests(page):
        hover_at(page, "networks", 96, 88, pane=1)
        assert page.locator("#networks .read").inner_text().count("rank") == 3
        before = titles(page)
        indices = [float(t.split("DI ")[1].split(",")[0]) for t in before]
        assert indices == sorted(indices, reverse=True)
        control(page, "networks", "sort").select_option("given")
        assert [t.split(",")[0] for t in titles(page)][2] == "Bicubic"
        seen = pixels(page, "networks", 1)
        control(page, "networks", "root").click()
        frame(page)
        assert pixels(page, "networks", 1) != seen
    assert "networks.sort=given" in page.url
    screenshot(page, "many-networks", whole=True)


def test_another_window_has_no_map_until_it_is_computed(page):
    computed(page)
    click_at(page, "networks", 200, 60, pane=1)
    says(page, "networks-status", "0 of 3 maps of this window are known")
    assert page.locator("#networks").inner_text().count("Not computed yet") == 3
    page.locator("#networks-run").click()
    says(page, "networks-status", "Done: 3 of 3 maps")
    page.locator("#examples button.thumbnail-item").nth(0).click()
    says(page, "networks-status", "of this window are known")


def test_table_figure_and_zip_are_saved(page, tmp_path):
    computed(page)
    with saved(page, "csv", tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["model"] for row in rows} == {"Tiny-x4", "Twin without GPA", "Bicubic"}
    indices = [float(row["diffusion_index"]) for row in rows]
    assert indices == sorted(indices, reverse=True)
    assert saved(page, "png", tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with zipfile.ZipFile(saved(page, "zip", tmp_path / "a.zip")) as packed:
        about = json.loads(packed.read("compare.json"))["parameters"]
    assert "--window 88 80 16 --model Tiny-x4.safetensors" in about["command"]


def test_networks_are_chosen_and_stand_in_the_address(page):
    tab(page, "Many networks")
    shown(page, "networks")
    page.locator("#networks-chosen input").click()
    page.get_by_role("option", name="Without-a-twin").click()
    page.keyboard.press("Escape")
    page.wait_for_function(
        "location.search.includes('networks=network%7Cwithout%7Cbicubic%7CWith')"
    )
    page.reload()
    shown(page, "networks")
    says(page, "networks", "Without-a-twin")
