"""What a picture is enlarged by, side by side: bicubic, networks, and the original beside them."""

from __future__ import annotations

from dataclasses import dataclass

from ui.state.model_catalogue import Catalogue
from ui.state.network import OWN, TWIN, Network
from ui.state.session import Pixels, Session, Study

from . import super_resolution

BICUBIC, NETWORK, NO_GPA, OTHER, ORIGINAL = "bicubic", "network", "without", "other", "original"
KINDS = (BICUBIC, NETWORK, NO_GPA, OTHER, ORIGINAL)
"""By these names contenders are asked for, whatever networks stand behind them."""

PATIENCE = 90.0
"""Seconds that a visitor's own network may take for a picture here; others wait meanwhile."""

_WITHOUT = {TWIN: "Twin without GPA", OWN: "GPA switched off"}


@dataclass(frozen=True)
class Contender:
    """One way to a large picture.

    Attributes:
        kind: One of `KINDS`.
        label: What the page calls it.
        network: The network behind it, if there is one.
        way: How that is to be without GPA.
        seconds: How long it will take here, where that was measured on loading.
    """

    kind: str
    label: str
    network: Network | None = None
    way: str | None = None
    seconds: float = 0.0

    @property
    def key(self) -> str:
        """Stands for it among all contenders of all visitors; fit for a file name."""
        if self.network is None:
            return self.label
        return f"{self.network.label}-{self.way}" if self.way else self.network.label


def contenders(session: Session, catalogue: Catalogue, study: Study) -> list[Contender]:
    """All contenders for a picture, the original last.

    The chosen network stands beside the one that the visitor brought, or that one beside the first
    of the page, where both enlarge equally.
    """
    network = catalogue.get(session.network, session.own)
    found = [Contender(BICUBIC, "Bicubic")]
    found.append(_of(NETWORK, network, catalogue, study))
    if network.ways_without:
        way = network.ways_without[0]
        found.append(Contender(NO_GPA, _WITHOUT[way], network, way))
    other = _other(session, catalogue, network)
    if other is not None and other.scale == network.scale:
        found.append(_of(OTHER, other, catalogue, study))
    if study.hr is not None:
        found.append(Contender(ORIGINAL, "The original"))
    return found


def _other(session: Session, catalogue: Catalogue, network: Network) -> Network | None:
    if session.own is None:
        return None
    label = session.own if network.label != session.own else catalogue.labels[0]
    try:
        return catalogue.get(label, session.own)
    except ValueError:  # unloaded to make room: the page says so where it is chosen
        return None


def left_out(session: Session, catalogue: Catalogue, network: Network) -> str:
    """Why the visitor's network is not among the contenders; empty where it is, or is none."""
    other = _other(session, catalogue, network)
    if other is None or other.scale == network.scale:
        return ""
    return (
        f"{other.label} enlarges {other.scale} times and {network.label} {network.scale} times: "
        "only networks of one scale can be compared."
    )


def _of(kind: str, network: Network, catalogue: Catalogue, study: Study) -> Contender:
    seconds, label = 0.0, network.label
    if catalogue.own.knows(label):
        label = label.rsplit(",", 1)[0] + ")"  # without the digest
        height, width = study.size
        seconds = catalogue.own.facts(network.label).seconds * height * width / 64**2
    return Contender(kind, label, network, None, seconds)


def find(among: list[Contender], kind: str | None, default: str) -> Contender:
    """The contender of a kind, or else the default one.

    Raises:
        ValueError: There is no such kind at all.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"A contender is one of {', '.join(KINDS)}, not {kind!r}.")
    by_kind = {c.kind: c for c in among}
    return by_kind.get(str(kind), by_kind[default])


def restored(contender: Contender, study: Study, scale: int) -> super_resolution.Restored:
    """A contender's picture, computed once; not for the original.

    Raises:
        ValueError: It would take too long, or the network fails.
    """
    if contender.network is None:
        return super_resolution.enlarged(study, scale)
    if contender.seconds > PATIENCE:
        height, width = study.size
        raise ValueError(
            f"{contender.label} would take about {contender.seconds:.0f} s for {width}x{height} "
            f"pixels here; the limit is {PATIENCE:.0f} s: take a smaller picture."
        )
    return super_resolution.super_resolved(study, contender.network, contender.way)


def pixels(contender: Contender, study: Study, scale: int) -> Pixels:
    """A contender's colours, uint8 (sh, sw, 3); raises as `restored`."""
    if contender.kind == ORIGINAL:
        assert study.hr is not None
        return study.hr
    return restored(contender, study, scale).pixels
