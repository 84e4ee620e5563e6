"""The live viewer in a real browser: it answers at once, and asks the server for nothing."""

from __future__ import annotations

import re

import pytest
from helpers.browser import (
    click_at,
    control,
    frame,
    hover_at,
    no_requests,
    pixels,
    place,
    quiet,
    says,
    settled,
    shown,
    status,
    tab,
    visitor,
)

pytestmark = pytest.mark.browser

FRAMES = """async (moves) => {
  const { viewer } = document.querySelector("#matches .viewer"), { canvas } = viewer.panes[0];
  const box = canvas.getBoundingClientRect(), before = viewer.panes[0].frames, seen = [];
  for (let i = 0; i < moves; i++) {
    const x = box.left + (box.width * (i % 17)) / 17, y = box.top + (box.height * (i % 13)) / 13;
    canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y, pointerId: 1 }));
    const drawn = viewer.panes[0].frames;
    await new Promise(requestAnimationFrame);
    await new Promise((done) => setTimeout(done));
    seen.push(viewer.panes[0].frames - drawn);
  }
  return seen;
}"""


def maps_shown(page):
    tab(page, "Receptive field")
    status(page, "Done: 8 steps")
    settled(page, "maps")
    page.wait_for_function("document.querySelector('#maps [name=film]')")


def read(page, viewer):
    return page.locator(f"#{viewer} .read").inner_text()


def zoom(page, viewer):
    return page.evaluate(f"document.querySelector('#{viewer} .viewer').viewer.view.zoom")


def test_pointing_at_a_pixel_tells_its_importance_and_rank(page):
    maps_shown(page)
    with no_requests(page):
        hover_at(page, "maps", 96, 88, pane=1)
        told = read(page, "maps")
    assert told.startswith("LR (24, 22) · SR (96, 88)")
    assert len(re.findall(r"rank \d+ of 4096", told)) == 3
    assert "network: " in told and "without GPA: " in told and "bicubic: " in told


def test_looks_change_in_the_browser(page):
    maps_shown(page)
    with no_requests(page):
        seen = [pixels(page, "maps", 1)]
        for name, value in (("view", "signed"), ("view", "areas"), ("view", "importance")):
            control(page, "maps", name).select_option(value)
            frame(page)
            seen.append(pixels(page, "maps", 1))
        assert seen[-1] == seen[0] and len(set(seen)) == 3
        for name, value in (("colours", "viridis"), ("last", "difference")):
            control(page, "maps", name).select_option(value)
        control(page, "maps", "root").click()
        for name, value in (("strength", "1"), ("end", "95")):
            control(page, "maps", name).fill(value)
        frame(page)
        assert pixels(page, "maps", 1) != seen[0]
        assert "of the importance lies elsewhere" in page.locator("#maps .panes").inner_text()
        assert "ends at percentile 95" in page.locator("#maps .legend").inner_text()
    assert "maps.colours=viridis" in page.url and "maps.end=95" in page.url


def test_what_is_seen_is_saved_as_png(page, tmp_path):
    maps_shown(page)
    with page.expect_download() as download:
        control(page, "maps", "figure").click()
    assert download.value.suggested_filename.endswith(".png")
    download.value.save_as(tmp_path / "png")
    assert (tmp_path / "png").read_bytes().startswith(b"\x89PNG")


def test_panes_share_zoom_and_cross_hair(page):
    maps_shown(page)
    with no_requests(page):
        at = place(page, "maps", 100, 90, pane=2)
        before = pixels(page, "maps", 1)
        page.mouse.move(*at)
        page.mouse.wheel(0, -600)
        frame(page)
        assert zoom(page, "maps") > 2 and pixels(page, "maps", 1) != before
        # What is under the pointer stays there.
        assert place(page, "maps", 100, 90, pane=2) == pytest.approx(at, abs=1.5)
        page.mouse.down()
        page.mouse.move(at[0] + 40, at[1] + 10, steps=3)
        page.mouse.up()
        moved = place(page, "maps", 100, 90, pane=2)
        assert moved == pytest.approx([at[0] + 40, at[1] + 10], abs=2)
        page.mouse.dblclick(*at)
        page.wait_for_function("document.querySelector('#maps .viewer').viewer.view.zoom == 1")
        page.keyboard.press("+")
        page.keyboard.press("ArrowRight")
        assert zoom(page, "maps") == pytest.approx(1.25)
        page.keyboard.press("0")
        assert zoom(page, "maps") == 1


def test_the_path_is_a_film_of_kept_steps(page):
    maps_shown(page)
    end = pixels(page, "maps", 1)
    control(page, "maps", "film").click()
    page.wait_for_function("document.querySelector('#maps [name=alpha]')")
    with no_requests(page):
        frames = set()
        for alpha in ("0", "0.3", "0.5", "0.7", "1"):
            control(page, "maps", "alpha").fill(alpha)
            frame(page)
            frames.add((pixels(page, "maps", 0), pixels(page, "maps", 1)))
            says(page, "maps", f"At {float(alpha):.2f} of the path")
        assert len(frames) == 5
        control(page, "maps", "play").click()
        page.wait_for_function("document.querySelector('#maps [name=alpha]').value > 0.1")
        assert "block 2: " in page.locator("#maps .extra").inner_text()
    control(page, "maps", "film").click()
    frame(page)
    assert pixels(page, "maps", 1) == end


