"""The checkpoints that the paper's authors released: where they are, and fetching them.

This project may not copy them: their branch states no licence, so use is between you and them.
"""

from __future__ import annotations

import http.client
import os
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from hpinet.errors import UserError, WeightsError
from hpinet.home import cache_folder, shared_path

from .files import sha256_of

SOURCE = "https://github.com/passerer/HPINet/raw/cc/checkpoints"
"""The authors' public branch."""

SOURCE_VARIABLE = "HPINET_RELEASED_URL"
"""Environment variable with the URL of a mirror; what comes from there is checked all the same."""

_TIMEOUT = 30  # seconds without a byte


@dataclass(frozen=True)
class Released:
    """One released file: its name, size in bytes and SHA-256."""

    file: str
    size: int
    sha256: str


RELEASED: dict[str, Released] = {
    name: Released(f"{name}.pth", size, sha256)
    for name, size, sha256 in (
        (
            "HPINet-S-x4",
            1974687,
            "675abc363c9a2ea92a42d54d546bbdd19118cab10bb35b3fa1eeaa18158d0f58",
        ),
        (
            "HPINet-M-x2",
            3244837,
            "d2c6b13f459de9cf0c30877b7e7a28e78fa8b42b31e08fb30bb03d791b08b448",
        ),
        (
            "HPINet-M-x3",
            3810469,
            "b15f30423e115edf031da2ca280f3f3e4897c8a4e80fa416441dd5004876fb8b",
        ),
        (
            "HPINet-M-x4",
            3698017,
            "567043542711fb3171ac0c4487a1d867698df46613cdb49e8d0b7de936d9b223",
        ),
    )
}
"""What can be downloaded, by name."""


class NotFetchedError(WeightsError):
    """A released checkpoint that is not on this machine yet.

    Attributes:
        name: A key of `RELEASED`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"{name} is the authors' released checkpoint ({RELEASED[name].size / 1e6:.1f} MB) and "
            f"not on this machine yet: fetch it by `python -m hpinet download {name}`, or add "
            f"--yes to the command"
        )


def released_checkpoint(name: str) -> Path | None:
    """Where one of the authors' checkpoints is: in ``$HPINET_SHARED/released`` or the cache.

    Args:
        name: A key of `RELEASED`.

    Raises:
        UserError: If the authors released no such checkpoint.
    """
    file = _released(name).file
    fetched = cache_folder() / file
    return shared_path("released", file) or (fetched if fetched.is_file() else None)


def released_source() -> str:
    """The URL of the folder of released files: the authors', or a mirror's."""
    return os.environ.get(SOURCE_VARIABLE) or SOURCE


def download_released(
    name: str, folder: str | Path | None = None, source: str | None = None
) -> Path:
    """Fetch one of the authors' checkpoints, unless it is there already.

    Args:
        name: A key of `RELEASED`, such as ``"HPINet-M-x4"``.
        folder: Where to keep it; the cache by default.
        source: URL of the folder that holds the files; `released_source` by default.

    Returns:
        The file's path, to be passed to `load_model`.

    Raises:
        WeightsError: If it cannot be reached, or its content is not the released one.
        OSError: If the disk is full or the folder cannot be written.
    """
    released = _released(name)
    target = Path(folder or cache_folder()) / released.file
    if not target.is_file() or sha256_of(target) != released.sha256:
        fetch(f"{source or released_source()}/{released.file}", target, released.sha256)
    return target


def fetch(url: str, target: Path, sha256: str) -> None:
    """Download a file with a progress bar; it takes its name only after its checksum was checked.

    Args:
        url: Where it is.
        target: Where it goes.
        sha256: The first digits of its SHA-256, or all.

    Raises:
        WeightsError: If it cannot be reached, or is another file.
        OSError: If it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response, part.open("wb") as file:
            size = int(response.headers.get("Content-Length") or 0)
            with tqdm.wrapattr(file, "write", total=size or None, desc=target.name) as shown:
                shutil.copyfileobj(response, shown)
        if size and part.stat().st_size != size:
            raise ConnectionError("the connection was cut")
        if not sha256_of(part).startswith(sha256):
            raise WeightsError(
                f"{url} is not the published file (SHA-256 {sha256_of(part)[:12]}..., expected "
                f"{sha256[:12]}...), nothing was kept"
            )
        part.replace(target)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as err:
        reason = getattr(err, "reason", err) or type(err).__name__
        raise WeightsError(
            f"cannot fetch {url} ({reason}): try again later, or fetch it by other means and pass "
            f"its path"
        ) from err
    finally:
        part.unlink(missing_ok=True)


def _released(name: str) -> Released:
    if name not in RELEASED:
        raise UserError(f"the authors released no {name!r}, only {', '.join(RELEASED)}")
    return RELEASED[name]
