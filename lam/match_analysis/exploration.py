"""All matches of one image: statistics of every block, and which pixels attention can reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hpinet import HPINet, Matches
from hpinet.analysis.attention_reach import STRATEGIES, VANILLA_SIZE, divisions, reach
from hpinet.analysis.match_statistics import BlockStatistics, image_statistics
from hpinet.errors import UserError


@dataclass(frozen=True, eq=False)
class Exploration:
    """What `explore` found.

    Attributes:
        sr: (1, 3, sh, sw), the super-resolved image, on the CPU.
        matches: Of all blocks, with similarity matrices.
        blocks: Statistics of each block.
        reaches: For each way of dividing the image, what one pixel attends to (Fig. 4).
        overlap: Pixels that patches share in ``reaches``.
    """

    sr: Tensor
    matches: Matches
    blocks: tuple[BlockStatistics, ...]
    reaches: list[Any]
    overlap: int

    @property
    def coverage(self) -> float:
        """Share of the image that lies in a patch that another attends to, in any block."""
        used = self.blocks[0].used.copy()
        for block in self.blocks[1:]:
            used |= block.used
        return float(used.mean())

    def summary(self) -> dict[str, Any]:
        """``blocks``, ``coverage_all_blocks`` and ``reach``, ready for JSON."""
        return {
            "blocks": [block.summary() for block in self.blocks],
            "coverage_all_blocks": self.coverage,
            "reach": [one.summary() for one in self.reaches],
        }


def explore(
    network: HPINet,
    lr: Tensor,
    pixel: tuple[int, int] | None = None,
    runners_up: int = 3,
    overlap: int | None = None,
) -> tuple[Exploration, tuple[int, int]]:
    """Every match of an image.

    Args:
        network: With Global Pixel Access, in evaluation mode.
        lr: (1, 3, h, w) RGB in [0, 1].
        pixel: (x, y) in SR pixels, whose reach is asked about; the middle by default.
        runners_up: How many of the next best patches each row names.
        overlap: Pixels that patches share in the reach; the network's by default.

    Returns:
        What was found, and the pixel.

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
    return Exploration(sr.float().cpu(), matches, blocks, reaches, shared), (x, y)
