"""What a visitor chose on the pages of receptive fields and of matches, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hpinet.analysis.interventions import Intervention, all_but
from hpinet.errors import UserError

LINEAR, ROOT = "linear", "square root"
COLOURS = (ROOT, LINEAR)

IMPORTANCE, SIGNED, AREAS = "importance", "signed", "areas of interest"
EFFECT = "causal effect"
VIEWS = (IMPORTANCE, SIGNED, AREAS, EFFECT)

BICUBIC, DIFFERENCE = "bicubic", "difference"
THIRDS = (BICUBIC, DIFFERENCE)

PERCENTILE, ABSOLUTE = "percentile", "fixed value"
SCALES = (PERCENTILE, ABSOLUTE)

PALETTES = ("inferno", "viridis", "grey")
"""Of importance, as in `ui/viewer/static/colour.js`."""

LAM = "lam"
CAUSE = "cause"
"""Asks for causal effects beside the maps of LAM: what is looked at, and whether that helps."""

STEPS = 32  # of Gauss-Legendre: nearer to the limit than the LAM demo's 50
MOST_STEPS = 200
STEPS_OFFERED = 4, 100  # by sliders


@dataclass(frozen=True)
class Look:
    """How maps are drawn.

    Attributes:
        strength: Of the overlay, 0 (image alone) to 1 (map alone).
        colours: One of `COLOURS`.
        view: One of `VIEWS`.
        third: What the third image shows, one of `THIRDS`.
        scale: What the end of the colour scale is, one of `SCALES`.
        end: That end: a percentile in (0, 100], or a value in units of the detector.
        palette: One of `PALETTES`.
    """

    strength: float = 0.6
    colours: str = ROOT
    view: str = IMPORTANCE
    third: str = BICUBIC
    scale: str = PERCENTILE
    end: float = 99.5
    palette: str = "inferno"

    def __post_init__(self) -> None:
        for value, known, what in (
            (self.colours, COLOURS, "colours"),
            (self.view, VIEWS, "view"),
            (self.third, THIRDS, "third image"),
            (self.scale, SCALES, "scale"),
            (self.palette, PALETTES, "palette"),
        ):
            _check_one(value, known, what)
        if not self.end or self.end <= 0 or (self.scale == PERCENTILE and self.end > 100):
            raise UserError(
                "The colour scale ends at a percentile above 0 and up to 100, or at a value above "
                f"0, not at {self.end}."
            )


def look_of(seen: object) -> Look:
    """The look of maps as the viewer names it, by default where nothing is said.

    Args:
        seen: ``view``, ``colours``, ``root``, ``strength``, ``end`` and ``last`` of
            `ui/viewer/static/maps.js`, each of which may be missing.

    Raises:
        ValueError: One of them is none.
    """
    given = {k: v for k, v in dict(seen).items() if v is not None} if isinstance(seen, dict) else {}
    plain = Look()
    view = given.get("view", plain.view)
    try:
        strength, end = (float(given.get(n, getattr(plain, n))) for n in ("strength", "end"))
    except (TypeError, ValueError):
        raise UserError("The overlay and the end of the scale are numbers.") from None
    return Look(
        strength=strength,
        colours=ROOT if given.get("root", True) else LINEAR,
        view=AREAS if view == "areas" else view,
        third=given.get("last", plain.third),
        end=end,
        palette=given.get("colours", plain.palette),
    )


@dataclass(frozen=True)
class How:
    """How maps are computed.

    Attributes:
        steps: Gradients along the path.
        method: One of `lam.ATTRIBUTION_METHODS`.
        matches: ``"live"`` or ``"frozen"``.
    """

    steps: int = STEPS
    method: str = LAM
    matches: str = "live"

    def __post_init__(self) -> None:
        from lam.cli.arguments import METHODS

        _check_one(self.method, METHODS, "method")
        _check_one(self.matches, ("live", "frozen"), "matches")
        if not 1 <= self.steps <= MOST_STEPS:
            raise UserError(f"The number of steps must be 1 to {MOST_STEPS}, not {self.steps:g}.")


def methods() -> tuple[str, ...]:
    """What maps can be asked for by: the methods of attribution, and `CAUSE`."""
    from lam.cli.arguments import METHODS

    return (*METHODS, CAUSE)


def asked(steps: float, method: str, matches: str) -> tuple[How, bool]:
    """How attribution maps are to be computed, and whether with causal effects beside them.

    Raises:
        ValueError: No such method, rule or number of steps.
    """
    _check_one(method, methods(), "method")
    return How(int(steps), LAM if method == CAUSE else method, matches), method == CAUSE


NORMAL, FORCED = "none", "forced"
KINDS = (NORMAL, "off", "random", "second", "hr", FORCED)
"""What can be done to matches: nothing, or one of `hpinet.analysis.interventions.KINDS`."""

HERE, EVERYWHERE, ELSEWHERE = "this block", "all blocks", "all but this block"
PLACES = (HERE, EVERYWHERE, ELSEWHERE)


BLOCK, CHANGE, PAIRS, REACH = "block", "change", "pairs", "reach"
"""The panes beside the image on the page of matches."""

WINDOW, PATCH = "window", "patch"
"""Where the effect of a change is shown."""


@dataclass(frozen=True)
class Change:
    """What is done to the matches.

    Attributes:
        kind: One of `KINDS`.
        place: One of `PLACES`: in which blocks.
        block: The block that is shown, from 1.
        seed: Of random matches.
        pairs: (patch, target) of forced matches, from 0.
    """

    kind: str = NORMAL
    place: str = HERE
    block: int = 1
    seed: int = 0
    pairs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        _check_one(self.kind, KINDS, "kind of change")
        _check_one(self.place, PLACES, "place of change")

    @property
    def nothing(self) -> bool:
        """Whether the matches stay the network's own."""
        return self.kind == NORMAL or (self.kind == FORCED and not self.pairs)

    def intervention(self, count: int) -> Intervention:
        """For a network of so many blocks.

        Raises:
            ValueError: There is no such block, or no other.
        """
        if not 1 <= self.block <= count:
            raise UserError(f"There is no block {self.block}: they are numbered 1 to {count}.")
        here = self.block - 1
        blocks: tuple[int, ...] = (here,)
        if self.kind != FORCED and self.place == EVERYWHERE:
            blocks = tuple(range(count))
        elif self.kind != FORCED and self.place == ELSEWHERE:
            if count < 2:
                raise UserError("This network has one block only: there are no others.")
            blocks = all_but(here, count)
        return Intervention(self.kind, blocks, int(self.seed), self.pairs)

    def at(self, block: int) -> Change:
        """The same in another block; forced matches belong to the block they were made in."""
        if self.kind == FORCED and block != self.block:
            return replace(self, block=block, pairs=())
        return replace(self, block=block)


def _check_one(value: object, known: tuple[str, ...], what: str) -> None:
    if value not in known:
        raise UserError(f"The {what} must be one of {', '.join(known)}, not {value!r}.")
