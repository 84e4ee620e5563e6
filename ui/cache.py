"""Results by content, so that going back to a picture is instant for everybody."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """The most recently used results, safe to share between threads.

    Args:
        size: How many results to keep.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Value | None:
        """The result of a key, or None."""
        with self._lock:
            if key not in self._known:
                return None
            self._known.move_to_end(key)
            return self._known[key]

    def __contains__(self, key: Hashable) -> bool:
        """Whether a key's result is known."""
        with self._lock:
            return key in self._known

    def put(self, key: Hashable, value: Value) -> Value:
        """Keep a result, forgetting the one unused for longest, and return it."""
        with self._lock:
            self._known[key] = value
            self._known.move_to_end(key)
            while len(self._known) > self._size:
                self._known.popitem(last=False)
        return value

    def compute(self, key: Hashable, work: Callable[[], Value]) -> Value:
        """The result of a key, worked out if it is not known. Errors are not kept."""
        found = self.get(key)
        return self.put(key, work()) if found is None else found
