"""Which session is whose, who still listens, and which files belong to whom.

An *identity* stands for a login, or without logins for a browser, told by a cookie that holds a
random number. A program that keeps no cookies has none: the empty identity, which exists only where
nobody has to log in. A session belongs to the identity that names it first, and so do the files
made for it. Sessions have names that nobody can guess; to the empty identity the name is enough.

One registry serves the whole process, as gradio's lists of files do.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GRACE = 8.0
"""Seconds without a listener after which a job is given up."""

MOST = 20_000
"""Sessions, claims and notes that are remembered at most; the oldest are forgotten first."""

_STATE = "visitor"  # where `ui.server.ownership` leaves the identity in a request's scope


@dataclass
class _Known:
    """A session.

    Attributes:
        owner: Identity that named it first.
        used: When it was last used or listened to, in seconds of the monotonic clock.
        listeners: Connections that wait for its answers.
        pages: Connections that tell that its page is open.
    """

    owner: str
    used: float
    listeners: int = 0
    pages: int = 0


@dataclass
class _Note:
    """Why a session ended.

    Attributes:
        text: A sentence.
        told: Whether its visitor was told.
    """

    text: str
    told: bool = field(default=False)


class Visitors:
    """Remembers sessions; safe to share between threads.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock, self._lock = clock, threading.Lock()
        self._secret = secrets.token_bytes(32)
        self._sessions: OrderedDict[str, _Known] = OrderedDict()
        self._claims: OrderedDict[str, str] = OrderedDict()  # an upload's folder, its session
        self._notes: OrderedDict[str, _Note] = OrderedDict()
        self._roots: list[Path] = []

    # Sessions

    def use(self, session: str, identity: str) -> bool:
        """Note that a session is used; whether this identity may.

        Args:
            session: Its name; whoever uses a new name first owns it.
            identity: Whose request it is.
        """
        with self._lock:
            known = self._sessions.setdefault(session, _Known(identity, 0.0))
            if identity not in ("", known.owner):
                return False
            known.used = self.clock()
            self._sessions.move_to_end(session)
            while len(self._sessions) > MOST:
                self._sessions.popitem(last=False)
            return True

    def owns(self, session: str, identity: str) -> bool:
        """Whether a session belongs to an identity; one that nobody used belongs to all."""
        with self._lock:
            known = self._sessions.get(session)
            return known is None or identity in ("", known.owner)

    def owner(self, session: str | None) -> str:
        """The identity that a session belongs to; empty where it is unknown."""
        with self._lock:
            known = self._sessions.get(session or "")
            return "" if known is None else known.owner

    def idle(self, session: str) -> float:
        """Seconds since a session was used; zero while somebody listens."""
        with self._lock:
            known = self._sessions.get(session)
            if known is None:
                return float("inf")
            return 0.0 if known.listeners else self.clock() - known.used

    def open(self, session: str) -> bool:
        """Whether a session's page is open or somebody listens to it."""
        with self._lock:
            known = self._sessions.get(session)
            return known is not None and bool(known.pages or known.listeners)

    @contextmanager
    def listening(self, session: str, page: bool = False) -> Iterator[None]:
        """While somebody waits for a session's answers.

        Args:
            session: Its name.
            page: Whether this only tells that its page is open.
        """
        with self._lock:
            known = self._sessions.get(session) or _Known("", self.clock())
            self._add(known, page, 1)
        try:
            yield
        finally:
            with self._lock:
                self._add(known, page, -1)

    def _add(self, known: _Known, page: bool, one: int) -> None:
        known.used = self.clock()
        if page:
            known.pages += one
        else:
            known.listeners += one

    def is_abandoned(self, session: str | None) -> bool:
        """Whether nobody has listened to a session for a while; False where it is unknown."""
        with self._lock:
            known = self._sessions.get(session or "")
            if known is None or known.listeners:
                return False
            return self.clock() - known.used > GRACE

    # The ends of sessions

    def end(self, session: str, text: str) -> None:
        """Note why a session ended, for when its visitor comes back."""
        with self._lock:
            self._notes[session] = _Note(text)
            while len(self._notes) > MOST:
                self._notes.popitem(last=False)

    def ended(self, session: str | None) -> str:
        """Why a session ended, in a sentence; empty where it did not."""
        with self._lock:
            note = self._notes.get(session or "")
            return "" if note is None else note.text

    def take_end_notice(self, session: str | None) -> str:
        """As `ended`, but only once."""
        with self._lock:
            note = self._notes.get(session or "")
            if note is None or note.told:
                return ""
            note.told = True
            return note.text

    # Files

    def place(self, identity: str, session: str | None = None) -> str:
        """The name of a folder for an identity's files, which nobody else can guess.

        Args:
            identity: Whose.
            session: Stands for it where the identity is empty.
        """
        whom = f"identity {identity}" if identity else f"session {session}"
        name = hashlib.blake2b(whom.encode(), key=self._secret, digest_size=18).hexdigest()
        return f"{'own' if identity else 'any'}-{name}"

    def add_root(self, root: Path) -> None:
        """Have the folders of `place` in this folder served, to their owners."""
        self._roots.append(root)

    def remove_root(self, root: Path) -> None:
        """Take `add_root` back."""
        self._roots = [known for known in self._roots if known != root]

    def may_read(self, path: Path, identity: str) -> bool:
        """Whether a result may be served: to its owner; without one to who knows its address.

        Args:
            path: The file.
            identity: Who asks.
        """
        places = [_first_folder(path, root) for root in list(self._roots)]
        return any(p.startswith("any-") or self._is_own(p, identity) for p in places)

    def _is_own(self, place: str, identity: str) -> bool:
        return bool(identity) and place == self.place(identity)

    def uploaded(self, path: Path, root: Path, identity: str) -> bool:
        """Whether a file in the folder of uploads is this identity's."""
        return self._is_own(_first_folder(path, root), identity)

    def may_take(self, path: Path, root: Path, identity: str, session: str) -> bool:
        """Whether an upload may be opened: by its owner; without one by who opens it first.

        Args:
            path: The file.
            root: The folder of uploads, whose folders are those of `place`.
            identity: Who asks.
            session: For which session.
        """
        place = _first_folder(path, root)
        if not place.startswith("any-"):
            return self._is_own(place, identity)
        with self._lock:
            claimed = self._claims.setdefault(place, session)
            while len(self._claims) > MOST:
                self._claims.popitem(last=False)
            return claimed == session


def _first_folder(path: Path, root: Path) -> str:
    """The first folder below a root; empty for what is not in one."""
    try:
        parts = path.resolve().relative_to(root.resolve()).parts
    except (ValueError, OSError):
        return ""
    return parts[0] if len(parts) > 1 else ""


VISITORS = Visitors()
"""Those of this process."""


def note_identity(scope: MutableMapping[str, Any], identity: str) -> None:
    """Leave an identity in a request's scope, for `identity_of`."""
    scope.setdefault("state", {})[_STATE] = identity


def identity_of(request: Any) -> str:
    """Who sends a request (Starlette's), as `ui.server.ownership` found out.

    A route that serves something made for a visitor compares it with `current_owner` of then::

        owner = current_owner()                      # in a handler, kept beside the bytes
        if owner not in ("", identity_of(request)):  # in the route
            return Response(status_code=404)
    """
    return str(request.scope.get("state", {}).get(_STATE, ""))
