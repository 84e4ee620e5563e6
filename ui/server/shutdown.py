"""Ending on a signal: work stops at the next step, files go, and it never takes long."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from .workspace import remove

DEADLINE = 3.5
"""Seconds after a signal when the process ends, whatever is still being computed."""

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Stopped(BaseException):
    """The process was asked to end; raised in the main thread.

    Attributes:
        code: The exit status: 130 after Ctrl+C, as shells expect it, else 0.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Signals:
    """While this block runs, a signal to end raises `Stopped`, and later ones change nothing."""

    def __init__(self) -> None:
        self.folder: Path | None = None  # deleted at the deadline
        self._before: dict[int, Any] = {}
        self._stopping = False

    def __enter__(self) -> Signals:
        """Take the signals over; only the main thread can, elsewhere nothing changes."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._stop) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, _: FrameType | None) -> None:
        if self._stopping:
            return
        self._stopping = True
        code = 130 if number == signal.SIGINT else 0
        timer = threading.Timer(DEADLINE, self._leave, [code])
        timer.daemon = True
        timer.start()
        raise Stopped(code)

    def _leave(self, code: int) -> None:
        if self.folder is not None:
            remove(self.folder)
        exit_now(code)


def exit_now(code: int) -> NoReturn:
    """End the process now: PyTorch does not survive being cut short while Python takes it down."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a terminal that is gone
            stream.flush()
    os._exit(code)
