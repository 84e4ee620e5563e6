"""Names and passwords of visitors, and how often they may be guessed."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

FREE = 5
"""Wrong passwords that a name or an address may give before it has to wait."""

SLOWEST = 2.0
"""Seconds between two tries that are looked at, at the slowest."""

PATIENCE = 4.0
"""Seconds that a try waits for its turn at most; who would wait longer is told to come back."""

FORGET = 600.0
"""Seconds after which one wrong password is forgotten."""

KEPT = 10_000
"""Names, addresses and logins that are remembered at most, the latest."""

STAY = 7 * 86400.0
"""Seconds that a login lasts without being used."""


def plain_name(name: str) -> str:
    """A user's name as it is compared: without spaces around, accents written in one way."""
    return unicodedata.normalize("NFC", name.strip())


@dataclass
class _Tries:
    """Wrong passwords of a name or an address.

    Attributes:
        wrong: How many, fewer as time goes by.
        since: When they were last counted.
        free: When the next try may be looked at.
    """

    wrong: float = 0.0
    since: float = 0.0
    free: float = 0.0


class TooManyTries(Exception):  # noqa: N818 - says what happened
    """Wrong passwords came too fast.

    Attributes:
        seconds: When to come back.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Throttle:
    """Spreads tries out in time, by name and by address.

    Nobody is locked out: after some wrong passwords the next ones are looked at one after the
    other, every two seconds at the slowest, whoever sends them. Who has logged in under a name
    from a browser before is not held up by others who try that name.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def turn(self, keys: Sequence[str]) -> float:
        """Seconds to wait until a try may be looked at.

        Args:
            keys: The name and the address that it counts for.

        Raises:
            TooManyTries: The wait would be too long; this try is not looked at.
        """
        now = self._clock()
        found = [self._of(key, now) for key in keys]
        start = max([now, *(tries.free for tries in found)])
        if start - now > PATIENCE:
            raise TooManyTries(start - now)
        for tries in found:
            tries.wrong += 1  # until it proves right: tries that come together count, too
            tries.free = start + _pause(tries.wrong)
        return start - now

    def right(self, keys: Sequence[str]) -> None:
        """The password was right: the try counts for nothing."""
        for key in keys:
            tries = self._of(key, self._clock())
            tries.wrong = max(0.0, tries.wrong - 1)

    def __len__(self) -> int:
        """How many names and addresses are remembered."""
        return len(self._tries)

    def _of(self, key: str, now: float) -> _Tries:
        # A digest: a name may be as long as it likes.
        key = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=16).hexdigest()
        tries = self._tries.setdefault(key, _Tries(since=now))
        self._tries.move_to_end(key)
        while len(self._tries) > KEPT:
            self._tries.popitem(last=False)
        forgotten = (now - tries.since) / FORGET
        tries.wrong, tries.since = max(0.0, tries.wrong - forgotten), now
        return tries


def _pause(wrong: float) -> float:
    """Seconds between a try and the next: none at first, then 1/4, 1/2, 1 and 2."""
    over = int(wrong) - FREE
    return 0.0 if over < 0 else min(SLOWEST, 0.25 * 2.0 ** min(over, 8))


@dataclass
class Accounts:
    """Who may come in, and who has.

    Attributes:
        passwords: By name.
        throttle: Slows wrong passwords down.
        clock: Seconds that never go back.
    """

    passwords: dict[str, str]
    throttle: Throttle = field(default_factory=Throttle)
    clock: Callable[[], float] = time.monotonic
    _logins: OrderedDict[str, tuple[str, float]] = field(default_factory=OrderedDict)
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    async def login(self, name: str, password: str, address: str, known: str = "") -> str | None:
        """A token for a right password, or None.

        Args:
            name: As it was typed.
            password: As it was typed.
            address: Where from.
            known: What `known` gave this browser at an earlier login, if anything.

        Raises:
            TooManyTries: As `Throttle.turn`.
        """
        name = plain_name(name)
        if known and hmac.compare_digest(known.encode(), self.known(name).encode()):
            keys = [f"known {name}"]
        else:
            keys = [f"name {name}", f"address {address}"]
        wait = self.throttle.turn(keys)
        if wait:
            await asyncio.sleep(wait)
        # Compared even where there is no such name, so that the answer takes as long.
        right = _digest(self.passwords.get(name, secrets.token_hex(16)))
        if not hmac.compare_digest(right, _digest(password)):
            return None
        self.throttle.right(keys)
        token = secrets.token_urlsafe(32)
        self._logins[token] = name, self.clock()
        while len(self._logins) > KEPT:
            self._logins.popitem(last=False)
        return token

    def known(self, name: str) -> str:
        """What a browser keeps to show later that it has logged in under a name before."""
        return hmac.new(self._secret, plain_name(name).encode(), "sha256").hexdigest()

    def name(self, token: str | None) -> str | None:
        """Who logged in with a token; None where nobody did, or long ago."""
        found = self._logins.get(token or "")
        if found is None or token is None:
            return None
        if self.clock() - found[1] > STAY:
            del self._logins[token]
            return None
        self._logins[token] = found[0], self.clock()
        self._logins.move_to_end(token)
        return found[0]

    def logout(self, token: str | None) -> None:
        """End a login."""
        self._logins.pop(token or "", None)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
