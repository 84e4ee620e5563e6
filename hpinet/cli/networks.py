"""Opening the networks that a command names: what is fetched for them, what is said of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import options as shared

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from hpinet.evaluation.candidates import Candidate, Fetch


def open_all(
    options: argparse.Namespace, names: Sequence[str], program: str = "hpinet"
) -> list[Candidate]:
    """The networks of a command, with what was found out about them on stderr.

    Args:
        options: With ``scale`` and ``device``, and ``no_gpa`` and ``yes`` where the command has
            them.
        names: What ``--model`` named.
        program: What lines on stderr begin with.

    Raises:
        ValueError: If one cannot be had.
    """
    from hpinet.evaluation.candidates import open_candidates

    found = open_candidates(
        names,
        options.scale,
        not getattr(options, "no_gpa", False),
        shared.usable_device(options.device),
        fetching(getattr(options, "yes", False)),
    )
    for candidate in found:
        for note in candidate.notes:
            print(f"{program}: {candidate.label}: {note}", file=sys.stderr)
    return found


def fetching(yes: bool) -> Fetch:
    """Fetches released checkpoints after asking whoever sits at the terminal.

    Args:
        yes: Whether that is allowed already.
    """

    def fetch(name: str) -> bool:
        from hpinet.networks.released import RELEASED, download_released, released_source

        wanted = RELEASED[name]
        size = f"{wanted.size / 1e6:.1f} MB"
        if not yes and not agreed(f"Fetch {wanted.file} ({size}) from {released_source()}?"):
            return False
        download_released(name)
        return True

    return fetch


def offer_lpips(yes: bool) -> None:
    """Fetch AlexNet's weights for LPIPS where they are missing and that is allowed."""
    from hpinet.metrics.backbone import (
        BACKBONE_SIZE,
        BACKBONE_URL,
        fetch_backbone,
        find_backbone,
    )

    if find_backbone() is not None:
        return
    size = f"{BACKBONE_SIZE / 1e6:.0f} MB, of which 9.9 MB are kept"
    if yes or agreed(f"LPIPS needs AlexNet's weights. Fetch them ({size}) from {BACKBONE_URL}?"):
        fetch_backbone()


def agreed(question: str) -> bool:
    """Whether whoever sits at the terminal says yes; no where nobody can be asked."""
    if not (sys.stdin and sys.stdin.isatty()):
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
