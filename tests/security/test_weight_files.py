"""Files of weights that were made to hurt: each is one sentence, and none is believed."""

from __future__ import annotations

import io
import json
import pickle
import struct
import time
import zipfile
from dataclasses import asdict

import numpy as np
import pytest
import torch
from helpers.foreign import foreign
from safetensors.torch import save_file

from hpinet import HPINet, HPINetConfig, WeightsError, load_model
from hpinet.checkpoints.formats.file_plan import Limits
from hpinet.checkpoints.loading import save_checkpoint
from hpinet.checkpoints.reading import plan_checkpoint, plan_file, read_tensors
from hpinet.networks.names import open_model
from hpinet.networks.sandbox import try_file

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))
STRANGERS = Limits(header_bytes=16 * 10**6, tensors=10_000, numbers=30_000_000)


def legacy(state, path):
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


def end_of_pickles(data: bytes) -> tuple[int, list[int]]:
    """Where the saved object of the older format ends, and the length of each pickle before."""
    file, lengths = io.BytesIO(data), []

    class Reader(pickle.Unpickler):
        def persistent_load(self, pid):
            return torch.empty(0).untyped_storage() if pid else None

        def find_class(self, module, name):
            return (
                (lambda *_: torch.zeros(1))
                if "rebuild" in name
                else super().find_class(module, name)
            )

    for _ in range(4):
        begin = file.tell()
        Reader(file).load()
        lengths.append(file.tell() - begin)
    return file.tell(), lengths


def test_the_older_format_is_read_to_the_bit(tmp_path):
    state = {"a": torch.randn(3, 4), "b": torch.arange(6).reshape(2, 3).t(), "c": torch.tensor(2.5)}
    state["d"] = state["a"][1:]  # a view of another tensor's bytes
    read = read_tensors(legacy(state, tmp_path / "old.pth"))
    assert all(read[name].equal(state[name]) for name in state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.bool])
@pytest.mark.parametrize("new", [True, False])
def test_every_type_is_read_as_it_was_written(tmp_path, dtype, new):
    state = {"a": torch.randn(5, 3).to(dtype), "n": torch.nn.Parameter(torch.randn(2))}
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=new)
    read = read_tensors(tmp_path / "a.pth")
    assert read["a"].equal(state["a"]) and read["a"].dtype == dtype and read["n"].equal(state["n"])


def test_storages_that_are_declared_and_never_filled_are_refused(tmp_path):
    """Such tensors would show whatever the program had in memory before."""
    whole = legacy({"w": torch.randn(64, 3, 3, 3)}, tmp_path / "a.pth").read_bytes()
    end, _ = end_of_pickles(whole)
    for tail in (pickle.dumps([], 2), pickle.dumps(["another"], 2), b""):
        (tmp_path / "a.pth").write_bytes(whole[:end] + tail)
        with pytest.raises(WeightsError):
            plan_file(tmp_path / "a.pth")


@pytest.mark.parametrize("cut", [1, 4, 1000, 6912])
def test_bytes_that_are_missing_are_not_made_up(tmp_path, cut):
    for new in (True, False):
        torch.save(
            {"w": torch.randn(64, 3, 3, 3)}, tmp_path / "a.pth", _use_new_zipfile_serialization=new
        )
        (tmp_path / "a.pth").write_bytes((tmp_path / "a.pth").read_bytes()[:-cut])
        with pytest.raises(WeightsError, match=r"a\.pth"):
            read_tensors(tmp_path / "a.pth")


def test_a_tensor_may_not_reach_beyond_its_bytes(tmp_path):
    for count, fits in ((4, True), (5, False)):
        with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
            archive.writestr("a/data.pkl", data_pickle(count))
            archive.writestr("a/data/0", np.arange(4, dtype="<f4").tobytes())
        if fits:
            assert read_tensors(tmp_path / "a.pth")["w"].equal(torch.arange(4.0))
        else:
            with pytest.raises(WeightsError, match="reaches beyond the 16 bytes"):
                plan_file(tmp_path / "a.pth")


def data_pickle(count: int) -> bytes:
    """The pickle of {"w": torch.arange(4.0)} that claims so many elements."""
    buffer = io.BytesIO()
    torch.save({"w": torch.arange(4.0)}, buffer)
    with zipfile.ZipFile(buffer) as archive:
        name = next(n for n in archive.namelist() if n.endswith("data.pkl"))
        text = archive.read(name)
    assert text.count(b"K\x04\x85") == 1
    return text.replace(b"K\x04\x85", b"K" + bytes([count]) + b"\x85")


def test_archives_with_a_second_end_are_refused(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"w": torch.zeros(4)}, path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"PK\x05\x06" + bytes(18)
    with pytest.raises(WeightsError):
        plan_file(path)
    path.write_bytes(whole + whole[whole.rindex(b"PK\x01\x02") :])  # a second directory and end
    with pytest.raises(WeightsError):
        plan_file(path)
    path.write_bytes(whole + b"more")
    with pytest.raises(WeightsError, match="behind its end"):
        plan_file(path)


