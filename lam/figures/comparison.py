"""Several networks compared: crops (Fig. 6), receptive fields (Fig. 7), size and PSNR (Fig. 1).

Arrays, rows and numbers in, image or figure out, as in `lam.figures.heatmaps`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image

from hpinet.data.tables import csv_text
from hpinet.errors import UserError
from hpinet.imaging.files import file_name, npz_bytes
from hpinet.imaging.images import png_bytes
from hpinet.metrics.confidence import interval

from .composition import joined, new_figure, side_by_side, stacked, text_cell
from .drawing import checked
from .effects import effect_files, effect_limit, effect_overlay
from .heatmaps import Square, colour_limit, draw_window, enlarge, heatmap_overlay
from .palette import BLUE, GREEN, VERMILION, Pixels, hexadecimal, series


class Answer(Protocol):
    """One network's answer, see `lam.batch.comparison.Compared`."""

    @property
    def label(self) -> str: ...  # noqa: D102
    @property
    def scale(self) -> int: ...  # noqa: D102
    @property
    def sr(self) -> Pixels: ...  # noqa: D102
    @property
    def result(self) -> Any: ...  # noqa: D102
    @property
    def areas(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def psnr(self) -> float | None: ...  # noqa: D102
    def row(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def effects(self) -> Any: ...  # noqa: D102
    @property
    def agreement(self) -> Any: ...  # noqa: D102


def crop_comparison(
    original: ArrayLike,
    images: Sequence[ArrayLike],
    labels: Sequence[str],
    window: Square,
    zoom: int = 4,
    columns: int = 3,
) -> Pixels:
    """An image with a window outlined, and that window in several versions (Fig. 6).

    Args:
        original: uint8 (H, W, 3), shown whole on the left.
        images: uint8 (H, W, 3) each: bicubic, networks, the original.
        labels: One an image, of one or two lines.
        window: Which part is enlarged, in pixels of these images.
        zoom: How many times; pixels stay crisp.
        columns: Crops a row.

    Returns:
        uint8.

    Raises:
        ValueError: If sizes differ, labels do not match in number, or the window reaches outside.
    """
    whole = checked(original)
    cells = [checked(image) for image in images]
    if not cells or len(labels) != len(cells):
        raise UserError(f"{len(labels)} labels were given for {len(cells)} images")
    if any(cell.shape != whole.shape for cell in cells):
        raise UserError("all images must be as large as the original")
    right, bottom = window.left + window.size, window.top + window.size
    if window.left < 0 or window.top < 0 or right > whole.shape[1] or bottom > whole.shape[0]:
        raise UserError(f"the window up to x {right}, y {bottom} reaches outside of the image")
    crops = []
    for cell, label in zip(cells, labels, strict=True):
        crop = enlarge(cell[window.top : bottom, window.left : right], zoom)
        crops.append(joined([crop, text_cell(label, (crop.shape[1], 42), "ma")], axis=0, gap=0))
    rows = [side_by_side(crops[i : i + columns]) for i in range(0, len(crops), columns)]
    grid = stacked(rows)
    overview = Image.fromarray(draw_window(whole, window))
    overview.thumbnail((overview.width, grid.shape[0]), Image.Resampling.LANCZOS)
    return joined([np.asarray(overview), grid], axis=1)


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

    Raises:
        ValueError: If there is no point.
    """
    if not points and not measured:
        raise UserError("no points to draw")
    figure, axes = new_figure(7.2, 4.8, title, "parameters (millions)", "PSNR-Y (dB)")
    ours = [p for p in points if p[0].startswith("HPINet")]
    others = [p for p in points if p not in ours]
    kinds = (
        (others, "o", BLUE, "other networks, printed in the paper"),
        (ours, "*", VERMILION, "HPINet, printed in the paper"),
        (list(measured), "D", GREEN, "measured here"),
    )
    for some, marker, colour, label in kinds:
        if not some:
            continue
        names, sizes, values = zip(*some, strict=True)
        axes.scatter(
            sizes, values, marker=marker, s=120 if marker == "*" else 36,
            color=hexadecimal(colour), edgecolors="black", linewidths=0.5, label=label, zorder=3,
        )  # fmt: skip
        beside = (5, -10 if marker == "D" else 4)  # measured points: below, clear of the printed
        for name, x, y in zip(names, sizes, values, strict=True):
            axes.annotate(name, (x, y), beside, textcoords="offset points", fontsize=7.5)
    axes.grid(alpha=0.3)
    axes.margins(x=0.12)
    axes.legend(fontsize=8, loc="lower right")
    return figure


def receptive_fields(
    lr: ArrayLike,
    results: Sequence[ArrayLike],
    importances: Sequence[ArrayLike],
    labels: Sequence[str],
    window: Square,
    scale: int,
    shares: bool = True,
    root: bool = True,
) -> Pixels:
    """What networks made of a window, and below it which LR pixels they made it from (Fig. 7).

    All maps share one colour scale, so that they compare.

    Args:
        lr: uint8 (h, w, 3), the LR image.
        results: uint8 (sh, sw, 3) each, one a network.
        importances: (h, w) each.
        labels: One a network.
        window: In SR pixels.
        scale: SR pixels per LR pixel.
        shares: Colour shares of each map's own sum: networks' detectors differ in size. A map of
            zeros stays zero.
        root: Colour by the square root, which lifts faint values.

    Returns:
        uint8.

    Raises:
        ValueError: If numbers or sizes do not fit.
    """
    if not len(results) == len(importances) == len(labels) > 0:
        raise UserError("every network needs a result, a map and a label")
    images = [draw_window(result, window, label="window") for result in results]
    maps = [np.asarray(one, np.float64) for one in importances]
    if shares:
        maps = [one / one.sum() if one.any() else one for one in maps]
    limit = colour_limit(maps)
    large = enlarge(lr, scale)
    drawn = [
        draw_window(heatmap_overlay(large, one, vmax=limit, root=root), window) for one in maps
    ]
    return stacked([side_by_side(images, labels), side_by_side(drawn)])


def network_maps(
    lr: ArrayLike, found: Sequence[Answer], window: Square, columns: int = 4, side: int = 240
) -> Pixels:
    """Each network's crop of the window above its map: the figure that LAM's paper is known for.

    All maps share one colour scale, as shares of each map's own sum, by their square root. Below
    the map its causal effects where there are any, red for what helps, in one scale for all.

    Args:
        lr: uint8 (h, w, 3), the LR image.
        found: A network each, in the order of the figure.
        window: In SR pixels.
        columns: Networks a row.
        side: Pixels of a crop, about.

    Returns:
        uint8.
    """
    image, maps = checked(lr), [np.asarray(one.result.importance, np.float64) for one in found]
    maps = [one / one.sum() if one.any() else one for one in maps]
    limit, cells = colour_limit(maps), []
    known = [one.effects.map for one in found if one.effects is not None]
    end = effect_limit(known) if known else 1.0
    for one, shares in zip(found, maps, strict=True):
        wide = enlarge(image, one.scale)
        drawn = draw_window(heatmap_overlay(wide, shares, vmax=limit, root=True), window)
        height = round(drawn.shape[0] * side / drawn.shape[1])
        small = Image.fromarray(drawn).resize((side, height), Image.Resampling.LANCZOS)
        rows = slice(window.top, window.top + window.size)
        crop = one.sr[rows, window.left : window.left + window.size]
        sharp = Image.fromarray(crop).resize((side, side), Image.Resampling.NEAREST)
        index, psnr = one.areas["diffusion_index"], one.psnr
        said = "no map" if index is None else f"DI {index:.2f}, 80% in {one.areas['area_80']:.1%}"
        label = f"{one.label}\n{said}{'' if psnr is None else f', {psnr:.2f} dB'}"
        parts = [text_cell(label, (side, 42)), np.asarray(sharp), np.asarray(small)]
        if one.effects is not None:
            overlay = effect_overlay(wide, one.effects.map, end, one.effects.signed)
            effects = Image.fromarray(draw_window(overlay, window))
            told = _agreement(one.agreement.helpful, one.agreement.harmful, one.effects.signed)
            parts += [
                np.asarray(effects.resize((side, height), Image.Resampling.LANCZOS)),
                text_cell(told, (side, 24)),
            ]
        cells.append(joined(parts, axis=0, gap=4))
    lines = [side_by_side(cells[i : i + columns]) for i in range(0, len(cells), columns)]
    return stacked(lines, gap=20)


def comparison_files(
    lr: ArrayLike, found: Sequence[Answer], window: Square, about: Mapping[str, Any]
) -> dict[str, bytes]:
    """The files of a comparison: a table, its parameters, `network_maps`, arrays and SR images.

    Args:
        lr: uint8 (h, w, 3), the LR image.
        found: A network each, in the order of the table.
        window: In SR pixels.
        about: What was asked, as plain values.
    """
    rows = [one.row() for one in found]
    report = {"parameters": about, "networks": rows}
    files = {
        "compare.csv": csv_text(rows).encode(),
        "compare.json": (json.dumps(report, indent=2, allow_nan=False) + "\n").encode(),
        "compare.png": png_bytes(Image.fromarray(network_maps(lr, found, window))),
    }
    for one in found:
        folder, result = file_name(one.label), one.result
        arrays = {"attribution": result.attribution, "importance": result.importance}
        files[f"{folder}/map.npz"] = npz_bytes(arrays)
        files[f"{folder}/sr.png"] = png_bytes(Image.fromarray(one.sr))
        if one.effects is not None:
            drawn = effect_files(result.importance, one.effects)
            files |= {f"{folder}/{name}": content for name, content in drawn.items()}
    return files


def _agreement(helpful: float, harmful: float, signed: bool) -> str:
    if not np.isfinite(helpful):
        return "nothing looked at outside"
    if not signed:
        return f"{helpful:.0%} of the importance matters"
    return f"{helpful:.0%} of the importance helps, {harmful:.0%} harms"


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

    Raises:
        ValueError: If there is no value of these networks.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row["model"] in models and row["diffusion_index"]:
            values = found.setdefault(row["picture"], {}).setdefault(row["model"], [])
            values.append(float(row["diffusion_index"]))
    if not found:
        raise UserError("no diffusion index of these networks to draw")
    means = {
        name: {model: float(np.mean(values)) for model, values in of.items()}
        for name, of in found.items()
    }
    figure, axes = new_figure(2.2 + 1.5 * len(models), 4.2, title, ylabel="diffusion index")
    for number, (name, of) in enumerate(means.items()):
        xs = [x for x, model in enumerate(models) if model in of]
        ys = [of[models[x]] for x in xs]
        axes.plot(xs, ys, **series(number), ms=6, lw=1.2, label=name)
    for x, model in enumerate(models):
        sample = [of[model] for of in means.values() if model in of]
        ends = interval(sample)
        if ends is not None:
            mean = float(np.mean(sample))
            axes.errorbar(
                x + 0.12, mean, yerr=[[mean - ends[0]], [ends[1] - mean]], fmt="s", color="black",
                capsize=4, label="mean, 95% interval" if x == 0 else None,
            )  # fmt: skip
    axes.set_xticks(range(len(models)), models)
    axes.set_xlim(-0.4, len(models) - 0.5)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3, axis="y")
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.02, 1))
    return figure
