"""Any super-resolution network behind one interface: RGB in [0, 1], any size, any batch.

>>> network = adapt(CARN(scale=4), arguments={"scale": 4})
>>> network.scale, network.notes
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from hpinet.errors import NetworkError
from hpinet.modeling.hpinet import HPINet
from hpinet.modeling.own_patches import OwnPatches

from .adapted_network import AdaptedNetwork
from .bicubic import Bicubic, resized
from .conventions import RANGES, Convention

PROBE = 48
"""Side of the image that networks are tried on, in pixels."""

DOUBTFUL = 34.0
"""In dB: below this, a network's image does not look like its input in either range of values."""

_LIKE = 20.0  # dB from which a network's image is like its input
_KNOWN = (HPINet, OwnPatches, Bicubic, AdaptedNetwork)  # whose interface is known


class DoubtfulRange(UserWarning):
    """Neither range of pixel values gives back the image."""


def adapt(
    module: nn.Module,
    *,
    value_range: str | int = "auto",
    arguments: Mapping[str, Any] | None = None,
    multiple: int = 1,
    output: int | str = 0,
    channels: str = "rgb",
    mean: float | Sequence[float] | None = None,
    name: str | None = None,
) -> nn.Module:
    """A network of any architecture as every function here takes it.

    The scale is measured on an image of 48 pixels, whatever the module says of itself. The module
    is used as it is, not copied: it is in evaluation mode from then on, and its parameters need no
    gradients.

    Args:
        module: From images (B, 3, h, w) to (B, 3, s h, s w).
        value_range: 1 or 255, the largest value of a pixel; ``"auto"`` takes the one for which the
            result, shrunk again, is more like the image.
        arguments: What forward takes next to the image, by name, such as ``{"scale": 4}``.
        multiple: Height and width must be multiples of this: images are padded.
        output: Which result is the image where there are several: a position, a key, or the name of
            an attribute.
        channels: ``"rgb"``, ``"bgr"`` or ``"y"`` (luma alone).
        mean: Colour in [0, 1] to be subtracted before and added after.
        name: What it is called; its class by default.

    Returns:
        An `AdaptedNetwork`, or the module itself, in evaluation mode, where it has the interface
        already (HPINet, bicubic, adapted networks).

    Raises:
        NetworkError: If an option is not allowed, or the module does not enlarge an image.

    Warns:
        DoubtfulRange: If neither range of values gives back the image.
    """
    if not isinstance(module, nn.Module):
        raise NetworkError(
            f"a network must be a torch.nn.Module, got {type(module).__name__}"
            + (": call the class" if isinstance(module, type) else "")
        )
    if isinstance(module, nn.DataParallel):
        module = module.module
    if value_range not in ("auto", *RANGES) or isinstance(value_range, bool):
        raise NetworkError(f"value_range must be 'auto', 1 or 255, got {value_range!r}")
    arguments = {} if arguments is None else arguments
    convention = Convention(1, arguments, multiple, output, channels, mean)
    if isinstance(module, _KNOWN):
        if convention != Convention() or value_range not in ("auto", 1):
            raise NetworkError(
                f"{type(module).__name__} takes RGB in [0, 1] of any size: leave the options out"
            )
        return module.eval().requires_grad_(False)
    ranges = RANGES if value_range == "auto" else (int(value_range),)
    return _measured(module, name or type(module).__name__, convention, ranges)


def _measured(
    module: nn.Module, name: str, convention: Convention, ranges: tuple[int, ...]
) -> AdaptedNetwork:
    """The network with its scale, and with the range of values that suits it best."""
    lr, results, failures = probe_image(), {}, []
    parameter = next(module.parameters(), torch.zeros(()))
    given = lr.to(parameter.device, torch.promote_types(parameter.dtype, torch.float32))
    for top in ranges:
        candidate = AdaptedNetwork(module, 1, name, replace(convention, value_range=top))
        try:
            with torch.no_grad():
                results[top] = candidate.with_padding(given)
        except NetworkError as error:
            failures.append(error)
    if not results:
        hint = _missing_arguments(module, convention)
        raise NetworkError(f"{failures[0]}{hint}") from failures[0]
    side = PROBE + -PROBE % convention.multiple
    scales = {top: _scale(sr, side, name) for top, sr in results.items()}
    decibels = {
        top: likeness(sr[..., : PROBE * scales[top], : PROBE * scales[top]], lr)
        for top, sr in results.items()
    }
    # Compared, not judged: in the wrong range a network may be as like as 40 dB.
    best = max(decibels, key=lambda top: (round(decibels[top], 2), -top))
    notes = [f"{name} enlarges {scales[best]} times, pixels of 0 to {best}"]
    if len(decibels) > 1:
        figures = ", ".join(
            f"{decibels[top]:.1f} dB with 0 to {top}"
            for top in sorted(decibels, key=lambda top: top != best)
        )
        notes[0] += f" (shrunk again, its image is like the input by {figures})"
    if len(ranges) > 1 and decibels[best] < DOUBTFUL:
        notes.append(
            f"{name}: its image, shrunk again, is not much like the input "
            f"({decibels[best]:.1f} dB with pixels of 0 to {best}, under {DOUBTFUL:.0f}): check "
            f"its weights, or set value_range=1 or 255"
        )
        warnings.warn(notes[1], DoubtfulRange, stacklevel=4)
    convention = replace(convention, value_range=best)
    return AdaptedNetwork(module, scales[best], name, convention, notes=tuple(notes))


