"""Attribution maps, computed a step at a time and kept by content."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from hpinet.errors import UserError
from hpinet.networks.bicubic import Bicubic
from lam import CausalEffectResult, LocalAttribution, Window, explain_progressively
from lam.attribution.film import Film
from lam.validation.blurring import BlurringEffect, blurring_effect
from ui.networks.network import Network, NetworkInfo
from ui.state.inputs import Study
from ui.state.options import BICUBIC, LAM, How
from ui.state.record import MapsRecord, Result
from ui.state.region import Region, window_inside
from ui.storage.cache import Cache

if TYPE_CHECKING:
    from typing_extensions import Unpack

Asked = tuple[Study, Network, str | None, Window, Region, How]
"""What a map is asked for by, as `Attribution.attributed` takes it."""
Kind = TypeVar("Kind", bound=Result | CausalEffectResult)

_GRADIENT, _LOOK = 3, 2  # costs of a step and of looking at switched matches, in forward passes
_SQUARE = 4  # side of Occlusion's squares in LR pixels
_PROBE = 48  # LR pixels a side: a step on so small an image is quick and tells the speed


def matches_rule(network: Network | NetworkInfo, way: str | None, how: How) -> str:
    """Who decides the matches; where there are none, nobody can freeze them."""
    return how.matches if way is None and network.has_gpa else "live"


class Attribution:
    """Computes maps and keeps them; one step at a time, whoever asks."""

    def __init__(self) -> None:
        self._kept: Cache[Any] = Cache(192, limit=128 * 2**20)
        self._films: Cache[Film] = Cache(48, limit=96 * 2**20)
        # Work that was stopped: it goes on from where it was.
        self._paused: Cache[tuple[Iterator[Any], Any]] = Cache(12)
        self._speeds: Cache[float] = Cache(64)  # seconds per forward pass and LR pixel
        self._step = threading.Lock()  # held while a step is computed
        self._closed = False

    def close(self) -> None:
        """End all attributions after their current step and wait for it; none begins any more.

        Before Python exits: torch does not survive being cut short in a backward pass.
        """
        self._closed = True
        with self._step:
            pass

    def attributed(
        self,
        study: Study,
        network: Network,
        way: str | None,
        window: Window,
        region: Region,
        how: How | None = None,
    ) -> Iterator[Result]:
        """The map of a window, refined while one watches; at once where it is known.

        Args:
            study: The image.
            network: The network.
            way: None with GPA, else how it is to be without, or `BICUBIC` for bicubic
                interpolation.
            window: In SR pixels of the whole image.
            region: What to attribute, from `region_around`.
            how: By which method.
        """
        how = how or How()
        model, options = explained(network, way), _options(network, way, how)
        height, width = region[2:]
        inner, crop = window_inside(window, region, network.scale), study.part(region)
        key = key_of(study, network, way, window, region, how)
        new = not self.known(key)

        def start() -> Iterator[Result]:
            if how.method == LAM:
                film = self._films.get(key) or self._films.put(key, Film())
                options["on_step"] = film.add
            return explain_progressively(model, crop, inner, **options)

        for result in self.followed(key, start):
            if result.finished and new:
                work = _passes(how, region, result) * height * width
                self._speeds.put(_who(network, way), result.seconds / work)
                film = self._films.get(key)
                if film is not None:
                    self._films.put(key, film)  # whose size is known only now
            yield result

    def finished(self, *asked: Unpack[Asked]) -> bool:
        """Whether a map, as of `attributed`, is there at once."""
        return self.known(key_of(*asked))

    def film(self, *asked: Unpack[Asked]) -> Film | None:
        """The steps of a finished map, as of `attributed`; None where there are none any more."""
        film = self._films.get(key_of(*asked))
        return film if film is not None and len(film.steps) == asked[-1].steps else None

    def known(self, key: Any) -> bool:
        """Whether the last result of a computation, as of `followed`, is there at once."""
        return key in self._kept

    def followed(self, key: Any, start: Callable[[], Iterator[Kind]]) -> Iterator[Kind]:
        """Results of a computation, a step at a time; at once where the last one is known.

        One that is closed before its end goes on from there when it is asked for again.

        Args:
            key: Stands for the content.
            start: Begins the computation, whose results say whether they are ``finished``.
        """
        known = self._kept.get(key)
        if known is not None:
            yield known
            return
        progress, result = self._paused.pop(key) or (None, None)
        try:
            if result is not None:
                yield result
            while True:
                with self._step:
                    if self._closed:
                        return
                    progress = progress or start()  # which may take a step already
                    result = next(progress, None)
                if result is None:
                    return
                if result.finished:
                    self._kept.put(key, result)
                yield result
        except GeneratorExit:
            if progress is not None and result is not None and not result.finished:
                self._paused.put(key, (progress, result))
            raise

    def estimated_seconds(
        self,
        network: Network,
        ways: Sequence[str | None],
        region: Region,
        how: How,
        study: Study | None = None,
        beside: float = 0,
    ) -> float | None:
        """How long the maps will take, by the speed measured so far.

        Args:
            network: The network.
            ways: As in `attributed`, one a map.
            region: What is to be attributed.
            how: By which method.
            study: Where a speed is unknown, measure one step on a part of this image; without,
                such estimates are None.
            beside: Forward passes that are made for each map beside its own.
        """
        total, work = 0.0, (_passes(how, region) + beside) * region[2] * region[3]
        for way in ways:
            speed = self._speeds.get(_who(network, way))
            if speed is None and study is not None:
                speed = self._measured(study, network, way)
            if speed is None:
                return None
            total += speed * work
        return total

    def blurred(
        self, record: MapsRecord, network: Network, cells: Sequence[int]
    ) -> dict[str | None, tuple[float, BlurringEffect]]:
        """What becomes of a record's window when some of its LR pixels are blurred, map by map.

        Args:
            record: The maps.
            network: The record's.
            cells: Numbers of LR pixels of the whole image, row by row.

        Returns:
            By way: the share of the map's importance in these pixels, and the effect; nothing when
            the server ends.

        Raises:
            ValueError: No such pixels.
        """
        mask, found = _mask(record, cells), {}
        for way, result in record.results.items():
            total = float(result.importance.sum())
            share = float(result.importance[mask].sum()) / total if total else float("nan")
            with self._step:
                if self._closed:
                    return {}
                model = explained(network, way)
                effect = blurring_effect(model, record.crop, record.inner_window, mask)
            found[way] = share, effect
        return found

    def _measured(self, study: Study, network: Network, way: str | None) -> float | None:
        """Seconds per forward pass and LR pixel, by one step on a small part of the image."""
        crop = study.lr.rgb[..., :_PROBE, :_PROBE].contiguous()
        height, width = crop.shape[-2:]
        window = Window(0, 0, min(16, height * network.scale, width * network.scale))
        with self._step:
            if self._closed:
                return None
            found = LocalAttribution(explained(network, way)).attribute(crop, window, n_steps=1)
        how, region = How(steps=1), (0, 0, height, width)
        speed = found.seconds / (_passes(how, region, found) * height * width)
        return self._speeds.put(_who(network, way), speed)


def explained(network: Network, way: str | None) -> nn.Module:
    """The network to explain: the one chosen, itself without GPA, or bicubic interpolation."""
    if way == BICUBIC:
        return Bicubic(network.scale)
    return network.model if way is None else network.without(way)


def _options(network: Network, way: str | None, how: How) -> dict[str, Any]:
    options: dict[str, Any] = {"method": how.method, "matches": matches_rule(network, way, how)}
    return {**options, "n_steps": how.steps} if how.method == LAM else options


def _mask(record: MapsRecord, cells: Sequence[int]) -> NDArray[np.bool_]:
    """LR pixels of the whole image as a mask of the attributed region, (h, w)."""
    left, top, height, width = record.region
    rows, columns = record.study.size
    try:
        numbers = np.asarray(cells, np.int64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.array([-1])
    outside = numbers.ndim != 1 or not len(numbers)
    if outside or numbers.min() < 0 or numbers.max() >= rows * columns:
        raise UserError(f"Pixels are numbered 0 to {rows * columns - 1}, row by row.")
    whole = np.zeros((rows, columns), bool)
    whole.flat[numbers] = True
    mask = whole[top : top + height, left : left + width]
    if not mask.any():
        raise UserError(
            "None of the painted pixels was attributed: paint inside the thin square, or attribute "
            "a larger area."
        )
    return mask


def key_of(
    study: Study, network: Network, way: str | None, *rest: Window | Region | How
) -> tuple[Any, ...]:
    """What the map of these arguments, as of `Attribution.attributed`, is kept by."""
    return study.key, _who(network, way), *rest


def _who(network: Network, way: str | None) -> tuple[Any, ...]:
    # Bicubic interpolation is the same beside every network of one scale.
    return (BICUBIC, network.scale) if way == BICUBIC else (network.label, way)


def _passes(how: How, region: Region, result: Result | None = None) -> float:
    """What a map costs in forward passes, as far as is known before it is made."""
    if how.method == "occlusion":
        return float(-(-region[2] // _SQUARE) * -(-region[3] // _SQUARE))
    if how.method != LAM:
        return _GRADIENT
    switches = getattr(result, "switches", None)
    looks = how.steps / 2 if switches is None else int((switches.shares > 0).any(1).sum())
    return how.steps * _GRADIENT + looks * _LOOK
