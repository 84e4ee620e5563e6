"""The header of a safetensors file, as a plan.

A file is 8 bytes N (little endian), N bytes of JSON, and the tensors' bytes. The JSON names for
every tensor its type, its shape and where its bytes begin and end.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from .file_plan import FilePlan, Limits, Span, TensorPlan, WeightsError, contiguous_stride

_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def looks_like_safetensors(head: bytes, size: int) -> bool:
    """Whether a file of so many bytes that begins so is one: a length that fits, then JSON."""
    length = int.from_bytes(head[:8], "little")
    return len(head) > 8 and head[8:9] == b"{" and 2 <= length <= size - 8


def plan_safetensors(path: Path, limits: Limits) -> FilePlan:
    """Read a header.

    Raises:
        WeightsError: If it is damaged, its tensors do not lie side by side, or it is over a limit.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(limits.header_bytes, size - 8):
            raise WeightsError(
                f"{path.name} has a header of {length} bytes, which its size or the limit of "
                f"{limits.header_bytes} bytes does not allow"
            )
        text = file.read(length)
    entries = _entries(path, text)
    metadata = entries.pop("__metadata__", {})
    if len(entries) > limits.tensors:
        raise WeightsError(
            f"{path.name} holds {len(entries)} tensors; the limit is {limits.tensors}"
        )
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise WeightsError(f"{path.name} has a damaged header: load the file anew")
    tensors = {name: _tensor(path, name, entry, 8 + length) for name, entry in entries.items()}
    _check_layout(path, [t.span for t in tensors.values()], 8 + length, size)
    return FilePlan(path, tensors, metadata)


def _entries(path: Path, text: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, dict):
        raise WeightsError(
            f"{path.name} cannot be read as weights: it is damaged or of another kind"
        )
    return entries


def _tensor(path: Path, name: str, entry: Any, data: int) -> TensorPlan:
    try:
        kind, shape = entry["dtype"], tuple(entry["shape"])
        begin, end = entry["data_offsets"]
    except (TypeError, KeyError, ValueError):
        raise WeightsError(f"{path.name} has a damaged header: load the file anew") from None
    if not isinstance(kind, str) or kind not in _TYPES:
        raise WeightsError(
            f"{path.name} holds {name[:60]} as {str(kind)[:20]}, which is not supported: save it "
            f"as float32, float16 or bfloat16"
        )
    numbers = (*shape, begin, end)
    if not all(type(n) is int and 0 <= n < 2**48 for n in numbers) or begin > end:
        raise WeightsError(f"{path.name} has a damaged header: load the file anew")
    plan = TensorPlan(
        _TYPES[kind], shape, contiguous_stride(shape), 0, Span(data + begin, end - begin)
    )
    if plan.numbers * plan.dtype.itemsize != end - begin:
        raise WeightsError(
            f"{path.name} stores {end - begin} bytes for {name[:60]} of shape {shape}: it is "
            f"damaged"
        )
    plan.check(name)
    return plan


def _check_layout(path: Path, spans: list[Span], start: int, size: int) -> None:
    """The format asks for tensors side by side, without gaps or overlaps, up to the file's end."""
    position = start
    for span in sorted(spans, key=lambda s: (s.start, s.length)):
        if span.start != position:
            raise WeightsError(f"{path.name} has overlapping or missing tensors: it is damaged")
        position += span.length
    if position != size:
        raise WeightsError(
            f"{path.name} cannot be read as weights: it is damaged ({size} bytes where its header "
            f"promises {position})"
        )
