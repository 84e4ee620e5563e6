"""Scores, contenders and the strip that shows them side by side."""

from __future__ import annotations

import io
import json
import statistics
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.catalogue import without_networks
from PIL import Image

from hpinet import HPINet, HPINetConfig, Picture
from hpinet.imaging.images import from_uint8
from hpinet.metrics.psnr_ssim import psnr_y
from lam import Window
from ui.compute.contenders import BICUBIC, KINDS, NETWORK, NO_GPA, Contender, find
from ui.compute.runtime import Runtime
from ui.compute.scores import Scorer, Scores
from ui.networks.model_catalogue import Catalogue
from ui.state.inputs import ENLARGE, RESTORE, Source, make_study
from ui.state.record import ComparisonRecord
from ui.state.session import Session
from ui.viewer.store import STORE
from ui.views import comparison, verdicts
from ui.views.scores import table

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    from hpinet.networks.files import save_checkpoint

    (tmp_path / "none").mkdir()
    without_networks(monkeypatch, tmp_path / "none")
    torch.manual_seed(0)
    save_checkpoint(HPINet(TINY), tmp_path / "Tiny-x4.safetensors")
    save_checkpoint(HPINet(TINY.without_gpa()), tmp_path / "Tiny-x4-no-gpa.safetensors")
    save_checkpoint(HPINet(TINY.with_scale(2)), tmp_path / "mine.safetensors")
    return Runtime(Catalogue(tmp_path))


def record(runtime, seed=0, mode=RESTORE, uploaded=None):
    return ComparisonRecord(study(seed, mode), runtime.catalogue.get("Tiny-x4").info, uploaded)


def study(seed=0, mode=RESTORE, side=64):
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return make_study(Source("x", Picture(from_uint8(pixels))), mode, 4)


@pytest.mark.slow
def test_who_stands_beside_whom(runtime, tmp_path):
    among = runtime.contenders.among
    kinds = [c.kind for c in among(record(runtime))]
    # Tiny-x4's own kinds; mine.safetensors of the folder is x2.
    assert kinds == ["bicubic", "network", "without", "original"]
    assert [c.kind for c in among(record(runtime, mode=ENLARGE))] == kinds[:-1]
    # x2: not to be compared
    twice = record(runtime, uploaded=runtime.catalogue.uploads.add(tmp_path / "mine.safetensors"))
    assert [c.kind for c in among(twice)] == kinds
    assert "enlarges 2 times and Tiny-x4 4 times" in runtime.contenders.left_out(twice)
    same = runtime.catalogue.uploads.add(tmp_path / "Tiny-x4.safetensors")
    four = record(runtime, uploaded=same)
    found = among(four)
    assert [c.kind for c in found] == list(KINDS) and runtime.contenders.left_out(four) == ""
    assert find(found, "other", BICUBIC).label == "Tiny-x4 (yours)"
    assert find(found, None, NETWORK).kind == NETWORK
    with pytest.raises(ValueError, match="A contender is one of"):
        find(found, "best", BICUBIC)


def test_what_takes_too_long_is_refused_before_it_begins(runtime):
    slow = Contender(NETWORK, "slow", runtime.catalogue.get("Tiny-x4"), None, seconds=1000.0)
    with pytest.raises(ValueError, match=r"slow would take about 1000 s for 16x16 pixels"):
        runtime.contenders.restored(slow, study(), 4)
    found = runtime.scorer.measure(slow, study(), 4, True)
    assert "would take" in found.trouble and found.psnr is None
    assert "would take" in table([(slow, found)], study())


def test_lpips_is_never_fetched_by_itself(runtime, monkeypatch, tmp_path):
    monkeypatch.delenv("HPINET_LPIPS_BACKBONE", raising=False)
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    class Never:
        @property
        def reason(self):
            raise AssertionError("the page tried to load LPIPS")

    scorer = Scorer(runtime.contenders, Never())
    assert "which this page fetches only when it is told to" in scorer.lpips_reason(study())
    assert scorer.lpips_reason(study(mode=ENLARGE)) == ""
    assert "31 pixels a side" in scorer.lpips_reason(study(side=24))


