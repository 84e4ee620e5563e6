"""Several networks compared: maps (Fig. 7), crops (Fig. 6), size and PSNR (Fig. 1), effects.

Arrays and numbers in, a matplotlib Figure out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from hpinet.errors import UserError
from hpinet.metrics.confidence import interval
from lam.metrics.agreement import block_importance

from . import panels
from .maps import effect_label, show_effects
from .overlay import Square, checked_image, checked_values, colour_limit
from .palette import BLUE, GREEN, GREY, SEQUENTIAL, VERMILION, Pixels, hexadecimal, series

_BESIDE = 4  # networks side by side; more of them stand below


@panels.styled
def maps_figure(
    lr: ArrayLike,
    importances: Sequence[ArrayLike],
    labels: Sequence[str],
    window: Square,
    scale: int,
    *,
    images: Sequence[ArrayLike] = (),
    effects: Sequence[ArrayLike] = (),
    unit: str = "dB",
) -> Figure:
    """Maps of one window side by side in one colour scale (Fig. 7), with what was made of it.

    Args:
        lr: uint8 (h, w, 3), the LR image.
        importances: (h, w) each, one a network. Each is drawn as shares of its own sum, since
            detectors differ in size, and by the square root, which lifts faint values.
        labels: One a network, of any number of lines.
        window: In SR pixels; outlined.
        scale: SR pixels per LR pixel.
        images: uint8 (sh, sw, 3) each, the SR images: the window's crops stand above the maps.
        effects: (h, w) each, as `lam.CausalEffectResult.map`: below the maps, in one scale.
        unit: Of the effects.

    Raises:
        UserError: If numbers or sizes do not fit.
    """
    count, image = len(importances), checked_image(lr)
    if not count or {len(labels), len(images) or count, len(effects) or count} != {count}:
        raise UserError(
            f"{len(labels)} labels, {len(images)} images and {len(effects)} effects do not fit "
            f"{count} maps"
        )
    values = [checked_values(one) for one in importances]
    shares = [100 * one / (one.sum() or 1) for one in values]
    norm = panels.colour_scale(colour_limit(shares))
    kinds = ["crop"] * bool(images) + ["map"] + ["effect"] * bool(effects)
    columns = min(count, _BESIDE)
    width = max(panels.SINGLE, panels.DOUBLE * columns / _BESIDE)
    rows = -(-count // columns)
    heights = [1 if kind == "crop" else image.shape[0] / image.shape[1] for kind in kinds]
    figure, grid = panels.new_figure(
        width, 3, "", rows * len(kinds), columns, height_ratios=rows * heights
    )
    for axes in grid.flat:
        axes.set_axis_off()
    for number, label in enumerate(labels):
        row = number // columns * len(kinds)
        cells = dict(zip(kinds, grid[row:, number % columns], strict=False))
        for axes in cells.values():
            axes.set_axis_on()
        shown = panels.show_map(cells["map"], image, shares[number], norm, SEQUENTIAL)
        panels.draw_window(cells["map"], window, scale)
        if images:
            crop = cut(checked_image(images[number]), window)
            panels.show_image(cells["crop"], crop, crop.shape)
        if effects:
            below = show_effects(
                cells["effect"], image, effects[number], colour_limit(effects), unit
            )
            panels.draw_window(cells["effect"], window, scale)
        cells[kinds[0]].set_title(label)
    if effects:
        panels.colour_bar(below, grid, effect_label(unit).replace("\n", ": "))
    panels.colour_bar(shown, grid, "percent of the map's importance, per LR pixel")
    return panels.fitted(figure)


def cut(image: Pixels, window: Square) -> Pixels:
    """The window's part of an image; the window must lie inside."""
    right, bottom = window.left + window.size, window.top + window.size
    if window.left < 0 or window.top < 0 or right > image.shape[1] or bottom > image.shape[0]:
        raise UserError(f"the window up to x {right}, y {bottom} reaches outside of the image")
    return image[window.top : bottom, window.left : right]


