"""The authors' networks on the page: offered, asked about, fetched with a cut, kept."""

from __future__ import annotations

import gradio as gr
import numpy as np
import pytest
import torch
from helpers.released_host import released_host

from hpinet import HPINet, HPINetConfig, Picture
from hpinet.errors import WeightsError
from hpinet.networks.files import save_checkpoint
from ui.compute.runtime import Runtime
from ui.networks.model_catalogue import Catalogue
from ui.state.inputs import RESTORE, Study
from ui.state.session import Session
from ui.tabs import released
from ui.tabs.super_resolve import SuperResolve

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16), scale=2)


@pytest.fixture
def content(tmp_path):
    torch.manual_seed(0)
    save_checkpoint(HPINet(TINY), tmp_path / "tiny.safetensors")
    return (tmp_path / "tiny.safetensors").read_bytes()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HPINET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HPINET_SHARED", raising=False)
    return tmp_path / "cache"


def test_a_released_network_is_fetched_when_asked_for(cache, content, monkeypatch):
    with released_host(monkeypatch, {"HPINet-M-x2": content}) as server:
        catalogue = Catalogue(source=None)
        label = next(one for one in catalogue.fetchable if "M-x2" in one)
        assert label not in catalogue.labels
        with pytest.raises(ValueError, match="not on this machine yet"):
            catalogue.get(label)
        assert server.asked == []  # nothing is fetched unasked
        asked = released.question(catalogue, label)
        assert "HPINet-M-x2.pth" in asked and server.server_address[0] in asked
        assert catalogue.fetch(label) == "HPINet-M-x2 (released)"
        assert catalogue.get("HPINet-M-x2 (released)").model.config == TINY
        assert not any("M-x2" in one for one in catalogue.fetchable)
        assert catalogue.fetch(label) == "HPINet-M-x2 (released)"  # a page from before
        assert server.asked == ["HPINet-M-x2.pth"]
    # After a restart, without a network, it is offered like the bundled ones.
    again = Catalogue()
    assert "HPINet-M-x2 (released)" in again.labels
    assert again.get("HPINet-M-x2 (released)").scale == 2
    assert [path.name for path in cache.iterdir()] == ["HPINet-M-x2.pth"]


def test_without_a_network_a_sentence_says_so(cache, monkeypatch):
    monkeypatch.setenv("HPINET_RELEASED_URL", "http://127.0.0.1:9")
    catalogue = Catalogue()
    label = next(iter(catalogue.fetchable))
    with pytest.raises(ValueError, match=r"http://127\.0\.0\.1:9/"):
        catalogue.fetch(label)
    assert label in catalogue.fetchable


def test_networks_of_the_command_line_come_first(cache, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\nbuild = lambda: nn.Upsample(scale_factor=2, mode='bicubic')\n"
    )
    catalogue = Catalogue(models=[f"{tmp_path}/mine.py:build"])
    assert catalogue.labels[0] == "mine.py:build"
    assert catalogue.get("mine.py:build").scale == 2
    assert not catalogue.has_twin("mine.py:build")
    for wanted in (f"{tmp_path}/mine.py:build", f"{tmp_path}/mine.py:other"):
        with pytest.raises(ValueError, match="no network"):  # code is never named by a visitor
            catalogue.get(wanted)


def test_what_lpips_needs_is_fetched_by_a_button(cache, monkeypatch):
    from safetensors.torch import save
    from torchvision.models import alexnet

    monkeypatch.delenv("HPINET_LPIPS_BACKBONE", raising=False)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(cache / "hub"))
    runtime = Runtime(Catalogue())
    with gr.Blocks() as demo:
        page = SuperResolve(runtime, gr.State(Session()))
    fetch = next(f.fn for f in demo.fns.values() if f.targets[0][0] == page.page.fetch._id)
    assert page.page.fetch.visible and "244 MB" in page.page.fetch.value

    def broken():
        raise WeightsError("the connection broke off")

    monkeypatch.setattr("ui.compute.scores.fetch_backbone", broken)
    steps = fetch()
    assert next(steps)[page.page.fetch] == gr.update(interactive=False)
    assert next(steps)[page.page.fetch]["interactive"]
    with pytest.raises(gr.Error, match="broke off"):
        next(steps)

    def arrives():
        torch.manual_seed(0)
        state = {k: v for k, v in alexnet().state_dict().items() if k.startswith("features.")}
        cache.mkdir(exist_ok=True)
        (cache / "alexnet_features.safetensors").write_bytes(save(state))
        return cache / "alexnet_features.safetensors"

    monkeypatch.setattr("ui.compute.scores.fetch_backbone", arrives)
    assert list(fetch())[-1][page.page.fetch] == gr.update(visible=False)
    black = np.zeros((64, 64, 3), np.uint8)
    study = Study("a", RESTORE, Picture(torch.zeros(1, 3, 16, 16)), black, (), "a")
    assert runtime.scorer.lpips_reason(study) == ""
