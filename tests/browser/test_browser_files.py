"""Files in a real browser: what an upload does to the examples, and saving what was deleted."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from helpers.browser import control, says, upload
from PIL import Image

pytestmark = pytest.mark.browser


def test_several_uploads_are_switched_between(page, tmp_path):
    paths = []
    for number, side in enumerate((96, 128, 160)):
        paths.append(str(tmp_path / f"own{number}.png"))
        Image.new("RGB", (side, side), (40 * number, 90, 140)).save(paths[-1])
    page.locator("#upload input[type=file]").set_input_files(paths)
    says(page, "shown", "own0, 24x24 LR pixels")
    page.locator("#own-images input").click()
    page.get_by_role("option", name="3: own2.png").click()
    says(page, "shown", "own2, 40x40 LR pixels")
    assert "The original of 160x160" in page.locator("#notes").inner_text()
    page.locator("#examples button.thumbnail-item").nth(0).click()
    says(page, "shown", "Facade")
    page.locator("#own-images input").click()
    page.get_by_role("option", name="2: own1.png").click()
    says(page, "shown", "own1, 32x32 LR pixels")


def test_no_example_stays_chosen_beside_an_upload(page, tmp_path):
    chosen = "#examples .selected"
    examples = page.locator("#examples button.thumbnail-item")
    examples.nth(1).click()
    says(page, "notes", "256x256 pixels was shrunk")
    page.wait_for_function("s => document.querySelectorAll(s).length == 1", arg=chosen)
    for size in ((64, 48), (40, 44)):  # and after it was chosen again, once more
        Image.new("RGB", size, (20, 90, 200)).save(tmp_path / "mine.png")
        upload(page, "upload", tmp_path / "mine.png")
        says(page, "notes", f"{size[0]}x{size[1]} pixels was shrunk")
        page.wait_for_function("s => !document.querySelector(s)", arg=chosen)
        examples.nth(1).click()
        says(page, "notes", "256x256 pixels was shrunk")
        page.wait_for_function("s => document.querySelectorAll(s).length == 1", arg=chosen)
        assert page.locator("#upload").get_by_text("mine.png").count() == 0


def test_a_refused_file_leaves_the_example_chosen(page, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    upload(page, "upload", tmp_path / "text.png")
    says(page, "refusal", "text.png is not an image")
    assert page.locator("#examples .selected").count() == 1


def test_what_cannot_be_opened_does_not_stay_chosen(page, tmp_path):
    Image.new("RGB", (3, 3)).save(tmp_path / "small.png")
    says(page, "shown", "Shown: Facade")
    page.locator("#mode").get_by_text("Enlarge").click()
    says(page, "notes", "no original")
    upload(page, "upload", tmp_path / "small.png")
    says(page, "shown", "Shown: small, 3x3 LR pixels, Tiny-x4")
    page.locator("#mode").get_by_text("Restore").click()
    says(page, "refusal", "is too small to be shrunk 4 times")
    page.wait_for_function(
        "document.querySelector('#mode input:checked').parentElement.innerText.includes('Enlarge')"
    )
    says(page, "shown", "Shown: small, 3x3 LR pixels, Tiny-x4")
    assert page.locator("#shown .stale").count() == 0


def test_a_file_is_saved_long_after_it_was_deleted(page, runtime, tmp_path):
    control(page, "compare", "save-b").wait_for()
    pixels = []
    for turn in range(2):
        with page.expect_download() as started:
            control(page, "compare", "save-b").click()
        started.value.save_as(tmp_path / f"{turn}.png")
        pixels.append(np.asarray(Image.open(tmp_path / f"{turn}.png")))
        served = Path(unquote(started.value.url.split("file=")[1]))
        served.unlink()  # as gradio does after an hour, and the page with its own copy
        for own in runtime.downloads.folder.rglob("*.png"):
            own.unlink()
    assert np.array_equal(*pixels)
