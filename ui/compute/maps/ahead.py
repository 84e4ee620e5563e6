"""The examples' maps computed while nobody asks for anything, so that they are there when asked."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lam import Window
from ui.networks.network import TWIN
from ui.state.examples import EXAMPLES
from ui.state.inputs import RESTORE, from_example, make_study
from ui.state.options import BICUBIC, STEPS, How
from ui.state.region import region_around

if TYPE_CHECKING:
    from ui.compute.runtime import Runtime

_PAUSE = 2.0  # seconds between two looks whether anybody works
_log = logging.getLogger(__name__)


class Ahead:
    """A thread that takes one step of a map at a time, and none while a visitor's job waits.

    Args:
        runtime: Computes and keeps.
        steps: Of each map: those that the page asks for by itself.
    """

    def __init__(self, runtime: Runtime, steps: int = STEPS) -> None:
        self._runtime, self._how = runtime, How(steps)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ahead", daemon=True)

    def start(self) -> None:
        """Begin; ends by itself when all is computed."""
        self._thread.start()

    def close(self) -> None:
        """End after the step that is computed, and wait for it: torch is not to be cut short."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(60)

    def _run(self) -> None:
        try:
            for _ in self._work():
                while not self._runtime.queue.idle and not self._ended.wait(_PAUSE):
                    pass
                if self._ended.wait(0.05):  # a visitor who asks just now goes first
                    return
        except Exception:
            _log.exception("the examples' maps were not computed ahead")

    def _work(self) -> Iterator[None]:
        """The maps that every example opens with, a step at a time."""
        runtime = self._runtime
        network = runtime.catalogue.get(runtime.catalogue.labels[0])
        for example in EXAMPLES:
            study = make_study(from_example(example), RESTORE, network.scale)
            runtime.super_resolved(study, network)
            yield
            window = Window(*example.window)
            region = region_around(window, "auto", study.size, network.scale)
            for way in (BICUBIC, None, *network.ways(TWIN)):
                for _ in runtime.attribution.attributed(
                    study, network, way, window, region, self._how
                ):
                    yield
