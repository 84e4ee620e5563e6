"""MATLAB's bicubic `imresize` on 8-bit pictures, which made the LR pictures of the benchmarks."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

Border = Literal["clamp", "mirror"]


def crop_to_multiple(pixels: np.ndarray, scale: int) -> np.ndarray:
    """Crop (H, W, ...) at the bottom and right so that `scale` divides height and width.

    Raises:
        ValueError: nothing would be left, or `scale` is below 1.
    """
    height, width = pixels.shape[:2]
    if scale < 1 or min(height, width) < scale:
        raise ValueError(f"A picture of {width}x{height} pixels cannot be shrunk {scale} times.")
    return pixels[: height - height % scale, : width - width % scale]


def matlab_imresize(
    x: np.ndarray,
    scale: float | tuple[int, int],
    border: Border = "clamp",
) -> np.ndarray:
    """Resize as MATLAB's `imresize(x, scale)` does for uint8, bit by bit.

    Cubic kernel with a = -0.5, widened when shrinking (antialiasing). The axis that shrinks more
    comes first, the vertical one on a tie, and its result is rounded to 8 bit and clipped before
    the other axis follows. Halves round up.

    Args:
        x: uint8 (H, W) or (H, W, C).
        scale: a factor (output sizes round up), or the output (height, width).
        border: repeat the border pixels ("clamp", which made the benchmark pictures), or mirror
            at the border ("mirror", newer MATLAB).

    Returns:
        uint8, of the new height and width and the same channels.

    Raises:
        ValueError: not uint8, empty, or a scale or size that is not positive.
    """
    if x.dtype != np.uint8 or x.ndim not in (2, 3) or x.size == 0:
        raise ValueError(f"Expected uint8 (H, W[, C]) pixels, not {x.dtype} {x.shape}.")
    if border not in ("clamp", "mirror"):
        raise ValueError(f"border must be 'clamp' or 'mirror', not {border!r}.")
    wanted = np.array(scale, float)
    if wanted.shape not in ((), (2,)) or not ((wanted > 0) & np.isfinite(wanted)).all():
        raise ValueError(f"scale must be a positive factor or output (height, width), not {scale}.")
    if isinstance(scale, tuple):
        size = scale
        factors = (size[0] / x.shape[0], size[1] / x.shape[1])
    else:
        factors = (float(scale), float(scale))
        # Rounding first keeps 50 * 1.1 = 55.00000000000001 from becoming 56.
        size = (_ceil(x.shape[0] * scale), _ceil(x.shape[1] * scale))
    for axis in sorted((0, 1), key=lambda a: factors[a]):
        x = _resize_axis(x, axis, size[axis], factors[axis], border)
    return x


def _ceil(length: float) -> int:
    return math.ceil(round(length, 9))


def _resize_axis(x: np.ndarray, axis: int, length: int, factor: float, border: str) -> np.ndarray:
    index, weight = _contributions(x.shape[axis], length, factor, border)
    rows = np.moveaxis(x, axis, 0)
    total = np.zeros((length, *rows.shape[1:]))
    shape = (length,) + (1,) * (rows.ndim - 1)
    for tap in range(index.shape[1]):  # 6 taps when enlarging, about 4 / factor when shrinking
        total += weight[:, tap].reshape(shape) * rows[index[:, tap]]
    rounded = np.floor(total + 0.5).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(rounded, 0, axis))


def _contributions(
    n_in: int, n_out: int, factor: float, border: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each output pixel, the input indices and weights (n_out, taps); rows sum to 1."""
    shrinking = min(factor, 1.0)
    support = 4 / shrinking
    centre = (np.arange(n_out) + 0.5) / factor - 0.5  # pixel centres, counted from 0
    first = np.floor(centre - support / 2)
    index = first[:, None].astype(np.int64) + np.arange(int(np.ceil(support)) + 2)
    weight = _cubic(shrinking * (centre[:, None] - index))
    weight /= weight.sum(axis=1, keepdims=True)
    used = (weight != 0).any(axis=0)
    index, weight = index[:, used], weight[:, used]
    if border == "clamp":
        return index.clip(0, n_in - 1), weight
    index = index % (2 * n_in)
    return np.minimum(index, 2 * n_in - 1 - index), weight


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel with a = -0.5."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
