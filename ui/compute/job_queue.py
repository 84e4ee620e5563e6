"""One job at a time, in the order of arrival."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LOST = 600.0
"""Seconds without a sign of life after which a job is taken for dead."""


class JobQueue:
    """Jobs in the order of arrival; the first one runs.

    Args:
        lost: Seconds without a sign of life after which a job is dropped: its visitor went away
            and nobody closed it.
    """

    def __init__(self, lost: float = LOST) -> None:
        self._lost = lost
        self._seen: dict[object, float] = {}  # last sign of life, in the order of arrival
        self._moved = threading.Condition()

    @property
    def idle(self) -> bool:
        """Whether no job runs or waits."""
        return not self._seen

    @contextmanager
    def ticket(self) -> Iterator[object]:
        """A place at the end of the queue, given up at the end of the block."""
        mine = object()
        with self._moved:
            self._seen[mine] = time.monotonic()
        try:
            yield mine
        finally:
            with self._moved:
                self._seen.pop(mine, None)
                self._moved.notify_all()

    def alive(self, ticket: object) -> None:
        """Give a sign of life."""
        with self._moved:
            if ticket in self._seen:
                self._seen[ticket] = time.monotonic()

    def wait(self, ticket: object, seconds: float) -> int:
        """How many jobs are before a ticket, after waiting for its turn for so long at most."""
        with self._moved:
            self._moved.wait_for(lambda: not self._before(ticket), seconds)
            return self._before(ticket)

    def _before(self, ticket: object) -> int:
        now = time.monotonic()
        if ticket in self._seen:
            self._seen[ticket] = now
        for other, seen in list(self._seen.items()):
            if now - seen > self._lost:
                del self._seen[other]
        return list(self._seen).index(ticket) if ticket in self._seen else 0
