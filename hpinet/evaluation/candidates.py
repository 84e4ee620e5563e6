"""Networks under the names by which they were asked for, to be compared with each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from hpinet.checkpoints.fingerprints import network_digest
from hpinet.checkpoints.loading import load_model

WITHOUT_GPA = ":no-gpa"
"""Written behind a network's name: what ``--no-gpa`` means for one network alone."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network under the name that tables give it.

    Attributes:
        label: The name.
        network: In evaluation mode, with ``.scale``.
    """

    label: str
    network: nn.Module

    @property
    def scale(self) -> int:
        """SR pixels per LR pixel."""
        return int(self.network.scale)  # type: ignore[arg-type]

    @cached_property
    def weights_sha256(self) -> str:
        """The network's fingerprint, see `hpinet.checkpoints.fingerprints.network_digest`."""
        return network_digest(self.network)


def open_candidate(
    name: str,
    scale: int | None = None,
    *,
    gpa: bool = True,
    device: str | torch.device = "cpu",
    label: str | None = None,
    opener: Callable[..., nn.Module] = load_model,
) -> Candidate:
    """Load a network.

    Args:
        name: As ``opener`` takes it, with `WITHOUT_GPA` behind it or not.
        scale: As ``opener`` takes it.
        gpa: False takes Global Pixel Access away, as the suffix does.
        device: Where it runs.
        label: What tables call it; the name by default.
        opener: `hpinet.load_model`, or `hpinet.networks.names.open_model` where networks of other
            architectures will do.

    Raises:
        ValueError: If there is no such network.
    """
    bare = name.removesuffix(WITHOUT_GPA)
    network = opener(bare, scale=scale, gpa=gpa and bare == name, device=device)
    return Candidate(label or name, network)
