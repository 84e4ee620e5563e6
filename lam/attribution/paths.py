"""Paths from an image without detail (alpha = 0) to the image itself (alpha = 1).

LAM (Gu & Dong 2021) integrates gradients along a path. A path here is a value: it knows where it is
at alpha and its exact derivative there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from hpinet.errors import UserError

from .quadrature import Array

_SHARP = 1e-3  # below this sigma in pixels every neighbour's weight is 0 in float64
_LEAST_LOG = -600.0  # a logarithm of u whose exp is still a normal float64


class AttributionPath(Protocol):
    """What `lam.LocalAttribution` needs of a path. Images are (1, 3, h, w) RGB in [0, 1].

    A path may also have a method ``clock`` (`quadrature.Clock`), a variable in which it moves
    more evenly than in alpha; Gauss-Legendre nodes are then spread in that.
    """

    def at(self, image: Tensor, alphas: Array) -> Tensor:
        """The images (K, 3, h, w) at K positions in [0, 1]."""
        ...

    def derivative(self, image: Tensor, alphas: Array) -> Tensor:
        """The exact derivatives d(path) / d(alpha), (K, 3, h, w), per unit of alpha."""
        ...

    def describe(self) -> dict[str, Any]:
        """What reproduces the path, as plain values."""
        ...


@dataclass(frozen=True)
class GaussianBlurPath:
    """From blurred to sharp: the standard deviation falls linearly from ``sigma`` to 0.

    LAM's progressive blurring path. The image is mirrored at its border without repeating
    the border pixel, as OpenCV's default does.

    Attributes:
        sigma: Standard deviation at alpha = 0, in LR pixels.
        kernel: Odd side of the square kernel, in LR pixels.

    Raises:
        ValueError: If sigma is not positive or the kernel is not odd and positive.
    """

    sigma: float = 1.2
    kernel: int = 9

    def __post_init__(self) -> None:
        if not (np.isfinite(self.sigma) and self.sigma > 0):
            raise UserError(f"sigma must be a positive number of pixels, not {self.sigma}")
        if not isinstance(self.kernel, int) or self.kernel < 1 or self.kernel % 2 == 0:
            raise UserError(f"the kernel must be an odd number of pixels, not {self.kernel}")

    def at(self, image: Tensor, alphas: Array) -> Tensor:
        """The images (K, 3, h, w) at K positions in [0, 1]."""
        weights, _ = self._kernels(alphas)
        return _filter(image, weights, weights)

    def derivative(self, image: Tensor, alphas: Array) -> Tensor:
        """The derivatives d(path) / d(alpha), (K, 3, h, w)."""
        weights, slopes = self._kernels(alphas)  # k(s) and k'(s) = dk/ds at s = sigma(alpha)
        # The kernel is separable, K(s)[y, x] = k(s)[y] * k(s)[x], so by the product rule
        # dK/ds = k'[y] * k[x] + k[y] * k'[x]. The image does not depend on s: filter it with both.
        both = _filter(image, slopes, weights) + _filter(image, weights, slopes)
        # s = sigma * (1 - alpha), so ds/dalpha = -sigma.
        return -self.sigma * both

    def clock(self, times: Array) -> tuple[Array, Array]:
        """Positions at which a pixel's weight for its neighbour has fallen by equal parts.

        That weight, ``u = exp(-1 / (2 s ** 2))`` at the standard deviation s, is the natural
        variable of the path: the kernel at distance x is ``u ** (x * x)``, normalised, a quotient
        of polynomials in u, so that Gauss-Legendre converges geometrically. As a function of alpha,
        all derivatives of u vanish at the sharp end, and a quarter of evenly spread nodes would add
        next to nothing.

        Args:
            times: (K,) in [0, 1].

        Returns:
            Positions alpha (K,), and d(alpha) / d(time), which grows without bound as time nears 1.
        """
        first = -1 / (2 * self.sigma**2)  # log of u_0, u where the path begins
        if first < _LEAST_LOG:  # such a blur changes nothing, at whatever pace
            return times, np.ones_like(times)
        with np.errstate(divide="ignore", invalid="ignore"):
            # u falls linearly in time t: u = u_0 * (1 - t), and s = (-1 / (2 log u)) ** (1 / 2).
            sigma = np.sqrt(-1 / (2 * (first + np.log1p(-times))))
            # alpha = 1 - s / sigma. From du/ds = u / s ** 3 and du/dt = -u_0 = -u / (1 - t):
            # dalpha/dt = -(1 / sigma) * (ds/du) * (du/dt) = s ** 3 / (sigma * (1 - t)).
            return 1 - sigma / self.sigma, sigma**3 / (self.sigma * (1 - times))

    def describe(self) -> dict[str, Any]:
        """What reproduces the path, as plain values."""
        return {"name": "gaussian_blur", **asdict(self)}

    def _kernels(self, alphas: Array) -> tuple[Array, Array]:
        """One-dimensional kernels k(s), (K, kernel), and their derivatives dk/ds.

        At distance x from the middle, with r = exp(-x ** 2 / (2 s ** 2)) and R the sum of r over x:
        k = r / R, dr/ds = r * x ** 2 / s ** 3 and, by the quotient rule, dk/ds = (r' - k R') / R.
        """
        sigma = np.maximum(self.sigma * (1 - np.asarray(alphas, np.float64)), _SHARP)[:, None]
        squares = (np.arange(self.kernel) - self.kernel // 2) ** 2.0
        raw = np.exp(-squares / (2 * sigma**2))
        raw_slope = raw * squares / sigma**3
        # (K, 1) each: sums over the kernel.
        total, total_slope = raw.sum(1, keepdims=True), raw_slope.sum(1, keepdims=True)
        weights = raw / total
        return weights, (raw_slope - weights * total_slope) / total


@dataclass(frozen=True)
class LinearPath:
    """The straight line from a baseline to the image: integrated gradients proper.

    Attributes:
        baseline: ``"blurred"`` (Gaussian, as `GaussianBlurPath` begins) or ``"black"``.
        sigma: Standard deviation of the blurred baseline, in LR pixels.
        kernel: Odd side of its kernel, in LR pixels.

    Raises:
        ValueError: If there is no such baseline, or sigma or kernel do not make a blur.
    """

    baseline: Literal["blurred", "black"] = "blurred"
    sigma: float = 1.2
    kernel: int = 9

    def __post_init__(self) -> None:
        if self.baseline not in ("blurred", "black"):
            raise UserError(f"the baseline must be 'blurred' or 'black', not {self.baseline!r}")
        GaussianBlurPath(self.sigma, self.kernel)

    def at(self, image: Tensor, alphas: Array) -> Tensor:
        """The images (K, 3, h, w) at K positions in [0, 1]."""
        start = self._start(image)
        steps = torch.from_numpy(np.asarray(alphas, np.float64)).to(image.dtype).to(image.device)
        return start + steps[:, None, None, None] * (image - start)

    def derivative(self, image: Tensor, alphas: Array) -> Tensor:
        """The derivatives d(path) / d(alpha), (K, 3, h, w): the same everywhere."""
        return (image - self._start(image)).expand(len(alphas), -1, -1, -1)

    def describe(self) -> dict[str, Any]:
        """What reproduces the path, as plain values."""
        if self.baseline == "black":
            return {"name": "linear", "baseline": "black"}
        return {"name": "linear", **asdict(self)}

    def _start(self, image: Tensor) -> Tensor:
        if self.baseline == "black":
            return torch.zeros_like(image)
        return GaussianBlurPath(self.sigma, self.kernel).at(image, np.zeros(1))


def _filter(image: Tensor, down: Array, across: Array) -> Tensor:
    """Filter an image (1, 3, h, w) with K separable kernels (K, l) to (K, 3, h, w)."""
    length = down.shape[1]
    down_, across_ = (torch.from_numpy(k).to(image.dtype).to(image.device) for k in (down, across))
    windows = _mirror(image, 2, length // 2).unfold(2, length, 1)  # (1, 3, h, w, l)
    rows = torch.einsum("chwl,kl->kchw", windows[0], down_)
    windows = _mirror(rows, 3, length // 2).unfold(3, length, 1)  # (K, 3, h, w, l)
    return torch.einsum("kchwl,kl->kchw", windows, across_)


def _mirror(x: Tensor, dim: int, pad: int) -> Tensor:
    """Mirror at both ends of an axis without repeating the border, however short the axis is."""
    # Not torch's reflection padding, which needs an axis longer than the padding.
    places = np.pad(np.arange(x.shape[dim]), pad, mode="reflect")
    return x.index_select(dim, torch.as_tensor(places, device=x.device))
