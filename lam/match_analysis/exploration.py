"""All matches of one image, and how matches spread over the images of a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from hpinet import HPINet, Matches
from hpinet.analysis.attention_reach import STRATEGIES, VANILLA_SIZE, divisions, reach
from hpinet.analysis.match_statistics import SUMMARY, BlockStatistics, image_statistics
from hpinet.data.tables import markdown
from hpinet.errors import UserError
from lam.batch.sources import Source, skipping


@dataclass(frozen=True, eq=False)
class Exploration:
    """What `explore` found."""

    sr: Tensor  # (1, 3, sh, sw), on the CPU
    matches: Matches  # of all blocks, with similarity matrices
    blocks: tuple[BlockStatistics, ...]
    reaches: list[Any]  # for each way of dividing the image, what the pixel attends to (Fig. 4)
    pixel: tuple[int, int]  # (x, y) in SR pixels
    overlap: int  # pixels that patches share in `reaches`

    def summary(self) -> dict[str, Any]:
        """``blocks``, ``coverage_all_blocks`` and ``reach``, ready for JSON.

        The coverage is the share of the image that lies in a patch that another attends to.
        """
        used = np.any([block.used for block in self.blocks], axis=0)
        return {
            "blocks": [block.summary() for block in self.blocks],
            "coverage_all_blocks": float(used.mean()),
            "reach": [one.summary() for one in self.reaches],
        }


def explore(
    network: HPINet,
    lr: Tensor,
    pixel: tuple[int, int] | None = None,
    runners_up: int = 3,
    overlap: int | None = None,
) -> Exploration:
    """Every match of an image.

    Args:
        network: With Global Pixel Access, in evaluation mode.
        lr: (1, 3, h, w) RGB in [0, 1].
        pixel: (x, y) in SR pixels, whose reach is asked about; the middle by default.
        runners_up: How many of the next best patches each row names.
        overlap: Pixels that patches share in the reach; the network's by default.

    Raises:
        ValueError: If the pixel lies outside.
    """
    scale, (height, width) = network.scale, lr.shape[-2:]
    x, y = pixel or (width * scale // 2, height * scale // 2)
    if not (0 <= x < width * scale and 0 <= y < height * scale):
        raise UserError(
            f"the pixel x {x}, y {y} lies outside the super-resolved image of "
            f"{width * scale}x{height * scale}"
        )
    device = next(network.parameters()).device
    with torch.inference_mode():
        sr, matches = network(lr.to(device), return_matches=True, similarity_matrix=True)
    blocks = image_statistics(matches, (height, width), runners_up)
    shared = network.config.overlap if overlap is None else overlap
    sizes, vanilla = network.config.patch_sizes, min(VANILLA_SIZE, *matches.size)
    reaches = [
        reach(matches.size, y // scale, x // scale, divisions(name, sizes, vanilla), shared, name)
        for name in STRATEGIES
    ]
    return Exploration(sr.float().cpu(), matches, blocks, reaches, (x, y), shared)


def match_survey(
    network: HPINet, sources: Sequence[Source]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Statistics of many images; one that cannot be used is named on stderr and left out.

    Args:
        network: With Global Pixel Access, in evaluation mode.
        sources: The images, from `lam.batch.sources.find_sources`.

    Returns:
        A row an image and block: ``picture``, ``lr_width``, ``lr_height`` and what
        `BlockStatistics.summary` says; and the names of images left out, with the reason.
    """
    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    device = next(network.parameters()).device
    for source in tqdm(sources, unit="picture", leave=False, disable=None):
        with skipping(source.name, skipped):
            lr, _ = source.read(network.scale)
            height, width = lr.shape[-2:]
            with torch.inference_mode():
                _, matches = network(lr.to(device), return_matches=True)
            about = {"picture": source.name, "lr_width": width, "lr_height": height}
            rows += [{**about, **b.summary()} for b in image_statistics(matches, (height, width))]
    return rows, skipped


def mean_statistics(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Means over images, a row a block: numbers of `BlockStatistics.summary`, and ``pictures``.

    Args:
        rows: Summaries of several images; undefined numbers count nowhere.
    """
    blocks = pd.DataFrame(list(rows)).groupby(["block", "patch_size"])
    means = blocks[list(SUMMARY)].agg(lambda values: values.astype(float).mean())
    found = means.assign(pictures=blocks.size()).reset_index()
    return found.astype(object).where(found.notna(), None).to_dict("records")


def statistics_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Statistics as Markdown: a line a block."""
    shares = dict.fromkeys(SUMMARY, ".3f")
    return markdown(
        rows, {"block": "", "patch_size": "", **shares, "patches": "g", "distinct": "g"}
    )
