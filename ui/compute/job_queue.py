"""One job at a time, in the order of arrival."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LOST = 60.0
"""Seconds without a sign of life after which a job is taken for dead, unless it computes."""


@dataclass(eq=False)
class Ticket:
    """A place in the queue.

    Attributes:
        seen: The last sign of life, in seconds.
        computing: Whether a step is being computed; that may take as long as it likes.
    """

    seen: float
    computing: bool = False


class JobQueue:
    """Jobs in the order of arrival; the first one runs.

    Args:
        lost: Seconds without a sign of life after which a job is dropped: its visitor went away
            and nobody closed it. While it computes it is never dropped, so that no other job runs
            beside it.
        clock: Seconds that never go back.
    """

    def __init__(self, lost: float = LOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._lost, self._clock = lost, clock
        self._waiting: list[Ticket] = []  # in the order of arrival
        self._moved = threading.Condition()

    @property
    def idle(self) -> bool:
        """Whether no job runs or waits."""
        return not self._waiting

    @contextmanager
    def ticket(self) -> Iterator[Ticket]:
        """A place at the end of the queue, given up at the end of the block."""
        mine = Ticket(self._clock())
        with self._moved:
            self._waiting.append(mine)
        try:
            yield mine
        finally:
            with self._moved:
                self._drop(mine)

    @contextmanager
    def step(self, ticket: Ticket) -> Iterator[bool]:
        """A step of the job whose turn it is; False where its turn went by, and it must end."""
        with self._moved:
            mine = self._before(ticket) == 0 and ticket in self._waiting
            ticket.computing = mine
        try:
            yield mine
        finally:
            with self._moved:
                ticket.seen, ticket.computing = self._clock(), False

    def wait(self, ticket: Ticket, seconds: float) -> int:
        """How many jobs are before a ticket, after waiting for its turn for so long at most."""
        with self._moved:
            self._moved.wait_for(lambda: not self._before(ticket), seconds)
            return self._before(ticket)

    def _before(self, ticket: Ticket) -> int:
        now = ticket.seen = self._clock()
        for other in [t for t in self._waiting if not t.computing and now - t.seen > self._lost]:
            self._drop(other)
        return self._waiting.index(ticket) if ticket in self._waiting else 0

    def _drop(self, ticket: Ticket) -> None:
        if ticket in self._waiting:
            self._waiting.remove(ticket)
        self._moved.notify_all()
