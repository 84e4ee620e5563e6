"""Memory that the C library keeps after it was freed, given back to the system.

glibc gives every thread an arena of its own, up to eight for each processor, and an arena keeps
what was freed in it. Gradio runs handlers in up to forty threads, so that memory once used by one
visitor stayed with a thread that never needs it again.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_M_ARENA_MAX = -8  # of glibc's malloc.h
ARENAS = 2


def _libc() -> Any:
    """The C library; None where it is not glibc, which alone has what is called here."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL(None)
        _ = libc.mallopt, libc.malloc_trim
    except (OSError, AttributeError):
        return None
    return libc


def limit_arenas(arenas: int = ARENAS) -> bool:
    """Let threads share arenas, before they are started; whether that was possible."""
    libc = _libc()
    return libc is not None and bool(libc.mallopt(_M_ARENA_MAX, arenas))


def return_memory() -> bool:
    """Give freed memory back to the system; whether there was any."""
    libc = _libc()
    return libc is not None and bool(libc.malloc_trim(0))
