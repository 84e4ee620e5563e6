"""Fetching the checkpoints that the paper's authors released; this project may not copy them."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_dir
from tqdm import tqdm

from .reading import WeightsError

SOURCE = "https://github.com/passerer/HPINet/raw/cc/checkpoints"
"""The authors' public branch. It states no licence: use is between you and them."""

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


def download_released(
    name: str, folder: str | Path | None = None, source: str = SOURCE, progress: bool = True
) -> Path:
    """Fetch one of the authors' checkpoints, or find it where an earlier call left it.

    An interrupted download continues where it stopped. A file takes its final name only after
    its SHA-256 was checked.

    Args:
        name: A key of `RELEASED`, such as ``"HPINet-M-x4"``.
        folder: Where to keep it; `cache_folder` by default.
        source: URL of the folder that holds the files.
        progress: Whether to show a progress bar.

    Returns:
        The file's path, to be passed to `load_model`.

    Raises:
        WeightsError: If there is no such file, it cannot be reached, or its content is not the
            released one.
        OSError: If the disk is full or the folder cannot be written.
    """
    if name not in RELEASED:
        raise WeightsError(f"the authors released no {name!r}, only {', '.join(RELEASED)}")
    wanted = RELEASED[name]
    target = Path(folder or cache_folder()) / wanted.file
    if target.is_file() and _sha256(target) == wanted.sha256:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    _fetch(f"{source}/{wanted.file}", part, wanted, progress)
    found = _sha256(part)
    if found != wanted.sha256:
        part.unlink()
        raise WeightsError(
            f"{wanted.file} from {source} has SHA-256 {found[:12]}..., expected "
            f"{wanted.sha256[:12]}...: it is not the released file, nothing was kept"
        )
    part.replace(target)
    return target


def _fetch(url: str, part: Path, wanted: Released, progress: bool) -> None:
    """Append to ``part`` the bytes that it lacks, by an HTTP range request."""
    have = part.stat().st_size if part.exists() else 0
    if have >= wanted.size:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            resumed = response.status == 206  # else the server sends the file from its start
            start = have if resumed else 0
            bar = tqdm(
                total=wanted.size, initial=start, unit="B", unit_scale=True,
                desc=wanted.file, disable=not progress,
            )  # fmt: skip
            with part.open("ab" if resumed else "wb") as file, bar:
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise WeightsError(
            f"cannot fetch {url} ({reason}): try again later, what has arrived is kept; "
            f"or fetch it by other means and pass its path"
        ) from error


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()  # files of a few megabytes
