"""Interventions on Global Pixel Access: other matches for some blocks, the weights as they are.

The matches of a forward pass are data (`hpinet.modeling.matches`). An intervention exchanges those
of some blocks and resumes the pass at the first of them, i. Blocks 0 to i - 1 are not computed
again: their input and matches do not depend on what is changed, so x_i, the input of block i, is
that of the normal pass (`HPINet.trace` keeps it).

>>> trace = model.trace(lr, similarity_matrix=True)
>>> without = intervene(model, trace, Intervention("off", (7,)))  # the eighth block
>>> effect(trace.sr, without.sr, hr, scale=4).psnr_change  # hpinet.analysis.intervention_effect
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpinet.errors import UserError
from hpinet.modeling.hpinet import HPINet, Trace
from hpinet.modeling.matches import BlockMatches
from hpinet.modeling.patches import division, pad_to_patch

KINDS = ("recorded", "off", "random", "second", "hr", "forced")
"""What can be done to a block's matches.

``recorded``: the matches of the normal pass, forced; the control, which changes nothing.
``off``: every patch is its own match, so Global Pixel Access is off.
``random``: another patch drawn uniformly, never the patch itself.
``second``: the second most similar patch.
``hr``: the patch most similar in the pixels of the true HR image, see `hr_similarity`.
``forced``: given patches attend to given targets; all others keep what the block decided.
"""

LATER = ("live", "frozen")
"""What the blocks do that an intervention does not change, from its first block on: ``live``, they
decide anew on the changed features; ``frozen``, they keep the matches of the normal pass."""


@dataclass(frozen=True)
class Intervention:
    """What is done to the matches of which blocks.

    Attributes:
        kind: One of `KINDS`.
        blocks: Block numbers from 0; kept ascending, each once.
        seed: For ``random``; every block has its own draws, the same on every device.
        pairs: For ``forced``: (patch, target) numbers in the blocks' own division.

    Raises:
        ValueError: If the kind is unknown, there is no block, or pairs and kind do not go together.
    """

    kind: str
    blocks: tuple[int, ...]
    seed: int = 0
    pairs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"an intervention is one of {', '.join(KINDS)}, not {self.kind!r}")
        if not self.blocks:
            raise UserError("an intervention needs at least one block")
        if bool(self.pairs) != (self.kind == "forced"):
            raise UserError(
                "pairs (patch, target) belong to the kind 'forced', which needs at least one"
            )
        object.__setattr__(self, "blocks", tuple(sorted(set(self.blocks))))

    def describe(self) -> dict[str, Any]:
        """Plain values for JSON; blocks count from 1, as in the paper and on the page."""
        described = {**asdict(self), "blocks": [block + 1 for block in self.blocks]}
        if self.kind != "random":
            described.pop("seed")
        if self.kind != "forced":
            described.pop("pairs")
        return described


def all_but(block: int, count: int) -> tuple[int, ...]:
    """All blocks but one, numbered from 0: to switch off for keeping that one alone.

    Args:
        block: The one to leave out.
        count: Number of blocks.

    Raises:
        ValueError: If there is no such block, or no other.
    """
    if not 0 <= block < count or count < 2:
        raise UserError(f"there is no block {block} beside others: numbers run to {count - 1}")
    return tuple(i for i in range(count) if i != block)


def intervene(
    model: HPINet,
    trace: Trace,
    intervention: Intervention,
    later: str = "live",
    hr: Tensor | None = None,
) -> Trace:
    """Run a pass again with other matches, from the first block that changes.

    ``second`` and ``forced`` start from what a block decides. With ``live`` that depends on the
    changes in the blocks before it, so the pass is resumed once a block, in ascending order.

    Args:
        model: The network that made the trace, in evaluation mode.
        trace: A normal pass, `HPINet.trace(x, similarity_matrix=True)`. Only ``second`` needs the
            matrix.
        intervention: What to change.
        later: One of `LATER`.
        hr: The true image (B, 3, sH, sW), for ``hr``.

    Returns:
        The changed pass; its ``sr`` and ``matches`` are what the network made of it.

    Raises:
        ValueError: If there is no such block or patch, or what the kind needs is missing.
    """
    if later not in LATER:
        raise UserError(f"later must be one of {', '.join(LATER)}, not {later!r}")
    if not model.config.gpa:
        raise UserError("this network has no Global Pixel Access to intervene in")
    if intervention.kind == "hr":
        _check_hr(model, trace, hr)
    blocks = _checked_blocks(intervention.blocks, len(model.blocks))
    if later == "live" and intervention.kind in ("second", "forced"):
        current = trace
        for i in blocks:
            changed = {i: _changed(model, current, i, intervention, hr)}
            current = _resumed(model, current, trace, changed, later)
        return current
    changes = {i: _changed(model, trace, i, intervention, hr) for i in blocks}
    return _resumed(model, trace, trace, changes, later)


def _checked_blocks(blocks: Iterable[int], count: int) -> list[int]:
    numbers = sorted(set(blocks))
    for number in numbers:
        if not 0 <= number < count:
            raise UserError(f"there is no block {number}: numbers run from 0 to {count - 1}")
    return numbers


def _resumed(
    model: HPINet, current: Trace, normal: Trace, changes: dict[int, BlockMatches], later: str
) -> Trace:
    """Resume ``current`` at the first changed block, with the others live or as in ``normal``."""
    kept: tuple[BlockMatches | None, ...] = normal.matches.blocks
    if later == "live":
        kept = (None,) * len(kept)  # None: decide anew
    blocks = tuple(changes.get(i, known) for i, known in enumerate(kept))
    matches = replace(normal.matches, blocks=blocks)
    # `second` of a later block reads that block's matrix from the resumed pass.
    return model.resume(current, min(changes), matches, similarity_matrix=later == "live")


def _changed(
    model: HPINet, trace: Trace, block: int, intervention: Intervention, hr: Tensor | None
) -> BlockMatches:
    """A block's matches after the intervention."""
    known = trace.matches.blocks[block]
    assert known is not None  # a trace holds the matches of all blocks
    kind, n = intervention.kind, len(known.origins)
    if kind == "recorded":
        return known
    if kind == "off" or n == 1:
        return known.own()
    if kind == "random":
        return known.with_index(random_matches(n, intervention.seed, block))
    if kind == "second":
        return known.with_index(second_best(known))
    if kind == "hr":
        assert hr is not None
        scores = hr_similarity(model, hr.to(known.index.device), block, trace.lr.shape[-2:])
        return known.with_index(scores.argmax(-1))
    return known.with_index(forced(known, intervention.pairs, block))


