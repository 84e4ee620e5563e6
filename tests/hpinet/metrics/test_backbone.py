"""AlexNet's weights for LPIPS: found, fetched once, never unasked."""

from __future__ import annotations

import hashlib
import io

import pytest
import torch
from helpers.released_host import released_host

from hpinet.metrics.backbone import BACKBONE_VARIABLE, fetch_backbone, find_backbone
from hpinet.metrics.lpips import Lpips
from hpinet.networks.files import read_weights


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A machine that has no such file."""
    monkeypatch.setenv("HPINET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.delenv(BACKBONE_VARIABLE, raising=False)
    return tmp_path / "cache"


def test_nothing_is_fetched_unasked(alone, monkeypatch):
    with released_host(monkeypatch, {}) as server:
        distance = Lpips()
        assert not distance.available
        assert "python -m hpinet download lpips" in distance.reason
        assert server.asked == []


def test_the_layers_that_lpips_reads_are_kept(alone, monkeypatch):
    file = io.BytesIO()
    torch.save({"features.0.weight": torch.ones(2, 3), "classifier.1.weight": torch.ones(9)}, file)
    content = file.getvalue()
    name = f"alexnet-owt-{hashlib.sha256(content).hexdigest()[:8]}"
    with released_host(monkeypatch, {name: content}) as server:
        kept = fetch_backbone(f"http://127.0.0.1:{server.server_port}/{name}.pth")
    assert list(read_weights(kept).tensors) == ["features.0.weight"]
    assert find_backbone() == kept == fetch_backbone("http://127.0.0.1:9/never.pth")
    assert [path.name for path in alone.iterdir()] == ["alexnet_features.safetensors"]


def test_another_file_is_not_kept(alone, monkeypatch):
    with released_host(monkeypatch, {"alexnet-owt-00000000": b"something else"}) as server:
        url = f"http://127.0.0.1:{server.server_port}/alexnet-owt-00000000.pth"
        with pytest.raises(ValueError, match="00000000"):
            fetch_backbone(url)
    assert list(alone.iterdir()) == []
    assert find_backbone() is None
