"""A network of any architecture with the interface of all networks here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hpinet.inference.memory_errors import is_out_of_memory

from .errors import ModelError, first_line
from .in_place import PLAIN, differentiable, way_through
from .options import Options, padded
from .value_range import PROBE

_SAME = 2e-4  # of [0, 1], by which an image may differ between a batch and alone


class AdaptedNetwork(nn.Module):
    """A network of any architecture with the interface of all networks here.

    Always in evaluation mode; its input is left as it is, whatever the architecture writes to;
    nothing is clamped. Images are padded on the right and below to the sizes that it accepts, and
    the result is cropped. Where it takes one image at a time, or mixes up those of a batch, a batch
    is computed one by one. Made by
    `hpinet.networks.adapter.adapt`.

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
