"""A network as the page knows it: with its label, its scale, and its ways to be without GPA."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from hpinet import HPINet, OwnPatches
from hpinet.errors import UserError

TWIN, SWITCHED_OFF = "twin", "own"
"""Ways to be without GPA: a twin trained without it, or the same weights with each patch its own
match, as the API calls it."""

BOTH = "both"
"""Asks for both ways, where there are two."""


@dataclass(frozen=True)
class NetworkInfo:
    """What a result says of the network that made it, without keeping its weights in memory.

    Attributes:
        label: What the page calls it.
        scale: Up-scaling factor.
        has_gpa: Whether its patches attend to matched patches.
        path: The file it was loaded from, if there is one.
        twin_path: The file of its twin.
    """

    label: str
    scale: int
    has_gpa: bool
    path: Path | None = None
    twin_path: Path | None = None


@dataclass(frozen=True)
class Network:
    """A network, and its twin that was trained without Global Pixel Access if there is one.

    Attributes:
        label: What the page calls it; no two networks share one, whoever uploaded them.
        model: The network, (B, 3, h, w) to (B, 3, sh, sw), with ``.scale``.
        twin: Its twin of the same size and training, or None.
        path: The file it was loaded from, if there is one.
        twin_path: The twin's file.
    """

    label: str
    model: nn.Module
    twin: HPINet | None = field(default=None)
    path: Path | None = None
    twin_path: Path | None = None

    @property
    def info(self) -> NetworkInfo:
        """The same without the weights."""
        return NetworkInfo(self.label, self.scale, self.has_gpa, self.path, self.twin_path)

    @property
    def scale(self) -> int:
        """Up-scaling factor."""
        return int(self.model.scale)  # type: ignore[arg-type]

    @property
    def has_gpa(self) -> bool:
        """Whether its patches attend to matched patches; other architectures' do not."""
        return isinstance(self.model, HPINet) and self.model.config.gpa

    @property
    def ways_without(self) -> tuple[str, ...]:
        """Which of `TWIN` and `SWITCHED_OFF` can be had, the more telling first."""
        if not self.has_gpa:
            return ()
        return (SWITCHED_OFF,) if self.twin is None else (TWIN, SWITCHED_OFF)

    def way(self, wanted: str) -> str | None:
        """The wanted way to be without GPA if it can be had, else the first one that can."""
        ways = self.ways_without
        return wanted if wanted in ways else next(iter(ways), None)

    def ways(self, wanted: str) -> tuple[str, ...]:
        """All that can be had of what is wanted: `TWIN`, `SWITCHED_OFF` or `BOTH`."""
        way = self.way(wanted)
        if wanted == BOTH or way is None:
            return self.ways_without
        return (way,)

    def without(self, way: str) -> nn.Module:
        """The network without GPA, by `TWIN` or `SWITCHED_OFF`.

        Raises:
            ValueError: It has no GPA to be without.
        """
        if way == TWIN and self.twin is not None:
            return self.twin
        if not isinstance(self.model, HPINet):
            raise UserError(f"{self.label} has no Global Pixel Access to switch off.")
        return OwnPatches(self.model)