def random_matches(count: int, seed: int, block: int) -> Tensor:
    """(N,) other patches drawn uniformly, never the patch itself: (i + r) mod N, 1 <= r <= N - 1.

    Args:
        count: N, at least 2.
        seed: From 0 up.
        block: Makes the draws of one seed differ from block to block.
    """
    draws = np.random.default_rng([seed, block]).integers(1, count, count)
    return torch.from_numpy((np.arange(count) + draws) % count)


def second_best(block: BlockMatches) -> Tensor:
    """(B, N) the most similar patch other than the match; with two patches the match stays.

    Args:
        block: The block's matches, with ``matrix``.

    Raises:
        ValueError: If the block has no similarity matrix.
    """
    if block.matrix is None:
        raise UserError(
            "the second best match needs the similarities of all pairs: "
            "take the trace with similarity_matrix=True"
        )
    if len(block.origins) < 3:
        return block.index
    return block.matrix.scatter(-1, block.index[..., None], -torch.inf).argmax(-1)


def forced(block: BlockMatches, pairs: Iterable[tuple[int, int]], number: int = 0) -> Tensor:
    """(B, N) the block's matches, with given patches attending to given targets.

    Args:
        block: The matches to start from.
        pairs: (patch, target) numbers; a patch that is its own target loses its access.
        number: The block's, for the message.

    Raises:
        ValueError: If there is no such patch.
    """
    index, n = block.index.clone(), len(block.origins)
    for patch, target in pairs:
        for wanted in (patch, target):
            if not 0 <= wanted < n:
                raise UserError(
                    f"there is no patch {wanted} in block {number + 1}: "
                    f"its {n} patches are numbered from 0 to {n - 1}"
                )
        index[:, patch] = target
    return index


def hr_similarity(model: HPINet, hr: Tensor, block: int, size: tuple[int, ...]) -> Tensor:
    """How similar the true pixels under all pairs of patches are.

    With x_i the (3 s^2 P^2,) HR pixels under LR patch i, each colour channel less its mean over
    the patch, s_ij = x_i . x_j / (|x_i| |x_j|): the correlation, pixel by pixel. Brightness and
    contrast do not count; structure does, and so does its place within the patch. Attention is free
    to combine pixels of different places, so the best match by this measure is not the one that
    serves the network best. A patch without structure has similarity 0 to all.

    Args:
        model: The network, for its patches.
        hr: (B, 3, sH, sW) RGB in [0, 1].
        block: Block number from 0.
        size: (height, width) of the LR image; smaller than a patch, it is padded as LR is.

    Returns:
        (B, N, N) in [-1, 1], -inf on the diagonal.

    Raises:
        ValueError: If the HR image is not ``scale`` times as large.
    """
    scale, config = model.scale, model.config
    p, largest = config.patch_sizes[block], max(config.patch_sizes)
    height, width = (max(side, largest) * scale for side in size)
    # The LR division with all lengths times s: patch i covers the same part of the image.
    cut = division(height, width, p * scale, config.overlap * scale, hr.device)
    patches = cut.divide(pad_to_patch(hr, largest * scale).permute(0, 2, 3, 1)).float()
    patches = (patches - patches.mean(2, keepdim=True)).flatten(2)  # x_i: (B, N, 3 * s^2 * P^2)
    length = patches.norm(dim=-1, keepdim=True)  # (B, N, 1)
    # Rounding leaves a little of a constant patch: below half a grey level (root mean square) it
    # is taken for one.
    least = 0.5 / 255 * math.sqrt(patches.shape[-1])
    unit = torch.where(length > least, patches / length.clamp_min(1e-12), 0.0)
    return (unit @ unit.transpose(1, 2)).diagonal_scatter(
        torch.full(unit.shape[:2], -torch.inf, device=hr.device), dim1=1, dim2=2
    )


def _check_hr(model: HPINet, trace: Trace, hr: Tensor | None) -> None:
    if hr is None:
        raise UserError("matches of the true image need the HR image: pass hr")
    if hr.shape[0] != len(trace.lr) or hr.shape[1:] != trace.sr.shape[1:]:
        raise UserError(
            f"the HR image {tuple(hr.shape)} does not fit the SR image {tuple(trace.sr.shape)}"
        )
