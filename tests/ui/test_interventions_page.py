"""Matches taken away, exchanged and forced on page 3, without a browser."""

from __future__ import annotations

from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
import torch

from hpinet import HPINet, HPINetConfig, Picture
from hpinet.analysis.interventions import Intervention
from hpinet.analysis.interventions import intervene as library_intervene
from lam import Window
from ui.compute.interventions import MatchChanges
from ui.compute.maps.attribution import Attribution
from ui.compute.opening import open_image
from ui.compute.runtime import Runtime
from ui.networks.model_catalogue import Catalogue
from ui.networks.network import Network
from ui.state.examples import EXAMPLES
from ui.state.inputs import ENLARGE, RESTORE, Source, from_example, make_study
from ui.state.options import (
    AREAS,
    BLOCK,
    CHANGE,
    ELSEWHERE,
    EVERYWHERE,
    FORCED,
    PAIRS,
    PATCH,
    REACH,
    WINDOW,
    Change,
    How,
    Look,
)
from ui.state.record import MapsRecord, MatchesRecord, Opened
from ui.state.session import Session
from ui.tabs.matching import diffusion_change, matches
from ui.viewer.store import STORE
from ui.views.attribution.path import path
from ui.views.matching import match_panes
from ui.views.matching import matches as views

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))


@pytest.fixture(scope="module")
def runtime():
    return Runtime(Catalogue())


def network(config=TINY, label="Tiny"):
    torch.manual_seed(0)
    return Network(label, HPINet(config).eval().requires_grad_(False))


