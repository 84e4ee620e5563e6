"""Any super-resolution network behind one interface: RGB in [0, 1], any size, any batch.

>>> network = adapt(CARN(scale=4), arguments={"scale": 4})
>>> network.scale, network.notes
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from hpinet.inference.memory_errors import is_out_of_memory
from hpinet.inference.own_patches import OwnPatches
from hpinet.modeling.hpinet import HPINet

from .bicubic import Bicubic
from .errors import ModelError, first_line
from .in_place import PLAIN, differentiable, way_through
from .options import RANGES, Options, make_options, padded
from .value_range import DOUBTFUL, PROBE, likeness, probe_image

_SAME = 2e-4  # of [0, 1], by which an image may differ between a batch and alone


class DoubtfulRange(UserWarning):
    """Neither range of pixel values gives back the image."""


class AdaptedNetwork(nn.Module):
    """A network of any architecture with the interface of all networks here.

    Always in evaluation mode; its input is left as it is, whatever the architecture writes to;
    nothing is clamped. Images are padded on the right and below to the sizes that it accepts, and
    the result is cropped. Where it takes one image at a time, or mixes up those of a batch, a batch
    is computed one by one. Made by `adapt`.

    Args:
        model: The architecture's own module.
        scale: SR pixels per LR pixel.
        name: What the architecture is called.
        options: How it is called.
        padding: From (width, height) to the pixels that they lack, (right, below), where that is
            more than a multiple.
        call: Calls the module, where that takes more than its image.
        notes: What was found out about it, a sentence each.
        source: Fingerprint of the file that built it, if one did.
    """

    def __init__(
        self,
        model: nn.Module,
        scale: int,
        name: str,
        options: Options | None = None,
        *,
        padding: Callable[[int, int], tuple[int, int]] | None = None,
        call: Callable[[Any, Tensor], Any] | None = None,
        notes: tuple[str, ...] = (),
        source: str | None = None,
    ) -> None:
        super().__init__()
        self.model, self.scale, self.name = model, scale, name
        self.how = options or Options()
        self.notes, self.source = notes, source
        self._padding, self._call = padding, call
        self._way: str | None = None  # through it backwards, see `in_place`
        self._together: bool | None = None  # whether it takes batches
        if any(p.dtype in (torch.float16, torch.bfloat16) for p in model.parameters()):
            model.float()
        self.eval().requires_grad_(False)

    @property
    def options(self) -> dict[str, Any]:
        """How the architecture is called, as plain values."""
        return self.how.describe()

    def describe(self) -> dict[str, Any]:
        """What reproduces it beside the weights: class, scale, options, its file's fingerprint."""
        found = {"class": self.name, "scale": self.scale, "options": self.options}
        return found if self.source is None else {**found, "source_sha256": self.source}

    def train(self, mode: bool = True) -> AdaptedNetwork:
        """Stay in evaluation mode."""
        super().train(False)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, h, w) to (B, 3, sh, sw).

        Raises:
            ModelError: If the architecture fails or makes something else; memory that runs out is
                an error of its own.
        """
        if len(x) > 1 and not self._takes_batches(x):
            return torch.cat([self._differentiable(one[None]) for one in x])
        return self._differentiable(x)

    def free(self, x: Tensor) -> Tensor:
        """As `forward`, keeping what a backward pass needs even where that is then refused.

        What `lam` counts memory on.
        """
        try:
            return self.enlarge(x)
        except ModelError:
            return self(x)

    def enlarge(self, x: Tensor) -> Tensor:
        """As `forward`, all at once and with PyTorch's own gradients."""
        height, width = x.shape[-2:]
        right, below = self._missing(height, width)
        sr = self.whole(x)
        sides = (height + below, width + right)
        if tuple(sr.shape[-2:]) != tuple(side * self.scale for side in sides):
            raise ModelError(
                f"{self.name} makes {_size(sr)} pixels from {sides[1]}x{sides[0]}, not "
                f"{self.scale} times as many: where it needs sizes of a multiple, say so by "
                f"multiple=N"
            )
        return sr[..., : height * self.scale, : width * self.scale]

    def whole(self, x: Tensor) -> Tensor:
        """What it makes of a padded image, the padding still on it: (B, 3, H, W)."""
        right, below = self._missing(*x.shape[-2:])
        x = padded(x.clone(), right, below)
        given = self.how.given(x)
        if given is x:
            given = x.clone()  # some architectures, RCAN for one, scale their input in place
        try:
            made = self._called(given)
        except ModelError:
            raise
        except Exception as error:  # code of other architectures may fail in any way
            if is_out_of_memory(error):
                raise
            raise ModelError(
                f"{self.name} cannot enlarge an image of {_size(x)} pixels: {first_line(error)}"
            ) from error
        return self.how.taken(self._image(made, given), x)

    def _called(self, x: Tensor) -> Any:
        if self._call is not None:
            return self._call(self.model, x)
        return self.model(x, **self.how.arguments)

    def _missing(self, height: int, width: int) -> tuple[int, int]:
        if self._padding is not None:
            return self._padding(width, height)
        return -width % self.how.multiple, -height % self.how.multiple

    def _image(self, made: Any, x: Tensor) -> Tensor:
        """The image among what the architecture returned."""
        if not isinstance(made, Tensor):
            made = _chosen(made, self.how.output, self.name)
        channels = x.shape[1]
        if made.ndim != 4 or len(made) != len(x) or made.shape[1] != channels:
            raise ModelError(
                f"{self.name} makes {tuple(made.shape)} from {tuple(x.shape)}, expected were "
                f"images of {channels} channels: output=N chooses among several results, "
                f"channels='y' is for networks on luma"
            )
        return made

    def _differentiable(self, x: Tensor) -> Tensor:
        if not (torch.is_grad_enabled() and x.requires_grad):
            return self.enlarge(x)
        if self._way is None:
            self._way = way_through(self.enlarge, x[:1, :, :PROBE, :PROBE])
        if self._way == PLAIN:
            return self.enlarge(x)
        return differentiable(self.enlarge, self._way, x)

    def _takes_batches(self, x: Tensor) -> bool:
        """Whether images of a batch are computed as each is alone; tried once, on small crops."""
        if self._together is None:
            crop = x[:1, :, :PROBE, :PROBE].detach()
            pair = torch.cat([crop, 1 - crop.flip(-1, -2)])
            with torch.no_grad():
                try:
                    both = self.enlarge(pair)
                    alone = torch.cat([self.enlarge(one[None]) for one in pair])
                    self._together = bool((both - alone).abs().max() < _SAME)
                except ModelError:
                    self._together = False
        return self._together


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
    if isinstance(module, HPINet | OwnPatches | Bicubic | AdaptedNetwork):
        if how != Options() or value_range not in ("auto", 1):
            raise ModelError(
                f"{type(module).__name__} takes RGB in [0, 1] of any size: leave the options out"
            )
        return module.eval().requires_grad_(False)
    ranges = RANGES if value_range == "auto" else (int(value_range),)
    return _measured(module, name or type(module).__name__, how, ranges)


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


def _chosen(made: Any, output: int | str, name: str) -> Tensor:
    """One of several results."""
    found: Any = None
    if isinstance(output, str) and not isinstance(made, Mapping):
        found = getattr(made, output, None)
    else:
        try:
            found = made[output]
        except (KeyError, IndexError, TypeError):
            found = None
    if isinstance(found, Tensor):
        return found
    if isinstance(made, Mapping):
        there = "keys " + ", ".join(map(repr, made))
    elif isinstance(made, Sequence):
        there = f"{len(made)} results, numbered from 0"
    else:
        there = f"a {type(made).__name__}"
    raise ModelError(f"{name} returns {there}: output={output!r} is no image among them")


def _size(x: Tensor) -> str:
    return f"{x.shape[-1]}x{x.shape[-2]}"
