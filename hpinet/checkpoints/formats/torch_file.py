"""What `torch.save` wrote, as a plan: the pickle is read without building or running anything.

Two formats exist. Since PyTorch 1.6 a file is a ZIP archive of stored (not compressed) records:
``NAME/data.pkl`` and a record for every storage. Before, it was a row of pickles, the last of which
lists the storages' keys, followed by each storage as its number of elements (int64) and its bytes.
Both name a storage by a persistent id, ``("storage", type, key, place, elements, ...)``.

Nothing of a pickle is executed (`torch_pickle`).
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .file_plan import Limits, Span, TensorPlan, WeightsError
from .torch_pickle import TensorEntry, WeightsUnpickler, load_pickle, no_weights, unreadable

MAGIC = 0x1950A86A20F9469CFC6C
"""What the first pickle of the older format holds."""

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_END = struct.Struct("<4s4H2LH")
_RECORD = 1024  # bytes that the directory may take for a record: its name, and 46


def plan_torch(path: Path, limits: Limits) -> tuple[Any, dict[str, Span]]:
    """What a file of `torch.save` holds: the saved object, with `TensorEntry` for tensors.

    Args:
        path: The file.
        limits: Of header and tensors.

    Returns:
        The object, and the bytes of every storage by its key.

    Raises:
        WeightsError: If the file is damaged, of another kind, or wants to run code.
    """
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head == b"PK\x03\x04":
            return _plan_archive(path, file, limits)
        return _plan_pickles(path, file, limits)


def tensor_plans(
    file: str, entries: Mapping[str, TensorEntry], spans: Mapping[str, Span]
) -> dict[str, TensorPlan]:
    """Tensors with their bytes.

    Args:
        file: What sentences call the file.
        entries: Tensors by name.
        spans: The bytes of every storage by its key.

    Raises:
        WeightsError: If a storage has no bytes in the file, or fewer than its tensors need.
    """
    plans: dict[str, TensorPlan] = {}
    for name, entry in entries.items():
        storage = entry.storage
        span = spans.get(storage.key)
        if span is None or span.length != storage.elements * storage.dtype.itemsize:
            raise WeightsError(
                f"{file} is damaged: the bytes of {name[:60]} are not in it, or not all of them"
            )
        first = storage.first * storage.dtype.itemsize // entry.dtype.itemsize
        plan = TensorPlan(entry.dtype, entry.shape, entry.stride, first + entry.offset, span)
        plan.check(name)
        plans[name] = plan
    return plans


def _plan_archive(path: Path, file: Any, limits: Limits) -> tuple[Any, dict[str, Span]]:
    records = _records(path, file, limits)
    roots = [name.removesuffix("data.pkl") for name in records if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise unreadable(path)
    root = roots[0]
    order = records.get(f"{root}byteorder")
    if order is not None and _content(file, order, 16) != b"little":
        raise WeightsError(f"{path.name} was saved on a big-endian machine: save it as safetensors")
    header = records[f"{root}data.pkl"]
    if header.length > limits.header_bytes:
        raise WeightsError(
            f"{path.name} describes its tensors in {header.length} bytes; the limit is "
            f"{limits.header_bytes}"
        )
    text = io.BytesIO(_content(file, header, limits.header_bytes))
    saved = load_pickle(path, WeightsUnpickler(text, limits))
    prefix = f"{root}data/"
    return saved, {
        name.removeprefix(prefix): span for name, span in records.items() if name.startswith(prefix)
    }


def _content(file: Any, span: Span, most: int) -> bytes:
    file.seek(span.start)
    data: bytes = file.read(min(span.length, most))
    return data


def _records(path: Path, file: Any, limits: Limits) -> dict[str, Span]:
    """Where the records of an archive lie; every byte belongs to one of them at most."""
    size = path.stat().st_size
    _check_end(path, file, size, limits)
    try:
        with zipfile.ZipFile(file) as archive:
            infos, directory = archive.infolist(), archive.start_dir
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, RuntimeError):
        raise unreadable(path) from None
    if len(infos) > 2 * limits.tensors + 16:
        raise WeightsError(f"{path.name} holds {len(infos)} records; the limit is {limits.tensors}")
    records: dict[str, Span] = {}
    for info in infos:
        # torch.save stores without compression; a compressed record may unpack to any size.
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise WeightsError(
                f"{path.name} is a compressed archive, which torch.save does not write: unpack it"
            )
        if info.flag_bits & 1 or info.filename in records:
            raise unreadable(path)
        records[info.filename] = Span(_data_start(path, file, info), info.file_size)
    position = 0
    for span in sorted(records.values(), key=lambda s: s.start):
        if span.start < position or span.start + span.length > directory:
            raise WeightsError(f"{path.name} has overlapping records: it is damaged")
        position = span.start + span.length
    return records


def _check_end(path: Path, file: Any, size: int, limits: Limits) -> None:
    """An archive's directory ends where the file ends, so that all readers find the same one."""
    file.seek(max(0, size - _END.size))
    tail = file.read()
    if len(tail) != _END.size:
        raise unreadable(path)
    signature, *_, length, start, comment = _END.unpack(tail)
    if signature != b"PK\x05\x06" or comment:
        raise WeightsError(
            f"{path.name} is an archive with a comment or more behind its end, which torch.save "
            f"does not write: it is damaged"
        )
    if size < 0xFFFFFFFF or 0xFFFFFFFF not in (length, start):
        # The 64-bit record and its locator may lie between the directory and the end.
        if start + length not in (size - _END.size, size - _END.size - 76):
            raise unreadable(path)
        if length > _RECORD * (2 * limits.tensors + 16):
            raise WeightsError(f"{path.name} holds more records than {limits.tensors} tensors need")
    file.seek(0)


def _data_start(path: Path, file: Any, info: zipfile.ZipInfo) -> int:
    file.seek(info.header_offset)
    head = file.read(_LOCAL_HEADER.size)
    if len(head) != _LOCAL_HEADER.size:
        raise unreadable(path)
    signature, *_, name, extra = _LOCAL_HEADER.unpack(head)
    if signature != b"PK\x03\x04":
        raise unreadable(path)
    return info.header_offset + _LOCAL_HEADER.size + int(name) + int(extra)


def _plan_pickles(path: Path, file: Any, limits: Limits) -> tuple[Any, dict[str, Span]]:
    size = path.stat().st_size
    text = io.BytesIO(file.read(limits.header_bytes))
    magic = load_pickle(path, WeightsUnpickler(text, limits))
    if magic != MAGIC:
        raise no_weights(path, "it is of another kind")
    protocol = load_pickle(path, WeightsUnpickler(text, limits))
    system = load_pickle(path, WeightsUnpickler(text, limits))
    if protocol != 1001 or not isinstance(system, dict) or not system.get("little_endian", True):
        raise unreadable(path)
    unpickler = WeightsUnpickler(text, limits)
    saved = load_pickle(path, unpickler)
    keys = load_pickle(path, WeightsUnpickler(text, limits))
    named = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not named or set(keys) != set(unpickler.storages):
        raise WeightsError(
            f"{path.name} names tensors whose bytes are not in the file: it is damaged"
        )
    spans: dict[str, Span] = {}
    position = text.tell()
    for key in keys:
        storage = unpickler.storages[key]
        length = storage.elements * storage.dtype.itemsize
        file.seek(position)
        count = file.read(8)
        if int.from_bytes(count, "little") != storage.elements or position + 8 + length > size:
            raise WeightsError(
                f"{path.name} holds fewer bytes than its tensors need: it is damaged"
            )
        spans[key] = Span(position + 8, length)
        position += 8 + length
    return saved, spans
