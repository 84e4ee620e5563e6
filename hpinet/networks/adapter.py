"""Any super-resolution network behind one interface: RGB in [0, 1], any size, any batch.

>>> network = adapt(CARN(scale=4), arguments={"scale": 4})
>>> network.scale, network.notes
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from hpinet.inference.own_patches import OwnPatches
from hpinet.modeling.hpinet import HPINet

from .adapted_network import AdaptedNetwork
from .bicubic import Bicubic
from .errors import ModelError
from .options import RANGES, Options, make_options
from .value_range import DOUBTFUL, PROBE, likeness, probe_image

__all__ = ["AdaptedNetwork", "DoubtfulRange", "adapt", "warn_of_range"]

_TAKEN = 20.0  # dB from which the image that a network makes is like the one that it was given


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
    channels: str | int = "rgb",
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
        arguments: What forward takes beside the image, by name, such as ``{"scale": 4}``.
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
        ModelError: If an option is none, or the module does not enlarge an image with them.

    Warns:
        DoubtfulRange: If neither range of values gives back the image.
    """
    if not isinstance(module, nn.Module):
        raise ModelError(
            f"a network is a torch.nn.Module, not {type(module).__name__}"
            + (": call the class" if isinstance(module, type) else "")
        )
    if isinstance(module, nn.DataParallel):
        module = module.module
    if value_range not in ("auto", *RANGES) or isinstance(value_range, bool):
        raise ModelError(f"value_range is 'auto', 1 or 255, not {value_range!r}")
    how = make_options(1, arguments, multiple, output, channels, mean)
    if isinstance(module, _KNOWN):
        if how != Options() or value_range not in ("auto", 1):
            raise ModelError(
                f"{type(module).__name__} takes RGB in [0, 1] of any size: leave the options out"
            )
        return module.eval().requires_grad_(False)
    ranges = RANGES if value_range == "auto" else (int(value_range),)
    return _measured(module, name or type(module).__name__, how, ranges)


_looked_at: WeakSet[nn.Module] = WeakSet()


def warn_of_range(module: nn.Module) -> None:
    """Say so where a module that is used as it is expects pixels of 0 to 255: its map is wrong.

    Each module is tried once, on a small image, in both ranges; its buffers, and PyTorch's random
    numbers, stay as they are.

    Args:
        module: Given RGB in [0, 1].

    Warns:
        DoubtfulRange: If what it makes of 0 to 255 is the image, and better than what it makes of
            0 to 1.
    """
    if isinstance(module, _KNOWN) or module in _looked_at:
        return
    _looked_at.add(module)
    parameter = next(module.parameters(), torch.empty(0))
    lr = probe_image().to(parameter.device, parameter.dtype)
    found: dict[int, float] = {}
    for most in RANGES:
        buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                sr = torch.func.functional_call(module, buffers, (lr * most,))
            found[most] = likeness(sr / most, lr)
        except Exception:  # whatever it fails of here is told when it is used
            return
    if found[255] > max(found[1] + 0.01, _TAKEN):
        name = type(module).__name__
        told = ", ".join(f"{found[most]:.1f} dB with 0 to {most}" for most in (255, 1))
        warnings.warn(
            f"{name} seems to expect pixels of 0 to 255 (shrunk again, its image is like the input "
            f"by {told}), but is given 0 to 1, so its map would be wrong: pass "
            f"lam.adapt(module) instead of the module",
            DoubtfulRange,
            stacklevel=6,
        )


def _measured(
    module: nn.Module, name: str, how: Options, ranges: tuple[int, ...]
) -> AdaptedNetwork:
    """The network with its scale, and with the range of values that suits it best."""
    lr, made, failures = probe_image(), {}, []
    parameter = next(module.parameters(), torch.zeros(()))
    given = lr.to(parameter.device, torch.promote_types(parameter.dtype, torch.float32))
    for one in ranges:
        candidate = AdaptedNetwork(module, 1, name, replace(how, value_range=one))
        try:
            with torch.no_grad():
                made[one] = candidate.whole(given)
        except ModelError as error:
            failures.append(error)
    if not made:
        raise ModelError(f"{failures[0]}{_lacking(module, how)}") from failures[0]
    side = PROBE + -PROBE % how.multiple
    scales = {one: _scale(sr, side, name) for one, sr in made.items()}
    decibels = {
        one: likeness(sr[..., : PROBE * scales[one], : PROBE * scales[one]], lr)
        for one, sr in made.items()
    }
    # Compared, not judged: in the wrong range a network may be as like as 40 dB.
    best = max(decibels, key=lambda one: (round(decibels[one], 2), -one))
    notes: tuple[str, ...] = (_told(name, scales[best], decibels, best, chosen=len(ranges) > 1),)
    if len(ranges) > 1 and decibels[best] < DOUBTFUL:
        doubt = (
            f"{name}: what it makes, shrunk again, is not much like the image "
            f"({decibels[best]:.1f} dB with pixels of 0 to {best}, under {DOUBTFUL:.0f}): check "
            f"its weights, or say value_range=1 or 255"
        )
        warnings.warn(doubt, DoubtfulRange, stacklevel=4)
        notes = (*notes, doubt)
    return AdaptedNetwork(module, scales[best], name, replace(how, value_range=best), notes=notes)


def _told(name: str, scale: int, decibels: Mapping[int, float], best: int, chosen: bool) -> str:
    text = f"{name} enlarges {scale} times, pixels of 0 to {best}"
    others = [one for one in decibels if one != best]
    if not chosen or not others:
        return text
    figures = ", ".join(f"{decibels[one]:.1f} dB with 0 to {one}" for one in (best, *others))
    return f"{text} (shrunk again, its image is like the input by {figures})"


def _scale(sr: Tensor, side: int, name: str) -> int:
    """SR pixels per LR pixel, by what became of ``side`` x ``side`` pixels."""
    height, width = sr.shape[-2:]
    if height != width or height % side or not height:
        raise ModelError(
            f"{name} makes {width}x{height} pixels from {side}x{side}, which is no whole number of "
            f"times as many: where it needs sizes of a multiple, say so by multiple=N"
        )
    return int(height // side)


def _lacking(module: nn.Module, how: Options) -> str:
    """A hint where forward takes more than it was given."""
    try:
        taken = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return ""
    needed = [
        one.name
        for one in list(taken)[1:]
        if one.default is one.empty
        and one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
        and one.name not in how.arguments
    ]
    if not needed:
        return ""
    given = ", ".join(f"{name!r}: ..." for name in needed)
    return f"; its forward takes {' and '.join(needed)}, too: arguments={{{given}}}"
