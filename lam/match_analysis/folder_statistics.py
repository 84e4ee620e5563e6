"""How matches spread over the images of a folder, block by block."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from tqdm import tqdm

from hpinet import HPINet
from hpinet.analysis.match_statistics import SUMMARY, image_statistics
from hpinet.errors import UserError
from lam.batch.sources import Source


def match_survey(
    network: HPINet, sources: Sequence[Source], show: bool = False
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Statistics of many images; one that cannot be used is named on stderr and left out.

    Args:
        network: With Global Pixel Access, in evaluation mode.
        sources: The images, from `lam.batch.sources.find_sources`.
        show: A progress bar on stderr.

    Returns:
        A row an image and block: ``picture``, ``lr_width``, ``lr_height`` and what
        `BlockStatistics.summary` says; and the names of images left out,
        with the reason.
    """
    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    device = next(network.parameters()).device
    hidden = None if show else True  # None: hidden unless a person watches
    for source in tqdm(sources, unit="picture", leave=False, disable=hidden):
        try:
            lr = source.read(network.scale, None)
            with torch.inference_mode():
                _, matches = network(lr.to(device), return_matches=True)
        except (UserError, OSError, MemoryError, torch.cuda.OutOfMemoryError) as error:
            skip(source.name, error, skipped)
            continue
        height, width = lr.shape[-2:]
        about = {"picture": source.name, "lr_width": width, "lr_height": height}
        blocks = image_statistics(matches, (height, width))
        rows += [{**about, **block.summary()} for block in blocks]
    return rows, skipped


def skip(name: str, error: Exception, skipped: dict[str, str]) -> None:
    """Note why an image is left out, and say so on stderr."""
    skipped[name] = " ".join(str(error).split()) or type(error).__name__
    tqdm.write(f"lam: {name} is skipped: {skipped[name]}", file=sys.stderr)


def mean_statistics(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Means over images, a row a block: numbers of `BlockStatistics.summary`, and ``pictures``.

    Args:
        rows: Summaries of several images; undefined numbers count nowhere.
    """
    found = []
    for block in sorted({row["block"] for row in rows}):
        mine = [row for row in rows if row["block"] == block]
        means: dict[str, Any] = {"block": block, "patch_size": mine[0]["patch_size"]}
        for name in SUMMARY:
            known = [float(row[name]) for row in mine if row[name] is not None]
            means[name] = sum(known) / len(known) if known else None
        found.append({**means, "pictures": len(mine)})
    return found


def format_blocks(summaries: Sequence[dict[str, Any]]) -> str:
    """Statistics as text: a line a block."""
    heads = (
        *(("block", "block"), ("P", "patch_size"), ("patches", "patches")),
        *(("distinct", "distinct"), ("hub", "hub_share"), ("entropy", "entropy")),
        *(("even", "evenness"), ("mutual", "mutual_share"), ("distance", "mean_distance")),
        *(("chance", "chance_distance"), ("coverage", "coverage")),
    )
    lines = ["".join(head.rjust(10) for head, _ in heads)]
    for row in summaries:
        lines.append("".join(_cell(row[name]).rjust(10) for _, name in heads))
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
