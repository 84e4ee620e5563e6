"""Pictures of attribution maps and matched patches: arrays in, picture or figure out.

Pictures are uint8 RGB (H, W, 3). Nothing here keeps state, opens a window or reads a file, so a
page, a notebook and a command draw the same thing from the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from matplotlib import colormaps
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from .drawing import (
    DARK,
    ORANGE,
    WHITE,
    Colour,
    Pixels,
    arrow,
    checked,
    font,
    mark_corners,
    outline,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Square(Protocol):
    """Anything with a corner and a size in pixels, such as `lam.Window`."""

    @property
    def left(self) -> int: ...  # noqa: D102
    @property
    def top(self) -> int: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102


def enlarge(picture: ArrayLike, factor: int) -> Pixels:
    """Repeat every pixel ``factor`` times in both directions: larger, and every pixel still itself.

    Args:
        picture: uint8 (H, W, 3).
        factor: From 1 up.

    Returns:
        uint8 (H * factor, W * factor, 3).

    Raises:
        ValueError: If the picture or the factor does not fit.
    """
    pixels = checked(picture)
    if factor < 1:
        raise ValueError(f"the factor must be at least 1, not {factor}")
    return np.ascontiguousarray(pixels.repeat(factor, axis=0).repeat(factor, axis=1))


def enlarging_factor(height: int, width: int, at_least: int = 640, at_most: int = 1600) -> int:
    """The factor for `enlarge` that makes the longer side ``at_least`` and not over ``at_most``."""
    side = max(height, width, 1)
    return max(1, min(-(-at_least // side), at_most // side))


def colour_limit(importances: Sequence[ArrayLike], percentile: float = 99.5) -> float:
    """The value that takes the end of the colour scale, one for all maps that are to be compared.

    Args:
        importances: Maps, (h, w) each, not negative; their sizes may differ.
        percentile: In (0, 100]. Below 100 a few outliers saturate and the rest becomes visible.

    Returns:
        A positive number; 1 when all maps are zero.

    Raises:
        ValueError: If there is no map or the percentile is out of range.
    """
    if not importances:
        raise ValueError("a colour limit needs at least one map")
    if not 0 < percentile <= 100:
        raise ValueError(f"the percentile must be in (0, 100], not {percentile}")
    values = [np.asarray(m, np.float64) for m in importances]
    limit = max(float(np.percentile(v, percentile)) for v in values)
    # A map with a single bright pixel has a percentile of 0: its maximum then, and 1 without any.
    return limit or max(float(v.max()) for v in values) or 1.0


def heatmap(
    importance: ArrayLike,
    vmax: float | None = None,
    percentile: float = 99.5,
    root: bool = False,
    colours: str = "inferno",
) -> Pixels:
    """A map in colours.

    Args:
        importance: (h, w), finite and not negative.
        vmax: Value that takes the last colour; from `colour_limit` by default.
        percentile: For that default.
        root: Colour by the square root, which lifts faint values.
        colours: Name of a matplotlib colour map.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: If the map is not two-dimensional or holds values that are not numbers.
    """
    values = np.asarray(importance, np.float64)
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"a map must be finite and shaped (h, w), not {values.shape}")
    limit = vmax if vmax is not None and vmax > 0 else colour_limit([values], percentile)
    shares = (values / limit).clip(0, 1)
    rgb = colormaps[colours](np.sqrt(shares) if root else shares)[..., :3]
    return np.floor(rgb * 255 + 0.5).astype(np.uint8)


def heatmap_overlay(
    picture: ArrayLike,
    importance: ArrayLike,
    strength: float = 0.6,
    vmax: float | None = None,
    percentile: float = 99.5,
    root: bool = False,
    colours: str = "inferno",
) -> Pixels:
    """A map over its picture, which turns grey so that colour means importance only.

    Args:
        picture: uint8 (H, W, 3), H and W the same whole multiple of h and w.
        importance: (h, w), finite and not negative. A map of zeros draws as zeros.
        strength: 0 shows the picture alone, 1 the map alone.
        vmax: Value that takes the last colour; from `colour_limit` by default.
        percentile: For that default.
        root: Colour by the square root, which lifts faint values.
        colours: Name of a matplotlib colour map.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ValueError: If sizes do not fit or the strength is not in [0, 1].
    """
    pixels = checked(picture)
    if not 0 <= strength <= 1:
        raise ValueError(f"the strength must be in [0, 1], not {strength}")
    layer = heatmap(importance, vmax, percentile, root, colours)
    factor = pixels.shape[0] // layer.shape[0]
    if factor < 1 or pixels.shape[:2] != (layer.shape[0] * factor, layer.shape[1] * factor):
        raise ValueError(
            f"the picture of {pixels.shape[1]}x{pixels.shape[0]} pixels is no whole multiple of "
            f"the map of {layer.shape[1]}x{layer.shape[0]}: enlarge the picture first"
        )
    grey = (pixels @ np.array([0.299, 0.587, 0.114]))[..., None]
    blend = (1 - strength) * grey + strength * enlarge(layer, factor)
    return np.floor(blend + 0.5).astype(np.uint8)


def draw_window(
    picture: ArrayLike,
    window: Square,
    scale: float = 1,
    colour: Colour = ORANGE,
    label: str | None = None,
    dashed: bool = False,
) -> Pixels:
    """Outline a square; its inside stays untouched.

    Args:
        picture: uint8 (H, W, 3).
        window: Corner and size, in units of ``scale`` pixels of the picture.
        scale: Pixels of the picture per unit: the enlargement, or 1 / s for an SR window on LR.
        colour: RGB of the outline, which gets a dark rim.
        label: A word written at the outline.
        dashed: Broken outline, to tell two squares apart without colour.

    Returns:
        uint8 (H, W, 3), a copy.
    """
    canvas = Image.fromarray(checked(picture).copy())
    corner = (window.left * scale, window.top * scale)
    outline(canvas, (*corner, window.size * scale), colour, label, dashed)
    return np.asarray(canvas)


def patch_at(origins: ArrayLike, patch_size: int, row: float, column: float) -> int:
    """The patch whose centre is nearest to a point: patches overlap, so several may hold it.

    Args:
        origins: (N, 2), (top, left) of every patch in LR pixels.
        patch_size: P.
        row: Of the point, in LR pixels.
        column: Of the point, in LR pixels.
    """
    centres = np.asarray(origins, np.float64) + patch_size / 2
    return int(((centres - (row, column)) ** 2).sum(1).argmin())


def draw_matches(
    picture: ArrayLike,
    origins: ArrayLike,
    index: ArrayLike,
    patch_size: int,
    selected: int,
    scale: float = 1,
    grid: bool = True,
) -> Pixels:
    """A patch, and the patch it looks at (Global Pixel Access, Eq. 8), joined by an arrow.

    Both boxes have one colour; the patch is drawn solid and its match dashed, and both are named.

    Args:
        picture: uint8 (H, W, 3).
        origins: (N, 2), (top, left) of every patch in LR pixels.
        index: (N,), the match of every patch.
        patch_size: P in LR pixels.
        selected: Number of the patch.
        scale: Pixels of the picture per LR pixel.
        grid: Also mark the corners of all patches, faintly.

    Returns:
        uint8 (H, W, 3), a copy.

    Raises:
        ValueError: If there is no such patch.
    """
    corners, matches = np.asarray(origins), np.asarray(index)
    if not 0 <= selected < len(corners):
        raise ValueError(f"there is no patch {selected}: numbers run from 0 to {len(corners) - 1}")
    canvas = Image.fromarray(checked(picture).copy())
    if grid:
        mark_corners(canvas, corners * scale)
    side = patch_size * scale
    match = int(matches[selected])
    start, end = (corners[i][::-1] * scale for i in (selected, match))
    if match == selected:
        outline(canvas, (*start, side), ORANGE, "own match", False)
        return np.asarray(canvas)
    arrow(canvas, start + side / 2, end + side / 2)
    outline(canvas, (*end, side), ORANGE, "match", True)
    outline(canvas, (*start, side), ORANGE, "patch", False)
    return np.asarray(canvas)


def match_crops(
    picture: ArrayLike,
    pairs: Sequence[tuple[ArrayLike, ArrayLike, int]],
    scale: int = 1,
    cell: int = 120,
    chosen: int | None = None,
) -> Pixels:
    """Patches and their matches side by side, one column a block (the paper's Fig. 8).

    Args:
        picture: uint8 (H, W, 3).
        pairs: For every block the (top, left) of the patch and of its match, and P, in LR pixels.
        scale: Pixels of the picture per LR pixel.
        cell: Side of every crop in the result; crops are enlarged with crisp pixels.
        chosen: The column to underline.

    Returns:
        uint8, the upper row the patches, the lower row their matches.

    Raises:
        ValueError: If there are no pairs.
    """
    if not pairs:
        raise ValueError("no pairs to draw: the network has no matches")
    pixels, gap, head = checked(picture), 6, 24
    size = (len(pairs) * (cell + gap) + gap, head + 2 * (cell + gap) + gap)
    canvas = Image.new("RGB", size, WHITE)
    draw = ImageDraw.Draw(canvas)
    for column, (patch, match, patch_size) in enumerate(pairs):
        left = gap + column * (cell + gap)
        text = f"{column + 1}: {patch_size}x{patch_size}"
        draw.text((left + cell / 2, head / 2 + 2), text, DARK, font(14), anchor="mm")
        for row, origin in enumerate((patch, match)):
            top, start = (int(v) * scale for v in np.asarray(origin))
            side = patch_size * scale
            crop = Image.fromarray(pixels[top : top + side, start : start + side])
            small = crop.resize((cell, cell), Image.Resampling.NEAREST)
            canvas.paste(small, (left, head + gap + row * (cell + gap)))
        if column == chosen:
            box = (left - 3, head + gap - 3, left + cell + 2, head + 2 * (cell + gap) + 2)
            draw.rectangle(box, outline=(200, 110, 0), width=3)
    return np.asarray(canvas)


def in_degree(index: ArrayLike) -> NDArray[np.int64]:
    """How many patches chose each patch: (N,) match numbers to (N,) counts."""
    return np.bincount(np.ravel(index), minlength=np.size(index))


def in_degree_map(
    picture: ArrayLike, origins: ArrayLike, index: ArrayLike, patch_size: int, scale: float = 1
) -> Pixels:
    """Which patches are chosen by how many: brighter is more, and the count is written there.

    Args:
        picture: uint8 (H, W, 3).
        origins: (N, 2), (top, left) of every patch in LR pixels.
        index: (N,), the match of every patch.
        patch_size: P in LR pixels.
        scale: Pixels of the picture per LR pixel.

    Returns:
        uint8 (H, W, 3).
    """
    pixels, corners, counts = checked(picture), np.asarray(origins), in_degree(index)
    height, width = pixels.shape[:2]
    # Every pixel takes the count of the patch whose centre is nearest: overlaps would smear.
    rows = _nearest(np.unique(corners[:, 0]), patch_size, scale, height)
    columns = _nearest(np.unique(corners[:, 1]), patch_size, scale, width)
    across = int(columns.max()) + 1 if len(corners) else 1
    share = counts / max(1, len(counts))
    spread = share.reshape(-1, across)[rows[:, None], columns[None]]
    canvas = Image.fromarray(heatmap_overlay(pixels, spread, 0.72, vmax=1, root=True))
    draw = ImageDraw.Draw(canvas)
    letters = font(int(np.clip(patch_size * scale * 0.3, 9, 34)))
    for number, count in enumerate(counts):
        # In the middle of what is seen of the patch; the last ones are mostly covered.
        x = np.flatnonzero(columns == number % across)
        y = np.flatnonzero(rows == number // across)
        if count and len(x) and len(y):
            at = (float(x.mean()), float(y.mean()))
            draw.text(at, str(count), WHITE, letters, "mm", stroke_width=2, stroke_fill=DARK)
    return np.asarray(canvas)


def similarity_matrix(matrix: ArrayLike, title: str = "") -> Figure:
    """Similarities of all pairs of patches as a figure with axes.

    Args:
        matrix: (N, N); -inf, as on the diagonal, stays blank.
        title: Written above.

    Returns:
        A matplotlib Figure that belongs to no window.

    Raises:
        ValueError: If the matrix is not square.
    """
    from matplotlib.figure import Figure

    values = np.array(matrix, np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ValueError(f"similarities of all pairs are shaped (N, N), not {values.shape}")
    values[~np.isfinite(values)] = np.nan
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.add_subplot()
    shown: Any = axes.imshow(values, cmap="viridis", interpolation="nearest")
    axes.set(title=title, xlabel="other patch", ylabel="patch")
    figure.colorbar(shown, ax=axes, label="similarity (scaled inner product)")
    return figure


def side_by_side(
    pictures: Sequence[ArrayLike], labels: Sequence[str] | None = None, gap: int = 8
) -> Pixels:
    """Pictures of equal height in a row on white, each with its label above.

    Args:
        pictures: uint8 (H, W_i, 3) each.
        labels: One a picture.
        gap: Pixels between pictures.

    Returns:
        uint8.

    Raises:
        ValueError: If there is none, heights differ or labels do not match in number.
    """
    cells = [checked(p) for p in pictures]
    heights = {c.shape[0] for c in cells}
    if len(heights) != 1:
        raise ValueError(f"pictures side by side need one height, not {sorted(heights) or 'none'}")
    if labels is not None and len(labels) != len(cells):
        raise ValueError(f"{len(labels)} labels were given for {len(cells)} pictures")
    head, width = 24 if labels else 0, sum(c.shape[1] + gap for c in cells) - gap
    canvas = Image.new("RGB", (width, heights.pop() + head), WHITE)
    draw, left = ImageDraw.Draw(canvas), 0
    for number, cell in enumerate(cells):
        canvas.paste(Image.fromarray(cell), (left, head))
        if labels:
            draw.text((left + cell.shape[1] / 2, 12), labels[number], DARK, font(14), anchor="mm")
        left += cell.shape[1] + gap
    return np.asarray(canvas)


def _nearest(
    starts: NDArray[np.int64], patch_size: int, scale: float, length: int
) -> NDArray[np.int64]:
    centres = (starts + patch_size / 2) * scale
    return np.abs(np.arange(length)[:, None] + 0.5 - centres[None]).argmin(1)
