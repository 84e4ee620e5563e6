"""MATLAB's bicubic `imresize` on 8-bit images, which made the LR images of the benchmarks.

Two passes, one along each axis. A pass makes output pixel i, whose centre lies at input coordinate

    c_i = (i + 1/2) / f - 1/2        (f = output size / input size, pixels counted from 0),

from the input pixels around it, by weights of the cubic kernel k, widened by 1 / f when shrinking:

    y_i = sum_j w_ij x_j,   w_ij = k(m (c_i - j)) / sum_j k(m (c_i - j)),   m = min(f, 1).

Each pass ends in 8 bit, rounded and clipped. That rounding between the passes is what makes the
benchmarks' images come out to the last bit.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from hpinet.errors import UserError

Border = Literal["clamp", "mirror"]


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
        border: repeat the border pixels ("clamp", which made the benchmark images), or mirror
            at the border ("mirror", newer MATLAB).

    Returns:
        uint8, of the new height and width and the same channels.

    Raises:
        ValueError: not uint8, empty, or a scale or size that is not positive.
    """
    if x.dtype != np.uint8 or x.ndim not in (2, 3) or x.size == 0:
        raise UserError(f"Expected uint8 (H, W[, C]) pixels, not {x.dtype} {x.shape}.")
    if border not in ("clamp", "mirror"):
        raise UserError(f"border must be 'clamp' or 'mirror', not {border!r}.")
    wanted = np.array(scale, float)
    if wanted.shape not in ((), (2,)) or not ((wanted > 0) & np.isfinite(wanted)).all():
        raise UserError(f"scale must be a positive factor or output (height, width), not {scale}.")
    if isinstance(scale, tuple):
        size = scale
        factors = (size[0] / x.shape[0], size[1] / x.shape[1])
    else:
        factors = (float(scale), float(scale))
        # Rounded to 9 decimals first, as 50 * 1.1 = 55.00000000000001 must not become 56.
        size = (math.ceil(round(x.shape[0] * scale, 9)), math.ceil(round(x.shape[1] * scale, 9)))
    # The smaller factor first; sorted() is stable, so on a tie the vertical axis, 0.
    for axis in sorted((0, 1), key=lambda a: factors[a]):
        x = _resize_axis(x, axis, size[axis], factors[axis], border)
    return x


def _resize_axis(x: np.ndarray, axis: int, length: int, factor: float, border: str) -> np.ndarray:
    """One pass: uint8 of ``length`` pixels along ``axis``, the other axes as they are."""
    index, weight = _contributions(x.shape[axis], length, factor, border)
    rows = np.moveaxis(x, axis, 0)
    total = np.zeros((length, *rows.shape[1:]))  # y in float64
    shape = (length,) + (1,) * (rows.ndim - 1)  # weights along the resized axis
    for tap in range(index.shape[1]):  # 4 taps when enlarging, 4 / factor when shrinking
        total += weight[:, tap].reshape(shape) * rows[index[:, tap]]
    rounded = np.floor(total + 0.5).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(rounded, 0, axis))


def _contributions(
    n_in: int, n_out: int, factor: float, border: str
) -> tuple[np.ndarray, np.ndarray]:
    """The input pixels j and weights w_ij of each output pixel i, (n_out, taps) each."""
    shrinking = min(factor, 1.0)  # m
    support = 4 / shrinking  # the kernel is 0 beyond 2 on each side; widened, beyond 2 / m
    centre = (np.arange(n_out) + 0.5) / factor - 0.5  # c_i
    first = np.floor(centre - support / 2)
    # As many taps as the support can touch, and two to spare; those that are 0 for all i go.
    index = first[:, None].astype(np.int64) + np.arange(int(np.ceil(support)) + 2)
    weight = _cubic(shrinking * (centre[:, None] - index))
    weight /= weight.sum(axis=1, keepdims=True)
    used = (weight != 0).any(axis=0)
    index, weight = index[:, used], weight[:, used]
    # Outside of the image, pixel j is the border pixel, or the mirrored one: with the border pixel
    # repeated, x continues with period 2 n_in as 0 .. n - 1, n - 1 .. 0.
    if border == "clamp":
        return index.clip(0, n_in - 1), weight
    index = index % (2 * n_in)
    return np.minimum(index, 2 * n_in - 1 - index), weight


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel, a = -1/2.

    k(x) = (a + 2)|x|^3 - (a + 3)|x|^2 + 1 for |x| <= 1, a|x|^3 - 5a|x|^2 + 8a|x| - 4a for
    |x| <= 2, else 0.
    """
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1  # Horner's scheme of 1.5 x^3 - 2.5 x^2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2  # -0.5 x^3 + 2.5 x^2 - 4 x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
