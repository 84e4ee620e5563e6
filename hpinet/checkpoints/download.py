"""Fetching the checkpoints that the paper's authors released; this project may not copy them."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir
from tqdm import tqdm

from .reading import WeightsError

SOURCE = "https://github.com/passerer/HPINet/raw/cc/checkpoints"
"""The authors' public branch. It states no licence: use is between you and them."""

SOURCE_VARIABLE = "HPINET_RELEASED_URL"
"""Environment variable with the URL of a mirror; what comes from there is checked all the same."""

_CHUNK = 1 << 16
_TIMEOUT = 30  # seconds without a byte


@dataclass(frozen=True)
class Released:
    """One released file: its name, size in bytes and SHA-256."""

    file: str
    size: int
    sha256: str


RELEASED: dict[str, Released] = {
    r.file.removesuffix(".pth"): r
    for r in (
        Released(
            "HPINet-S-x4.pth",
            1974687,
            "675abc363c9a2ea92a42d54d546bbdd19118cab10bb35b3fa1eeaa18158d0f58",
        ),
        Released(
            "HPINet-M-x2.pth",
            3244837,
            "d2c6b13f459de9cf0c30877b7e7a28e78fa8b42b31e08fb30bb03d791b08b448",
        ),
        Released(
            "HPINet-M-x3.pth",
            3810469,
            "b15f30423e115edf031da2ca280f3f3e4897c8a4e80fa416441dd5004876fb8b",
        ),
        Released(
            "HPINet-M-x4.pth",
            3698017,
            "567043542711fb3171ac0c4487a1d867698df46613cdb49e8d0b7de936d9b223",
        ),
    )
}
"""What can be downloaded, by name."""


def cache_folder() -> Path:
    """Where downloads are kept: ``HPINET_CACHE``, or the platform's cache folder."""
    return Path(os.environ.get("HPINET_CACHE") or user_cache_dir("hpinet-lens", appauthor=False))


def released_source() -> str:
    """The URL of the folder of released files: the authors', or a mirror's."""
    return os.environ.get(SOURCE_VARIABLE) or SOURCE


Report = Callable[[int, int], Any]
"""Takes the bytes that have arrived and those that there will be."""


def download_released(
    name: str,
    folder: str | Path | None = None,
    source: str | None = None,
    progress: bool = True,
    report: Report | None = None,
) -> Path:
    """Fetch one of the authors' checkpoints, or find it where an earlier call left it.

    A transfer that breaks off goes on where it stopped, at once and in later calls. A file takes
    its final name only after its SHA-256 was checked.

    Args:
        name: A key of `RELEASED`, such as ``"HPINet-M-x4"``.
        folder: Where to keep it; `cache_folder` by default.
        source: URL of the folder that holds the files; `released_source` by default.
        progress: Whether to show a progress bar.
        report: Told now and then how far it is.

    Returns:
        The file's path, to be passed to `load_model`.

    Raises:
        WeightsError: If there is no such file, it cannot be reached, or its content is not the
            released one.
        OSError: If the disk is full or the folder cannot be written.
    """
    if name not in RELEASED:
        raise WeightsError(f"the authors released no {name!r}, only {', '.join(RELEASED)}")
    wanted, source = RELEASED[name], source or released_source()
    target = Path(folder or cache_folder()) / wanted.file
    if target.is_file() and sha256_of(target) == wanted.sha256:
        return target
    with _bar(wanted.file, wanted.size, progress) as show:
        part = fetch(f"{source}/{wanted.file}", target, wanted.size, _both(show, report))
    found = sha256_of(part)
    if found != wanted.sha256:
        part.unlink()
        raise WeightsError(
            f"{wanted.file} from {source} has SHA-256 {found[:12]}..., expected "
            f"{wanted.sha256[:12]}...: it is not the released file, nothing was kept"
        )
    part.replace(target)
    return target


def fetch(url: str, target: Path, size: int | None, report: Report) -> Path:
    """The bytes behind a URL, beside where they will be kept; what is there already is kept.

    Args:
        url: Where they are.
        target: The file that they will be; they are written to ``target`` with ``.part`` added.
        size: How many they are; None takes the server's word.
        report: Told now and then how far it is.

    Returns:
        The part file, complete.

    Raises:
        WeightsError: If they cannot be had.
        OSError: If the disk is full or the folder cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    while True:
        before = part.stat().st_size if part.exists() else 0
        if size is not None and before >= size:
            return part
        problem = ""
        try:
            size = _append(url, part, before, size, report)
        except (urllib.error.URLError, TimeoutError, ConnectionError, HTTPException) as error:
            problem = str(getattr(error, "reason", error) or type(error).__name__)
        now = part.stat().st_size if part.exists() else 0
        if size is not None and now >= size:
            return part
        if now <= before:  # else it goes on from there
            raise WeightsError(
                f"cannot fetch {url} ({problem or 'the connection was cut'}): try again later, "
                f"what has arrived is kept; or fetch it by other means and pass its path"
            )


def _append(url: str, part: Path, have: int, size: int | None, report: Report) -> int | None:
    """Append to ``part`` the bytes that it lacks, by an HTTP range request; their number."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
        resumed = response.status == 206  # else the server sends the file from its start
        done, length = (have if resumed else 0), response.headers.get("Content-Length")
        if size is None and length is not None:
            size = done + int(length)
        with part.open("ab" if resumed else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                report(done, size or done)
    return size


@contextmanager
def _bar(name: str, size: int | None, shown: bool) -> Iterator[Report]:
    with tqdm(total=size, unit="B", unit_scale=True, desc=name, disable=not shown) as bar:
        yield lambda done, total: bar.update(done - bar.n)


def _both(first: Report, second: Report | None) -> Report:
    def report(done: int, total: int) -> None:
        first(done, total)
        if second is not None:
            second(done, total)

    return report


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()
