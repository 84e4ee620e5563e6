"""Attribution maps as images, for files and the API; the page draws its own from the numbers."""

from __future__ import annotations

import numpy as np

from hpinet.imaging.images import to_uint8
from lam import Window
from lam.figures.maps import importance_difference
from lam.figures.overlay import (
    areas_overlay,
    colour_limit,
    draw_window,
    enlarge,
    enlarging_factor,
    heatmap_overlay,
    signed_overlay,
)
from lam.figures.palette import WHITE
from lam.metrics.areas import area_of_interest
from ui.state.inputs import Pixels
from ui.state.options import AREAS, BICUBIC, DIFFERENCE, EFFECT, IMPORTANCE, PERCENTILE, ROOT, Look
from ui.state.record import MapsRecord, Result

from . import causal


def window_pixels(record: MapsRecord) -> Pixels:
    """The SR image with the window, and the attributed region if that is not all."""
    subject, factor = record, enlarging_factor(*record.size)
    left, top, height, width = record.region
    image = enlarge(record.sr, factor)
    if not record.whole and height == width:
        area = Window(left, top, height)
        image = draw_window(image, area, subject.network.scale * factor, WHITE)
    return draw_window(image, record.window, factor)


def draw_all(record: MapsRecord) -> tuple[dict[str | None, Pixels | None], float, float | None]:
    """The images by way, the end of their scale, and that of the difference."""
    if record.look.view == EFFECT:
        end = causal.limit(record)
        effects = record.effects.items()
        return {way: causal.draw(record, found, end) for way, found in effects}, end, None
    limit = shared_limit(record)
    drawn: dict[str | None, Pixels | None] = {
        way: draw(record, result, limit) for way, result in record.results.items()
    }
    shares = None
    if record.look.third == DIFFERENCE:
        drawn[BICUBIC], shares = draw_difference(record)
    return drawn, limit, shares


def shared_limit(record: MapsRecord) -> float:
    """The value at the end of the colour scale, one for all maps."""
    if record.look.scale != PERCENTILE:
        return record.look.end
    # Also the size of the signed sum over the channels.
    return colour_limit([m.importance for m in record.results.values()], record.look.end)


def scale_words(look: Look, limit: float, shares: float | None) -> str:
    """What the colours of drawn maps mean, in a sentence."""
    kind = "by square root" if look.colours == ROOT else "linear"
    told = f"{look.view}: one {kind} scale for all maps, which ends at {limit:.2g}."
    if look.view == AREAS:
        told = "Areas of interest: box 20%, fine area 50%, coarse area 95% of the importance."
    if shares is not None:
        told += f" Difference: up to {100 * shares:.2g}% of each map's importance, per pixel."
    return told[0].upper() + told[1:]


def palette_of(look: Look) -> str:
    """Matplotlib's name of the colours."""
    return "gray" if look.palette == "grey" else look.palette


def draw(record: MapsRecord, result: Result, limit: float) -> Pixels:
    """A map over the attributed pixels, with the window, as the record's look says."""
    look, crop = record.look, to_uint8(record.crop)
    factor = enlarging_factor(*crop.shape[:2])
    large, strength = enlarge(crop, factor), float(np.clip(look.strength, 0, 1))
    if look.view == IMPORTANCE:
        root = look.colours == ROOT
        drawn = heatmap_overlay(
            large, result.importance, strength, limit, root=root, colours=palette_of(look)
        )
    elif look.view == AREAS:
        drawn = areas_overlay(large, area_of_interest(result.importance))
    else:
        drawn = signed_overlay(large, result.attribution.sum(0, dtype=np.float64), strength, limit)
    return draw_window(drawn, record.inner_window, factor / record.network.scale)


def draw_difference(record: MapsRecord) -> tuple[Pixels | None, float | None]:
    """Where the map with GPA has more or less of its importance, and the end of that scale."""
    first, second = _compared(record)
    if first is None or second is None:
        return None, None
    if not (first.importance.any() and second.importance.any()):
        return None, None
    values = importance_difference(first.importance, second.importance)
    limit = colour_limit([values])
    factor = enlarging_factor(*values.shape)
    crop = enlarge(to_uint8(record.crop), factor)
    strength = float(np.clip(record.look.strength, 0, 1))
    drawn = signed_overlay(crop, values, strength, limit)
    return draw_window(drawn, record.inner_window, factor / record.network.scale), limit


def _compared(record: MapsRecord) -> tuple[Result | None, Result | None]:
    """The map with GPA, and the first one without."""
    without = record.results.get(record.without[0]) if record.without else None
    return record.results.get(None), without