def test_compressed_and_overlapping_records_are_refused(tmp_path):
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", data_pickle(4))
        archive.writestr("a/data/0", bytes(16))
    with pytest.raises(WeightsError, match="compressed archive"):
        plan_file(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", data_pickle(4))
        archive.writestr("a/data/0", bytes(16))
        archive.writestr("a/data/1", bytes(16))
    data = bytearray(path.read_bytes())
    places = [info.header_offset for info in zipfile.ZipFile(path).infolist()]
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 42 : entry + 46] = struct.pack("<L", places[1])  # the last lies on the second
    path.write_bytes(bytes(data))
    with pytest.raises(WeightsError, match="overlapping records"):
        plan_file(path)


def test_views_count_as_what_they_unfold_to(tmp_path):
    torch.save({"w": torch.zeros(1).expand(10**10)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="10000 million numbers; the limit is 30 million"):
        plan_file(tmp_path / "a.pth", STRANGERS)


def described(tmp_path, lie):
    tensors = {k: v.contiguous() for k, v in HPINet(TINY).state_dict().items()}
    path = tmp_path / "lie.safetensors"
    save_file(tensors, path, {"hpinet_config": json.dumps({**asdict(TINY), **lie})})
    return path


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
    ],
)
def test_a_header_that_promises_more_than_the_file_holds_builds_nothing(tmp_path, lie):
    began = time.process_time()
    with pytest.raises(WeightsError, match="describes"):
        load_model(described(tmp_path, lie))
    assert time.process_time() - began < 20  # the largest would take minutes and gigabytes


def test_empty_tensors_of_giant_shapes_are_refused(tmp_path):
    save_file({"body.0.weight": torch.zeros(20000, 3, 0, 3)}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"body\.0\.weight of shape .* is empty"):
        open_model(tmp_path / "a.safetensors")


def test_too_many_tensors_end_early(tmp_path):
    entries = {
        f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(11_000)
    }
    header = json.dumps(entries).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(WeightsError, match="11000 tensors; the limit is 10000"):
        plan_file(tmp_path / "a.safetensors", STRANGERS)
    shared = torch.zeros(1)
    torch.save({f"t{i}": shared for i in range(11_000)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="more tensors than the limit of 10000"):
        plan_file(tmp_path / "a.pth", STRANGERS)
    legacy({f"t{i}": shared for i in range(11_000)}, tmp_path / "b.pth")
    with pytest.raises(WeightsError, match="more tensors than the limit of 10000"):
        plan_file(tmp_path / "b.pth", STRANGERS)


def test_headers_that_lie_about_their_bytes_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"

    def written(entries, data=bytes(16)):
        header = json.dumps(entries).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header + data)

    good = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    written({"a": good})
    assert plan_file(path).read()["a"].equal(torch.zeros(2, 2))
    for entries in (
        {"a": {**good, "data_offsets": [0, 32]}},
        {"a": {**good, "shape": [2, 3]}},
        {"a": {**good, "shape": [-2, -2]}},
        {"a": {**good, "shape": [True, 4]}},
        {"a": {**good, "data_offsets": [16, 0]}},
        {"a": {**good, "dtype": "F8_E4M3"}},
        {"a": {**good, "dtype": ["F32"]}},
        {"a": good, "b": good},  # one on the other
        {"a": {**good, "shape": [1], "data_offsets": [0, 4]}},  # and bytes that are no one's
        {"a": []},
        {"__metadata__": {"x": 1}, "a": good},
        [],
    ):
        written(entries)
        with pytest.raises(WeightsError, match=r"a\.safetensors"):
            plan_file(path)
    written({"a": good})
    path.write_bytes(struct.pack("<Q", 2**60) + path.read_bytes()[8:])
    with pytest.raises(WeightsError):
        plan_file(path)
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    path.write_bytes(struct.pack("<Q", len(deep)) + deep)
    with pytest.raises(WeightsError):
        plan_file(path)


class Evil:
    def __reduce__(self):
        return print, ("this must never be printed",)


class Evaluated:
    def __reduce__(self):
        return eval, ("print('this must never be printed')",)


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("value", [Evil(), Evaluated(), torch.nn.Linear(2, 2)])
def test_code_is_named_and_never_run(tmp_path, capsys, value, new):
    torch.save(
        {"params": {"w": torch.zeros(1)}, "more": value},
        tmp_path / "evil.pth",
        _use_new_zipfile_serialization=new,
    )
    with pytest.raises(WeightsError, match=r"wants to run code \((builtins|torch)\.[\w.]+\)"):
        plan_file(tmp_path / "evil.pth")
    assert "never" not in capsys.readouterr().out


def test_what_frameworks_keep_beside_the_weights_is_left_unread(tmp_path):
    from argparse import Namespace
    from collections import defaultdict
    from pathlib import PurePosixPath

    state = {"a.weight": torch.randn(2, 2)}
    aside = {"hyper_parameters": Namespace(lr=1.0), "epoch": 7, "best": np.float64(31.2)}
    aside |= {"counts": defaultdict(int), "optimizer": {"state": {0: {"m": torch.zeros(2)}}}}
    aside |= {"names": {"a", "b"}, "file": str(PurePosixPath("x"))}
    torch.save({"state_dict": state, **aside}, tmp_path / "a.ckpt")
    assert read_tensors(tmp_path / "a.ckpt")["a.weight"].equal(state["a.weight"])


