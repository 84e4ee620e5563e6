"""Damages files of weights at random and opens them as the page does, for as long as it is told to.

    PYTHONPATH=.:tests python tests/security/fuzz_weight_files.py [--minutes 10] [--seed 0]
                                                                  [--keep FOLDER]

Every file is opened in a child process with 2 GB. What counts as a fault: the child crashes, takes
more than 20 seconds, or answers with anything but a network or one sentence. Not part of the test
suite; Linux and macOS only, as it forks.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import re
import select
import signal
import struct
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from helpers.foreign import foreign
from safetensors.torch import save

from hpinet import HPINet, HPINetConfig
from hpinet.checkpoints.loading import save_checkpoint
from hpinet.networks.names import open_model
from hpinet.networks.sandbox import limit_process, probe
from ui.networks.uploaded_models import check_file

SECONDS = 20.0
MEMORY = 2 * 2**30
TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))
NUMBERS = (0, 1, 2, 3, 5, 63, 127, 128, 255, 256, 4000, 65535, 10**6, 2**31 - 1, 2**31, 2**47)
State = dict[str, Any]


# Whole files from a state dict


def as_new(state: State) -> bytes:
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def as_old(state: State) -> bytes:
    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def as_safetensors(state: State) -> bytes:
    plain = {k: v.clone().contiguous() for k, v in state.items() if isinstance(v, torch.Tensor)}
    return save(plain)


def originals() -> tuple[list[State], list[bytes]]:
    """State dicts, and whole files that hold more than one."""
    states = [foreign(name).state_dict() for name in ("Compact", "SwinIR", "RCAN")]
    torch.manual_seed(0)
    model = HPINet(TINY)
    states.append(model.state_dict())
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(model, Path(folder, "a.safetensors"))
        file = Path(folder, "a.safetensors").read_bytes()
    return [dict(s) for s in states], [file]


# Damage to a state dict


def odd_shape(rng: random.Random, state: State) -> None:
    name = rng.choice(list(state))
    tensor = state[name]
    if not isinstance(tensor, torch.Tensor):
        return
    shape = list(tensor.shape) or [1]
    for _ in range(rng.randint(1, 2)):
        shape[rng.randrange(len(shape))] = rng.choice((0, 1, 2, 3, 7, 8, 64, 512, 20000))
    if rng.random() < 0.3:
        shape.insert(rng.randrange(len(shape) + 1), rng.choice((0, 1, 3)))
    if rng.random() < 0.3 and len(shape) > 1:
        shape.pop()
    if rng.random() < 0.7:  # many elements, few bytes
        state[name] = torch.zeros(1, dtype=tensor.dtype).expand(shape)
    elif torch.Size(shape).numel() < 10**6:
        state[name] = torch.randn(shape)


def rename(rng: random.Random, state: State) -> None:
    name = rng.choice(list(state))
    new = re.sub(r"\d+", lambda _: str(rng.choice(NUMBERS)), name, count=rng.randint(1, 3))
    state[rng.choice((new, name + ".weight", "module." + name, name.upper(), ""))] = state.pop(name)


def drop(rng: random.Random, state: State) -> None:
    for name in rng.sample(list(state), min(len(state), rng.randint(1, 3))):
        del state[name]


def swap(rng: random.Random, state: State) -> None:
    a, b = rng.choice(list(state)), rng.choice(list(state))
    state[a], state[b] = state[b], state[a]


def other_type(rng: random.Random, state: State) -> None:
    name, kinds = rng.choice(list(state)), (torch.int64, torch.bool, torch.float16, torch.float64)
    if isinstance(state[name], torch.Tensor):
        state[name] = state[name].to(rng.choice(kinds))


def odd_values(rng: random.Random, state: State) -> None:
    name = rng.choice(list(state))
    if isinstance(state[name], torch.Tensor):
        value = rng.choice((float("nan"), float("inf"), -1e38, 1e38, 0.0, 2.0**31))
        state[name] = torch.full_like(state[name].float(), value)


def strange_entry(rng: random.Random, state: State) -> None:
    entry = rng.choice((None, 1, "text", [torch.zeros(1)], {"a": torch.zeros(2)}, {}, {1: 2}))
    state[rng.choice(("params_ema", "state_dict", "x", "0", "model"))] = entry


def many(rng: random.Random, state: State) -> None:
    one = torch.zeros(1)
    state.update({f"body.{n}.weight": one for n in range(rng.choice((100, 5000)))})


ON_STATES = (odd_shape, odd_shape, rename, rename, drop, swap, other_type, odd_values, many)
ON_STATES = (*ON_STATES, strange_entry)


# Damage to bytes


def flip(rng: random.Random, data: bytearray) -> None:
    edge = rng.choice((64, 2000, len(data)))
    for _ in range(rng.choice((1, 1, 4, 30))):
        data[rng.randrange(min(edge, len(data)))] = rng.randrange(256)


def flip_end(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.choice((1, 4))):
        data[-rng.randint(1, min(400, len(data)))] = rng.randrange(256)


def cut(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(1, len(data)) :]


def repeat(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data))
    part = data[start : start + rng.choice((1, 8, 64, 5000))]
    data[start:start] = part * rng.choice((1, 2, 50))


def number(rng: random.Random, data: bytearray) -> None:
    at, size = rng.randrange(max(1, len(data) - 8)), rng.choice((1, 2, 4, 8))
    value = rng.choice(NUMBERS) & (2 ** (8 * size) - 1)
    data[at : at + size] = value.to_bytes(size, "little")


def text_number(rng: random.Random, data: bytearray) -> None:
    """Another number in a JSON header."""
    found = list(re.finditer(rb"\d+", bytes(data[:20000])))
    if found:
        start, end = rng.choice(found).span()
        data[start:end] = str(rng.choice((-1, *NUMBERS, 10**30, "[]", "1e9", '"a"'))).encode()
        length = data.rfind(b"}", 0, 40000) - 7
        if data[8:9] == b"{" and rng.random() < 0.7:  # keep the header's length true
            data[:8] = struct.pack("<Q", max(0, length))


def in_archive(rng: random.Random, data: bytearray) -> None:
    """The pickle of an archive damaged, the archive itself whole."""
    try:
        with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
            records = {info.filename: archive.read(info) for info in archive.infolist()}
    except Exception:
        return flip(rng, data)
    name = next((n for n in records if n.endswith("data.pkl")), None)
    if name is None:
        return None
    text = bytearray(records[name])
    rng.choice((flip, number, repeat, cut))(rng, text)
    records[name] = bytes(text)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for known, content in records.items():
            archive.writestr(known, content)
    data[:] = file.getvalue()
    return None


ON_BYTES: tuple[Callable[[random.Random, bytearray], None], ...] = (
    *(flip, flip_end, cut, repeat, number, text_number, in_archive, in_archive, in_archive),
)


def damaged(rng: random.Random, states: list[State], files: list[bytes]) -> tuple[bytes, str]:
    """A file, and how it was made."""
    told: list[str] = []
    if rng.random() < 0.15:
        data = bytearray(rng.choice(files))
    else:
        state = dict(rng.choice(states))
        for _ in range(rng.choice((0, 1, 1, 2, 4))):
            if state:
                change: Any = rng.choice(ON_STATES)
                change(rng, state)
                told.append(change.__name__)
        saver = rng.choice((as_new, as_new, as_old, as_safetensors))
        tensors = [t for t in state.values() if isinstance(t, torch.Tensor)]
        if saver is as_safetensors and sum(t.numel() for t in tensors) > 10**7:
            saver = as_new  # which stores a view, not what it unfolds to
        holder = rng.choice((state, {"params_ema": state}, {"state_dict": state, "epoch": 3}))
        data = bytearray(saver(state if saver is as_safetensors else holder))
        told.append(saver.__name__)
    for _ in range(rng.choice((0, 1, 1, 2, 5)) if told[:1] != told[-1:] else rng.randint(1, 3)):
        hurt = rng.choice(ON_BYTES)
        if data:
            hurt(rng, data)
            told.append(hurt.__name__)
    return bytes(data), ", ".join(told)


# Opening it


def answer(path: Path) -> dict[str, str]:
    """What the page would say; in a child process."""
    try:
        check_file(path)
        found = probe(open_model(path), path.name)
        return {"network": found.architecture}
    except (MemoryError, SystemError):
        return {"sentence": "memory"}
    except ValueError as error:
        return {"sentence": str(error)}
    except Exception as error:
        if "allocate memory" in str(error):
            return {"sentence": "memory"}
        return {"fault": f"{type(error).__name__}: {error}"}


def opened(path: Path) -> dict[str, str]:
    """The answer of a child with limits, or what became of the child."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        limit_process(MEMORY, SECONDS)
        os.write(writer, json.dumps(answer(path)).encode()[:60_000])
        os._exit(0)
    os.close(writer)
    text, end = b"", time.monotonic() + 4 * SECONDS  # others compute, too
    while time.monotonic() < end:
        if select.select([reader], [], [], 1.0)[0]:
            part = os.read(reader, 65536)
            if not part:
                break
            text += part
    else:
        os.kill(child, signal.SIGKILL)
    os.close(reader)
    status = os.waitpid(child, 0)[1]
    if not text:
        return {"fault": f"the child ended with status {status} (24: over {SECONDS:.0f} seconds)"}
    found: dict[str, str] = json.loads(text)
    sentence = found.get("sentence", "")
    if "\n" in sentence or len(sentence) > 500:
        return {"fault": f"no sentence: {sentence[:1000]!r}"}
    return found


def main() -> int:
    """Fuzz; returns 1 where a fault was found."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that show a fault")
    options = parser.parse_args()
    torch.set_num_threads(1)
    states, files = originals()
    end, seed, found = time.monotonic() + 60 * options.minutes, options.seed, Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            data, told = damaged(random.Random(seed), states, files)
            path = Path(folder, "a" + (".safetensors" if data[8:9] == b"{" else ".pth"))
            path.write_bytes(data)
            began = time.monotonic()
            said = opened(path)
            slowest = max(slowest, time.monotonic() - began)
            found[next(iter(said))] += 1
            if "fault" in said:
                print(f"seed {seed} ({told}): {said['fault']}", flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / f"{seed}{path.suffix}").write_bytes(data)
            path.unlink()
            seed += 1
    print(f"{sum(found.values())} files, slowest {slowest:.1f} s: {dict(found)}")
    return 1 if found["fault"] else 0


if __name__ == "__main__":
    sys.exit(main())
