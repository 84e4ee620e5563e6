"""What one visitor is looking at."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lam import LocalAttributionResult, MethodResult, Window

from .inputs import (
    ENLARGE,
    LIMITS,
    MIDDLE,
    RESTORE,
    Pixels,
    Source,
    Study,
    checked_mode,
    from_example,
    from_file,
    make_study,
)
from .options import Explored, How, Look

__all__ = [
    "ENLARGE",
    "LIMITS",
    "MIDDLE",
    "RESTORE",
    "Pixels",
    "Session",
    "Source",
    "Study",
    "checked_mode",
    "clamped_window",
    "from_example",
    "from_file",
    "make_study",
    "telling_window",
]


@dataclass
class Session:
    """One visitor: small, changed in place, so that running work sees that it is out of date.

    Attributes:
        source: What was given.
        study: What is being looked at.
        network: Label of the network.
        own: Label of the network that the visitor brought.
        window: The window, in SR pixels.
        maps: The latest results: with GPA, without it, of bicubic interpolation, and without GPA
            the other way where both were asked for.
        region: (left, top, height, width) of the attributed LR pixels.
        way: How the second of the maps is without GPA; None where there is no second.
        also: How the fourth is; None where there is none.
        look: How the maps are drawn.
        how: How the maps were computed.
        explored: What is looked at and changed among the matches.
        run: Counts attributions; a running one ends when it is no longer the latest.
        ended: The latest attribution that came to its end.
        stopped: Whether the latest was asked to stop.
        patience: Seconds that the next one may take without being asked for once more.
        path_open: Whether the path of the maps is shown.
        asked: Counts the pictures asked for; one that was overtaken is not shown.
        clicks: When each thing was last clicked, in the browser's milliseconds.
    """

    source: Source | None = None
    study: Study | None = None
    network: str = ""
    own: str | None = None
    window: Window | None = None
    maps: list[LocalAttributionResult | MethodResult | None] = field(
        default_factory=lambda: [None, None, None, None]
    )
    region: tuple[int, int, int, int] = (0, 0, 0, 0)
    way: str | None = None
    also: str | None = None
    look: Look = field(default_factory=Look)
    how: How = field(default_factory=How)
    explored: Explored = field(default_factory=Explored)
    run: int = 0
    ended: int = 0
    stopped: bool = False
    patience: float = float("inf")
    path_open: bool = False
    asked: int = 0
    clicks: dict[str, float] = field(default_factory=dict)


def telling_window(source: Source, study: Study, sr: Pixels, scale: int, size: int = 16) -> Window:
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
    """The nearest window inside a picture of this many SR pixels.

    Raises:
        ValueError: If a number is missing or not finite.
    """
    try:  # an API client may send anything
        left, top, size = (float(v) for v in (left, top, size))
        finite = bool(np.isfinite((left, top, size)).all())
    except (TypeError, ValueError):
        finite = False
    if not finite:
        raise ValueError("The window needs three numbers: left, top and size in pixels.")
    side = int(np.clip(round(size), 1, min(64, height, width)))
    corner = (round(left), round(top))
    x, y = (int(np.clip(*v)) for v in ((corner[0], 0, width - side), (corner[1], 0, height - side)))
    return Window(x, y, side)
