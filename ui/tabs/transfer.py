"""A file that is fetched while its visitor watches."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from hpinet.checkpoints.download import Report
from hpinet.errors import UserError


def transfer(fetch: Callable[[Report], Any]) -> Iterator[str]:
    """Fetch in a thread of its own and say how far it is.

    Args:
        fetch: Does it; reports bytes done and in all.

    Raises:
        ValueError: If it cannot be fetched.
    """
    news: queue.Queue[str | BaseException | None] = queue.Queue()

    def work() -> None:
        try:
            fetch(lambda done, total: news.put(_arrived(done, total)))
            news.put(None)
        except BaseException as error:
            news.put(error)

    threading.Thread(target=work, name="transfer", daemon=True).start()
    while (found := news.get()) is not None:
        if isinstance(found, OSError):
            raise UserError(f"it cannot be written here: {found.strerror or found}") from found
        if isinstance(found, BaseException):
            raise found
        yield found


def _arrived(done: int, total: int) -> str:
    return f"Fetching: {done / 1e6:.1f} of {total / 1e6:.1f} MB ({done / max(total, 1):.0%})."
