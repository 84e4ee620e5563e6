"""What is looked after while the page is served: jobs nobody waits for, old sessions, memory."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from ui.storage.cache import size_in_bytes
from ui.visitors.registry import GRACE, VISITORS, Visitors

from . import gradio_app, memory

SHORT, LONG = 2.0, 30.0
"""Seconds between looks at jobs, and at sessions."""

LEFT = 3600.0
"""Seconds that a session is kept after its page was closed, as long as files are."""

FORGOTTEN = 24 * 3600.0
"""Seconds without a click after which a session ends though its page is open."""

SHARE, SHARE_LEFT = 1 / 8, 1 / 128
"""Of the machine's memory: what all sessions may hold together, and those whose page is closed."""

_GONE = "its images and results are gone: open the image again."
TOO_OLD = f"Your earlier session ended because it was not used for long; {_GONE}"
TOO_LARGE = f"Your earlier session ended to make room for other visitors; {_GONE}"

_log = logging.getLogger(__name__)


class Maintenance:
    """Tidies while a page is served.

    Args:
        app: Gradio's server.
        visitors: Who use it.
        limit: Bytes that all sessions may hold together.
        left: See `LEFT`.
    """

    def __init__(
        self, app: Any, visitors: Visitors = VISITORS, limit: int | None = None, left: float = LEFT
    ) -> None:
        self._app, self._visitors, self._left = app, visitors, left
        self._limit = int(SHARE * machine_memory()) if limit is None else limit

    async def run(self) -> None:
        """Look after it, for ever."""
        looked = time.monotonic()
        while True:
            began = time.monotonic()
            await asyncio.sleep(SHORT)
            try:
                # A server that is this late may not have heard yet who listens.
                if time.monotonic() - began < 2 * SHORT:
                    await self.drop_abandoned()
                if time.monotonic() - looked > LONG:
                    looked = time.monotonic()
                    self.end_sessions()
                    await asyncio.to_thread(self._tidy)
            except Exception:  # the next look may go well
                _log.exception("looking after the page failed")

    async def drop_abandoned(self) -> None:
        """Drop the jobs that nobody listens to."""
        for event, session, age in gradio_app.waiting_events(self._app):
            if age > GRACE and self._visitors.is_abandoned(session):
                await gradio_app.drop_event(self._app, event)

    def end_sessions(self) -> None:
        """End the sessions that are old, and the oldest of those that hold too much together."""
        kept = []
        for session in gradio_app.sessions(self._app):
            idle, is_open = self._visitors.idle(session), self._visitors.open(session)
            if idle > (FORGOTTEN if is_open else self._left):
                self._end(session, TOO_OLD)
            else:
                kept.append((not is_open, idle, session))
                gradio_app.drop_page_copy(self._app, session)
        total, left = 0, 0
        for closed, idle, session in sorted(kept):  # closed pages and long unused ones last
            size = size_in_bytes(gradio_app.values(self._app, session)) + _OVERHEAD
            total, left = total + size, left + closed * size
            if idle > 0 and (total > self._limit or left > self._limit * SHARE_LEFT / SHARE):
                self._end(session, TOO_LARGE)
        unheard = [s for s in gradio_app.sessions_with_answers(self._app) if self._has_left(s)]
        gradio_app.drop_answers(self._app, unheard)

    def _has_left(self, session: str) -> bool:
        return not self._visitors.open(session) and self._visitors.idle(session) > 10 * GRACE

    def _end(self, session: str, text: str) -> None:
        opened = any(getattr(v, "opened", None) for v in gradio_app.values(self._app, session))
        gradio_app.forget_session(self._app, session)
        if opened:
            self._visitors.end(session, text)

    def _tidy(self) -> None:
        prune(gradio_app.uploads_folder(self._app))
        memory.return_memory()


_OVERHEAD = 2**16  # bytes that gradio keeps of a session without its copy of the page: 14 KB, and
# what events changed; the copy takes 364 KB


def prune(root: Path, age: float = 60.0) -> None:
    """Delete empty folders that are older than so many seconds."""
    for folder in sorted(_folders(root), reverse=True):  # the inner ones first
        with suppress(OSError):  # it is not empty
            if time.time() - folder.stat().st_mtime > age:
                folder.rmdir()


def _folders(root: Path) -> Iterator[Path]:
    for folder, names, _ in os.walk(root):
        yield from (Path(folder, name) for name in names)


def machine_memory() -> int:
    """Bytes of memory of this machine, or of the container that it is."""
    total = int(psutil.virtual_memory().total)
    with suppress(OSError, ValueError):  # no such container
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total


@asynccontextmanager
async def maintained(app: Any) -> AsyncIterator[None]:
    """As gradio's ``lifespan``: look after the page while it is served."""
    task = asyncio.create_task(Maintenance(app).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
