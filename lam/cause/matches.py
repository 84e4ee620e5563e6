"""The effect of each match on a window: what Global Pixel Access fetches, taken away or exchanged.

In the same unit as the effect of a block, so that both stand in one table. The effect of a block
is split into content and matches by ``CausalEffect(model).effects(..., matches="split")``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from hpinet import HPINet
from hpinet.analysis.interventions import LATER, Intervention, intervene
from hpinet.errors import UserError
from hpinet.imaging.value_range import check_value_range
from hpinet.modeling.matches import BlockMatches
from lam.attribution.inspection import check_evaluation
from lam.attribution.target import check_image
from lam.window import Window

from .interventions import van_der_corput
from .results import DECIBEL, GREY_LEVELS
from .window_quality import WindowQuality, check_original

HOWS = ("off", "exchanged")
"""What is done to a match: the patch attends to itself, or to another patch than its match: a
fixed one, the choices spread evenly over the image."""


def match_effects(
    model: HPINet,
    lr: Tensor,
    hr: Tensor | None,
    window: Window,
    *,
    how: str = "off",
    later: str = "frozen",
    blocks: tuple[int, ...] | None = None,
) -> Iterator[dict[str, Any]]:
    """The effect of every match on a window, one after another.

    effect = PSNR(window) - PSNR(window with that one match changed), in dB: positive where the
    match helps. Without an original it is the root mean square change of the window in grey levels.

    Args:
        model: With Global Pixel Access, in evaluation mode.
        lr: (1, 3, h, w) or (3, h, w) RGB in [0, 1].
        hr: (1, 3, sh, sw) or (3, sh, sw), the original, or None.
        window: In SR pixels.
        how: One of `HOWS`.
        later: ``"frozen"``: the other matches stay as they are, so that the effect is this match's
            alone; or ``"live"``: the blocks after it decide anew.
        blocks: Numbers of the network's blocks, from 0; all by default.

    Yields:
        ``block`` (from 1), ``patch``, ``match`` (numbers from 0), ``top``, ``left``, ``match_top``,
        ``match_left``, ``size`` (LR pixels), ``similarity``, ``effect`` and ``unit``.

    Raises:
        ValueError: If the network has no matches, or an image, the window or an option does not
            fit; at once.
    """
    if how not in HOWS:
        raise UserError(f"a match is {' or '.join(HOWS)}, not {how!r}")
    if later not in LATER:
        raise UserError(f"later must be one of {', '.join(LATER)}, not {later!r}")
    if not isinstance(model, HPINet) or not model.config.gpa:
        raise UserError("this network has no Global Pixel Access, so there are no matches")
    check_evaluation(model)
    numbers = tuple(range(len(model.blocks)) if blocks is None else blocks)
    for number in numbers:
        if not 0 <= number < len(model.blocks):
            raise UserError(
                f"there is no block {number}: numbers run from 0 to {len(model.blocks) - 1}"
            )
    image = check_image(lr, model)
    check_value_range(image)
    size = (int(image.shape[-2]) * model.scale, int(image.shape[-1]) * model.scale)
    window.check_inside(*size)
    original = None if hr is None else check_original(hr, size)
    return _effects(model, image, original, window, how, later, numbers)


def _effects(
    model: HPINet,
    image: Tensor,
    original: Tensor | None,
    window: Window,
    how: str,
    later: str,
    blocks: tuple[int, ...],
) -> Iterator[dict[str, Any]]:
    """The rows of `match_effects`, one pass each, from the changed block on."""
    trace = model.trace(image.to(next(model.parameters()).dtype))
    quality = WindowQuality()
    quality(trace.sr, window)
    normal = None if original is None else quality.compare_with(original, window)
    unit = GREY_LEVELS if original is None else DECIBEL
    for block in blocks:
        known = trace.matches.blocks[block]
        assert known is not None  # a trace holds the matches of all blocks
        targets = known.index[0].tolist()
        for patch, match in enumerate(targets):
            other = patch if how == "off" else _other(patch, match, len(targets))
            effect = 0.0
            if other != match:
                change = Intervention("forced", (block,), pairs=((patch, other),))
                value = float(quality(intervene(model, trace, change, later).sr, window)[0])
                effect = value if normal is None else normal - value
            yield {**_described(known, block, patch), "effect": effect, "unit": unit}


def _described(known: BlockMatches, block: int, patch: int) -> dict[str, Any]:
    """Which match it is: see `match_effects`."""
    match = int(known.index[0, patch])
    (top, left), (match_top, match_left) = (known.origins[n].tolist() for n in (patch, match))
    return {
        "block": block + 1,
        "patch": patch,
        "match": match,
        "top": top,
        "left": left,
        "match_top": match_top,
        "match_left": match_left,
        "size": known.patch_size,
        "similarity": _finite(known.similarity[0, patch]),
    }


def _other(patch: int, match: int, count: int) -> int:
    """A patch that is neither this one nor its match, spread evenly; itself where there is none."""
    others = [n for n in range(count) if n not in (patch, match)]
    return others[int(van_der_corput(patch + 1) * len(others))] if others else patch


def _finite(value: Tensor) -> float | None:
    return float(value) if bool(torch.isfinite(value)) else None