def test_the_table_tells_equal_missing_and_coming_apart(runtime):
    here = study()
    known = runtime.contenders.among(record(runtime))
    rows = [(known[0], Scores(float("inf"), 1.0, None, 0.2)), (known[1], None)]
    text = table(rows, here)
    assert "equal" in text and "none" in text and text.count("…") == 4
    found = runtime.scorer.measure(known[0], here, 4, False)
    pixels = runtime.contenders.restored(known[0], here, 4).pixels
    assert found.psnr == pytest.approx(psnr_y(pixels, here.hr, 4))
    assert found.waiting and found.as_dict()["lpips"] is None


def test_whatever_enters_the_table_is_escaped(runtime):
    bad = Contender(BICUBIC, "<i>name</i>")
    text = table([(bad, Scores(trouble="<b>trouble</b>"))], study(), "<script>reason</script>")
    assert not any(tag in text for tag in ("<i>", "<b>", "<script>"))
    assert "&lt;script&gt;reason" in text


def test_the_viewer_is_sent_the_images_that_are_computed(runtime):
    here, owner = record(runtime), Session().owner
    among = runtime.contenders.among(here)
    window = Window(4, 8, 16)
    value = comparison.scene(runtime, here, window, owner, among[:1])
    sent = {c["name"]: c["image"] for c in value["contenders"]}
    assert sent["bicubic"] and sent["original"] and sent["network"] is None
    data, kind = STORE.get(sent["original"].rsplit("/", 1)[1], owner)
    assert kind == "image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), here.study.hr)
    runtime.contenders.pixels(among[1], here.study, 4)
    again = comparison.scene(runtime, here, window, owner)
    assert all(c["image"] for c in again["contenders"][:2])
    assert again["contenders"][0]["image"] == sent["bicubic"]  # not fetched again


def test_the_best_of_a_column_is_bold(runtime):
    known = runtime.contenders.among(record(runtime))[:2]
    scores = [Scores(20.0, 0.5, 0.3, 9.0), Scores(25.0, 0.4, 0.2, 1.0)]
    text = table(list(zip(known, scores, strict=True)), study())
    assert "<b>25.00</b>" in text and "<b>0.5000</b>" in text and "<b>0.2000</b>" in text
    assert text.count("<b>") == 3  # times are no contest


def verdict(own, twin, bicubic=20.0):
    kinds = ((BICUBIC, "Bicubic", bicubic), (NETWORK, "Net", own), (NO_GPA, "Twin", twin))
    rows = [(Contender(kind, label), Scores(psnr, 0.5)) for kind, label, psnr in kinds]
    return verdicts.contenders(rows, study())


def test_who_is_nearer_is_said_only_where_it_counts():
    assert "neither is better here" in verdict(25.05, 25.0)
    assert "Net is 0.50 dB nearer to the original than “Twin”" in verdict(25.5, 25.0)
    beaten = verdict(25.0, 25.5)
    assert "“Twin” is 0.50 dB nearer to the original than Net: it spends" in beaten
    assert "Net is 5.00 dB nearer to the original than bicubic" in beaten


def test_what_counts_as_nearer_is_what_the_bundled_twins_differ_by():
    record = json.loads((Path(__file__).parents[2] / "docs" / "results.json").read_text())
    psnr = {
        (of["set"], of["model"], image["name"]): image["psnr"]
        for of in record["results"]
        for image in of["per_image"]
    }
    gains = [v - psnr[a, "S:no-gpa", i] for (a, model, i), v in psnr.items() if model == "S"]
    assert len(gains) == 19
    assert pytest.approx(2 * statistics.stdev(gains), abs=0.005) == verdicts.PSNR_NOISE


def test_what_gpa_is_worth(runtime):
    network = runtime.catalogue.get("Tiny-x4")
    told = verdicts.worth(network, 0.2, [0.1, 0.98])
    assert "0.2 grey levels of 255 on average: invisible" in told
    assert "In block 2, 98% of the patches" in told
    assert "average: visible" in verdicts.worth(network, 3.0, [])
