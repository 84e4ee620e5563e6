"""Heavy work in turns: one job at a time, and the others are told how many are before them.

Gradio's own queue says nothing in a line of text of ours, and keeps a job that is out of date until
its turn comes. So heavy handlers are let in at once and wait here, saying so.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from ui.state.session import Session
from ui.views.html import status_bar

_LOOK = 0.5  # seconds between two looks at the line
_LOST = 600.0  # seconds without a sign of life after which a job is taken for dead


class Line:
    """People in a line; the first one is at work."""

    def __init__(self) -> None:
        self._seen: dict[object, float] = {}  # in the order of arrival
        self._moved = threading.Condition()

    @contextmanager
    def ticket(self) -> Iterator[object]:
        """A place at the end of the line, given up at the end of the block."""
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
        """How many are before a ticket, after waiting for its turn for so long at most."""
        with self._moved:
            self._moved.wait_for(lambda: not self._before(ticket), seconds)
            return self._before(ticket)

    def _before(self, ticket: object) -> int:
        now = time.monotonic()
        if ticket in self._seen:
            self._seen[ticket] = now
        for other, seen in list(self._seen.items()):
            if now - seen > _LOST:  # its visitor went away and nobody closed it
                del self._seen[other]
        return list(self._seen).index(ticket) if ticket in self._seen else 0


LINE = Line()
"""All heavy work of this server."""


def in_turn(
    handler: Callable[..., Iterator[Any]],
    blanks: int,
    line: Line = LINE,
    run_of: Callable[[Session], int] = lambda session: session.run,
) -> Any:
    """A generator that waits for its turn and says so.

    Args:
        handler: Takes the session first; yields values of which the last is a status line.
        blanks: How many values it yields before the status.
        line: Where to wait.
        run_of: The session's counter of such work.

    Returns:
        The same with a wait before. It ends without beginning when the visitor has stopped it or
        asked for something else meanwhile, which moves that counter on.
    """

    @functools.wraps(handler)
    def waiting(session: Session, *args: Any, **keywords: Any) -> Iterator[Any]:
        def said(text: str) -> Any:
            status = status_bar(text, 0)
            return (*(gr.skip() for _ in range(blanks)), status) if blanks else status

        run, told = run_of(session), 0
        with line.ticket() as mine:
            while before := line.wait(mine, _LOOK):
                if run_of(session) != run:
                    if session.stopped:
                        yield said("Stopped before it began.")
                    return
                if before != told:
                    told = before
                    jobs = "1 job is" if before == 1 else f"{before} jobs are"
                    yield said(f"Waiting: {jobs} before yours; they are computed one at a time.")
            for values in handler(session, *args, **keywords):
                line.alive(mine)
                yield values

    return waiting
