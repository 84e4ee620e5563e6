"""Checkpoints and benchmarks that are found on this machine."""

from __future__ import annotations

import pytest

from hpinet.checkpoints.local_data import benchmark_folder, released_checkpoint


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
