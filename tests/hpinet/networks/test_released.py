"""Downloading released checkpoints, from a server on this machine."""

from __future__ import annotations

import hashlib

import pytest
from helpers.released_host import released_host

from hpinet import WeightsError
from hpinet.home import shared_path
from hpinet.networks.released import RELEASED, Released, download_released, released_checkpoint

CONTENT = bytes(range(256)) * 1000
NAME = "HPINet-M-x2"


def test_a_file_is_fetched_once(tmp_path, monkeypatch):
    with released_host(monkeypatch, {NAME: CONTENT}) as server:
        path = download_released(NAME, tmp_path)
        assert path.read_bytes() == CONTENT
        assert download_released(NAME, tmp_path) == path
        assert server.asked == [f"{NAME}.pth"]
        path.write_bytes(b"half")  # a damaged copy is fetched again
        assert download_released(NAME, tmp_path).read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == [f"{NAME}.pth"]


def test_another_content_and_a_cut_connection_leave_nothing(tmp_path, monkeypatch):
    with released_host(monkeypatch, {NAME: CONTENT}) as server:
        server.cut_at = 1000
        with pytest.raises(WeightsError, match="cannot fetch"):
            download_released(NAME, tmp_path)
        server.cut_at = None
        monkeypatch.setitem(RELEASED, NAME, Released("HPINet-M-x2.pth", len(CONTENT), "0" * 64))
        with pytest.raises(WeightsError, match="000000"):
            download_released(NAME, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_absent_file_server_or_name_is_one_sentence(tmp_path, monkeypatch):
    with released_host(monkeypatch, {}), pytest.raises(WeightsError, match="Not Found"):
        download_released("HPINet-S-x4", tmp_path)
    with pytest.raises(WeightsError, match=r"http://127.0.0.1:9/HPINet-M-x2\.pth"):
        download_released(NAME, tmp_path, "http://127.0.0.1:9")
    with pytest.raises(ValueError, match=r"HPINet-XL.*HPINet-S-x4, HPINet-M-x2"):
        download_released("HPINet-XL")


@pytest.mark.reference
def test_checksums_are_those_of_the_released_files(shared):
    for released in RELEASED.values():
        data = (shared / "released" / released.file).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (released.size, released.sha256)


def test_what_is_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("HPINET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HPINET_SHARED", raising=False)
    assert released_checkpoint("HPINet-S-x4") is None and shared_path("benchmarks", "Set5") is None
    cached = tmp_path / "cache" / "HPINet-S-x4.pth"
    shared = tmp_path / "shared" / "released" / "HPINet-S-x4.pth"
    for path in (cached, shared):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    assert released_checkpoint("HPINet-S-x4") == cached
    monkeypatch.setenv("HPINET_SHARED", str(tmp_path / "shared"))
    assert released_checkpoint("HPINet-S-x4") == shared
    (tmp_path / "shared" / "benchmarks" / "Set5").mkdir(parents=True)
    assert shared_path("benchmarks", "Set5") == tmp_path / "shared" / "benchmarks" / "Set5"
    assert shared_path("benchmarks", "Set14") is None
    with pytest.raises(ValueError, match="no 'HPINet-L-x4'"):
        released_checkpoint("HPINet-L-x4")