@panels.styled
def crops_figure(
    original: ArrayLike, images: Sequence[ArrayLike], labels: Sequence[str], window: Square
) -> Figure:
    """An image with a window outlined, and that window in several versions (Fig. 6).

    Args:
        original: uint8 (H, W, 3), shown whole on the left.
        images: uint8 (H, W, 3) each: bicubic, networks, the original.
        labels: One an image, of one or two lines.
        window: Which part is enlarged, in pixels of these images.

    Raises:
        UserError: If sizes differ, labels do not match in number, or the window reaches outside.
    """
    whole, cells = checked_image(original), [checked_image(image) for image in images]
    if not cells or len(labels) != len(cells):
        raise UserError(f"{len(labels)} labels were given for {len(cells)} images")
    if any(cell.shape != whole.shape for cell in cells):
        raise UserError("all images must be as large as the original")
    columns = -(-len(cells) // 2)
    places = [["whole", *range(columns * row, columns * (row + 1))] for row in range(2)]
    ratios = [2 * whole.shape[1] / whole.shape[0], *[1] * columns]
    height = 2 * (panels.DOUBLE - 0.2) / sum(ratios) + 0.9  # two rows of squares and their titles
    figure = Figure(figsize=(panels.DOUBLE, height), layout="constrained")
    grid = figure.subplot_mosaic(places, width_ratios=ratios)
    panels.show_image(grid["whole"], whole, whole.shape)
    panels.draw_window(grid["whole"], window, 1)
    for number in range(2 * columns):
        if number == len(cells):  # one place too many
            grid[number].set_axis_off()
            continue
        crop = cut(cells[number], window)
        panels.show_image(grid[number], crop, crop.shape, labels[number])
    return figure


@panels.styled
def size_figure(
    points: Sequence[tuple[str, float, float]],
    measured: Sequence[tuple[str, float, float]] = (),
    title: str = "",
) -> Figure:
    """PSNR against the number of parameters (Fig. 1).

    Args:
        points: Name, parameters in millions and PSNR in dB, as printed; HPINet is drawn as stars.
        measured: The same, as measured here; filled diamonds.
        title: Written above.
    """
    if not points and not measured:
        raise UserError("no points to draw")
    figure, grid = panels.new_figure(panels.DOUBLE * 0.8, 3.8, title)
    axes = grid[0, 0]
    axes.set(xlabel="parameters (millions)", ylabel="PSNR-Y (dB)")
    ours = [p for p in points if p[0].startswith("HPINet")]
    others = [p for p in points if p not in ours]
    kinds = (
        (others, "o", BLUE, "other networks, printed in the paper"),
        (ours, "*", VERMILION, "HPINet, printed in the paper"),
        (measured, "D", GREEN, "measured here"),
    )
    for some, marker, colour, label in kinds:
        if not some:
            continue
        names, sizes, values = zip(*some, strict=True)
        axes.scatter(
            sizes, values, marker=marker, s=110 if marker == "*" else 28,
            color=hexadecimal(colour), edgecolors="black", linewidths=0.5, label=label, zorder=3,
        )  # fmt: skip
        for number, (x, y, name) in enumerate(zip(sizes, values, names, strict=True)):
            # Networks that were measured here are often as large as one another.
            beside = (5, -9 if marker == "D" and number % 2 else 4)
            axes.annotate(name, (x, y), beside, textcoords="offset points", fontsize=7)
    axes.grid(alpha=0.3)
    axes.margins(x=0.12)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


@panels.styled
def diffusion_figure(
    rows: Sequence[Mapping[str, str]], models: Sequence[str], title: str = ""
) -> Figure:
    """The diffusion index of several networks on the same images: a line an image.

    Images differ more than networks do; lines that all rise or fall say what the means hide.

    Args:
        rows: Of `lam dataset`: ``picture``, ``model`` and ``diffusion_index``. Several windows of
            one image are averaged; what is undefined counts nowhere.
        models: The networks, in the order of the axis.
        title: Written above.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row["model"] in models and row["diffusion_index"]:
            values = found.setdefault(row["picture"], {}).setdefault(row["model"], [])
            values.append(float(row["diffusion_index"]))
    if not found:
        raise UserError("no diffusion index of these networks to draw")
    figure, grid = panels.new_figure(min(panels.DOUBLE, 2.2 + 1.3 * len(models)), 3.2, title)
    axes = grid[0, 0]
    means = [[float(np.mean(of.get(m, np.nan))) for m in models] for of in found.values()]
    for number, (name, values) in enumerate(zip(found, means, strict=True)):
        axes.plot(range(len(models)), values, **series(number), label=name)
    for x in range(len(models)):
        sample = [of[x] for of in means if np.isfinite(of[x])]
        if (ends := interval(sample)) is not None:
            mean = float(np.mean(sample))
            axes.errorbar(
                x + 0.12, mean, yerr=[[mean - ends[0]], [ends[1] - mean]], fmt="s", color="black",
                capsize=3, label="mean, 95% interval" if x == 0 else None,
            )  # fmt: skip
    axes.set_xticks(range(len(models)), models)
    axes.set(xlim=(-0.4, len(models) - 0.5), ylabel="diffusion index")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3, axis="y")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


@panels.styled
def effect_scatter(
    importances: Sequence[ArrayLike],
    effects: Sequence[ArrayLike],
    labels: Sequence[str],
    block: int = 2,
    unit: str = "dB",
) -> Figure:
    """Attribution against effect, a panel a network and a point a block outside the window.

    Both axes go by the square root near 0, as the maps' colours do.

    Args:
        importances: (h, w) each, of LR pixels; drawn as shares of the sum outside the window.
        effects: (rows, columns) each, NaN inside the window, as `lam.CausalEffectResult.effect`.
        labels: One a network.
        block: Side of a block in LR pixels.
        unit: Of the effects.
    """
    count = len(labels)
    if not len(importances) == len(effects) == count > 0:
        raise UserError("every network needs a map, effects and a label")
    figure, grid = panels.new_figure(panels.DOUBLE, 2.6, "", 1, count, sharex=True, sharey=True)
    for axes, importance, effect, label in zip(grid[0], importances, effects, labels, strict=True):
        values = np.asarray(effect, np.float64)
        outside = np.isfinite(values)
        shares, values = block_importance(importance, block)[outside], values[outside]
        shares = 100 * shares / (shares.sum() or 1)
        for sign, colour in ((0, GREY), (1, VERMILION), (-1, BLUE)):
            chosen = np.sign(values) == sign
            axes.scatter(shares[chosen], values[chosen], s=8, color=hexadecimal(colour))
        axes.axhline(0, color="black", lw=0.6)
        axes.set_xscale("function", functions=(panels.signed_root, panels.signed_square))
        axes.set_yscale("function", functions=(panels.signed_root, panels.signed_square))
        axes.set_title(label)
    figure.supxlabel("importance of a block (percent of the map's)", fontsize=7.5)
    grid[0, 0].set_ylabel(f"effect ({unit})")
    return figure
