"""A network of any architecture with the interface of all networks here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hpinet.errors import NetworkError, first_line
from hpinet.inference.memory_errors import is_out_of_memory

from .conventions import Convention, padded
from .in_place import PLAIN, differentiable, gradient_mode

_SAME = 2e-4  # of [0, 1], by which an image may differ between a batch and alone
_CROP = 48  # side of the crops that a network is tried on


class AdaptedNetwork(nn.Module):
    """A network of any architecture with the interface of all networks here, made by `adapt`.

    Always in evaluation mode; its input is left as it is, whatever the architecture writes to;
    nothing is clamped. Images are padded on the right and below to the sizes that it accepts, and
    the result is cropped. Where it takes one image at a time, or mixes up those of a batch, a batch
    is computed one by one.

    Args:
        model: The architecture's own module.
        scale: SR pixels per LR pixel.
        name: What the architecture is called.
        convention: How it is called.
        padding: From (width, height) to the pixels that they lack, (right, below), where that is
            more than a multiple.
        call: Calls the module, where that takes more than its image.
        notes: What was found out about it, a sentence each.
        source: Digest of the file that built it, if one did.
    """

    def __init__(
        self,
        model: nn.Module,
        scale: int,
        name: str,
        convention: Convention | None = None,
        *,
        padding: Callable[[int, int], tuple[int, int]] | None = None,
        call: Callable[[Any, Tensor], Any] | None = None,
        notes: tuple[str, ...] = (),
        source: str | None = None,
    ) -> None:
        super().__init__()
        self.model, self.scale, self.name = model, scale, name
        self.convention = convention or Convention()
        self.notes, self.source = notes, source
        self._padding, self._call = padding, call
        self._gradient_mode: str | None = None  # found out by the first gradient
        self._takes_batches: bool | None = None  # found out by the first batch
        if any(p.dtype in (torch.float16, torch.bfloat16) for p in model.parameters()):
            model.float()
        self.eval().requires_grad_(False)

    @property
    def options(self) -> dict[str, Any]:
        """How the architecture is called, as plain values."""
        return self.convention.describe()

    def describe(self) -> dict[str, Any]:
        """What reproduces it next to the weights: class, scale, options, its file's digest."""
        found = {"class": self.name, "scale": self.scale, "options": self.options}
        return found if self.source is None else {**found, "source_sha256": self.source}

    def train(self, mode: bool = True) -> AdaptedNetwork:
        """Stay in evaluation mode."""
        super().train(False)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, h, w) to (B, 3, sh, sw).

        Raises:
            NetworkError: If the architecture fails or makes something else; memory that runs out is
                an error of its own.
        """
        if len(x) > 1 and not self._batches_are_independent(x):
            return torch.cat([self._differentiable(one[None]) for one in x])
        return self._differentiable(x)

    def enlarge(self, x: Tensor) -> Tensor:
        """As `forward`, all at once and with PyTorch's own gradients."""
        height, width = x.shape[-2:]
        right, below = self._missing(height, width)
        sr = self.with_padding(x)
        sides = (height + below, width + right)
        if tuple(sr.shape[-2:]) != tuple(side * self.scale for side in sides):
            raise NetworkError(
                f"{self.name} makes {_size(sr)} pixels from {sides[1]}x{sides[0]}, not "
                f"{self.scale} times as many: where it needs sizes of a multiple, set multiple=N"
            )
        return sr[..., : height * self.scale, : width * self.scale]

    free = enlarge  # what `lam` counts memory on

    def with_padding(self, x: Tensor) -> Tensor:
        """The result for a padded image, the padding still on it: (B, 3, H, W)."""
        x = padded(x.clone(), *self._missing(*x.shape[-2:]))
        given = self.convention.to_network(x)
        if given is x:
            given = x.clone()  # some architectures, RCAN for one, scale their input in place
        try:
            if self._call is not None:
                result = self._call(self.model, given)
            else:
                result = self.model(given, **self.convention.arguments)
        except Exception as error:  # code of other architectures may fail in any way
            if isinstance(error, NetworkError) or is_out_of_memory(error):
                raise
            raise NetworkError(
                f"{self.name} cannot enlarge an image of {_size(x)} pixels: {first_line(error)}"
            ) from error
        return self.convention.from_network(self._image(result, given), x)

    def _missing(self, height: int, width: int) -> tuple[int, int]:
        if self._padding is not None:
            return self._padding(width, height)
        return -width % self.convention.multiple, -height % self.convention.multiple

    def _image(self, result: Any, x: Tensor) -> Tensor:
        """The image among what the architecture returned."""
        if not isinstance(result, Tensor):
            result = _selected(result, self.convention.output, self.name)
        channels = x.shape[1]
        if result.ndim != 4 or len(result) != len(x) or result.shape[1] != channels:
            raise NetworkError(
                f"{self.name} makes {tuple(result.shape)} from {tuple(x.shape)}, expected were "
                f"images of {channels} channels: output=N chooses among several results, "
                f"channels='y' is for networks on luma"
            )
        return result

    def _differentiable(self, x: Tensor) -> Tensor:
        if not (torch.is_grad_enabled() and x.requires_grad):
            return self.enlarge(x)
        if self._gradient_mode is None:
            self._gradient_mode = gradient_mode(self.enlarge, x[:1, :, :_CROP, :_CROP])
        if self._gradient_mode == PLAIN:
            return self.enlarge(x)
        return differentiable(self.enlarge, self._gradient_mode, x)

    def _batches_are_independent(self, x: Tensor) -> bool:
        """Whether images of a batch are computed as each is alone; tried once, on small crops."""
        if self._takes_batches is None:
            crop = x[:1, :, :_CROP, :_CROP].detach()
            pair = torch.cat([crop, 1 - crop.flip(-1, -2)])
            with torch.no_grad():
                try:
                    both = self.enlarge(pair)
                    alone = torch.cat([self.enlarge(one[None]) for one in pair])
                    self._takes_batches = bool((both - alone).abs().max() < _SAME)
                except NetworkError:
                    self._takes_batches = False
        return self._takes_batches


def _selected(result: Any, output: int | str, name: str) -> Tensor:
    """One of several results."""
    if isinstance(output, str) and not isinstance(result, Mapping):
        found = getattr(result, output, None)
    else:
        try:
            found = result[output]
        except (KeyError, IndexError, TypeError):
            found = None
    if isinstance(found, Tensor):
        return found
    if isinstance(result, Mapping):
        there = "keys " + ", ".join(map(repr, result))
    elif isinstance(result, Sequence):
        there = f"{len(result)} results, numbered from 0"
    else:
        there = f"a {type(result).__name__}"
    raise NetworkError(f"{name} returns {there}: output={output!r} is no image among them")


def _size(x: Tensor) -> str:
    return f"{x.shape[-1]}x{x.shape[-2]}"
