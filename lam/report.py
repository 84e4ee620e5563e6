"""Results as files, in a folder or a ZIP: arrays, figure, tables, and what reproduces them.

A result becomes a mapping from file names to contents, which `save` and `encoded` write by the
ending of each name.

>>> result = LocalAttribution(model).attribute(lr, window)
>>> save("out", attribution_files(result, lr))  # map.npz, map.png, params.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from hpinet.data.tables import csv_text
from hpinet.imaging.files import file_name, npz_bytes, write_bytes, zip_bytes
from hpinet.imaging.images import png_bytes, to_uint8
from lam.figures import comparison, maps, match_statistics, matches
from lam.figures.panels import figure_bytes
from lam.metrics.agreement import block_rows
from lam.window import Window

if TYPE_CHECKING:
    from lam.attribution.results import LocalAttributionResult, MethodResult
    from lam.batch.comparison import Compared
    from lam.cause.results import CausalEffectResult
    from lam.match_analysis.exploration import Exploration
    from lam.validation.faithfulness import FaithfulnessResult

Files = dict[str, Any]
"""Contents by file name: ``.json`` a mapping, ``.csv`` rows, ``.npz`` arrays by name, ``.png``
(also ``.pdf``, ``.svg``) a Figure or uint8 pixels (H, W, 3), ``.zip`` other files; or bytes. What
takes long to draw may be a function without arguments that returns the content."""


def save(target: str | Path, files: Mapping[str, Any]) -> None:
    """Write files into a folder, or into one ZIP if the target ends in ``.zip``.

    Args:
        target: The folder, which is made if it is missing, or the ZIP.
        files: Contents by name, see `Files`.

    Raises:
        OSError: If the target cannot be written. Each file is written completely or not at all.
    """
    target = Path(target)
    if target.suffix == ".zip":
        write_bytes(target, encoded(target.name, files))
        return
    for name in tqdm(files, unit="file", leave=False, disable=None):
        write_bytes(target / name, encoded(name, files[name]))


def encoded(name: str, content: Any) -> bytes:
    """The bytes of a file, by the ending of its name; see `Files`."""
    content, ending = content() if callable(content) else content, Path(name).suffix
    if isinstance(content, bytes):
        return content
    if ending == ".json":  # NaN is refused, since JSON has none
        return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()
    if ending == ".csv":
        return csv_text(content).encode()
    if ending == ".npz":
        return npz_bytes(content)
    if ending == ".zip":
        return zip_bytes({inner: encoded(inner, one) for inner, one in content.items()})
    if isinstance(content, Figure):
        return figure_bytes(content, ending.removeprefix("."))
    return png_bytes(Image.fromarray(np.asarray(content)))


def attribution_files(
    result: LocalAttributionResult | MethodResult,
    lr: Tensor,
    about: Mapping[str, Any] = {},
    curves: FaithfulnessResult | None = None,
) -> Files:
    """An attribution map: ``map.npz``, ``map.png``, ``params.json``.

    Args:
        result: The map.
        lr: (1, 3, h, w) RGB in [0, 1], the LR image.
        about: What else reproduces the map, such as ``image`` and ``model``.
        curves: Adds ``faithfulness.json``.
    """
    params, index = result.params, result.diffusion_index
    told = f"diffusion index {index:.2f}" if np.isfinite(index) else "no diffusion index"
    files: Files = {
        "map.npz": {"attribution": result.attribution, "importance": result.importance},
        "map.png": maps.attribution_figure(
            to_uint8(lr),
            result.attribution,
            result.importance,
            Window(**params["window"]),
            params["scale"],
            _title(about, told),
        ),
        "params.json": {**about, **params, "result": result.summary()},
    }
    if curves is not None:
        found = {**curves.summary(), **curves.curves(), "params": curves.params}
        files["faithfulness.json"] = found
    return files


def _title(about: Mapping[str, Any], *more: str) -> str:
    names = (Path(str(about[key])).name for key in ("image", "model") if key in about)
    return ", ".join([*names, *more])


def effect_files(
    result: CausalEffectResult,
    lr: Tensor,
    about: Mapping[str, Any] = {},
    matches: Sequence[Mapping[str, Any]] | None = None,
) -> Files:
    """A causal effect map: ``map.npz``, ``map.png``, ``params.json``.

    Args:
        result: The effects.
        lr: (1, 3, h, w) RGB in [0, 1], the LR image.
        about: What else reproduces them, such as ``image``, ``hr`` and ``model``.
        matches: Rows of `lam.match_effects`: adds ``matches.csv``.
    """
    params = result.params
    window, title = Window(**params["window"]), _title(about)
    files: Files = {
        "map.npz": {**result.arrays(), "map": result.map},
        "map.png": maps.effect_figure(
            to_uint8(lr), result.map, window, params["scale"], result.unit, title
        ),
        "params.json": {**about, **params, "result": result.summary()},
    }
    return files if matches is None else {**files, "matches.csv": matches}


def comparison_files(
    found: Sequence[Compared], lr: Tensor, window: Window, about: Mapping[str, Any]
) -> Files:
    """Several networks: ``compare.csv``, ``.json`` and ``.png``, and a folder with each one's map.

    Args:
        found: The networks, in the order of the table.
        lr: (1, 3, h, w) RGB in [0, 1], the LR image.
        window: In SR pixels.
        about: What was asked, as plain values.
    """
    rows = [one.row() for one in found]
    effects = [one.effects for one in found if one.effects is not None]
    files: Files = {
        "compare.csv": rows,
        "compare.json": {"parameters": about, "networks": rows},
        "compare.png": comparison.maps_figure(
            to_uint8(lr),
            [one.result.importance for one in found],
            [_label(one) for one in found],
            window,
            found[0].scale,
            images=[one.sr for one in found],
            effects=[one.map for one in effects],
            unit=effects[0].unit if effects else "",
        ),
    }
    for one in found:
        folder, result = file_name(one.label), one.result
        arrays = {"attribution": result.attribution, "importance": result.importance}
        files |= {f"{folder}/map.npz": arrays, f"{folder}/sr.png": one.sr}
        if one.effects is not None:
            files[f"{folder}/effect.npz"] = {**one.effects.arrays(), "map": one.effects.map}
            files[f"{folder}/blocks.csv"] = effect_rows(result.importance, one.effects)
    return files


def effect_rows(importance: ArrayLike, effects: CausalEffectResult) -> list[dict[str, Any]]:
    """A row a block: its importance and its effect."""
    return block_rows(importance, effects.effect, effects.standard_error, effects.block)


def _label(one: Compared) -> str:
    """A network's numbers above its map."""
    index, both = one.areas["diffusion_index"], one.agreement
    told = "no map" if index is None else f"DI {index:.2f}, 80% in {one.areas['area_80']:.1%}"
    lines = [one.label, told if one.psnr is None else f"{told}, {one.psnr:.2f} dB"]
    if both is not None and np.isfinite(both.helpful):
        lines.append(f"{both.helpful:.0%} of it helps, {both.harmful:.0%} harms")
    return "\n".join(lines)


