"""Evaluation of a folder: pairing, the report, and the published figures."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from PIL import Image
from torch import nn

from hpinet import load_model
from hpinet.data.pairs import find_pairs, set_name
from hpinet.evaluation.evaluate import evaluate
from hpinet.evaluation.tables import per_image
from hpinet.imaging.images import from_uint8, shrink, to_uint8
from hpinet.inference.upscale import bicubic
from hpinet.metrics.lpips import BACKBONE_VARIABLE
from hpinet.metrics.psnr_ssim import psnr_y, ssim_y


class Repeat(nn.Module):
    """Pixels twice: a network whose result is known."""

    scale = 2

    def forward(self, x):
        return x.repeat_interleave(2, -1).repeat_interleave(2, -2)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize(
    ("hr", "lr"),
    [
        ("baby.png", "baby.png"),
        ("baby.png", "babyx4.png"),
        ("baby.bmp", "baby_x4.png"),
        ("baby.png", "baby_LR_x4.png"),
        ("Baby_HR.png", "baby_lr.PNG"),
        ("img_001_SRF_4_HR.png", "img_001_SRF_4_LR.png"),
    ],
)
def test_names_pair_up(tmp_path, hr, lr):
    save(tmp_path / "HR" / hr, noise(8, 8))
    save(tmp_path / "LR" / lr, noise(2, 2))
    [pair] = find_pairs(tmp_path, 4)
    assert (pair.hr.name, pair.lr.name) == (hr, lr)


def test_names_that_end_like_a_mark_stay_apart(tmp_path):
    for name in ("fox2.png", "fo.png"):  # at x2, "fox2" reads as "fo" of that scale
        save(tmp_path / "HR" / name, noise(8, 8))
        save(tmp_path / "LR" / name, noise(4, 4))
    assert [(p.hr.name, p.lr.name) for p in find_pairs(tmp_path, 2)] == [
        ("fo.png", "fo.png"),
        ("fox2.png", "fox2.png"),
    ]


def test_pictures_without_partner_or_with_two_are_named(tmp_path):
    save(tmp_path / "HR" / "bird.png", noise(8, 8))
    save(tmp_path / "LR" / "baby.png", noise(2, 2))
    with pytest.raises(ValueError, match=r"bird\.png .*found none"):
        find_pairs(tmp_path, 4)
    save(tmp_path / "LR" / "birdx4.png", noise(2, 2))
    save(tmp_path / "LR" / "bird_LR.png", noise(2, 2))
    with pytest.raises(ValueError, match=r"bird_LR\.png and birdx4\.png"):
        find_pairs(tmp_path, 4)


def test_folders_without_lr_and_without_hr(tmp_path):
    save(tmp_path / "a.png", noise(8, 8))
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / ".hidden.png").write_text("not a picture")
    assert [(p.name, p.lr) for p in find_pairs(tmp_path, 4)] == [("a", None)]
    save(tmp_path / "HR" / "b.png", noise(8, 8))
    assert [(p.name, p.lr) for p in find_pairs(tmp_path, 4)] == [("b", None)]


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(ValueError, match="nowhere is not a folder"):
        find_pairs(tmp_path / "nowhere", 4)
    with pytest.raises(ValueError, match="holds no images"):
        find_pairs(tmp_path, 4)


def test_report_holds_the_protocol_s_figures(tmp_path):
    pictures = {"a": noise(41, 30), "b": noise(36, 37, seed=1)}
    for name, pixels in pictures.items():
        save(tmp_path / f"{name}.png", pixels)
    report = evaluate(Repeat(), tmp_path, name="repeat")
    keys = ["model", "scale", "images", "psnr", "ssim", "lpips", "bicubic", "per_image"]
    assert list(report) == keys
    assert (report["model"], report["scale"], report["images"]) == ("repeat", 2, 2)
    psnrs = []
    for row, pixels in zip(report["per_image"], pictures.values(), strict=True):
        hr = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
        lr = shrink(hr, 2)
        sr = Repeat()(lr)
        assert row["psnr"] == psnr_y(sr, hr, 2)
        assert row["ssim"] == ssim_y(sr, hr, 2)
        assert row["bicubic_psnr"] == psnr_y(bicubic(lr, 2), hr, 2)
        assert row["lpips"] is row["bicubic_lpips"] is None
        psnrs.append(row["psnr"])
    assert report["psnr"] == pytest.approx(sum(psnrs) / 2)
    assert set(report["bicubic"]) == {"psnr", "ssim", "lpips"}
    assert f"{report['psnr']:.3f}" in per_image(report).splitlines()[4]


def test_given_lr_is_used(tmp_path):
    save(tmp_path / "HR" / "a.png", noise(40, 40))
    save(tmp_path / "LR" / "a.png", noise(20, 20, seed=5))
    row = evaluate(Repeat(), tmp_path)["per_image"][0]
    expected = Repeat()(from_uint8(noise(20, 20, seed=5)))
    assert row["psnr"] == psnr_y(to_uint8(expected), noise(40, 40), 2)


def test_an_image_that_equals_its_original_is_left_out_of_the_mean(tmp_path):
    save(tmp_path / "HR" / "a.png", noise(20, 20).repeat(2, 0).repeat(2, 1))
    save(tmp_path / "LR" / "a.png", noise(20, 20))
    report = evaluate(Repeat(), tmp_path)
    assert report["psnr"] is report["per_image"][0]["psnr"] is None
    assert report["ssim"] == 1 and math.isfinite(report["bicubic"]["psnr"])
    save(tmp_path / "HR" / "b.png", noise(40, 40))
    save(tmp_path / "LR" / "b.png", noise(20, 20))
    report = evaluate(Repeat(), tmp_path)
    assert report["images"] == 2 and report["psnr"] == report["per_image"][1]["psnr"] > 0
    [note] = report["notes"]
    assert note.startswith("1 image") and note in per_image(report)
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_an_unavailable_lpips_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv(BACKBONE_VARIABLE, str(tmp_path / "missing.pth"))
    save(tmp_path / "a.png", noise(40, 40))
    report = evaluate(Repeat(), tmp_path, lpips=True)
    assert report["lpips"] is None
    assert "missing.pth" in report["notes"][0]


@pytest.mark.parametrize(
    ("hr", "lr", "words"),
    [
        (noise(40, 40), noise(19, 20), r"a\.png in LR has 20x19 .* is 20x20"),
        (noise(12, 40), noise(6, 20), r"^a\.png: .*too small"),
        (noise(1, 40), noise(1, 20), r"a\.png in LR has 20x1 "),
    ],
)
def test_unfit_pictures_are_named(tmp_path, hr, lr, words):
    save(tmp_path / "HR" / "a.png", hr)
    save(tmp_path / "LR" / "a.png", lr)
    with pytest.raises(ValueError, match=words):
        evaluate(Repeat(), tmp_path)


@pytest.mark.slow
@pytest.mark.reference
def test_released_s_and_bicubic_on_set5(shared):
    model = load_model(shared / "released" / "HPINet-S-x4.pth")
    report = evaluate(model, shared / "benchmarks" / "Set5" / "x4")
    assert report["psnr"] == pytest.approx(32.474, abs=2e-3)
    assert report["ssim"] == pytest.approx(0.8976, abs=2e-4)
    assert report["bicubic"]["psnr"] == pytest.approx(28.418, abs=1e-3)


@pytest.mark.slow
@pytest.mark.reference
def test_bicubic_on_set14(shared):
    class Nothing(Repeat):
        scale = 4

        def forward(self, x):
            return super().forward(super().forward(x))

    folder = shared / "benchmarks" / "Set14" / "x4"
    report = evaluate(Nothing(), folder)
    assert report["images"] == 14
    assert report["bicubic"]["psnr"] == pytest.approx(26.084, abs=1e-3)
    # HR alone gives the same LR, and so the same figures.
    assert evaluate(Nothing(), folder / "HR") == report


def test_a_folder_for_every_scale(tmp_path):
    save(tmp_path / "Set5" / "x2" / "HR" / "a.png", noise(40, 40))
    save(tmp_path / "Set5" / "x2" / "LR" / "a.png", noise(20, 20))
    [pair] = find_pairs(tmp_path / "Set5", 2)
    assert pair.hr == tmp_path / "Set5" / "x2" / "HR" / "a.png"
    with pytest.raises(ValueError, match="for x2, but not for x3"):
        find_pairs(tmp_path / "Set5", 3)
    for inside in ("x2", "x2/HR", "."):
        assert set_name(tmp_path / "Set5" / inside) == "Set5"


def test_broken_pairs_are_skipped_and_named(tmp_path):
    for name in ("a", "b", "c"):
        save(tmp_path / "HR" / f"{name}.png", noise(40, 40))
    save(tmp_path / "LR" / "a.png", noise(20, 20))
    save(tmp_path / "LR" / "b.png", noise(10, 10))  # that of x4
    report = evaluate(Repeat(), tmp_path)
    assert [row["name"] for row in report["per_image"]] == ["a"]
    assert set(report["skipped"]) == {"b.png", "c.png"}
    assert "b.png in LR has 10x10" in report["skipped"]["b.png"]
    assert "found none" in report["skipped"]["c.png"]
    assert "skipped: c.png in HR" in per_image(report)
