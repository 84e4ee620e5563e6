"""Which windows of an image to explain where none is given.

The centre is the best single answer for comparing how far networks reach: no border cuts the
surroundings short, and it does not depend on the image. The window of strongest detail always has
something to explain, but strong edges are restored from few pixels and may lie at the border: the
released S-x4 has a diffusion index of 3 to 6 there, 18 to 22 in the centre, on the same three
images. A grid averages over the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpinet.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from lam.window import Window

MAX_GRID = 64
"""A finer grid than 64 x 64 windows an image is taken for a mistake."""


@dataclass(frozen=True)
class WindowChoice:
    """How windows are chosen, the same for every image; made by `parse_choice`."""

    kind: str  # centre, detail, grid or fixed
    count: int = 1  # windows per side of a grid
    fixed: tuple[int, int, int] = (0, 0, 0)  # left, top, size in SR pixels

    @property
    def windows(self) -> int:
        """How many windows each image gets at most."""
        return self.count**2

    def choose(self, lr: Tensor, scale: int, size: int) -> list[Window]:
        """The windows of one LR image (1, 3, h, w), of a side in SR pixels unless fixed.

        Raises:
            ValueError: If they do not fit into the image.
        """
        from hpinet import bicubic
        from lam.window import Window

        height, width = (side * scale for side in lr.shape[-2:])
        if self.kind == "fixed":
            window = Window(*self.fixed)
            window.check_inside(height, width)
            return [window]
        if not 1 <= size <= min(height, width):
            raise UserError(
                f"a window of {size} pixels does not fit into the super-resolved image "
                f"({width} pixels wide, {height} high)"
            )
        if self.kind == "detail":
            enlarged = bicubic(lr, scale)[0].permute(1, 2, 0).numpy()
            return [Window(*most_detailed(enlarged, size), size)]
        corners = dict.fromkeys(grid(height, width, self.count, size))  # tiny images repeat some
        return [Window(left, top, size) for left, top in corners]


def parse_choice(words: Sequence[str]) -> WindowChoice:
    """Understand ``centre``, ``detail``, ``grid N`` or ``LEFT TOP SIZE``.

    Raises:
        ValueError: If it is something else.
    """
    numbers = [int(word) for word in words if word.removeprefix("-").isdecimal()]
    if list(words) in (["detail"], ["centre"]):
        return WindowChoice(words[0])
    if len(words) == 2 and words[0] == "grid" and len(numbers) == 1:
        if not 1 <= numbers[0] <= MAX_GRID:
            raise UserError(f"a grid has 1 to {MAX_GRID} windows a side, not {numbers[0]}")
        return WindowChoice("grid", numbers[0])
    if len(words) == len(numbers) == 3:
        left, top, size = numbers
        return WindowChoice("fixed", fixed=(left, top, size))
    raise UserError(
        f"--window {' '.join(words)} is not understood: give centre, detail, grid N, "
        f"or three whole numbers LEFT TOP SIZE in SR pixels"
    )


def grid(height: int, width: int, count: int, size: int) -> list[tuple[int, int]]:
    """Corners (left, top) of ``count`` x ``count`` windows, centred in equal cells, row by row.

    Windows may overlap; those at the border are moved inside.
    """
    tops, lefts = (
        [
            min(max(0, int(length * (2 * i + 1) / (2 * count) - size / 2)), length - size)
            for i in range(count)
        ]
        for length in (height, width)
    )
    return [(left, top) for top in tops for left in lefts]


def most_detailed(image: ArrayLike, size: int) -> tuple[int, int]:
    """Corner (left, top) of the window of an image (H, W, 3) with the most detail.

    Detail is what LAM's detector measures, the sum of the gradient's magnitude. Among equals the
    window nearest to the centre is taken.
    """
    values = np.asarray(image, np.float64)
    down = np.diff(values, axis=0, append=values[-1:])
    across = np.diff(values, axis=1, append=values[:, -1:])
    magnitude = np.hypot(down, across).sum(2)
    s = np.pad(magnitude.cumsum(0).cumsum(1), ((1, 0), (1, 0)))  # integral image
    detail = s[size:, size:] - s[:-size, size:] - s[size:, :-size] + s[:-size, :-size]
    tops, lefts = np.nonzero(detail >= detail.max() - 1e-6 * max(1.0, detail.max()))
    centre: NDArray[np.float64] = (np.array(values.shape[:2]) - size) / 2
    nearest = int(np.argmin((tops - centre[0]) ** 2 + (lefts - centre[1]) ** 2))
    return int(lefts[nearest]), int(tops[nearest])