def exploration_files(found: Exploration, lr: Tensor, about: Mapping[str, Any]) -> Files:
    """All matches of an image: tables, ``explore.json``, and a figure of each block.

    ``pairs.png`` shows one pixel's matches in all blocks (Fig. 8), ``reach.png`` what it reaches
    directly (Fig. 4). The parameters name ``image``, ``model``, ``scale`` and ``pixel``, (x, y) in
    SR pixels.
    """
    small, scale, (x, y) = to_uint8(lr), about["scale"], about["pixel"]
    summary = found.summary()
    made = f"{_title(about)} x{scale}"
    place = f"{made}, SR pixel x {x}, y {y}"
    point = ((x + 0.5) / scale, (y + 0.5) / scale)
    pairs = matches.pairs_at(found.matches, point[1], point[0])
    files: Files = {
        "matches.csv": [row for block in found.blocks for row in block.to_rows()],
        "blocks.csv": summary["blocks"],
        "explore.json": {"parameters": dict(about), **summary},
        "pairs.png": partial(
            matches.pairs_figure, to_uint8(found.sr), pairs, point, scale, place
        ),
        "reach.png": partial(
            match_statistics.reach_figure, small, found.reaches,
            f"{place}, overlap {about['overlap']}",
        ),
    }  # fmt: skip
    for block in found.blocks:
        known = found.matches.blocks[block.block]
        matrix = None if known is None or known.matrix is None else known.matrix[0].cpu().numpy()
        title = f"{made}, block {block.block + 1}, P = {block.patch_size}"
        draw = partial(matches.block_figure, small, block, matrix, title)
        files[f"block{block.block + 1}.png"] = draw
    return files


