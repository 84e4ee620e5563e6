"""Results by content, so that going back to an image is instant for everybody."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import nn

Value = TypeVar("Value")


def size_in_bytes(value: Any) -> int:
    """What the arrays and tensors in a value take, however deep in dataclasses and sequences.

    A view counts as what it keeps alive: a tensor's whole storage, an array's own elements. A
    module counts as its parameters and buffers.
    """
    if isinstance(value, nn.Module):
        return sum(map(size_in_bytes, (*value.parameters(), *value.buffers())))
    if isinstance(value, torch.Tensor):
        return value.untyped_storage().nbytes()
    if isinstance(value, np.ndarray):
        return value.nbytes
    if is_dataclass(value) and not isinstance(value, type):
        return sum(size_in_bytes(getattr(value, f.name)) for f in fields(value))
    if isinstance(value, dict):
        return sum(map(size_in_bytes, value.values()))
    return sum(map(size_in_bytes, value)) if isinstance(value, (tuple, list)) else 0


class Cache(Generic[Value]):
    """The most recently used results, safe to share between threads.

    Not `cachetools.LRUCache`: that one bounds either the number or the bytes, refuses a value that
    is larger than its bound (here the newest is kept whatever it takes, since the page is about to
    show it), and computes a missing value once for each thread that asks.

    Args:
        size: How many results to keep; None for no such limit.
        limit: Bytes that their arrays may take together. None for no such limit.
    """

    def __init__(self, size: int | None, limit: int | None = None) -> None:
        self._size, self._limit = size, limit
        self._known: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._computing: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable) -> Value | None:
        """The result of a key, or None."""
        with self._lock:
            if key not in self._known:
                return None
            self._known.move_to_end(key)
            return self._known[key][0]

    def pop(self, key: Hashable) -> Value | None:
        """The result of a key, which is forgotten, or None."""
        with self._lock:
            found = self._known.pop(key, None)
        return None if found is None else found[0]

    def __contains__(self, key: Hashable) -> bool:
        """Whether a key's result is known."""
        with self._lock:
            return key in self._known

    def put(self, key: Hashable, value: Value) -> Value:
        """Keep a result, forgetting those unused for longest, and return it."""
        taken = 0 if self._limit is None else size_in_bytes(value)
        with self._lock:
            self._known[key] = value, taken
            self._known.move_to_end(key)
            while self._too_many() or self._too_large():
                self._known.popitem(last=False)
        return value

    def _too_many(self) -> bool:
        return self._size is not None and len(self._known) > self._size

    def _too_large(self) -> bool:
        if self._limit is None or len(self._known) == 1:
            return False
        return sum(taken for _, taken in self._known.values()) > self._limit

    def compute(self, key: Hashable, work: Callable[[], Value]) -> Value:
        """The result of a key, computed if it is not known; who asks meanwhile waits for it.

        Errors are not kept.
        """
        found = self.get(key)
        if found is not None:
            return found
        with self._lock:
            alone = self._computing.setdefault(key, threading.Lock())
        try:
            with alone:
                found = self.get(key)
                return self.put(key, work()) if found is None else found
        finally:
            with self._lock:
                self._computing.pop(key, None)
