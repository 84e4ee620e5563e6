"""Figures of single images: per_image.csv, from which an interrupted evaluation is resumed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hpinet.data.pairs import Pair
from hpinet.data.result_store import ResultStore, Row, StoreLayout
from hpinet.metrics.psnr_ssim import ROUNDED
from hpinet.networks.files import files_digest

from .candidates import Candidate
from .evaluate import METRICS, Figures

PROTOCOL = "1"
"""Counts up when figures change: older rows are then measured anew."""

FIGURES = (*METRICS, *(f"bicubic_{name}" for name in METRICS))
_CONTENT = ("pictures_sha256", "weights_sha256", "scale", "device", "protocol")
_PLACE = ("set", "scale", "model", "picture")
COLUMNS = (*_PLACE, *FIGURES, *(name for name in _CONTENT if name not in _PLACE))


def per_image_store(path: str | Path) -> ResultStore:
    """The rows of a per_image.csv; see `StoredModel` for how they are asked for.

    Raises:
        ValueError: If the file is something else.
        OSError: If it cannot be read.
    """
    return ResultStore(path, _LAYOUT)


@dataclass(frozen=True)
class StoredModel:
    """A store as one network on one set sees it: `hpinet.evaluation.evaluate.Known`.

    Attributes:
        store: All rows.
        set_name: What the rows call the set.
        label: What they call the network.
        digest: Of the network, see `hpinet.networks.files.network_digest`.
        scale: Up-scaling factor.
        device: Its kind, ``"cpu"`` or ``"cuda"``: figures differ in the last digits.
        luma: One of `hpinet.metrics.psnr_ssim.LUMAS`.
    """

    store: ResultStore
    set_name: str
    label: str
    digest: str
    scale: int
    device: str
    luma: str = ROUNDED

    def find(self, pair: Pair, lpips: bool) -> Figures | None:
        """The figures of an image; None if unknown, or without the LPIPS that is asked for."""
        row = self.store.find(self._content(pair))
        if row is None or (lpips and not row["lpips"]):
            return None
        shown = FIGURES if lpips else [name for name in FIGURES if not name.endswith("lpips")]
        found: Figures = dict.fromkeys(FIGURES)
        return found | {name: float(row[name]) for name in shown}

    def keep(self, pair: Pair, row: Figures) -> None:
        """Take the figures of an image in and write the file."""
        about = {"set": self.set_name, "model": self.label, "picture": pair.name}
        figures = {name: "" if row[name] is None else repr(float(row[name])) for name in FIGURES}
        self.store.add([{**about, **self._content(pair), **figures}])

    def _content(self, pair: Pair) -> Row:
        images = files_digest(pair.hr, pair.lr)
        protocol = PROTOCOL if self.luma == ROUNDED else f"{PROTOCOL} {self.luma}"
        values = (images, self.digest, str(self.scale), self.device, protocol)
        return dict(zip(_CONTENT, values, strict=True))


def stored_model(
    store: ResultStore, set_name: str, candidate: Candidate, luma: str = ROUNDED
) -> StoredModel:
    """A store as a network on a set sees it."""
    device, digest = candidate.device.type, candidate.weights_sha256
    return StoredModel(store, set_name, candidate.label, digest, candidate.scale, device, luma)


def _is_sound(row: Row) -> bool:
    try:
        for name in FIGURES:
            if row[name] or not name.endswith("lpips"):
                float(row[name])
    except ValueError:
        return False
    return True


_LAYOUT = StoreLayout(
    columns=COLUMNS,
    content=_CONTENT,
    names=(),
    order=lambda row: tuple(row[name] for name in (*_PLACE, *_CONTENT)),
    is_sound=_is_sound,
    what="file of `evaluate`: choose another folder with -o",
)