def statistics_files(
    rows: Sequence[Mapping[str, Any]], report: Mapping[str, Any], title: str
) -> Files:
    """How matches spread over a folder: ``statistics.csv``, ``.json`` and ``.png``."""
    figure = match_statistics.statistics_figure(rows, title)
    return {"statistics.csv": rows, "statistics.json": report, "statistics.png": figure}


def intervention_files(
    sr: Tensor, difference: Tensor, about: Mapping[str, Any], numbers: Mapping[str, Any]
) -> Files:
    """A change of matches: ``sr.png``, ``difference.png``, ``effect.csv``, ``effect.json``.

    The difference is of (1, 3, sh, sw) in [-1, 1], changed less normal.
    """
    blocks = ", ".join(map(str, about["blocks"]))
    told = {"kind": about["kind"], "blocks": blocks, "later": about["later"]}
    title = f"{_title(about)}\n{about['kind']} in block {blocks}, later {about['later']}"
    figure = maps.signed_figure(
        255 * difference[0].mean(0).float().cpu().numpy(), title,
        "changed less normal, mean of RGB (grey levels)", pixels="SR pixels",
    )  # fmt: skip
    return {
        "sr.png": to_uint8(sr.float().clamp(0, 1).cpu()),
        "difference.png": figure,
        "effect.csv": [{"image": about["image"], **told, **numbers}],
        "effect.json": {"parameters": about, "effect": numbers},
    }


def knockout_files(
    reports: Sequence[Mapping[str, Any]], rows: Sequence[Sequence[Mapping[str, Any]]]
) -> Files:
    """Knock-outs: ``knockout.csv``, ``summary.csv``, ``knockout.json`` and a figure a network.

    Reports hold ``parameters``, ``summary`` and ``skipped``; in the tables of several networks a
    column names each.
    """
    alone = len(reports) == 1
    every: list[dict[str, Any]] = []
    flat: list[dict[str, Any]] = []
    files: Files = {"knockout.csv": every, "summary.csv": flat}
    files["knockout.json"] = reports[0] if alone else {"networks": list(reports)}
    for report, found in zip(reports, rows, strict=True):
        about = report["parameters"]
        whose = {} if alone else {"model": about["model"]}
        every += ({**whose, **row} for row in found)
        for row in report["summary"]:
            low, high = row["interval"] or (None, None)
            rest = {key: value for key, value in row.items() if key != "interval"}
            flat.append({**whose, **rest, "interval_low": low, "interval_high": high})
        title = (
            f"{about['model']} x{about['scale']}: mean change of PSNR-Y over {about['pictures']} "
            f"images of {about['data']},\n95% intervals, later blocks {about['later']}"
        )
        name = "knockout.png" if alone else f"knockout-{file_name(about['model'])}.png"
        files[name] = match_statistics.knockout_figure(report["summary"], title)
    return files