def test_blurring_pixels_answers_beside_their_importance(page):
    maps_shown(page)
    click_at(page, "maps", 96, 88, pane=1)
    says(page, "asked", "1 painted LR pixel")
    assert page.locator("#asked tbody tr").count() == 3
    control(page, "maps", "brush").select_option("5")
    x, y = place(page, "maps", 96, 88, pane=0)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=4)
    page.mouse.up()
    page.wait_for_function("/[3-9]\\d painted/.test(document.querySelector('#asked').innerText)")
    shares = [
        float(t.rstrip("%")) for t in page.locator("#asked td:nth-child(2)").all_inner_texts()
    ]
    assert all(0 < share <= 100 for share in shares)


def test_every_patch_follows_the_pointer_within_a_frame(page):
    tab(page, "Matched patches")
    shown(page, "matches")
    page.wait_for_function("document.querySelectorAll('#matches figure').length == 2")
    with no_requests(page):
        seen = page.evaluate(FRAMES, 60)
    # Each move is drawn in the next frame, once.
    assert seen.count(1) >= 57 and max(seen) == 1


def test_arrows_walk_patches_and_digits_choose_blocks(page):
    tab(page, "Matched patches")
    shown(page, "matches")
    says(page, "matches", "The patch at")  # the numbers are there
    with no_requests(page):
        hover_at(page, "matches", 20, 236)
        says(page, "matches", "The patch at row 7, column 1")
        page.locator("#matches canvas").first.focus()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowRight")
        says(page, "matches", "The patch at row 6, column 2")
        page.keyboard.press("2")
        says(page, "matches", "Block 2 · 25 patches of 16x16")
        control(page, "matches", "show").select_option("hubs")
        frame(page)
        click_at(page, "matches", 12, 24, pane=1)  # a row of the matrix is a patch
        says(page, "matches", "The patch at row 5, column 5")
    assert "matches.block=2" in page.url and "matches.at=" in page.url


def test_contenders_compare_in_one_linked_view(page):
    page.wait_for_function(
        "document.querySelector('#compare .viewer').viewer.scene.ready.length >= 4"
    )
    says(page, "verdict", "Switching GPA")
    quiet(page, 4)
    with no_requests(page):
        x, y = place(page, "compare", 128, 128)
        before = pixels(page, "compare", 0)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x - 120, y, steps=4)
        page.mouse.up()
        frame(page)
        assert pixels(page, "compare", 0) != before
        control(page, "compare", "mode").select_option("side")
        frame(page)
        titles = page.locator("#compare figcaption").all_inner_texts()
        assert titles == ["Bicubic", "Tiny-x4", "Twin without GPA", "The original"]
        control(page, "compare", "mode").select_option("difference")
        control(page, "compare", "b").select_option("original")
        frame(page)
        assert "levels on average" in page.locator("#compare figcaption").nth(2).inner_text()
        control(page, "compare", "mode").select_option("flicker")
        page.wait_for_function("document.querySelector('#compare').innerText.includes('(second')")
    with page.expect_download() as started:
        control(page, "compare", "figure").click()
    assert started.value.suggested_filename.startswith("Facade-Tiny-x4")


def test_another_network_of_the_list_is_computed_when_it_is_chosen(page):
    shown(page, "compare")
    control(page, "compare", "b").select_option("Without-a-twin")
    says(page, "compare", "right: Without-a-twin")


def test_a_pinch_zooms_the_image_and_not_the_page(browser, url):
    with visitor(browser, url, (390, 844, "light"), touch=True) as page:
        session = page.context.new_cdp_session(page)
        x, y = place(page, "compare", 128, 128)

        def fingers(kind, away):
            points = (
                []
                if away is None
                else [{"x": x - away, "y": y, "id": 0}, {"x": x + away, "y": y, "id": 1}]
            )
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        fingers("touchStart", 20)
        for away in (30, 40, 50, 60):
            fingers("touchMove", away)
        fingers("touchEnd", None)
        frame(page)
        assert zoom(page, "compare") == pytest.approx(3, rel=0.1)
        assert page.evaluate("visualViewport.scale") == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_nobody_reads_another_visitors_numbers(page, url):
    address, key = page.evaluate(
        "(() => { const v = document.querySelector('#compare .viewer').viewer.value;"
        " return [v.contenders[0].image, v.key] })()"
    )
    target = url.rstrip("/") + address
    assert page.request.get(target, headers={"x-viewer-key": key}).status == 200
    assert page.request.get(target).status == 404
    assert page.request.get(target, headers={"x-viewer-key": key[::-1]}).status == 404