def test_damaged_files_are_one_sentence(tmp_path):
    """Bytes of the description changed; what can still be read lies inside the file."""
    rng = np.random.default_rng(0)
    for new in (True, False):
        torch.save(
            {"state_dict": {"a": torch.zeros(3), "b": torch.ones(2)}, "epoch": 3},
            tmp_path / "a.pth",
            _use_new_zipfile_serialization=new,
        )
        whole = (tmp_path / "a.pth").read_bytes()
        for at in rng.choice(min(len(whole), 1200), 250, replace=False):
            data = bytearray(whole)
            data[at] ^= int(rng.integers(1, 256))
            (tmp_path / "b.pth").write_bytes(bytes(data))
            try:
                tensors = read_tensors(tmp_path / "b.pth")
            except WeightsError as error:
                assert "\n" not in str(error)
            else:
                assert all(t.numel() < 100 for t in tensors.values())


@pytest.mark.slow
def test_a_trial_says_what_the_network_is(tmp_path):
    torch.manual_seed(0)
    save_checkpoint(HPINet(TINY), tmp_path / "tiny.safetensors")
    found = try_file(tmp_path / "tiny.safetensors", seconds=120)
    assert found.architecture == "HPINet, 8 channels, 2 blocks" and found.scale == 4
    assert found.parameters == sum(p.numel() for p in HPINet(TINY).parameters())


@pytest.mark.slow
def test_a_trial_ends_where_memory_or_time_end(tmp_path):
    network = foreign("Compact")
    state = network.state_dict()
    # Compact builds as many layers as the highest number says.
    state["body.4000000.weight"] = state.pop("body.6.weight")
    state["body.4000000.bias"] = state.pop("body.6.bias")
    torch.save(state, tmp_path / "deep.pth")
    with pytest.raises(ValueError, match=r"deep\.pth could not be opened"):
        try_file(tmp_path / "deep.pth", seconds=20, memory=2**29)


def test_plans_agree_with_what_is_read(tmp_path):
    torch.manual_seed(0)
    model = HPINet(TINY)
    save_checkpoint(model, tmp_path / "a.safetensors")
    found = plan_checkpoint(tmp_path / "a.safetensors")
    assert found.config == TINY
    assert found.plan.numbers == sum(p.numel() for p in model.parameters())
    assert all(value.equal(model.state_dict()[name]) for name, value in found.read().items())


def archive(path, text):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", text)
        file.writestr("a/data/0", bytes(16))
    return path


TWICE = {  # instructions that put a tuple on the stack again: into a tuple, it holds itself twice
    "remembered": b"q\x00h\x00\x86",
    "built": b"Nbq\x00h\x00\x86",
    "appended to": b"(eq\x00h\x00\x86",
    "as a size": b"q\x00ctorch\nSize\n](h\x00h\x00e\x85R",
}


@pytest.mark.parametrize("way", TWICE)
def test_keys_that_unfold_without_end_are_refused_at_once(tmp_path, way):
    """To hash one of sixty levels that each hold the one below twice takes for ever."""
    path = archive(tmp_path / "a.pth", b"\x80\x02})" + TWICE[way] * 60 + b"K\x01s.")
    with pytest.raises(WeightsError, match="no file of plain weights"):
        plan_file(path, STRANGERS)


def test_keys_that_are_deep_do_not_end_the_process(tmp_path):
    path = archive(tmp_path / "a.pth", b"\x80\x02})" + b"\x85" * 500_000 + b"K\x01s.")
    with pytest.raises(WeightsError, match="no file of plain weights"):
        plan_file(path, STRANGERS)


@pytest.mark.parametrize(
    "value", [b"N", b"G" + bytes(8), b"]", b"X\x01\x00\x00\x00a", b")\x85\x85"]
)
def test_shapes_and_offsets_that_are_no_numbers_are_refused(tmp_path, value):
    text = data_pickle(4)
    for place, length in ((text.index(b"QK\x00") + 1, 2), (text.index(b"K\x04\x85"), 2)):
        changed = text[:place] + value + text[place + length :]
        with pytest.raises(WeightsError, match=r"a\.pth"):
            plan_file(archive(tmp_path / "a.pth", changed), STRANGERS)


def test_instructions_and_records_without_number_are_refused(tmp_path):
    few = Limits(header_bytes=10**6, tensors=10, numbers=1000)
    text = b"\x80\x02(" + b"N" * 200_000 + b"t."
    with pytest.raises(WeightsError, match="no file of plain weights"):
        plan_file(archive(tmp_path / "a.pth", text), few)
    with zipfile.ZipFile(archive(tmp_path / "a.pth", data_pickle(4)), "a") as file:
        for number in range(1000):
            file.writestr(f"{number}", b"")
    with pytest.raises(WeightsError, match="more records"):
        plan_file(tmp_path / "a.pth", few)
