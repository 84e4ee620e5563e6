"""Do maps account for the detector's change? Measured over many images and windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from hpinet import HPINet, read_picture
from hpinet.errors import UserError
from hpinet.imaging.images import from_uint8, to_uint8
from lam.attribution.local_attribution import LocalAttribution
from lam.batch.sources import find_sources
from lam.batch.window_choice import WindowChoice
from lam.window import Window


def shrunk(path: Path, scale: int) -> Tensor:
    """The LR image (1, 3, h, w) of an original, by Pillow's bicubic as in the LAM demo.

    Raises:
        ValueError: If it cannot be read or has fewer pixels than the scale.
    """
    pixels = to_uint8(read_picture(path).rgb)
    height, width = pixels.shape[0] // scale, pixels.shape[1] // scale
    if min(height, width) < 1:
        raise UserError(
            f"{path.name} has {pixels.shape[1]}x{pixels.shape[0]} pixels, too few to shrink by "
            f"{scale}"
        )
    lr = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    return from_uint8(np.asarray(lr))


def completeness(
    model: nn.Module,
    folder: str | Path,
    choice: WindowChoice,
    *,
    scale: int,
    window_size: int = 16,
    steps: int = 50,
    device: str | torch.device = "cpu",
    progress: Callable[[], Any] = lambda: None,
) -> dict[str, Any]:
    """The residuals of maps of a folder, by every rule for matches that the network knows.

    Args:
        model: A network.
        folder: Originals; LR is made by Pillow's bicubic.
        choice: Which windows are asked about.
        scale: SR pixels per LR pixel.
        window_size: Their side in SR pixels, where the choice leaves it open.
        steps: Gradients for each map.
        device: Where the network is.
        progress: Called after every map.

    Returns:
        ``steps``; ``maps``, a list with ``picture``, ``window`` (left, top, size), ``matches``,
        ``change``, ``integral``, ``match_jumps``, ``residual``, ``relative_residual`` and
        ``relative_gap``, the same without jumps (None where hardly anything changes), and
        ``non_finite``; ``worst``, for each rule the greatest absolute
        relative residual, with jumps, and ``worst_without_jumps``, of the integral alone.

    Raises:
        ValueError: If the folder holds no images, one cannot be read or a window does not fit.
    """
    maps = []
    for path in originals(folder):
        lr = shrunk(path, scale)
        for window in choice.choose(lr, scale, window_size):
            for matches in rules(model):
                maps.append(_account(model, path.name, lr.to(device), window, matches, steps))
                progress()
    return {
        "steps": steps,
        "maps": maps,
        "worst": dict(_worst(maps, "relative_residual")),
        "worst_without_jumps": dict(_worst(maps, "relative_gap")),
    }


def originals(folder: str | Path) -> list[Path]:
    """The images of a folder.

    Raises:
        ValueError: If there is no such folder, or it holds no images.
    """
    return [source.lr for source in find_sources(folder, 1, hr=False) if source.lr is not None]


def rules(model: nn.Module) -> tuple[str, ...]:
    """The rules for matches that mean something for a network: only one if it has none."""
    if isinstance(model, HPINet) and model.config.gpa:
        return ("live", "frozen", "own")
    return ("live",)


def _account(
    model: nn.Module, name: str, lr: Tensor, window: Window, matches: str, steps: int
) -> dict[str, Any]:
    result = LocalAttribution(model).attribute(lr, window, n_steps=steps, matches=matches)
    relative = result.relative_residual
    known = relative == relative  # NaN where there is no change to speak of
    return {
        "picture": name,
        "window": [window.left, window.top, window.size],
        "matches": matches,
        "change": result.change,
        "integral": result.integral,
        "match_jumps": result.match_jumps,
        "residual": result.residual,
        "relative_residual": relative if known else None,
        "relative_gap": (result.change - result.integral) / result.change if known else None,
        "non_finite": result.non_finite,
    }


def _worst(maps: Sequence[dict[str, Any]], name: str) -> Iterator[tuple[str, float | None]]:
    for matches in dict.fromkeys(found["matches"] for found in maps):
        sizes = [abs(m[name]) for m in maps if m["matches"] == matches and m[name] is not None]
        yield matches, max(sizes, default=None)
