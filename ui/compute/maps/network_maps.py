"""Maps of many networks of one window, each as *Receptive field* computes and keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hpinet.errors import UserError
from lam import LocalAttributionResult
from lam.batch.comparison import MOST, Compared, judged, steps_after
from ui.compute.contenders import ORIGINAL, Contender
from ui.compute.runtime import Runtime
from ui.networks.network import Network
from ui.state.options import BICUBIC, MOST_STEPS
from ui.state.record import ComparisonRecord, NetworksRecord

from .attribution import Asked

Tried = tuple[tuple[int, float], ...]


class NetworkMaps:
    """One visitor's comparison.

    Args:
        runtime: Computes and keeps.
        record: What is compared.
        uploaded: The label of the network that the visitor uploaded.
    """

    def __init__(self, runtime: Runtime, record: NetworksRecord, uploaded: str | None) -> None:
        self._runtime, self._maps, self.record = runtime, runtime.attribution, record
        self._opened = runtime.catalogue.get(record.network.label, uploaded)
        among = runtime.contenders.among(ComparisonRecord(record.study, record.network, uploaded))
        self.among = {c.kind: c for c in among if c.kind != ORIGINAL}
        self.chosen = [self.among[kind] for kind in record.chosen if kind in self.among]

    def check(self) -> None:
        """Refuse a comparison of too few or too many networks.

        Raises:
            ValueError: It is none.
        """
        if not 2 <= len(self.chosen) <= MOST:
            raise UserError(f"Choose 2 to {MOST} networks of one scale, not {len(self.chosen)}.")

    def known(self, contender: Contender) -> bool:
        """Whether a contender's map is there at once."""
        return self._finished(contender, self.record.how.steps)

    def answers(self, contender: Contender, mend: bool = False) -> Iterator[Compared]:
        """A contender's answer, refined while one watches.

        Args:
            contender: One of `chosen`.
            mend: Whether to double the steps while too much is left unexplained. What was mended
                before is taken in any case.
        """
        how, tried = self.record.how, Tried()
        while True:
            result: LocalAttributionResult | None = None
            for result in self._maps.attributed(*self._asked(contender, how.steps)):  # type: ignore[assignment]
                yield self._judged(contender, result, tried)  # type: ignore[arg-type]
            if result is None or not result.finished:
                return
            more = steps_after(result, MOST_STEPS)
            if not more or not (mend or self._finished(contender, more)):
                return
            tried = (*tried, (how.steps, result.relative_residual))
            how = replace(how, steps=more)

    def network(self, contender: Contender) -> tuple[Network, str | None]:
        """A contender as maps know it: a network, and how that is to be without GPA."""
        if contender.network is None:
            return self._opened, BICUBIC
        return contender.network, contender.way

    def _asked(self, contender: Contender, steps: int) -> Asked:
        record, how = self.record, replace(self.record.how, steps=steps)
        return record.study, *self.network(contender), record.window, record.region, how

    def _finished(self, contender: Contender, steps: int) -> bool:
        return self._maps.finished(*self._asked(contender, steps))

    def _judged(
        self, contender: Contender, result: LocalAttributionResult, tried: Tried
    ) -> Compared:
        """With its SR image, whose part that was attributed stands beside the map."""
        record, scale = self.record, self.record.network.scale
        left, top, height, width = (v * scale for v in record.region)
        inside = slice(top, top + height), slice(left, left + width)
        sr = self._runtime.contenders.restored(contender, record.study, scale).pixels
        hr = record.study.original_picture
        hr = None if hr is None else hr.crop(top, left, height, width)
        return judged(
            contender.label, sr[inside], result, record.inner_window, scale, hr=hr, tried=tried
        )
