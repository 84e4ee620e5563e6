"""Super-resolved images, each kept by content."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from hpinet import Picture, bicubic, upscale
from hpinet.imaging.images import to_uint8
from ui.networks.network import Network
from ui.state.inputs import Pixels, Study
from ui.storage.cache import Cache

KEPT_BYTES = 512 * 2**20
"""By bytes: the largest image takes 60 MB, and the page lives in 16 GB beside the work."""

_COLD = 24  # LR pixels a side of the first pass, whose time does not count


@dataclass(frozen=True, eq=False)
class Restored:
    """One contender's image.

    Attributes:
        image: Colours and transparency.
        pixels: The colours in 8 bit, (sh, sw, 3).
        seconds: How long it took.
    """

    image: Picture
    pixels: Pixels
    seconds: float


class SuperResolution:
    """Computes SR images and keeps them.

    Args:
        limit: Bytes of images kept.
    """

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._kept: Cache[Restored] = Cache(64, limit)
        self._warm: set[tuple[str, str | None]] = set()

    def known(self, study: Study, scale: int, network: Network | None, way: str | None) -> bool:
        """Whether an image, of bicubic interpolation without a network, is there at once."""
        key = (study.key, scale) if network is None else (study.key, network.label, way)
        return key in self._kept

    def bicubic(self, study: Study, scale: int) -> Restored:
        """The bicubic baseline."""
        return self._kept.compute(
            (study.key, scale), lambda: _timed(lambda: bicubic(study.lr, scale))
        )

    def __call__(self, study: Study, network: Network, way: str | None = None) -> Restored:
        """The network's image, or with ``way`` that of the network without GPA.

        Raises:
            PictureError: Too little memory, or damaged weights.
        """
        model = network.model if way is None else network.without(way)

        def work() -> Restored:
            if (network.label, way) not in self._warm:  # the first pass is slower than all others
                upscale(model, Picture(study.lr.rgb[..., :_COLD, :_COLD].contiguous()))
                self._warm.add((network.label, way))
            return _timed(lambda: upscale(model, study.lr))

        return self._kept.compute((study.key, network.label, way), work)


def _timed(work: Callable[[], Picture]) -> Restored:
    began = time.perf_counter()
    found = work()
    return Restored(found, to_uint8(found.rgb), time.perf_counter() - began)
