"""What one visitor has chosen, and which results are shown."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hpinet.errors import UserError
from lam import Window
from ui.viewer.store import Owner
from ui.visitors.current import end_notice

from .inputs import RESTORE, Pixels, Source, Study
from .options import Look
from .record import (
    ComparisonRecord,
    MapsRecord,
    MapsRequest,
    MatchesRecord,
    NetworksRecord,
    Opened,
)

MOST_FILES = 24
"""Uploaded images of one visitor that can be switched between."""


@dataclass
class Job:
    """The latest of a visitor's jobs of one kind; an earlier one ends when it sees that.

    Attributes:
        run: Counts them.
        ended: The latest one that came to its end.
        stopped: Whether the latest was asked to stop.
    """

    run: int = 0
    ended: int = 0
    stopped: bool = False

    def begin(self) -> int:
        """Outdate the one before; returns the number of the new one."""
        self.run, self.stopped = self.run + 1, False
        return self.run

    @property
    def running(self) -> bool:
        """Whether the latest was neither stopped nor has ended."""
        return 0 < self.run != self.ended and not self.stopped

    def stop(self) -> bool:
        """Ask the latest to stop; returns whether it had not ended yet."""
        running = 0 < self.run != self.ended
        self.run, self.stopped = self.run + 1, True
        return running


@dataclass
class Session:
    """One visitor: changed in place, so that running work sees that it is out of date.

    Chosen: `opened`, `uploaded`, `window`, `look`, `wanted`.
    Shown: `comparison`, `maps`, `networks`, `matches`, `measured`.

    Attributes:
        opened: The image and the network.
        uploaded: Label of the network that the visitor uploaded.
        window: The window, in SR pixels; all pages share it.
        look: How maps are drawn.
        wanted: The maps that were asked for last; those that are shown may be others.
        comparison: What *Super-resolve* shows.
        maps: What *Receptive field* shows.
        matches: What *Matched patches* shows.
        measured: The matches whose diffusion index is told beside them.
        networks: What *Many networks* shows.
        maps_job: Attributions.
        networks_job: Maps of many networks.
        change_job: Measurements of the diffusion index of a change.
        asked: Counts the images asked for; one that was overtaken is not shown.
        clicks: When each thing was last clicked, in the browser's milliseconds.
        refused: The file that was uploaded last: of one that is too large the middle is offered.
        files: The images that the visitor uploaded, to switch between.
        identity: Whom `ui.server.ownership` takes the visitor for.
        key: The visitor's secret, from `owner`.
    """

    opened: Opened | None = None
    uploaded: str | None = None
    window: Window | None = None
    look: Look = field(default_factory=Look)
    wanted: MapsRequest | None = None
    comparison: ComparisonRecord | None = None
    maps: MapsRecord | None = None
    matches: MatchesRecord | None = None
    measured: MatchesRecord | None = None
    networks: NetworksRecord | None = None
    maps_job: Job = field(default_factory=Job)
    networks_job: Job = field(default_factory=Job)
    change_job: Job = field(default_factory=Job)
    asked: int = 0
    clicks: dict[str, float] = field(default_factory=dict)
    refused: str | None = None
    files: tuple[str, ...] = ()
    identity: str = ""
    key: str = ""

    @property
    def owner(self) -> Owner:
        """Whose the numbers are that the browser is sent.

        The secret is made when it is first asked for: gradio copies one session for all visitors.
        """
        self.key = self.key or secrets.token_urlsafe(24)
        return Owner(self.key, self.identity)

    def add_files(self, paths: Sequence[str]) -> int:
        """Keep uploaded images to switch between; the number of the one to show, the first new."""
        new = [path for path in dict.fromkeys(paths) if path not in self.files]
        self.files = (*self.files, *new)[-MOST_FILES:]
        return next((self.files.index(p) for p in (*new, *paths) if p in self.files), 0)

    def subject(self) -> Opened:
        """What is opened.

        Raises:
            ValueError: Nothing yet, or not any more.
        """
        if self.opened is None:
            nothing = "There is no image yet: upload one or choose an example."
            raise UserError(end_notice() or nothing)
        return self.opened


def default_window(source: Source, study: Study, sr: Pixels, scale: int, size: int = 16) -> Window:
    """Where to look first: the example's own window, or the place with the most detail."""
    height, width = sr.shape[:2]
    size = min(size, height, width)
    if source.window is not None:
        left, top, size = source.window
        factor = 1 if study.mode == RESTORE else scale
        return Window(min(left * factor, width - size), min(top * factor, height - size), size)
    grey = sr.astype(np.float64).mean(2)
    detail = np.zeros((height + 1, width + 1))
    down, across = np.abs(np.diff(grey, axis=0)), np.abs(np.diff(grey, axis=1))
    detail[1:height, 1:] += down
    detail[1:, 1:width] += across
    total = detail.cumsum(0).cumsum(1)
    boxes = (
        total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
    )
    best, across_boxes = int(boxes.argmax()), boxes.shape[1]
    return Window(best % across_boxes, best // across_boxes, size)


def clamped_window(left: float, top: float, size: float, height: int, width: int) -> Window:
    """The nearest window inside an image of this many SR pixels.

    Raises:
        ValueError: If a number is missing or not finite.
    """
    try:  # an API client may send anything
        left, top, size = (float(v) for v in (left, top, size))
        finite = bool(np.isfinite((left, top, size)).all())
    except (TypeError, ValueError):
        finite = False
    if not finite:
        raise UserError("The window needs three numbers: left, top and size in pixels.")
    side = int(np.clip(round(size), 1, min(64, height, width)))
    corner = (round(left), round(top))
    x, y = (int(np.clip(*v)) for v in ((corner[0], 0, width - side), (corner[1], 0, height - side)))
    return Window(x, y, side)
