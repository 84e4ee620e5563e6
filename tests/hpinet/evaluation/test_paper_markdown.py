"""Rows that are measured here beside the paper's tables."""

from __future__ import annotations

from hpinet.evaluation.paper_tables import paper_markdown


def test_measured_rows_stand_below_the_paper_s():
    report = {
        "set": "Set5", "scale": 4, "model": "mine", "params": 463131, "multi_adds": 81.9e9,
        "psnr": 31.104, "ssim": 0.87764, "lpips": None,
    }  # fmt: skip
    other = {**report, "set": "holiday"}
    lines = paper_markdown(1, [report, other]).splitlines()
    assert lines[0].startswith("**Table 1** of the paper.") and lines[0].endswith(", x4.")
    assert "HPINet (Ours)" in lines[-2] and "32.60/0.8986" in lines[-2]
    cells = [cell.strip() for cell in lines[-1].split("|")[1:-1]]
    assert cells == ["here", "mine", "0.4631", "31.10/0.8776", "-", "-", "-", "-"]
    assert "mine" not in paper_markdown(1, [report], scale=2)
    assert "31.10/0.8776/-" in paper_markdown(2, [report])
    assert "31.10/-" in paper_markdown(3, [report])
