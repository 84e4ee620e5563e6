"""Networks under the names by which they were asked for, to be compared with each other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from hpinet.errors import UserError
from hpinet.networks.adapt import DoubtfulRange
from hpinet.networks.bicubic import BICUBIC
from hpinet.networks.files import network_digest
from hpinet.networks.open import open_network
from hpinet.networks.released import NotFetchedError

Fetch = Callable[[str], bool]
"""Fetches a released checkpoint, by a key of `hpinet.networks.released.RELEASED`, or does not
because nobody allows it; whether it did."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network under the name that tables give it.

    Attributes:
        label: The name.
        network: In evaluation mode, with ``.scale``.
        spec: How it was asked for.
    """

    label: str
    network: nn.Module
    spec: str = ""

    @property
    def scale(self) -> int:
        """SR pixels per LR pixel."""
        return int(self.network.scale)  # type: ignore[arg-type]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out about it, a sentence each."""
        return tuple(getattr(self.network, "notes", ()))

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return device_of(self.network)

    @cached_property
    def weights_sha256(self) -> str:
        """The network's fingerprint, see `hpinet.networks.files.network_digest`."""
        return network_digest(self.network)


def device_of(network: nn.Module) -> torch.device:
    """Where a network runs; the CPU where it has no parameters."""
    return next((p.device for p in network.parameters()), torch.device("cpu"))


def open_candidate(
    name: str,
    scale: int | None = None,
    *,
    gpa: bool = True,
    device: str | torch.device = "cpu",
    label: str | None = None,
    fetch: Fetch | None = None,
) -> Candidate:
    """Open a network.

    Args:
        name: See `hpinet.networks.open.open_network`.
        scale: As there.
        gpa: As there.
        device: Where it runs.
        label: What tables call it; the name by default.
        fetch: Asked where a released checkpoint is not there yet.

    Raises:
        ValueError: If there is no such network.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtfulRange)  # it stands among the notes
        try:
            network = open_network(name, scale, gpa, device)
        except NotFetchedError as error:
            if fetch is None or not fetch(error.name):
                raise
            network = open_network(name, scale, gpa, device)
    return Candidate(label or name, network, name)


def open_candidates(
    names: Sequence[str],
    scale: int | None = None,
    gpa: bool = True,
    device: str | torch.device = "cpu",
    fetch: Fetch | None = None,
) -> list[Candidate]:
    """Open networks; bicubic enlarges as the first of the others does, where nothing else is said.

    Args:
        names: See `hpinet.networks.open.open_network`.
        scale: As there.
        gpa: False takes Global Pixel Access from all of them.
        device: Where they run.
        fetch: Asked where a released checkpoint is not there yet.

    Raises:
        ValueError: If one cannot be had.
    """
    labels = unique_labels(names, [Path(name).name for name in names])
    found: dict[str, Candidate] = {}
    for name, label in sorted(zip(names, labels, strict=True), key=lambda pair: pair[0] == BICUBIC):
        wanted = scale
        if name == BICUBIC and scale is None and found:
            wanted = next(iter(found.values())).scale
        found[label] = open_candidate(
            name, wanted, gpa=gpa, device=device, label=label, fetch=fetch
        )
    return [found[label] for label in labels]


def unique_labels(names: Sequence[str], short: Sequence[str]) -> list[str]:
    """Short names where they tell all apart, else the names as they were given.

    Raises:
        ValueError: If a name is given twice.
    """
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"{twice[0]} is given twice: name each model and folder once.")
    return [s if short.count(s) == 1 else n for n, s in zip(names, short, strict=True)]
