"""Images whose numbers are not in [0, 1] are named as what they are, and refused."""

from __future__ import annotations

import torch
from torch import Tensor

from hpinet.errors import UserError

INPUT_SLACK = 0.02
"""How far numbers of an image may lie outside [0, 1]: what resampling in floats leaves."""

RESULT_SLACK = 0.5
"""The same for a network's result, which overshoots at edges and is clipped."""


def check_value_range(image: Tensor, what: str = "the image", slack: float = INPUT_SLACK) -> None:
    """Refuse an image that is not in [0, 1], but for ``slack`` on both sides.

    Raises:
        UserError: Names the range that its numbers seem to have, and what to do.
    """
    low, high = (float(x) for x in torch.aminmax(image.detach().float()))
    if low >= -slack and high <= 1 + slack:
        return
    if high > 2:
        most = 65535 if high > 256 else 255
        seems, way = f"0 to {most}", f"divide by {most}"
    elif low < -slack:
        seems, way = "-1 to 1", "add 1 and halve, or clamp to 0 to 1"
    else:
        seems, way = "beyond 1", "clamp to 0 to 1"
    raise UserError(
        f"{what} must hold numbers from 0 to 1, its own run from {low:.4g} to {high:.4g}, as if "
        f"they were {seems}: {way}"
    )
