"""What an image is enlarged by, side by side: bicubic, networks, and the original beside them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from hpinet.errors import UserError
from ui.networks.model_catalogue import Catalogue
from ui.networks.network import SWITCHED_OFF, TWIN, Network
from ui.state.inputs import Pixels, Study
from ui.state.record import ComparisonRecord

from .super_resolution import Restored, SuperResolution

BICUBIC, NETWORK, NO_GPA, OTHER, ORIGINAL = "bicubic", "network", "without", "other", "original"
KINDS = (BICUBIC, NETWORK, NO_GPA, OTHER, ORIGINAL)
"""By these names contenders are asked for, whatever networks stand behind them."""

PATIENCE = 90.0
"""Seconds that an uploaded network may take for an image here; other visitors wait meanwhile."""

_WITHOUT = {TWIN: "Twin without GPA", SWITCHED_OFF: "GPA switched off"}


@dataclass(frozen=True)
class Contender:
    """One way to a large image.

    Attributes:
        kind: One of `KINDS`, or the label of another network of the list.
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


class Contenders:
    """Finds the contenders for an image and computes their images.

    Args:
        catalogue: Where networks come from.
        super_resolved: Computes and keeps.
    """

    def __init__(self, catalogue: Catalogue, super_resolved: SuperResolution) -> None:
        self._catalogue, self._super_resolved = catalogue, super_resolved

    def among(self, record: ComparisonRecord) -> list[Contender]:
        """All contenders, the original last.

        The chosen network stands beside the one that the visitor uploaded, or that one beside the
        first of the page, and beside all others of the list that enlarge equally.
        """
        network = self._catalogue.get(record.network.label, record.uploaded)
        found = [Contender(BICUBIC, "Bicubic"), self._of(NETWORK, network, record.study)]
        if network.ways_without:
            way = network.ways_without[0]
            found.append(Contender(NO_GPA, _WITHOUT[way], network, way))
        other = self._other(record)
        if other is not None and other.scale == network.scale:
            found.append(self._of(OTHER, other, record.study))
        taken = {network.label, *([other.label] if other else [])}
        for label in self._catalogue.labels:
            if label not in taken:
                with suppress(UserError):  # a damaged file of the folder
                    listed = self._catalogue.get(label)
                    if listed.scale == network.scale:
                        found.append(self._of(label, listed, record.study))
        if record.study.hr is not None:
            found.append(Contender(ORIGINAL, "The original"))
        return found

    def left_out(self, record: ComparisonRecord) -> str:
        """Why the uploaded network is no contender; empty where it is one, or there is none."""
        other, network = self._other(record), record.network
        if other is None or other.scale == network.scale:
            return ""
        return (
            f"{other.label} enlarges {other.scale} times and {network.label} {network.scale} "
            "times: only networks of one scale can be compared."
        )

    def known(self, contender: Contender, study: Study, scale: int) -> bool:
        """Whether a contender's image is there at once."""
        if contender.kind == ORIGINAL:
            return True
        return self._super_resolved.known(study, scale, contender.network, contender.way)

    def restored(self, contender: Contender, study: Study, scale: int) -> Restored:
        """A contender's image, computed once; not for the original.

        Raises:
            ValueError: It would take too long, or the network fails.
        """
        if contender.network is None:
            return self._super_resolved.bicubic(study, scale)
        if contender.seconds > PATIENCE:
            height, width = study.size
            raise UserError(
                f"{contender.label} would take about {contender.seconds:.0f} s for {width}x{height}"
                f" pixels here; the limit is {PATIENCE:.0f} s: take a smaller image."
            )
        return self._super_resolved(study, contender.network, contender.way)

    def pixels(self, contender: Contender, study: Study, scale: int) -> Pixels:
        """A contender's colours, uint8 (sh, sw, 3); raises as `restored`."""
        if contender.kind == ORIGINAL:
            assert study.hr is not None
            return study.hr
        return self.restored(contender, study, scale).pixels

    def _other(self, record: ComparisonRecord) -> Network | None:
        if record.uploaded is None:
            return None
        label = record.uploaded
        if record.network.label == label:
            label = self._catalogue.labels[0]
        try:
            return self._catalogue.get(label, record.uploaded)
        except UserError:  # unloaded to make room: the page says so where it is chosen
            return None

    def _of(self, kind: str, network: Network, study: Study) -> Contender:
        seconds, label = 0.0, network.label
        uploads = self._catalogue.uploads
        if uploads.knows(label):
            label = label.rsplit(",", 1)[0] + ")"  # without the digest
            height, width = study.size
            seconds = uploads.facts(network.label).seconds * height * width / 64**2
        return Contender(kind, label, network, None, seconds)


def find(among: list[Contender], kind: str | None, default: str) -> Contender:
    """The contender of a kind, or else the default one.

    Raises:
        ValueError: There is no such kind at all.
    """
    by_kind = {c.kind: c for c in among}
    if kind is not None and kind not in {*KINDS, *by_kind}:
        raise UserError(f"A contender is one of {', '.join(KINDS)}, not {kind!r}.")
    return by_kind.get(str(kind), by_kind[default])