def opened(found, size=(128, 160), mode=RESTORE, **more):
    """A record of a random image."""
    torch.manual_seed(5)
    pixels = (torch.rand(1, 3, *size) * 255).round() / 255
    study = make_study(Source("x", Picture(pixels)), mode, found.scale)
    height, width = (side * found.scale for side in study.size)
    window = Window(width // 3, height // 3, 12)
    return MatchesRecord(study, found.info, window, (window.left + 6, window.top + 6), **more)


def test_changes_are_the_librarys_interventions(runtime):
    found = network()
    study = opened(found).study
    normal = found.model.trace(study.lr.rgb, similarity_matrix=True)
    for change, intervention in (
        (Change("off", block=2), Intervention("off", (1,))),
        (Change("random", EVERYWHERE, seed=4), Intervention("random", (0, 1), 4)),
        (Change("second", ELSEWHERE, block=2), Intervention("second", (0,))),
        (Change(FORCED, block=1, pairs=((0, 3),)), Intervention("forced", (0,), 0, ((0, 3),))),
    ):
        outcome = runtime.matches.outcome(study, found, change)
        expected = library_intervene(found.model, normal, intervention)
        assert torch.equal(outcome.trace.sr, expected.sr)
        assert not torch.equal(outcome.trace.sr, normal.sr)
        assert runtime.matches.outcome(study, found, change) is outcome  # known by content
    assert torch.equal(runtime.matches.outcome(study, found, Change()).trace.sr, normal.sr)


def test_matches_by_the_original_need_one(runtime):
    found = network()
    record = opened(found)
    change = Change("hr")
    assert runtime.matches.outcome(record.study, found, change).pixels.shape == (128, 160, 3)
    effect = runtime.matches.effect(record.study, found, change, record.window)
    assert effect.psnr_change is not None
    enlarged = opened(found, (32, 40), ENLARGE)
    with pytest.raises(ValueError, match="need an original"):
        runtime.matches.outcome(enlarged.study, found, change)


@pytest.fixture
def visitor(runtime):
    """A visitor with the first example, and the page of matches."""
    with gr.Blocks(), gr.Tabs(), gr.Tab("x") as tab:
        page = matches.MatchedPatches(runtime, gr.State(Session()), tab)
    session = Session()
    label = runtime.catalogue.labels[0]
    assert open_image(runtime, session, from_example(EXAMPLES[0]), RESTORE, label)
    page.here(session)
    return page, session


def test_forced_matches_are_listed_and_taken_back(runtime, visitor):
    page, session = visitor
    network = runtime.catalogue.get(runtime.catalogue.labels[0])
    own = runtime.matches.of(session.opened.study, network).blocks[0]
    for force in ([0, 5], [1, 6], [0, 7]):  # a patch has one target
        page.show(session, page.applied(session, {"force": force, "block": 1}, WINDOW))
    assert session.matches.change.pairs == ((1, 6), (0, 7))
    now = runtime.matches.of(session.opened.study, network, session.matches.change).blocks[0]
    assert now.index[0, :2].tolist() == [7, 6]
    assert torch.equal(now.index[0, 2:], own.index[0, 2:])  # all others keep what was decided
    value = views.scene(runtime, session.matches, network, session.owner)
    assert [pair[:2] for pair in value["change"]["pairs"]] == [(1, 6), (0, 7)]
    assert "row 1, column 1 → row 2, column 1" in value["change"]["pairs"][1][2]
    page.show(session, page.applied(session, {"undo": 0}, WINDOW))
    assert session.matches.change.pairs == ((0, 7),)
    page.show(session, page.applied(session, {"undo": 0}, WINDOW))
    assert session.matches.change.nothing
    with pytest.raises(ValueError, match="no block 99"):
        page.applied(session, {"force": [0, 1], "block": 99}, WINDOW)


def test_the_viewer_is_sent_every_blocks_matches(runtime, visitor):
    _, session = visitor
    network = runtime.catalogue.get(runtime.catalogue.labels[0])
    value = views.scene(runtime, session.matches, network, session.owner)
    data, _ = STORE.get(value["pack"]["address"].rsplit("/", 1)[1], session.owner)
    blocks = runtime.matches.of(session.opened.study, network).blocks
    assert value["patches"] == [b.patch_size for b in blocks]
    for number, block in enumerate(blocks):
        told = next(a for a in value["pack"]["arrays"] if a["name"] == f"index_{number}")
        index = np.frombuffer(data, told["type"], len(block.origins), told["start"])
        assert index.tolist() == block.index[0].tolist()
    assert {a["name"] for a in value["matrices"]["arrays"]} >= {"matrix_0"}


def test_a_block_that_is_not_there_is_an_error(runtime, visitor):
    _, session = visitor
    with pytest.raises(ValueError, match="no block 99: they are numbered 1 to 8"):
        matches.record_at(runtime, session, 99)


def test_an_effect_is_shown_where_it_is_asked_for(runtime):
    found = network()
    record = replace(opened(found), place=(150, 120))
    patch = match_panes.effect_place(runtime, record, found, PATCH)
    assert patch == Window(28 * 4, 20 * 4, 48)
    assert match_panes.effect_place(runtime, record, found, WINDOW) == record.window
    changed = replace(record, change=Change("random", EVERYWHERE))
    listing = match_panes.pane(CHANGE, runtime, changed, found)["effect"]
    assert "PSNR-Y here" in listing and "grey levels" in listing
    listing = match_panes.pane(CHANGE, runtime, record, found)["effect"]
    assert ">0 / 0<" in listing and ">+0.000 / +0.000<" in listing


@pytest.mark.parametrize("pane", [BLOCK, CHANGE, PAIRS, REACH])
@pytest.mark.parametrize(
    ("config", "size"),
    [
        (TINY, (128, 160)),
        (HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12,), scale=3), (27, 33)),
        (HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(14, 12, 16), scale=2), (40, 20)),
    ],
    ids=["two blocks", "one block, one patch", "three blocks, smaller than a patch"],
)
def test_every_pane_shows_every_network(runtime, pane, config, size):
    found = network(config, f"Tiny {config.patch_sizes}")
    record = opened(found, size)
    told, drawn = views.pair(runtime, record, found)
    assert "Block 1" in told and drawn.shape[2] == 3
    value = views.scene(runtime, record, found, Session().owner)
    assert len(value["patches"]) == len(value["statistics"]) == config.blocks
    shown = match_panes.pane(pane, runtime, record, found)
    assert set(shown) == set(match_panes.NAMES[pane])
    given = [v for v in shown.values() if isinstance(v, str)]
    assert len(given) >= {BLOCK: 1, CHANGE: 4, PAIRS: 1, REACH: 2}[pane]


