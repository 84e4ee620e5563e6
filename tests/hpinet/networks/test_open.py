"""Opening networks by name and from files: ours, the authors', and what is neither."""

from __future__ import annotations

import argparse

import pytest
import torch
from helpers.foreign import foreign
from helpers.seeded import seeded_model

from hpinet import (
    HPINet,
    HPINetConfig,
    NetworkError,
    OwnPatches,
    WeightsError,
    get_config,
    load_model,
    open_network,
)
from hpinet.__main__ import main
from hpinet.networks.files import save_checkpoint
from hpinet.networks.hpinet_weights import released_name
from hpinet.networks.open import bundled_path
from hpinet.networks.released import NotFetchedError

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16), scale=2)


def released_state(model, prefix=""):
    scale = model.scale
    return {prefix + released_name(k, scale): v for k, v in model.state_dict().items()}


def equal(a, b):
    return all(p.equal(q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@pytest.fixture(scope="module")
def small():
    return HPINet(get_config("S"))


# --- names -----------------------------------------------------------------------------------


def test_bundled_networks_by_every_name():
    model, baseline = load_model("S"), load_model("S", gpa=False)
    assert model.config == get_config("S") and baseline.config == get_config("S-no-gpa")
    for name in ("S-no-gpa", "S:no-gpa", "HPINet-S-x4-no-gpa"):
        assert equal(load_model(name), baseline)
    for name, scale in (("HPINet-S-x2", 2), ("HPINet-S-x3", 3)):
        assert equal(load_model(name), open_network("S", scale))
        assert equal(load_model(f"{name}:no-gpa"), load_model("S", scale, gpa=False))
    with pytest.raises(NetworkError, match="x2 network, but x4"):
        load_model("HPINet-S-x2", 4)
    assert bundled_path("M", 2, gpa=False).name == "HPINet-M-x2-no-gpa.safetensors"


def test_released_checkpoints_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HPINET_CACHE", str(tmp_path))
    monkeypatch.delenv("HPINET_SHARED", raising=False)
    for name in ("HPINet-M-x4", "M", "M:no-gpa"):
        with pytest.raises(NotFetchedError, match=r"HPINet-M-x4.*3\.7 MB") as caught:
            open_network(name)
        assert caught.value.name == "HPINet-M-x4"
    with pytest.raises(NotFetchedError, match="HPINet-M-x2"):
        open_network("M", 2)
    save_checkpoint(HPINet(TINY), tmp_path / "HPINet-M-x2.pth")
    assert open_network("HPINet-M-x2").config == TINY
    assert isinstance(open_network("M:no-gpa", 2), OwnPatches)


@pytest.mark.parametrize("name", ["L", "XXL", "HPINet-L-x4", "nothing.pth", "a/b"])
def test_unknown_names_are_named(name):
    with pytest.raises(NetworkError, match=name):
        open_network(name)


def test_what_cannot_be_asked_for_is_refused():
    with pytest.raises(ValueError, match="7"):
        load_model("S", scale=7)
    for name in ("bicubic", "bicubic:no-gpa"):
        with pytest.raises(NetworkError, match="bicubic has no Global Pixel Access"):
            open_network(name, gpa=False)
    with pytest.raises(WeightsError, match="bicubic is not an HPINet"):
        load_model("bicubic")


# --- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["S", "M-no-cpd", "M-no-ipsa", "M-no-conv", "S-no-gpa", "L"])
def test_what_was_saved_loads_again(tmp_path, name):
    model = HPINet(get_config(name, 3))
    save_checkpoint(model, tmp_path / "a.safetensors", {"step": "7"})
    loaded = load_model(tmp_path / "a.safetensors")
    assert loaded.config == model.config and equal(loaded, model)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(
    ("name", "scale"), [("S", 4), ("M", 2), ("M", 3), ("L", 4), ("M-no-gpa", 4)]
)
def test_the_authors_names_tell_size_scale_and_gpa(tmp_path, name, scale, prefix):
    model = HPINet(get_config(name, scale))
    torch.save({"state_dict": released_state(model, prefix)}, tmp_path / "a.pth")
    loaded = load_model(tmp_path / "a.pth")
    assert loaded.config == get_config(name, scale) and equal(loaded, model)


@pytest.mark.parametrize(
    ("container", "prefix"),
    [
        *((None, p) for p in ("_orig_mod.", "module._orig_mod.", "model.net.", "generator.")),
        *((c, "") for c in ("params_ema", "params-ema", "params", "state_dict", "model")),
        *((c, "module.") for c in ("ema", "ema_model", "net_g", "generator", "net")),
    ],
)
def test_weights_are_found_where_frameworks_put_them(tmp_path, small, container, prefix):
    state = {prefix + name: value for name, value in small.state_dict().items()}
    saved = state if container is None else {container: state, "epoch": 3, "optimizer": {}}
    torch.save(saved, tmp_path / "a.pth")
    assert equal(load_model(tmp_path / "a.pth"), small)


def test_averaged_weights_come_first_and_losses_are_left_out(tmp_path, small):
    other = HPINet(get_config("S"))
    both = {"params": other.state_dict(), "params_ema": small.state_dict()}
    torch.save(both, tmp_path / "both.pth")
    average = torch.optim.swa_utils.AveragedModel(small).state_dict()
    torch.save(average, tmp_path / "averaged.pth")
    lightning = {f"net.{k}": v for k, v in small.state_dict().items()}
    lightning["loss.features.weight"] = torch.zeros(3, 3)
    torch.save({"state_dict": lightning, "callbacks": {}}, tmp_path / "lightning.ckpt")
    for name in ("both.pth", "averaged.pth", "lightning.ckpt"):
        assert equal(load_model(tmp_path / name), small)


@pytest.mark.parametrize("name", ["X.SAFETENSORS", "weights", "a.pth", "b.bin"])
def test_the_first_bytes_tell_what_a_file_is(tmp_path, name):
    save_checkpoint(HPINet(TINY), tmp_path / name)
    assert load_model(tmp_path / name).config == TINY


def test_gpa_off_for_a_file_trained_with_it_keeps_its_weights(tmp_path):
    model = seeded_model("S")
    save_checkpoint(model, tmp_path / "a.safetensors")
    off = load_model(f"{tmp_path}/a.safetensors:no-gpa")
    assert isinstance(off, OwnPatches) and off.scale == 4
    assert equal(off.model, model)
    with pytest.raises(NetworkError, match="x4 network, but x2"):
        load_model(tmp_path / "a.safetensors", scale=2)


def test_other_architectures_are_found_behind_prefixes_too(tmp_path):
    network = foreign("Compact")
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save({"net_g": state}, tmp_path / "a.ckpt")
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(open_network(tmp_path / "a.ckpt")(x), network.eval()(x))


@pytest.mark.reference
def test_files_that_were_refused_load(shared):
    for name in ("orig_mod", "params-ema"):
        network = open_network(shared / "cases" / "checkpoints" / f"{name}.pth")
        assert network(torch.rand(1, 3, 12, 10)).shape[-1] == 10 * network.scale


@pytest.mark.reference
@pytest.mark.parametrize(("name", "scale"), [("S", 4), ("M", 2), ("M", 3), ("M", 4)])
def test_released_files_load(shared, name, scale):
    model = load_model(shared / "released" / f"HPINet-{name}-x{scale}.pth")
    assert model.config == get_config(name, scale)


# --- converting ------------------------------------------------------------------------------


def test_old_files_are_converted_only_where_they_are_trusted(tmp_path, small, capsys):
    old = tmp_path / "old.pth"
    saved = {"params": small.state_dict(), "options": argparse.Namespace(lr=1.0)}
    torch.save(saved, old, _use_new_zipfile_serialization=False)
    with pytest.raises(WeightsError, match=r"convert old\.pth --trust"):
        load_model(old)
    assert main(["convert", str(old)]) == 1
    assert not (tmp_path / "old.safetensors").exists()
    assert main(["convert", str(old), "--trust"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "old.safetensors")
    assert equal(load_model(tmp_path / "old.safetensors"), small)


def test_other_architectures_are_converted(tmp_path):
    network = foreign("Compact")
    torch.save(network.state_dict(), tmp_path / "a.pth")
    assert main(["convert", str(tmp_path / "a.pth"), "-o", str(tmp_path / "b.safetensors")]) == 0
    x = torch.rand(1, 3, 9, 9)
    a, b = (open_network(tmp_path / name) for name in ("a.pth", "b.safetensors"))
    assert a(x).equal(b(x))
    assert main(["convert", str(tmp_path / "b.safetensors")]) == 1  # onto itself
