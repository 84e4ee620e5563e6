"""The images one can try without having any: a drawn facade, and scikit-image's photographs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Pixels = NDArray[np.uint8]

SIDE = 256  # HR pixels: the LR image of a x4 network is then 64x64
_FINE = 4  # the facade is drawn this much larger and averaged, which gives clean edges


@dataclass(frozen=True)
class Example:
    """One image to start from.

    Attributes:
        name: What the gallery says.
        draw: Makes the pixels, uint8 (256, 256, 3).
        window: (left, top, size) in HR pixels: a place where a receptive field tells something.
    """

    name: str
    draw: Callable[[], Pixels]
    window: tuple[int, int, int]

    def pixels(self) -> Pixels:
        """The image, uint8 (256, 256, 3)."""
        return _pixels(self.name)


def draw_facade() -> Pixels:
    """A house front with sixteen windows that repeat each other but for their blinds and panes.

    Returns:
        uint8 (256, 256, 3), the same on every machine.
    """
    rng = np.random.Generator(np.random.PCG64(7))
    side = SIDE * _FINE
    canvas = Image.fromarray(_bricks(rng, side))
    draw = ImageDraw.Draw(canvas)
    for row in range(4):
        top = (14 + row * 60) * _FINE
        _band(draw, top + 50 * _FINE, side)
        for column in range(4):
            _window(
                draw, (14 + column * 61) * _FINE, top, float(rng.uniform(0.1, 0.55)), row + column
            )
    small = canvas.resize((SIDE, SIDE), Image.Resampling.BOX)
    grain = rng.normal(0, 2.5, (SIDE, SIDE, 1))
    light = np.linspace(1.06, 0.86, SIDE)[:, None, None]  # the street is darker than the roof
    return (np.asarray(small) * light + grain).round().clip(0, 255).astype(np.uint8)


def _bricks(rng: np.random.Generator, side: int) -> Pixels:
    high, wide, joint = 5 * _FINE, 14 * _FINE, 3
    wall = np.full((side, side, 3), (176, 160, 144), np.float64)  # mortar
    for course, top in enumerate(range(0, side, high)):
        for left in range(-(course % 2) * wide // 2, side, wide):
            shade = rng.normal(0, 9) + np.array((163, 92, 70))
            wall[top : top + high - joint, max(0, left) : left + wide - joint] = shade
    return wall.clip(0, 255).astype(np.uint8)


def _band(draw: ImageDraw.ImageDraw, top: int, side: int) -> None:
    draw.rectangle((0, top, side, top + 4 * _FINE), fill=(205, 197, 182))
    draw.rectangle((0, top + 4 * _FINE, side, top + 5 * _FINE), fill=(112, 84, 72))


def _window(draw: ImageDraw.ImageDraw, left: int, top: int, blind: float, kind: int) -> None:
    wide, high, unit = 44 * _FINE, 46 * _FINE, _FINE
    draw.rectangle((left, top, left + wide, top + high), fill=(226, 220, 206))  # stone frame
    x0, y0, x1, y1 = left + 4 * unit, top + 4 * unit, left + wide - 4 * unit, top + high - 4 * unit
    for y in range(y0, y1):  # glass that mirrors the sky
        t = (y - y0) / (y1 - y0)
        draw.line((x0, y, x1, y), fill=(int(70 + 50 * t), int(96 + 50 * t), int(128 + 36 * t)))
    fall = y0 + int(blind * (y1 - y0))
    for y in range(y0, fall, 3 * unit):  # slats: the detail that x4 nearly loses
        draw.rectangle((x0, y, x1, y + 1.6 * unit), fill=(238, 230, 206))
    if kind % 3 == 0:
        draw.rectangle((x0, y1 - 9 * unit, x1, y1), fill=(66, 92, 58))  # a flower box
    middle = (x0 + x1) // 2
    draw.rectangle((middle - unit, y0, middle + unit, y1), fill=(244, 242, 236))
    for part in (0.38, 0.69):
        y = y0 + int(part * (y1 - y0))
        draw.rectangle((x0, y - 0.7 * unit, x1, y + 0.7 * unit), fill=(244, 242, 236))
    draw.rectangle(
        (left - unit, top + high, left + wide + unit, top + high + 3 * unit), fill=(150, 140, 128)
    )


def _photograph(name: str, left: int, top: int, side: int) -> Callable[[], Pixels]:
    def draw() -> Pixels:
        from skimage import data

        pixels = np.asarray(getattr(data, name)())
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[..., None], 3, axis=2)
        crop = Image.fromarray(pixels[top : top + side, left : left + side])
        return np.asarray(crop.resize((SIDE, SIDE), Image.Resampling.LANCZOS))

    return draw


EXAMPLES = (
    Example("Facade", draw_facade, (88, 80, 16)),
    Example("Astronaut", _photograph("astronaut", 96, 0, 300), (96, 68, 16)),
    Example("Coffee", _photograph("coffee", 130, 20, 360), (165, 175, 16)),
    Example("Cat", _photograph("chelsea", 90, 10, 256), (76, 88, 16)),
    Example("Brick", _photograph("brick", 0, 0, 512), (120, 120, 16)),
)
"""In the order of the gallery; the first one is shown when the page opens."""


@lru_cache(maxsize=len(EXAMPLES))
def _pixels(name: str) -> Pixels:
    pixels = next(e for e in EXAMPLES if e.name == name).draw()
    pixels.setflags(write=False)  # shared by all visitors
    return pixels
