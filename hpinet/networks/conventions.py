"""How an architecture takes and returns images, and RGB in [0, 1] in its terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hpinet.errors import NetworkError

from .bicubic import resized

RANGES = (1, 255)
"""The largest value of a pixel, as networks are trained on it."""

CHANNELS = ("rgb", "bgr", "y")
_LARGEST_MULTIPLE = 1024

# BT.601 in studio swing, as MATLAB's rgb2ycbcr on [0, 1]: rows Y, Cb, Cr over R, G, B, all / 255.
_YCBCR = ((65.481, 128.553, 24.966), (-37.797, -74.203, 112.0), (112.0, -93.786, -18.214))
_OFFSET = (16.0, 128.0, 128.0)


@dataclass(frozen=True)
class Convention:
    """How a network is called.

    Attributes:
        value_range: Its pixels go from 0 to 1 or to 255.
        arguments: What its forward takes next to the image, by name.
        multiple: Height and width that it accepts are multiples of this; images are padded.
        output: Which of several results is the image: a position, a key or an attribute.
        channels: ``"rgb"``, ``"bgr"``, or ``"y"``: luma alone (BT.601); chroma is enlarged
            bicubically.
        mean: Colour in [0, 1] that is subtracted before and added after, or None.

    Raises:
        NetworkError: If a value is not allowed; the message names it.
    """

    value_range: int = 1
    arguments: Mapping[str, Any] = field(default_factory=dict)
    multiple: int = 1
    output: int | str = 0
    channels: str = "rgb"
    mean: float | Sequence[float] | None = None

    def __post_init__(self) -> None:
        named = isinstance(self.arguments, Mapping)
        if not named or not all(isinstance(name, str) for name in self.arguments):
            raise NetworkError(
                f"arguments must be given by name, such as {{'scale': 4}}, got {self.arguments!r}"
            )
        if type(self.multiple) is not int or not 1 <= self.multiple <= _LARGEST_MULTIPLE:
            raise NetworkError(
                f"multiple must be a whole number from 1 to {_LARGEST_MULTIPLE}, got "
                f"{self.multiple!r}"
            )
        if type(self.output) not in (int, str):
            raise NetworkError(
                f"output must be the position or the key of the image, got {self.output!r}"
            )
        if self.channels not in CHANNELS:
            raise NetworkError(
                f"channels must be one of {', '.join(CHANNELS)}, got {self.channels!r}"
            )
        if self.mean is not None:
            object.__setattr__(self, "mean", self._colour())

    def _colour(self) -> tuple[float, ...]:
        mean, count = self.mean, 1 if self.channels == "y" else 3
        try:
            values = (mean,) * count if isinstance(mean, int | float) else tuple(mean or ())
            if len(values) == count and all(0 <= value <= 1 for value in values):
                return tuple(map(float, values))
        except TypeError:
            pass
        raise NetworkError(
            f"mean must be a colour of {count} in [0, 1], in the order of the network's channels, "
            f"got {mean!r}"
        )

    def describe(self) -> dict[str, Any]:
        """Plain values that fit into JSON."""
        plain = asdict(self)
        plain["arguments"] = {name: _plain(value) for name, value in self.arguments.items()}
        plain["mean"] = None if self.mean is None else list(self._colour())
        return plain

    def to_network(self, x: Tensor) -> Tensor:
        """(B, 3, h, w) RGB in [0, 1], as the network takes it: (B, 1 or 3, h, w)."""
        if self.channels == "y":
            x = to_ycbcr(x)[:, :1]
        elif self.channels == "bgr":
            x = x.flip(1)
        if self.mean is not None:
            x = x - _as_tensor(self.mean, x)
        return x * self.value_range

    def from_network(self, sr: Tensor, x: Tensor) -> Tensor:
        """The network's image, (B, 1 or 3, H, W), as RGB in [0, 1], (B, 3, H, W).

        Args:
            sr: The image.
            x: The LR image, for the chroma that a network on luma leaves out.
        """
        sr = sr / self.value_range
        if self.mean is not None:
            sr = sr + _as_tensor(self.mean, sr)
        if self.channels == "y":
            chroma = resized(to_ycbcr(x)[:, 1:], (sr.shape[-2], sr.shape[-1]))
            return from_ycbcr(torch.cat([sr, chroma], 1))
        return sr.flip(1) if self.channels == "bgr" else sr


def padded(x: Tensor, right: int, below: int) -> Tensor:
    """Pad (B, C, h, w) by reflection as far as there are pixels, then by replication."""
    height, width = x.shape[-2:]
    mirrored = min(right, width - 1), min(below, height - 1)
    if any(mirrored):
        x = F.pad(x, (0, mirrored[0], 0, mirrored[1]), mode="reflect")
    if mirrored != (right, below):
        x = F.pad(x, (0, right - mirrored[0], 0, below - mirrored[1]), mode="replicate")
    return x


def to_ycbcr(x: Tensor) -> Tensor:
    """(B, 3, h, w) RGB in [0, 1] to YCbCr, studio swing / 255."""
    matrix = _as_tensor(_YCBCR, x)[..., 0, 0]
    return torch.einsum("yc,bchw->byhw", matrix / 255, x) + _as_tensor(_OFFSET, x) / 255


def from_ycbcr(x: Tensor) -> Tensor:
    """The inverse of `to_ycbcr`."""
    inverse = torch.linalg.inv(torch.tensor(_YCBCR, dtype=x.dtype) / 255).to(x.device)
    return torch.einsum("cy,byhw->bchw", inverse, x - _as_tensor(_OFFSET, x) / 255)


def _as_tensor(values: Any, x: Tensor) -> Tensor:
    return torch.tensor(values, dtype=x.dtype, device=x.device)[..., None, None]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
