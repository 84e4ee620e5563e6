"""The frame budget at the size that it was promised for: 256x256 LR pixels, 8 blocks.

The matches are made, not computed, so that the test needs no minutes; they go to the browser as
computed ones do, by the page's own handler, store and route.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.browser import control, hover_at, no_requests, quiet, says, shown, tab, visitor

from hpinet import HPINetConfig, Matches, Picture, own_matches
from ui.state.inputs import ENLARGE, Source, make_study
from ui.views.matching import matches as views

pytestmark = pytest.mark.browser

SIDE = 256
EIGHT = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16, 20, 24) * 2)
MOVES = """async ([moves, pane]) => {
  const { viewer } = document.querySelector("#matches .viewer"), { canvas } = viewer.panes[pane];
  const box = canvas.getBoundingClientRect(), seen = [], said = new Set();
  const next = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  for (let i = 0; i < moves; i++) {
    const x = box.left + (box.width * (7 * i % 31)) / 31;
    const y = box.top + (box.height * (5 * i % 29)) / 29;
    const drawn = viewer.panes.map((p) => p.frames);
    canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y, pointerId: 1 }));
    said.add(viewer.host.querySelector(".read").textContent);
    await next();
    seen.push(viewer.panes.map((p, k) => p.frames - drawn[k]));
  }
  return [seen, said.size];
}"""


def made():
    """Matches of 8 blocks: every patch of the image attends to a random one, most to a hub."""
    rng, blocks = np.random.default_rng(0), []
    for block in own_matches(EIGHT, SIDE, SIDE).blocks:
        count = len(block.origins)
        index = torch.as_tensor(rng.integers(0, count, (1, count)))
        index[:, rng.random(count) < 0.6] = count // 3
        matrix = torch.as_tensor(rng.random((1, count, count)), dtype=torch.float32)
        matrix[:, range(count), range(count)] = -torch.inf
        blocks.append(replace(block, matrix=matrix).with_index(index))
    return Matches(tuple(blocks), (SIDE, SIDE))


@pytest.fixture
def large(browser, url, monkeypatch):
    """The page with these matches on it."""
    found, real, rng = made(), views.scene, np.random.default_rng(1)
    rgb = torch.as_tensor(rng.random((1, 3, SIDE, SIDE)), dtype=torch.float32)
    study = make_study(Source("made", Picture(rgb)), ENLARGE, 4)
    pixels = rng.integers(0, 256, (4 * SIDE, 4 * SIDE, 3), dtype=np.uint8)
    stand_in = SimpleNamespace(
        matches=SimpleNamespace(of=lambda *_: found),
        super_resolved=lambda *_: SimpleNamespace(pixels=pixels),
    )
    monkeypatch.setattr(
        views,
        "scene",
        lambda runtime, record, *more: real(stand_in, replace(record, study=study), *more),
    )
    with visitor(browser, url) as page:
        tab(page, "Matched patches")
        shown(page, "matches")
        page.wait_for_function(
            "document.querySelector('#matches .viewer').viewer.value.size.join() == '1024,1024'"
        )
        says(page, "matches", "The patch at")
        assert control(page, "matches", "block").locator("option").count() == 8
        quiet(page)
        yield page


def test_hovering_highlights_within_one_frame_and_asks_for_nothing(large):
    with no_requests(large):
        hover_at(large, "matches", 500, 500)
        for show in ("one", "all"):
            control(large, "matches", "show").select_option(show)
            large.locator("#matches canvas").first.focus()
            for block in (1, 5, 8):
                large.keyboard.press(str(block))
                seen, said = large.evaluate(MOVES, [40, 0])
                # Each move is drawn in the next frame, once.
                drawn = [frames[0] for frames in seen]
                assert max(drawn) == 1 and drawn.count(1) >= 38
                assert said > 20  # and told at once
