"""Figures of the paper's evidence: crops, sizes, receptive fields, tables beside the paper's."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from hpinet.checkpoints.local_data import benchmark_folder, released_checkpoint
from lam import Window
from lam.figures.comparison import (
    crop_comparison,
    diffusion_figure,
    receptive_fields,
    size_figure,
)
from lam.figures.notebook import describe, png

RED, BLUE = (np.full((40, 60, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 0, 200)))


def test_crops_show_each_version_s_pixels():
    window = Window(10, 12, 20)
    sheet = crop_comparison(RED, [RED, BLUE], ["one", "two\nlines"], window, zoom=3, columns=2)
    left = 60 + 8
    assert (sheet[5:55, left + 5 : left + 55] == RED[0, 0]).all()
    assert (sheet[5:55, left + 73 : left + 123] == BLUE[0, 0]).all()
    assert sheet.shape == (60 + 42, 60 + 2 * 68, 3)
    assert (sheet[40, :50] == 255).all()  # the original stands whole, and is not enlarged


def test_crops_that_do_not_fit_are_refused():
    for pictures, labels, window, words in (
        ([RED], ["a", "b"], Window(0, 0, 4), "2 labels"),
        ([RED[:20]], ["a"], Window(0, 0, 4), "as large as"),
        ([RED], ["a"], Window(50, 0, 20), "x 70"),
    ):
        with pytest.raises(ValueError, match=words):
            crop_comparison(RED, pictures, labels, window)


def test_points_of_size_and_psnr():
    axes = size_figure([("RFDN", 0.5, 32.2), ("HPINet-S", 0.46, 32.47)], [("S", 0.46, 31.1)]).axes[
        0
    ]
    assert [c.get_offsets().tolist() for c in axes.collections] == [
        [[0.5, 32.2]], [[0.46, 32.47]], [[0.46, 31.1]],
    ]  # fmt: skip
    assert {t.get_text() for t in axes.texts} == {"RFDN", "HPINet-S", "S"}
    with pytest.raises(ValueError, match="no points"):
        size_figure([])


def test_receptive_fields_share_a_scale():
    small = np.zeros((10, 15, 3), np.uint8)
    strong, weak, nothing = np.zeros((3, 10, 15))
    strong[2, 3], weak[2, 3] = 100, 1
    sheet = receptive_fields(
        small, [RED] * 3, [strong, weak, nothing], list("abc"), Window(30, 20, 8), 4
    )
    width = (sheet.shape[1] - 16) // 3
    assert width == 60
    rows = sheet[-40:]
    # As shares of their own sums the first two maps are one.
    assert (rows[:, :60] == rows[:, 68:128]).all()
    assert rows[8:12, 12:16].max() > 100 and rows[8:12, 148:152].max() < 10
    with pytest.raises(ValueError, match="every network"):
        receptive_fields(small, [RED], [], ["a"], Window(0, 0, 8), 4)


def test_the_diffusion_index_of_several_pictures():
    rows = [
        {"picture": p, "model": m, "diffusion_index": v}
        for p, m, v in (
            ("a", "S", "10"), ("a", "S", "14"), ("a", "T", "8"), ("b", "S", "6"), ("b", "T", ""),
            ("b", "other", "9"),
        )
    ]  # fmt: skip
    axes = diffusion_figure(rows, ["S", "T"]).axes[0]
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    assert list(lines["a"]) == [12, 8] and list(lines["b"]) == [6]
    with pytest.raises(ValueError, match="no diffusion index"):
        diffusion_figure(rows, ["X"])


def test_what_a_notebook_says_of_a_figure():
    window = SimpleNamespace(left=8, top=4, size=16)
    about = {
        "picture": "Cat",
        "window": window,
        "diffusion_index": 12.34567,
        "of": {"a": 1, "b": 2},
    }
    assert describe(**about) == (
        "picture: Cat; window: left 8, top 4, size 16 (SR pixels); diffusion index: 12.35; "
        "of: a 1, b 2"
    )


def test_pngs_keep_pixels_or_rare_colours():
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(png(noise))) as image:
        assert (np.asarray(image) == noise).all()
    assert len(png(noise, compact=True)) < len(png(noise))
    bars = np.zeros((60, 400, 3), np.uint8)  # thousands of shades of red and blue,
    bars[..., 0], bars[..., 2] = np.arange(400) * 255 // 399, np.arange(60)[:, None] * 4
    bars[:4, :4], bars[:4, 8:12] = (0, 255, 0), (0, 230, 40)  # and two rare greens
    with Image.open(io.BytesIO(png(bars, compact=True))) as image:
        away = np.abs(np.asarray(image.convert("RGB")).astype(int) - bars).max(-1)
    assert away.max() <= 16 and away[:4, :4].max() == away[:4, 8:12].max() == 0
    with Image.open(io.BytesIO(png(Figure(figsize=(2, 1)), dpi=50))) as image:
        assert image.size == (100, 50)
    with pytest.raises(ValueError, match="uint8"):
        png(np.zeros((3, 3)))


def test_what_is_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("HPINET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HPINET_SHARED", raising=False)
    assert released_checkpoint("HPINet-S-x4") is None and benchmark_folder("Set5") is None
    cached = tmp_path / "cache" / "HPINet-S-x4.pth"
    shared = tmp_path / "shared" / "released" / "HPINet-S-x4.pth"
    for path in (cached, shared):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    assert released_checkpoint("HPINet-S-x4") == cached
    monkeypatch.setenv("HPINET_SHARED", str(tmp_path / "shared"))
    assert released_checkpoint("HPINet-S-x4") == shared
    (tmp_path / "shared" / "benchmarks" / "Set5").mkdir(parents=True)
    assert benchmark_folder("Set5") == tmp_path / "shared" / "benchmarks" / "Set5"
    assert benchmark_folder("Set14") is None
    with pytest.raises(ValueError, match="no 'HPINet-L-x4'"):
        released_checkpoint("HPINet-L-x4")