def test_a_network_without_gpa_has_nothing_to_change(runtime):
    found = network(TINY.without_gpa(), "Lone")
    record = replace(opened(found), place=(3, 4))
    value = views.scene(runtime, record, found, Session().owner)
    assert "no Global Pixel Access" in value["title"] and value["patches"] == []
    assert value["place"] == [3, 4] and not value["changes"]
    shown = match_panes.pane(CHANGE, runtime, record, found)
    assert list(shown.values()) == [None] * 4
    with pytest.raises(ValueError, match="no Global Pixel Access"):
        runtime.matches.outcome(record.study, found, Change("off"))


def test_an_image_too_large_to_be_changed_is_a_sentence(runtime, monkeypatch):
    found, changes = network(), MatchChanges(Attribution(), trace_pixels=32 * 32)
    study = opened(found, (128, 132)).study
    with pytest.raises(ValueError, match=r"up to 1024 LR pixels.*lam intervene"):
        changes.outcome(study, found, Change("off"))
    assert len(changes.of(study, found).blocks) == 2  # they can be looked at, though
    monkeypatch.setattr(runtime, "matches", changes)
    assert match_panes.pane(PAIRS, runtime, opened(found, (128, 132)), found)["pairs"]


def test_the_diffusion_index_of_a_change(runtime):
    found, how = network(), How(2)
    record = opened(found)
    told = list(diffusion_change.measured(runtime, record, found, how))
    assert "Nothing is changed" in told[-1][1]
    record = replace(record, change=Change("off", EVERYWHERE))
    *_, (numbers, told) = diffusion_change.measured(runtime, record, found, how)
    assert set(numbers) == {"normal", "changed"}
    assert "normally" in told and "with the change" in told
    study, window = record.study, record.window
    *_, (normal, changed) = runtime.matches.maps(study, found, record.change, window, how)
    region = (0, 0, *study.size)
    *_, expected = runtime.attribution.attributed(study, found, "own", window, region, how)
    np.testing.assert_allclose(changed.attribution, expected.attribution, atol=1e-6)
    assert normal.diffusion_index != changed.diffusion_index


def test_the_index_of_a_change_on_an_image_larger_than_the_probe_for_speed(runtime):
    found = network()
    record = opened(found, (280, 272), change=Change("off"))
    told = list(diffusion_change.measured(runtime, record, found, How(1)))
    assert told[0][0] is None and set(told[-1][0]) == {"normal", "changed"}


def test_another_image_forgets_the_change(runtime):
    found = runtime.catalogue.get(runtime.catalogue.labels[0])
    first, second = opened(found), opened(found, (64, 64))
    session = Session(matches=replace(first, change=Change("off"), first=2))
    for record, kind in ((first, "off"), (second, "none")):
        session.opened = Opened(record.study, record.network, Source("x", record.study.lr))
        kept = matches.record_at(runtime, session, 1)
        assert kept.change.kind == kind and kept.same(record)
    assert kept.first is None


def test_the_path_ends_at_the_image(runtime):
    found = network()
    opened_here = opened(found)
    study = opened_here.study
    sr = runtime.super_resolved(study, found).pixels
    region = (0, 0, *study.size)
    record = MapsRecord(study, found.info, sr, opened_here.window, region, How())

    def told(alpha):
        station = runtime.path.at(record, found, alpha)
        switched = runtime.path.switched(record, found, alpha)
        return path(record, station, switched, alpha, runtime.images)

    end = told(1.0)
    assert "0% of the patches attend to another" in end["switched"] and end["path_figure"] is None
    assert "Block 2" in told(0.0)["switched"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Change("nonsense"), "kind of change"),
        (lambda: Change("off", "nowhere"), "place of change"),
        (lambda: Change("off", block=9).intervention(2), "numbered 1 to 2"),
        (lambda: Change("off", ELSEWHERE).intervention(1), "one block only"),
        (lambda: Look(view="nothing"), "view must be one of"),
        (lambda: Look(end=0), "colour scale ends"),
        (lambda: Look(end=120), "colour scale ends"),
        (lambda: How(10**9), "1 to 200"),
        (lambda: How(method="magic"), "method must be one of"),
    ],
)
def test_what_cannot_be_chosen_is_a_sentence(make, said):
    with pytest.raises(ValueError, match=said):
        make()
    assert Look(view=AREAS).view == AREAS
