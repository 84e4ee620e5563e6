"""What a file of weights holds, told from its header before a single tensor is read.

A plan names every tensor with its shape, type and the bytes of the file that it is made of. All of
these bytes lie inside the file and are read from it, so no tensor ever shows memory that something
else has left behind. Whatever a plan would cost can be compared with limits before it is paid.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from hpinet.errors import UserError


class WeightsError(UserError):
    """Weights that cannot be had or do not fit; the message says what was found and expected."""


@dataclass(frozen=True)
class Limits:
    """What a file may ask for.

    Attributes:
        header_bytes: Size of the part that describes the tensors (JSON or pickle).
        tensors: Number of tensors.
        numbers: Elements of all tensors together; a view counts as what it unfolds to.
    """

    header_bytes: int = 100 * 10**6
    tensors: int = 200_000
    numbers: int | None = None

    def check(self, plan: FilePlan) -> None:
        """Compare a plan with the limits.

        Raises:
            WeightsError: If it asks for more.
        """
        count = plan.numbers
        if self.numbers is not None and count > self.numbers:
            raise WeightsError(
                f"{plan.path.name} holds {count / 1e6:.0f} million numbers; the limit is "
                f"{self.numbers / 1e6:.0f} million"
            )


@dataclass(frozen=True)
class Span:
    """A run of bytes of the file.

    Attributes:
        start: Position of the first byte.
        length: Number of bytes.
    """

    start: int
    length: int


@dataclass(frozen=True)
class TensorPlan:
    """One tensor.

    Attributes:
        dtype: Type of its elements.
        shape: Its shape.
        stride: Steps between neighbours along each axis, in elements.
        offset: First element, counted from the start of the span.
        span: The bytes it is a view of; several tensors may share one.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    span: Span

    @property
    def numbers(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def check(self, name: str) -> None:
        """Make sure that every element lies inside the span.

        Raises:
            WeightsError: If one does not, or the shape makes no sense.
        """
        numbers = (*self.shape, *self.stride, self.offset)
        if len(self.shape) != len(self.stride) or not all(
            type(n) is int and 0 <= n < 2**48 for n in numbers
        ):
            raise WeightsError(f"{_short(name)} has an impossible shape {_short(self.shape)}")
        if self.numbers == 0:
            if len(self.shape) > 1:  # an empty vector is harmless, an empty kernel means nothing
                raise WeightsError(f"{_short(name)} of shape {_short(self.shape)} is empty")
            return
        # The last element of a strided view: offset + sum over axes of (n - 1) * step.
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))
        if (last + 1) * self.dtype.itemsize > self.span.length:
            raise WeightsError(
                f"{_short(name)} of shape {_short(self.shape)} reaches beyond the "
                f"{self.span.length} bytes that are stored for it"
            )


@dataclass(frozen=True)
class FilePlan:
    """All tensors of a file.

    Attributes:
        path: The file.
        tensors: By name.
        metadata: Strings of a safetensors header.
    """

    path: Path
    tensors: Mapping[str, TensorPlan]
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def numbers(self) -> int:
        """Elements of all tensors together."""
        return sum(plan.numbers for plan in self.tensors.values())

    def read(self, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Read tensors, in the types of the file, on the CPU.

        Args:
            names: Which; all of them by default.

        Raises:
            WeightsError: If the file ends before its tensors do.
        """
        chosen = list(self.tensors if names is None else names)
        spans: dict[Span, Tensor] = {}
        found: dict[str, Tensor] = {}
        with self.path.open("rb") as file:
            for name in chosen:
                plan = self.tensors[name]
                plan.check(name)
                if plan.span not in spans:
                    file.seek(plan.span.start)
                    data = bytearray(file.read(plan.span.length))
                    if len(data) != plan.span.length:
                        raise WeightsError(f"{self.path.name} is cut off: load it anew")
                    spans[plan.span] = _bytes(data)
                found[name] = _view(spans[plan.span], plan)
        return found


def _bytes(data: bytearray) -> Tensor:
    if not data:
        return torch.empty(0, dtype=torch.uint8)
    return torch.frombuffer(data, dtype=torch.uint8)


def _view(data: Tensor, plan: TensorPlan) -> Tensor:
    size = plan.dtype.itemsize
    whole = data[: data.numel() // size * size].view(plan.dtype)
    if plan.numbers == 0:
        return whole.new_empty(plan.shape)
    return whole.as_strided(plan.shape, plan.stride, plan.offset)


def contiguous_stride(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a tensor stored row by row."""
    steps = [1]
    for n in reversed(shape[1:]):
        steps.append(steps[-1] * n)
    return tuple(reversed(steps)) if shape else ()


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
