"""The network of the commands that are about matches."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpinet.cli.networks import open_all
from hpinet.cli.options import add_model
from hpinet.errors import UserError

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from hpinet import HPINet
    from hpinet.evaluation.candidates import Candidate

LATER_HELP = (
    "what blocks do that are left alone: decide anew on the features that the change made (live), "
    "or keep the normal matches (frozen); live by default"
)


def add_network(parser: argparse.ArgumentParser, several: str | None = None) -> None:
    """The arguments that say which network, or which ones, and where they run."""
    told = "an HPINet: S, a released one such as HPINet-M-x4, or a file of weights"
    add_model(parser, told, scales=None, several=several)


def open_network(options: argparse.Namespace) -> tuple[HPINet, dict[str, Any]]:
    """The network that was asked for, and how to tell it apart.

    Raises:
        ValueError: If there is none, or it has no matches.
    """
    return with_matches(open_all(options, [options.model], "lam")[0])


def with_matches(found: Candidate) -> tuple[HPINet, dict[str, Any]]:
    """A network that has matches, and how to tell it apart.

    Raises:
        ValueError: If it has none.
    """
    from hpinet import HPINet

    if not isinstance(found.network, HPINet) or not found.network.config.gpa:
        raise UserError(f"{found.label} has no Global Pixel Access, so there are no matches")
    about = {
        "model": Path(found.label).name,
        "weights_sha256": found.weights_sha256,
        "scale": found.scale,
    }
    return found.network, about
