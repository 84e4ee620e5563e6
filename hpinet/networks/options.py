"""What an architecture needs beside an RGB image in [0, 1], and images in its terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .bicubic import resized
from .errors import ModelError

RANGES = (1, 255)
"""The largest value of a pixel, as networks are trained on it."""

CHANNELS = ("rgb", "bgr", "y")
_CHANNELS: dict[Any, str] = {**{name: name for name in CHANNELS}, 3: "rgb", 1: "y"}
_LARGEST_MULTIPLE = 1024

# BT.601 in studio swing, as MATLAB's rgb2ycbcr on [0, 1]: rows Y, Cb, Cr over R, G, B, all / 255.
_YCBCR = ((65.481, 128.553, 24.966), (-37.797, -74.203, 112.0), (112.0, -93.786, -18.214))
_OFFSET = (16.0, 128.0, 128.0)


@dataclass(frozen=True)
class Options:
    """How a network is called.

    Attributes:
        value_range: Its pixels go from 0 to 1 or to 255.
        arguments: What its forward takes beside the image, by name.
        multiple: Height and width that it accepts are multiples of this; images are padded.
        output: Which of several results is the image: a position, or a key or attribute.
        channels: ``"rgb"``, ``"bgr"``, or ``"y"``: luma alone (BT.601), chroma is enlarged
            bicubically beside it.
        mean: Colour in [0, 1] that is subtracted before and added after, or None.
    """

    value_range: int = 1
    arguments: Mapping[str, Any] = field(default_factory=dict)
    multiple: int = 1
    output: int | str = 0
    channels: str = "rgb"
    mean: tuple[float, ...] | None = None

    def describe(self) -> dict[str, Any]:
        """Plain values that fit into JSON."""
        plain = asdict(self)
        plain["arguments"] = {name: _plain(value) for name, value in self.arguments.items()}
        return plain | {"mean": None if self.mean is None else list(self.mean)}

    def given(self, x: Tensor) -> Tensor:
        """(B, 3, h, w) RGB in [0, 1], as the network wants it: (B, 1 or 3, h, w)."""
        if self.channels == "y":
            x = to_ycbcr(x)[:, :1]
        elif self.channels == "bgr":
            x = x.flip(1)
        if self.mean is not None:
            x = x - self._colour(x)
        return x * self.value_range

    def taken(self, sr: Tensor, x: Tensor) -> Tensor:
        """What the network made, (B, 1 or 3, H, W), as RGB in [0, 1], (B, 3, H, W).

        Args:
            sr: The image that it made.
            x: The LR image, for the chroma that a network on luma leaves out.
        """
        sr = sr / self.value_range
        if self.mean is not None:
            sr = sr + self._colour(sr)
        if self.channels == "y":
            chroma = resized(to_ycbcr(x)[:, 1:], (sr.shape[-2], sr.shape[-1]))
            return from_ycbcr(torch.cat([sr, chroma], 1))
        return sr.flip(1) if self.channels == "bgr" else sr

    def _colour(self, x: Tensor) -> Tensor:
        return torch.tensor(self.mean, dtype=x.dtype, device=x.device)[:, None, None]


def make_options(
    value_range: int,
    arguments: Mapping[str, Any] | None,
    multiple: int,
    output: int | str,
    channels: str | int,
    mean: float | Sequence[float] | None,
) -> Options:
    """Options, checked.

    Raises:
        ModelError: If one is none; the sentence names it.
    """
    if not isinstance(arguments, Mapping | None) or any(
        not isinstance(name, str) for name in arguments or {}
    ):
        raise ModelError(f"arguments are given by name, such as {{'scale': 4}}, not {arguments!r}")
    if isinstance(multiple, bool) or multiple not in range(1, _LARGEST_MULTIPLE + 1):
        raise ModelError(
            f"multiple is a whole number from 1 to {_LARGEST_MULTIPLE}, not {multiple!r}"
        )
    if isinstance(output, bool) or not isinstance(output, int | str):
        raise ModelError(f"output is the position or the key of the image, not {output!r}")
    if channels not in _CHANNELS:
        raise ModelError(f"channels are one of {', '.join(CHANNELS)}, not {channels!r}")
    named = _CHANNELS[channels]
    colour = _mean(mean, 1 if named == "y" else 3)
    return Options(value_range, dict(arguments or {}), int(multiple), output, named, colour)


def _mean(mean: float | Sequence[float] | None, count: int) -> tuple[float, ...] | None:
    if mean is None:
        return None
    try:
        values = [float(mean)] * count if isinstance(mean, int | float) else [*map(float, mean)]
    except (TypeError, ValueError):
        values = []
    if len(values) != count or not all(0 <= value <= 1 for value in values):
        raise ModelError(
            f"mean is a colour of {count} number{'s' * (count > 1)} in [0, 1], in the order of the "
            f"network's channels, not {mean!r}"
        )
    return tuple(values)


def padded(x: Tensor, right: int, below: int) -> Tensor:
    """Pad (B, C, h, w) on the right and below.

    By reflection as far as there are pixels to mirror, then by repeating the last ones.
    """
    height, width = x.shape[-2:]
    mirrored = min(right, width - 1), min(below, height - 1)
    if any(mirrored):
        x = F.pad(x, (0, mirrored[0], 0, mirrored[1]), mode="reflect")
    if mirrored != (right, below):
        x = F.pad(x, (0, right - mirrored[0], 0, below - mirrored[1]), mode="replicate")
    return x


def to_ycbcr(x: Tensor) -> Tensor:
    """RGB in [0, 1] to Y, Cb, Cr of BT.601 in studio swing, both (B, 3, h, w)."""
    matrix, offset = _conversion(x)
    return torch.einsum("yc,bchw->byhw", matrix, x) + offset


def from_ycbcr(x: Tensor) -> Tensor:
    """The inverse of `to_ycbcr`."""
    matrix, offset = _conversion(x)
    inverse = torch.linalg.inv(matrix.cpu()).to(x.device)
    return torch.einsum("cy,byhw->bchw", inverse, x - offset)


def _conversion(x: Tensor) -> tuple[Tensor, Tensor]:
    matrix = torch.tensor(_YCBCR, dtype=x.dtype, device=x.device) / 255
    return matrix, torch.tensor(_OFFSET, dtype=x.dtype, device=x.device)[:, None, None] / 255


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
