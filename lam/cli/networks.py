"""The network of the commands that are about matches."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpinet.cli.options import add_model, usable_device
from hpinet.errors import UserError

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from hpinet import HPINet

LATER_HELP = (
    "what blocks do that are left alone: decide anew on the features that the change made (live), "
    "or keep the normal matches (frozen); live by default"
)


def add_network(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which network, and where it runs."""
    add_model(parser, "a bundled model or a checkpoint (S)", scales=None)


def open_network(options: argparse.Namespace) -> tuple[HPINet, dict[str, Any]]:
    """The network that was asked for, and how to tell it apart.

    Raises:
        ValueError: If there is none, or it has no matches.
    """
    from hpinet import HPINet
    from hpinet.evaluation.candidates import open_candidate
    from hpinet.networks.names import open_model

    device = usable_device(options.device)
    found = open_candidate(options.model, options.scale, device=device, opener=open_model)
    if not isinstance(found.network, HPINet) or not found.network.config.gpa:
        raise UserError(f"{found.label} has no Global Pixel Access, so there are no matches")
    about = {
        "model": Path(found.label).name,
        "weights_sha256": found.weights_sha256,
        "scale": found.scale,
    }
    return found.network, about