def _scale(sr: Tensor, side: int, name: str) -> int:
    """SR pixels per LR pixel, from the result for ``side`` x ``side`` pixels."""
    height, width = sr.shape[-2:]
    if height != width or height % side or not height:
        raise NetworkError(
            f"{name} makes {width}x{height} pixels from {side}x{side}, which is no whole number of "
            f"times as many: where it needs sizes of a multiple, set multiple=N"
        )
    return int(height // side)


def _missing_arguments(module: nn.Module, convention: Convention) -> str:
    """A hint where forward takes more than it was given."""
    try:
        taken = list(inspect.signature(module.forward).parameters.values())[1:]
    except (TypeError, ValueError):
        return ""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    needed = [
        one.name
        for one in taken
        if one.default is one.empty and one.kind in named and one.name not in convention.arguments
    ]
    if not needed:
        return ""
    given = ", ".join(f"{name!r}: ..." for name in needed)
    return f"; its forward takes {' and '.join(needed)}, too: arguments={{{given}}}"


@lru_cache(maxsize=1)
def probe_image() -> Tensor:
    """A photograph of `PROBE` x `PROBE` pixels, (1, 3, h, w) RGB in [0, 1]."""
    from skimage.data import astronaut

    face = Image.fromarray(astronaut()[20:212, 130:322])
    small = np.asarray(face.resize((PROBE, PROBE), Image.Resampling.BICUBIC))
    return torch.from_numpy(small.copy()).permute(2, 0, 1)[None].float() / 255


def likeness(sr: Tensor, lr: Tensor) -> float:
    """PSNR in dB between a shrunk SR image (1, 3, sh, sw; antialiased bicubic) and its LR image.

    A network that is given the wrong range of values often returns something like its input, and
    its attribution map looks right; shrunk back, the image must be the input. Minus infinity where
    the SR image is not finite.
    """
    small = resized(sr.detach().cpu().float(), (lr.shape[-2], lr.shape[-1]))
    error = float((small - lr.cpu()).square().mean())
    return -10 * math.log10(max(error, 1e-10)) if math.isfinite(error) else -math.inf


_warned: WeakSet[nn.Module] = WeakSet()


def warn_of_range(module: nn.Module) -> None:
    """Warn where a module that is not adapted expects pixels of 0 to 255: its map is wrong.

    Each module is tried once, on a small image, in both ranges; its buffers, and PyTorch's random
    numbers, stay as they are.

    Warns:
        DoubtfulRange: If its image for 0 to 255 is like the input, and better than for 0 to 1.
    """
    if isinstance(module, _KNOWN) or module in _warned:
        return
    _warned.add(module)
    parameter = next(module.parameters(), torch.empty(0))
    lr = probe_image().to(parameter.device, parameter.dtype)
    decibels: dict[int, float] = {}
    for top in RANGES:
        buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                sr = torch.func.functional_call(module, buffers, (lr * top,))
            decibels[top] = likeness(sr / top, lr)
        except Exception:  # any failure shows when the module is used
            return
    if decibels[255] > max(decibels[1] + 0.01, _LIKE):
        figures = ", ".join(f"{decibels[top]:.1f} dB with 0 to {top}" for top in (255, 1))
        warnings.warn(
            f"{type(module).__name__} seems to expect pixels of 0 to 255 (shrunk again, its image "
            f"is like the input by {figures}), but is given 0 to 1, so its map would be wrong: "
            f"pass lam.adapt(module) instead of the module",
            DoubtfulRange,
            stacklevel=6,
        )
