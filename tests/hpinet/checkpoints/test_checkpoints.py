"""Loading weights: ours, the authors' kind, and everything that is neither."""

import pickle

import pytest
import torch
from helpers.foreign import foreign
from helpers.seeded import seeded_model
from safetensors.torch import save_file

from hpinet import HPINet, HPINetConfig, OwnPatches, WeightsError, get_config, load_model
from hpinet.checkpoints.configuration import infer_config
from hpinet.checkpoints.loading import bundled_path, save_checkpoint
from hpinet.checkpoints.reading import read_checkpoint
from hpinet.checkpoints.released_names import released_name
from hpinet.networks.names import open_model


def released_state(model, prefix=""):
    scale = model.scale
    return {prefix + released_name(k, scale): v for k, v in model.state_dict().items()}


@pytest.mark.parametrize("name", ["S", "M-no-cpd", "M-no-ipsa", "M-no-conv", "S-no-gpa", "L"])
def test_what_was_saved_loads_again(tmp_path, name):
    model = HPINet(get_config(name, 3))
    save_checkpoint(model, tmp_path / "a.safetensors", {"step": "7"})
    loaded = load_model(tmp_path / "a.safetensors")
    assert loaded.config == model.config
    assert all(a.equal(b) for a, b in zip(loaded.parameters(), model.parameters(), strict=True))
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(
    ("name", "scale"), [("S", 4), ("M", 2), ("M", 3), ("L", 4), ("M-no-gpa", 4)]
)
def test_the_authors_names_tell_variant_scale_and_gpa(tmp_path, name, scale, prefix):
    model = HPINet(get_config(name, scale))
    torch.save({"state_dict": released_state(model, prefix)}, tmp_path / "a.pth")
    loaded = load_model(tmp_path / "a.pth")
    assert loaded.config == get_config(name, scale)
    x = torch.rand(1, 3, 25, 27)
    with torch.inference_mode():
        assert loaded(x).equal(model.eval()(x))


TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))


@pytest.fixture(scope="module")
def state_of_s():
    return HPINet(get_config("S")).state_dict()


def wrapped(state, *prefixes):
    return {"".join(prefixes) + name: value for name, value in state.items()}


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module._orig_mod.", "model.net.", "a.b.c."])
@pytest.mark.parametrize(
    "container",
    [
        *("params_ema", "params-ema", "params", "state_dict", "model_state_dict", "model"),
        *("ema", "ema_model", "model_ema", "net_g", "generator", "net", None),
    ],
)
def test_weights_are_found_where_people_put_them(tmp_path, state_of_s, prefix, container):
    state = wrapped(state_of_s, prefix)
    saved = state if container is None else {container: state, "epoch": 3, "optimizer": {}}
    torch.save(saved, tmp_path / "a.pth")
    config, loaded = read_checkpoint(tmp_path / "a.pth")
    assert config == get_config("S") and set(loaded) == set(state_of_s)
    assert all(value.equal(state_of_s[name]) for name, value in loaded.items())


def test_averaged_weights_come_before_the_others(tmp_path):
    ours, averaged = HPINet(get_config("S")), HPINet(get_config("S"))
    torch.save(
        {"params": ours.state_dict(), "params_ema": averaged.state_dict()}, tmp_path / "a.pth"
    )
    assert load_model(tmp_path / "a.pth").last.weight.equal(averaged.last.weight)


def test_an_averaged_model_and_lightnings_checkpoint_load(tmp_path):
    model = HPINet(get_config("S"))
    averaged = torch.optim.swa_utils.AveragedModel(model)
    torch.save(averaged.state_dict(), tmp_path / "averaged.pth")
    lightning = {**wrapped(model.state_dict(), "net."), "loss.features.weight": torch.zeros(3, 3)}
    torch.save(
        {"state_dict": lightning, "hyper_parameters": {"lr": 1}, "callbacks": {}},
        tmp_path / "lightning.ckpt",
    )
    for name in ("averaged.pth", "lightning.ckpt"):
        assert load_model(tmp_path / name).last.weight.equal(model.last.weight)


@pytest.mark.parametrize("name", ["X.SAFETENSORS", "weights", "a.pth", "b.bin"])
def test_the_first_bytes_tell_what_a_file_is(tmp_path, name):
    torch.manual_seed(0)
    model = HPINet(TINY)
    save_checkpoint(model, tmp_path / name)
    assert load_model(tmp_path / name).config == TINY
    torch.save(HPINet(get_config("S")).state_dict(), tmp_path / "c.safetensors")
    assert load_model(tmp_path / "c.safetensors").config == get_config("S")


def test_other_architectures_are_found_behind_prefixes_too(tmp_path):
    network = foreign("Compact")
    torch.save({"net_g": wrapped(network.state_dict(), "module.")}, tmp_path / "a.ckpt")
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(open_model(tmp_path / "a.ckpt")(x), network.eval()(x))


