"""Matches taken away, exchanged and forced on page 3, without a browser."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hpinet import HPINet, HPINetConfig, Picture
from hpinet.analysis.interventions import Intervention
from hpinet.analysis.interventions import intervene as library_intervene
from lam import Window
from ui.compute import attribution, interventions
from ui.state.network import Network
from ui.state.options import AREAS, ELSEWHERE, EVERYWHERE, FORCED, Change, How, Look
from ui.state.session import ENLARGE, RESTORE, Session, Source, make_study
from ui.tabs import diffusion_change, matches
from ui.tabs.matches_layout import BLOCK, CHANGE, PAIRS, PATCH, REACH, WINDOW
from ui.views import match_panes, path

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))


def network(config=TINY, label="Tiny"):
    torch.manual_seed(0)
    return Network(label, HPINet(config).eval().requires_grad_(False))


def opened(found, size=(128, 160), mode=RESTORE):
    """A session that looks at a random picture."""
    torch.manual_seed(5)
    pixels = (torch.rand(1, 3, *size) * 255).round() / 255
    study = make_study(Source("x", Picture(pixels)), mode, found.scale)
    height, width = (side * found.scale for side in study.size)
    session = Session(study=study, network=found.label, window=Window(width // 3, height // 3, 12))
    session.region = (0, 0, *study.size)
    session.explored.begin((study.key, found.label))
    return session, study


def test_changes_are_the_librarys_interventions():
    found = network()
    _, study = opened(found)
    normal = found.model.trace(study.lr.rgb, similarity_matrix=True)
    for change, intervention in (
        (Change("off", block=2), Intervention("off", (1,))),
        (Change("random", EVERYWHERE, seed=4), Intervention("random", (0, 1), 4)),
        (Change("second", ELSEWHERE, block=2), Intervention("second", (0,))),
        (Change(FORCED, block=1, pairs=((0, 3),)), Intervention("forced", (0,), 0, ((0, 3),))),
    ):
        outcome = interventions.outcome(study, found, change)
        expected = library_intervene(found.model, normal, intervention)
        assert torch.equal(outcome.trace.sr, expected.sr)
        assert not torch.equal(outcome.trace.sr, normal.sr)
        assert interventions.outcome(study, found, change) is outcome  # known by content
    assert torch.equal(interventions.outcome(study, found, Change()).trace.sr, normal.sr)


def test_matches_by_the_original_need_one():
    found = network()
    session, study = opened(found)
    assert interventions.outcome(study, found, Change("hr")).pixels.shape == (128, 160, 3)
    assert (
        interventions.effect_of(study, found, Change("hr"), session.window).psnr_change is not None
    )
    _, enlarged = opened(found, (32, 40), ENLARGE)
    with pytest.raises(ValueError, match="need an original"):
        interventions.outcome(enlarged, found, Change("hr"))


def test_two_clicks_force_a_match_and_reset_restores():
    found = network()
    session, study = opened(found)
    before = interventions.matches_of(study, found).blocks[0]
    session.explored.change = Change(FORCED)
    values = matches.view(session, study, found, 1)
    assert "Click 1 of 2" in values[3]
    # 4x3 patches of 12 in steps of 10 LR pixels: x 8 is in the first, x 150 in the last column.
    matches.pick(session, study, found, 1, 8, 8)
    assert session.explored.first == 0 and session.explored.change.nothing
    assert "Click 2 of 2" in matches.view(session, study, found, 1, 8, 8)[3]
    assert matches.pick(session, study, found, 1, 150, 120) == (24, 24)
    last = len(before.origins) - 1
    assert session.explored.change.pairs == ((0, last),) and session.explored.first is None
    now = match_panes.matches_now(session, study, found).blocks[0].index[0]
    assert int(now[0]) == last
    assert torch.equal(now[1:], before.index[0, 1:])  # all others keep what the block decided
    told = matches.view(session, study, found, 1)[3]
    assert "row 1, column 1 → row 3, column 4" in told
    matches.pick(session, study, found, 1, 8, 8)  # the same patch once more: another target
    matches.pick(session, study, found, 1, 8, 120)
    assert session.explored.change.pairs == ((0, 8),)
    session.explored.change = session.explored.change.at(2)
    assert session.explored.change.nothing  # forced matches stay in the block they were made in


def test_an_effect_is_shown_where_it_is_asked_for():
    found = network()
    session, study = opened(found)
    session.explored.place = (150, 120)
    patch = match_panes.effect_place(session, study, found, 1, PATCH)
    assert patch == Window(28 * 4, 20 * 4, 48)
    assert match_panes.effect_place(session, study, found, 1, WINDOW) == session.window
    session.explored.change = Change("random", EVERYWHERE)
    *_, listing = match_panes.effect_view(session, study, found, 1, WINDOW)
    assert "PSNR-Y here" in listing and "grey levels" in listing
    session.explored.change = Change()
    *_, listing = match_panes.effect_view(session, study, found, 1, WINDOW)
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
def test_every_pane_shows_every_network(pane, config, size):
    found = network(config, f"Tiny {config.patch_sizes}")
    session, study = opened(found, size)
    session.explored.pane = pane
    values = matches.view(session, study, found, 99)  # no such block: the first
    assert values[0]["value"] == 1 and len(values[0]["choices"]) == config.blocks
    shown = match_panes.details(session, study, found, 1, WINDOW)
    given = [v for v in shown if isinstance(v, str)]
    assert len(given) >= {BLOCK: 3, CHANGE: 4, PAIRS: 2, REACH: 2}[pane]


def test_a_network_without_gpa_has_nothing_to_change():
    found = network(TINY.without_gpa(), "Lone")
    session, study = opened(found)
    values = matches.view(session, study, found, 1, 3, 4)
    assert "no Global Pixel Access" in values[3] and values[1:3] == (3, 4)
    session.explored.pane = CHANGE
    assert match_panes.details(session, study, found, 1, WINDOW).count(None) == 4
    with pytest.raises(ValueError, match="no Global Pixel Access"):
        interventions.outcome(study, found, Change("off"))


def test_a_picture_too_large_to_be_changed_is_a_sentence(monkeypatch):
    found = network()
    _, study = opened(found, (128, 132))
    monkeypatch.setattr(interventions, "TRACE_PIXELS", 32 * 32)
    with pytest.raises(ValueError, match=r"up to 1024 LR pixels.*lam intervene"):
        interventions.outcome(study, found, Change("off"))
    assert len(interventions.matches_of(study, found).blocks) == 2  # they can be looked at, though


def test_the_diffusion_index_of_a_change():
    found = network()
    session, study = opened(found)
    session.how = How(2)
    assert "Nothing is changed" in list(diffusion_change.measured(session, study, found))[-1][1]
    session.explored.change = Change("off", EVERYWHERE)
    *_, (numbers, told) = diffusion_change.measured(session, study, found)
    assert set(numbers) == {"normal", "changed"}
    assert "normally" in told and "with the change" in told
    ((normal, changed),) = list(
        interventions.maps_of_change(
            study, found, session.explored.change, session.window, session.how
        )
    )[-1:]
    own = attribution.attributed(study, found, "own", session.window, session.region, session.how)
    *_, expected = own
    np.testing.assert_allclose(changed.attribution, expected.attribution, atol=1e-6)
    assert normal.diffusion_index != changed.diffusion_index


def test_the_index_of_a_change_on_a_picture_larger_than_the_probe_for_memory():
    found = network()
    session, study = opened(found, (280, 272))
    session.how, session.explored.change = How(1), Change("off")
    *_, (numbers, _) = page_numbers = list(diffusion_change.measured(session, study, found))
    assert page_numbers[0][0] is None and set(numbers) == {"normal", "changed"}


def test_another_picture_forgets_the_change():
    found = network()
    session, study = opened(found)
    session.explored.change = Change("off")
    matches.view(session, study, found, 1)
    assert session.explored.change.kind == "off"
    _, other = opened(found, (64, 64))
    matches.view(session, other, found, 1)
    assert session.explored.change.nothing


def test_the_path_ends_at_the_picture():
    found = network()
    session, study = opened(found)
    *_, told, figure = path.view(session, study, found, 1.0)
    assert "0% of the patches look elsewhere" in told and figure is None
    *_, told, _ = path.view(session, study, found, 0.0)
    assert "Block 2" in told
    with pytest.raises(ValueError, match="0 to 1"):
        path.view(session, study, found, 1.5)


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
