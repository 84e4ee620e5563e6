"""Scores, contenders and the strip that shows them side by side."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hpinet import HPINet, HPINetConfig, Picture
from hpinet.imaging.images import from_uint8
from hpinet.metrics.lpips import Lpips
from hpinet.metrics.psnr_ssim import psnr_y, to_y
from lam import Window
from ui.compute import scores
from ui.compute.contenders import (
    BICUBIC,
    KINDS,
    NETWORK,
    Contender,
    contenders,
    find,
    left_out,
    restored,
)
from ui.state.model_catalogue import Catalogue
from ui.state.session import ENLARGE, RESTORE, Session, Source, make_study
from ui.views import comparison

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    from hpinet.checkpoints.loading import save_checkpoint

    (tmp_path / "none").mkdir()
    monkeypatch.setattr("ui.state.model_catalogue.BUNDLED", tmp_path / "none")
    torch.manual_seed(0)
    save_checkpoint(HPINet(TINY), tmp_path / "Tiny-x4.safetensors")
    save_checkpoint(HPINet(TINY.without_gpa()), tmp_path / "Tiny-x4-no-gpa.safetensors")
    save_checkpoint(HPINet(TINY.with_scale(2)), tmp_path / "mine.safetensors")
    return Catalogue(tmp_path)


def study(seed=0, mode=RESTORE, side=64):
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return make_study(Source("x", Picture(from_uint8(pixels))), mode, 4)


def test_who_stands_beside_whom(catalogue, tmp_path):
    session = Session(network="Tiny-x4")
    kinds = [c.kind for c in contenders(session, catalogue, study())]
    assert kinds == ["bicubic", "network", "without", "original"]
    assert [c.kind for c in contenders(session, catalogue, study(mode=ENLARGE))] == kinds[:-1]
    session.own = catalogue.own.add(tmp_path / "mine.safetensors")  # x2: not to be compared
    network = catalogue.get("Tiny-x4")
    assert [c.kind for c in contenders(session, catalogue, study())] == kinds
    assert "enlarges 2 times and Tiny-x4 4 times" in left_out(session, catalogue, network)
    session.own = catalogue.own.add(tmp_path / "Tiny-x4.safetensors")
    among = contenders(session, catalogue, study())
    assert [c.kind for c in among] == list(KINDS) and left_out(session, catalogue, network) == ""
    assert find(among, "other", BICUBIC).label == "Tiny-x4 (yours)"
    assert find(among, None, NETWORK).kind == NETWORK
    with pytest.raises(ValueError, match="A contender is one of"):
        find(among, "best", BICUBIC)


def test_what_takes_too_long_is_refused_before_it_begins(catalogue):
    slow = Contender(NETWORK, "slow", catalogue.get("Tiny-x4"), None, seconds=1000.0)
    with pytest.raises(ValueError, match=r"slow would take about 1000 s for 16x16 pixels"):
        restored(slow, study(), 4)
    found = scores.measure(slow, study(), 4, True)
    assert "would take" in found.trouble and found.psnr is None
    assert "would take" in scores.as_table([(slow, found)], study())


def test_lpips_is_never_fetched_by_itself(monkeypatch, tmp_path):
    monkeypatch.delenv("HPINET_LPIPS_BACKBONE", raising=False)
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def fail():
        raise AssertionError("the page tried to load LPIPS")

    monkeypatch.setattr(Lpips, "reason", property(lambda _: fail()))
    assert "which this page does not fetch by itself" in scores.lpips_reason(study())
    assert scores.lpips_reason(study(mode=ENLARGE)) == ""
    assert "31 pixels a side" in scores.lpips_reason(study(side=24))


def test_the_table_tells_equal_missing_and_coming_apart(catalogue):
    here = study()
    known = contenders(Session(network="Tiny-x4"), catalogue, here)
    rows = [(known[0], scores.Scores(float("inf"), 1.0, None, 0.2)), (known[1], None)]
    text = scores.as_table(rows, here)
    assert "equal" in text and "none" in text and text.count("…") == 4
    assert "<tr class=\"ours\"><th scope='row'>Tiny-x4" in text
    found = scores.measure(known[0], here, 4, False)
    assert found.psnr == pytest.approx(psnr_y(restored(known[0], here, 4).pixels, here.hr, 4))
    assert found.waiting and found.as_dict()["lpips"] is None


def test_the_strip_is_one_scale_and_escapes_names():
    rng = np.random.default_rng(0)
    hr = rng.integers(0, 256, (40, 40, 3), np.uint8)
    near, far = hr // 2 + 64, 255 - hr
    both = [(Contender(BICUBIC, "<b>near</b>"), near), (Contender(NETWORK, "far"), far)]
    window = Window(4, 8, 16)
    text = comparison.strip(comparison.ERRORS, both, hr, window)
    assert "&lt;b&gt;near" in text and "<b>near" not in text
    errors = [np.abs(to_y(p).astype(float) - to_y(hr)) for p in (near, far)]
    limit = max(np.percentile(e, 99.5) for e in errors)
    assert f"{limit:.0f} or more of 255 levels" in text
    assert all(f"mean {e.mean():.1f}" in text for e in errors)
    inside = comparison.strip(comparison.WINDOW_ERRORS, both, hr, window)
    assert all(f"mean {e[8:24, 4:20].mean():.1f}" in inside for e in errors)
    assert f"{limit:.0f} or more" in inside  # the scale stays
    assert "no original" in comparison.strip(comparison.ERRORS, both, None, window)
    assert comparison.strip(comparison.WINDOW, [(both[0][0], None)], hr, window).count("…") == 1
    with pytest.raises(ValueError, match="The view is one of"):
        comparison.strip("everything", both, hr, window)