@pytest.mark.reference
@pytest.mark.parametrize("name", ["orig_mod", "params-ema"])
def test_files_that_were_refused_load(shared, name):
    network = open_model(shared / "cases" / "checkpoints" / f"{name}.pth")
    with torch.inference_mode():
        sr = network(torch.rand(1, 3, 12, 10))
    assert sr.shape == (1, 3, 12 * network.scale, 10 * network.scale)


@pytest.mark.reference
@pytest.mark.parametrize(("name", "scale"), [("S", 4), ("M", 2), ("M", 3), ("M", 4)])
def test_released_files_load(shared, name, scale):
    config, _ = read_checkpoint(shared / "released" / f"HPINet-{name}-x{scale}.pth")
    assert config == get_config(name, scale)


def test_gpa_off_for_a_checkpoint_trained_with_it_keeps_its_weights(tmp_path):
    model = seeded_model("S")
    save_checkpoint(model, tmp_path / "a.safetensors")
    off = load_model(tmp_path / "a.safetensors", gpa=False)
    assert isinstance(off, OwnPatches)
    assert off.scale == 4
    assert off.model.config.gpa


def test_bundled_weights_and_their_twin():
    model, twin = load_model("S"), load_model("S", gpa=False)
    assert model.config == get_config("S")
    assert isinstance(twin, HPINet)
    assert twin.config == get_config("S-no-gpa")
    assert load_model("S-no-gpa").config == twin.config


class Malicious:
    def __reduce__(self):
        return (print, ("this must never run",))


def write_files(folder):
    """Files that are no HPINet weights: (path, what the sentence must say)."""
    other = folder / "other.pth"
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, other)
    evil = folder / "evil.pth"
    evil.write_bytes(pickle.dumps(Malicious()))
    whole = folder / "whole.pth"
    torch.save(torch.nn.Linear(2, 2), whole)
    text = folder / "text.pth"
    text.write_text("version https://git-lfs.github.com/spec/v1")
    empty = folder / "empty.pth"
    empty.touch()
    cut = folder / "cut.safetensors"
    save_checkpoint(HPINet(get_config("S")), cut)
    cut.write_bytes(cut.read_bytes()[:5000])
    listed = folder / "listed.pth"
    torch.save([torch.zeros(3)], listed)
    missing = released_state(HPINet(get_config("S")))
    del missing["mid_convs.3.bias"]
    torch.save(missing, folder / "missing.pth")
    wide = released_state(HPINet(get_config("S")))
    wide["blocks.0.layers.0.1.fn.fc1.weight"] = torch.zeros(99, 40)
    torch.save(wide, folder / "wide.pth")
    return {
        other: "conv1.weight",
        evil: "no file of plain weights",
        whole: "no file of plain weights",
        text: "no file of plain weights",
        empty: "cannot be read as weights",
        cut: "cannot be read as weights",
        listed: "holds no state dict",
        folder / "missing.pth": "blocks.3.conv",
        folder / "wide.pth": r"it holds \(99, 40\), expected was \(72, 40\)",
        folder / "absent.pth": "there is no weights file",
    }


def test_each_wrong_file_gets_its_sentence_and_runs_no_code(tmp_path, capsys):
    for path, message in write_files(tmp_path).items():
        with pytest.raises(WeightsError, match=message) as caught:
            load_model(path)
        assert "\n" not in str(caught.value)
    assert "must never run" not in capsys.readouterr().out


def test_a_name_without_weights_says_what_there_is():
    with pytest.raises(
        WeightsError, match=r"no weights are bundled for HPINet-L-x3, only for .*HPINet-S-x4"
    ):
        load_model("L", scale=3)
    with pytest.raises(WeightsError, match="'XL' is neither a bundled model"):
        load_model("XL")
    with pytest.raises(ValueError, match="scale must be one of"):
        load_model("S", scale=7)


def test_another_scale_than_the_file_holds_is_refused(tmp_path):
    save_checkpoint(HPINet(get_config("S", 2)), tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="holds a x2 network, but x4 was asked for"):
        load_model(tmp_path / "a.safetensors", scale=4)


def test_unknown_sizes_are_named():
    state = {k: v for k, v in HPINet(get_config("S")).state_dict().items() if "blocks.7" not in k}
    with pytest.raises(WeightsError, match="40 channels and 7 blocks"):
        infer_config(state)


def test_a_damaged_header_is_named(tmp_path):
    state = HPINet(get_config("S")).state_dict()
    save_file(state, tmp_path / "a.safetensors", {"hpinet_config": '{"dim": 40, "what": 1}'})
    with pytest.raises(WeightsError, match="describes its network"):
        load_model(tmp_path / "a.safetensors")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    save_checkpoint(HPINet(get_config("S")), path)
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(HPINet(get_config("S")), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_bundled_paths():
    assert bundled_path("S", 4).name == "HPINet-S-x4.safetensors"
    assert bundled_path("M", 2, gpa=False).name == "HPINet-M-x2-no-gpa.safetensors"
