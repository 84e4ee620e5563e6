"""Results with all that made them: what is shown, redrawn, described or exported comes from these.

A session says what is chosen; a record says what a result is of. Where they differ, the page names
what the record belongs to and dims it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from hpinet import Matches
from lam import CausalEffectResult, LocalAttributionResult, MethodResult, Window
from lam.batch.comparison import Compared
from ui.networks.network import NetworkInfo

from .inputs import Pixels, Source, Study
from .options import BICUBIC, Change, How, Look
from .region import Region, window_inside

Result = LocalAttributionResult | MethodResult


@dataclass(frozen=True, eq=False)
class Subject:
    """An image and the network that it is seen through.

    Attributes:
        study: The image.
        network: The network, without its weights.
    """

    study: Study
    network: NetworkInfo

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the SR image."""
        height, width = self.study.size
        return height * self.network.scale, width * self.network.scale

    def same(self, other: Subject | None) -> bool:
        """Whether another is of the same image and network."""
        if other is None:
            return False
        here, there = ((s.study.key, s.network.label) for s in (self, other))
        return here == there


@dataclass(frozen=True, eq=False)
class Opened(Subject):
    """What a visitor has opened, replaced as one.

    Attributes:
        source: What the image was made from, for another mode or network.
    """

    source: Source


@dataclass(frozen=True, eq=False)
class ComparisonRecord(Subject):
    """What *Super-resolve* compares.

    Attributes:
        uploaded: The label of the visitor's network at that time.
    """

    uploaded: str | None


@dataclass(frozen=True)
class MapsRequest:
    """What is asked of maps; equal requests have equal maps. Attributes as of `MapsRecord`."""

    image: str
    network: str
    window: Window
    region: Region
    how: How
    without: tuple[str, ...]
    causal: bool = False


class Attributed:
    """What results of a part of an image have in common."""

    study: Study
    network: NetworkInfo
    window: Window
    region: Region

    @property
    def inner_window(self) -> Window:
        """The window in SR pixels of the attributed region."""
        return window_inside(self.window, self.region, self.network.scale)

    @property
    def crop(self) -> Tensor:
        """The attributed LR pixels, (1, 3, h, w) in [0, 1]."""
        return self.study.part(self.region)

    @property
    def whole(self) -> bool:
        """Whether all of the LR image is attributed."""
        return self.region[2:] == self.study.size


@dataclass(frozen=True, eq=False)
class MapsRecord(Attributed, Subject):
    """Attribution maps of one window.

    Attributes:
        sr: The SR image of the network, (sh, sw, 3).
        window: The window, in SR pixels of the whole image.
        region: The attributed LR pixels.
        how: By which method.
        without: How the maps without GPA are without it: none, one or two ways.
        matches: Those of the image, where all of it is attributed.
        look: How the maps were drawn last.
        results: The maps so far: None stands for the network with GPA, then the ways ``without``,
            and `BICUBIC`.
        causal: Whether causal effects are asked for, too.
        effects: Those so far, by the same keys.
    """

    sr: Pixels
    window: Window
    region: Region
    how: How
    without: tuple[str, ...] = ()
    matches: Matches | None = None
    look: Look = field(default_factory=Look)
    results: Mapping[str | None, Result] = field(default_factory=dict)
    causal: bool = False
    effects: Mapping[str | None, CausalEffectResult] = field(default_factory=dict)

    @property
    def ways(self) -> tuple[str | None, ...]:
        """The keys of all maps that there will be, in the order of the page."""
        return (None, *self.without[:1], BICUBIC, *self.without[1:])

    @property
    def request(self) -> MapsRequest:
        """What these maps answer."""
        return MapsRequest(
            self.study.key, self.network.label, self.window, self.region, self.how, self.without,
            self.causal,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class NetworksRecord(Attributed, Subject):
    """Maps of several networks of one window.

    Attributes:
        window: The window, in SR pixels of the whole image.
        region: The attributed LR pixels.
        how: By how many steps, and who decides matches.
        chosen: The networks, by the kinds of `ui.compute.contenders.Contender`.
        found: Their answers so far.
    """

    window: Window
    region: Region
    how: How
    chosen: tuple[str, ...]
    found: Mapping[str, Compared] = field(default_factory=dict)

    def done(self, kind: str) -> bool:
        """Whether a network's map is finished."""
        return kind in self.found and self.found[kind].result.finished

    def of(self, other: NetworksRecord | None) -> bool:
        """Whether another's answers are answers to this, whatever networks it is of."""
        if other is None or not self.same(other):
            return False
        return all(getattr(self, n) == getattr(other, n) for n in ("window", "region", "how"))


@dataclass(frozen=True, eq=False)
class MatchesRecord(Subject):
    """Matches as they are shown: one block, one place, and what is changed.

    Attributes:
        window: The window that is drawn, and that effects are measured in.
        place: (x, y) in SR pixels of the place that is shown.
        block: The block's number, from 1.
        change: What is done to the matches.
        first: While a match is to be forced, the patch that was clicked; None before.
    """

    window: Window
    place: tuple[int, int]
    block: int = 1
    change: Change = field(default_factory=Change)
    first: int | None = None

    def answers(self, other: MatchesRecord | None) -> bool:
        """Whether a change measured for the other is measured for this one."""
        if other is None or not self.same(other):
            return False
        return (self.window, self.change) == (other.window, other.change)
