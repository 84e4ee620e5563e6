"""Damaged and malicious files of weights: each is one sentence, and none runs code."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from dataclasses import asdict

import numpy as np
import pytest
import torch
from helpers.foreign import foreign, saved
from safetensors.torch import save_file

from hpinet import HPINet, HPINetConfig, NetworkError, WeightsError, get_config, load_model
from hpinet.networks.files import check_header, read_weights, save_checkpoint
from hpinet.networks.hpinet_weights import released_name
from hpinet.networks.smoke_test import smoke_test

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))
LIMITS = {"header_bytes": 10**6, "tensors": 10_000, "numbers": 30_000_000}


class Evil:
    def __reduce__(self):
        return print, ("this must never be printed",)


def archive(path, text):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", text)
        file.writestr("a/data/0", bytes(16))
    return path


def write_wrong_files(folder):
    """Files that are no HPINet weights: what the sentence must name, by path."""
    state = {released_name(k, 4): v for k, v in HPINet(get_config("S")).state_dict().items()}
    torch.save({k: v for k, v in state.items() if k != "mid_convs.3.bias"}, folder / "missing.pth")
    wide = {**state, "blocks.0.layers.0.1.fn.fc1.weight": torch.zeros(99, 40)}
    torch.save(wide, folder / "wide.pth")
    torch.save({k: v for k, v in state.items() if ".7." not in k}, folder / "seven.pth")
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, folder / "other.pth")
    torch.save([torch.zeros(3)], folder / "listed.pth")
    torch.save(torch.nn.Linear(2, 2), folder / "whole.pth")
    (folder / "evil.pth").write_bytes(pickle.dumps(Evil()))
    torch.save({"params": {"w": torch.zeros(1)}, "more": Evil()}, folder / "more.pth")
    legacy = {"_use_new_zipfile_serialization": False}
    torch.save(HPINet(TINY).state_dict(), folder / "legacy.pth", **legacy)
    (folder / "pointer.pth").write_text("version https://git-lfs.github.com/spec/v1")
    (folder / "empty.pth").touch()
    save_checkpoint(HPINet(get_config("S")), folder / "cut.safetensors")
    cut = (folder / "cut.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(cut[:5000])
    torch.save(state, folder / "cut.pth")
    (folder / "cut.pth").write_bytes((folder / "cut.pth").read_bytes()[:-1000])
    with zipfile.ZipFile(folder / "packed.pth", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", b"0" * 10**6)
    archive(folder / "deep.pth", b"\x80\x02})" + b"\x85" * 500_000 + b"K\x01s.")
    names = {"missing": "blocks.3.conv", "wide": r"\(99, 40\).*\(72, 40\)", "seven": "7 blocks"}
    paths = [*folder.glob("*.pth"), folder / "cut.safetensors", folder / "absent.pth"]
    return {path: names.get(path.stem, path.name) for path in paths}


def test_each_wrong_file_gets_one_sentence_and_runs_no_code(tmp_path, capsys):
    for path, named in write_wrong_files(tmp_path).items():
        with pytest.raises(WeightsError, match=named) as caught:
            load_model(path)
        assert "\n" not in str(caught.value)
    assert "never" not in capsys.readouterr().out


def test_what_frameworks_keep_next_to_the_weights_is_ignored(tmp_path):
    state = {"a.weight": torch.randn(2, 2)}
    aside = {"epoch": 7, "best": 31.2, "optimizer": {"state": {0: {"m": torch.zeros(2)}}}}
    torch.save({"state_dict": state, **aside}, tmp_path / "a.ckpt")
    assert read_weights(tmp_path / "a.ckpt").tensors["a.weight"].equal(state["a.weight"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.bool])
def test_every_type_is_read_as_it_was_written(tmp_path, dtype):
    state = {"a": torch.randn(5, 3).to(dtype), "n": torch.nn.Parameter(torch.randn(2))}
    torch.save(state, tmp_path / "a.pth")
    read = read_weights(tmp_path / "a.pth").tensors
    assert read["a"].equal(state["a"]) and read["a"].dtype == dtype and read["n"].equal(state["n"])


@pytest.mark.parametrize(
    "lie",
    [
        {"dim": 4000},
        {"ffn_dim": 10**6},
        {"patch_sizes": [12] * 20_000},
        {"dim": "8"},
        {"dim": 8.0},
        {"patch_sizes": [[12], 16]},
        {"patch_sizes": 12},
        {"dim": 10**30},
        {"overlap": -1},
        {"what": 1},
    ],
)
def test_a_header_that_promises_another_network_builds_nothing(tmp_path, lie):
    tensors = {k: v.contiguous() for k, v in HPINet(TINY).state_dict().items()}
    header = {"hpinet_config": json.dumps({**asdict(TINY), **lie})}
    save_file(tensors, tmp_path / "lie.safetensors", header)
    with pytest.raises(WeightsError, match=r"lie\.safetensors"):
        load_model(tmp_path / "lie.safetensors")


def test_headers_that_lie_about_their_bytes_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"

    def written(entries, data=bytes(16), length=None):
        header = json.dumps(entries).encode()
        path.write_bytes(struct.pack("<Q", length or len(header)) + header + data)

    good = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    written({"a": good})
    check_header(path, **LIMITS)
    assert read_weights(path).tensors["a"].equal(torch.zeros(2, 2))
    for entries in (
        {"a": {**good, "data_offsets": [0, 32]}},
        {"a": {**good, "shape": [2, 3]}},
        {"a": {**good, "shape": [-2, -2]}},
        {"a": {**good, "data_offsets": [16, 0]}},
        {"a": {**good, "dtype": ["F32"]}},
        {"a": good, "b": good},  # one on the other
        {"a": {**good, "shape": [1], "data_offsets": [0, 4]}},  # and bytes that are no one's
        {"a": []},
        {"__metadata__": {"x": 1}, "a": good},
    ):
        written(entries)
        for read in (read_weights, lambda path: check_header(path, **LIMITS)):
            with pytest.raises(WeightsError, match=r"a\.safetensors"):
                read(path)
    written({"a": good}, length=2**60)
    with pytest.raises(WeightsError, match="header"):
        check_header(path, **LIMITS)


def test_limits_hold_before_anything_is_read(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({f"{i}": torch.zeros(1) for i in range(11)}, path)
    for limit, named in (({"header_bytes": 99}, "99"), ({"tensors": 10}, "11 tensors")):
        with pytest.raises(WeightsError, match=named):
            check_header(path, **{**LIMITS, **limit})
    with pytest.raises(WeightsError, match="11 numbers"):
        check_header(path, **{**LIMITS, "numbers": 10})
    save_file({"body.0.weight": torch.zeros(20000, 3, 0, 3)}, path)
    with pytest.raises(WeightsError, match="20000"):
        check_header(path, **LIMITS)
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"convert a\.pth"):
        check_header(tmp_path / "a.pth", **LIMITS)


def test_damaged_files_are_one_sentence(tmp_path):
    """Bytes changed at random: what is still read is a state dict."""
    rng = np.random.default_rng(0)
    torch.save({"state_dict": {"a": torch.zeros(3), "b": torch.ones(2)}}, tmp_path / "a.pth")
    save_file({"a": torch.zeros(3), "b": torch.ones(2)}, tmp_path / "a.safetensors")
    for path in (tmp_path / "a.pth", tmp_path / "a.safetensors"):
        whole = path.read_bytes()
        for _ in range(300):
            damaged = bytearray(whole)
            for place in rng.integers(0, len(whole), int(rng.integers(1, 6))):
                damaged[place] = int(rng.integers(0, 256))
            path.write_bytes(bytes(damaged[: int(rng.integers(len(whole) // 2, len(whole) + 1))]))
            try:
                assert read_weights(path).tensors
            except WeightsError as error:
                assert path.name in str(error) and "\n" not in str(error)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    save_checkpoint(HPINet(TINY), path)
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(HPINet(TINY), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_a_child_process_tells_what_the_network_is(tmp_path):
    save_checkpoint(HPINet(TINY), tmp_path / "tiny.safetensors")
    facts = smoke_test(tmp_path / "tiny.safetensors", seconds=120)
    assert facts.architecture == "HPINet, 8 channels, 2 blocks" and facts.scale == 4
    assert facts.parameters == sum(p.numel() for p in HPINet(TINY).parameters())
    trap = tmp_path / "trap.py"
    trap.write_text(f"open({str(tmp_path / 'was run')!r}, 'w')\nbuild = None\n")
    with pytest.raises(NetworkError, match="trap"):
        smoke_test(f"{trap}:build")
    assert not (tmp_path / "was run").exists()


@pytest.mark.slow
def test_a_child_process_ends_where_memory_or_time_end(tmp_path):
    state = foreign("Compact").state_dict()
    # Compact builds as many layers as the highest number says.
    for kind in ("weight", "bias"):
        state[f"body.4000000.{kind}"] = state.pop(f"body.6.{kind}")
    torch.save(state, tmp_path / "deep.pth")
    with pytest.raises(NetworkError, match=r"deep\.pth"):
        smoke_test(tmp_path / "deep.pth", seconds=20, memory=2**29)


def test_grey_networks_are_refused(tmp_path):
    from hpinet import open_network

    with pytest.raises(WeightsError, match=r"grey\.pth.* 1 channels"):
        open_network(saved(foreign("Compact", channels=1), tmp_path / "grey.pth"))
