"""A network as the page knows it: with its label, its scale, and its ways to be without GPA."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from hpinet import HPINet, OwnPatches

TWIN, OWN = "twin", "own"
"""Ways to be without GPA: a twin trained without it, or these weights with it switched off."""

BOTH = "both"
"""Asks for both ways, where there are two."""


@dataclass(frozen=True)
class Network:
    """A network, and its twin that was trained without Global Pixel Access if there is one.

    Attributes:
        label: What the page calls it; no two networks share one, whoever brought them.
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
    def scale(self) -> int:
        """Up-scaling factor."""
        return int(self.model.scale)  # type: ignore[arg-type]

    @property
    def has_gpa(self) -> bool:
        """Whether it looks at matched patches; networks of other architectures do not."""
        return isinstance(self.model, HPINet) and self.model.config.gpa

    @property
    def ways_without(self) -> tuple[str, ...]:
        """Which of `TWIN` and `OWN` can be had, the more telling first."""
        if not self.has_gpa:
            return ()
        return (OWN,) if self.twin is None else (TWIN, OWN)

    def way(self, wanted: str) -> str | None:
        """The wanted way to be without GPA if it can be had, else the first one that can."""
        ways = self.ways_without
        return wanted if wanted in ways else next(iter(ways), None)

    def ways(self, wanted: str) -> tuple[str, ...]:
        """All that can be had of what is wanted: `TWIN`, `OWN` or `BOTH`."""
        way = self.way(wanted)
        if wanted == BOTH or way is None:
            return self.ways_without
        return (way,)

    def without(self, way: str) -> nn.Module:
        """The network without GPA, by `TWIN` or `OWN`.

        Raises:
            ValueError: It has no GPA to be without.
        """
        if way == TWIN and self.twin is not None:
            return self.twin
        if not isinstance(self.model, HPINet):
            raise ValueError(f"{self.label} has no Global Pixel Access to switch off.")
        return OwnPatches(self.model)
