"""What a table of many maps says of the networks: means, intervals and paired differences.

Images are the sample: windows of one image are averaged first, since they are not independent.
The diffusion index depends on the LR image's size, so means are taken over images of one size
only; a difference between two networks is taken on the same image and window first, and may then
be averaged over all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from hpinet.metrics.confidence import interval


def summarise(rows: Iterable[Mapping[str, str]], models: Sequence[str]) -> dict[str, Any]:
    """Means per network and LR size, and paired differences.

    Args:
        rows: Rows of a `lam.batch.table.Table`, a window each.
        models: The networks in the order of the report.

    Returns:
        Plain values that fit into JSON. ``sizes``: a list, for every LR size ``width``, ``height``
        and ``models``, each with ``model``, ``n`` (images with a diffusion index),
        ``diffusion_index`` (mean), ``interval`` (95%, None below two images), ``area_80`` (mean
        share of pixels) and ``residual`` (mean of the absolute residual, as a share of the
        detector's change). ``differences``: a list with ``models`` (two names), ``n``,
        ``diffusion_index`` (mean of the first less the second) and ``interval``. ``maps``: their
        number. ``undefined``: how many have no mass and count nowhere. ``non_finite``: how many had
        gradients that are not finite; they count, and are not to be trusted.
    """
    known = [row for row in rows if row["model"] in models]
    sizes = sorted({(int(row["lr_width"]), int(row["lr_height"])) for row in known})
    return {
        "sizes": [
            {"width": width, "height": height, "models": _of_size(known, models, width, height)}
            for width, height in sizes
        ],
        "differences": [_difference(known, pair) for pair in combinations(models, 2)],
        "maps": len(known),
        "undefined": sum(not row["diffusion_index"] for row in known),
        "non_finite": sum(row["non_finite"] != "0" for row in known),
    }


def _of_size(
    rows: Sequence[Mapping[str, str]], models: Sequence[str], width: int, height: int
) -> list[dict[str, Any]]:
    found = []
    for model in models:
        size = (model, str(width), str(height))
        mine = [r for r in rows if (r["model"], r["lr_width"], r["lr_height"]) == size]
        index = by_image(mine, "diffusion_index")
        found.append(
            {
                "model": model,
                "n": len(index),
                "diffusion_index": mean(index),
                "interval": interval(index),
                "area_80": mean(by_image(mine, "area_80")),
                "residual": mean(by_image(mine, "relative_residual")),
            }
        )
    return found


def _difference(rows: Sequence[Mapping[str, str]], pair: tuple[str, str]) -> dict[str, Any]:
    first, second = (
        {_place(row): row["diffusion_index"] for row in rows if row["model"] == model}
        for model in pair
    )
    both = [place for place in first if first[place] and second.get(place)]
    images = defaultdict(list)
    for place in both:
        images[place[:2]].append(float(first[place]) - float(second[place]))
    values = [float(np.mean(differences)) for differences in images.values()]
    return {
        "models": list(pair),
        "n": len(values),
        "diffusion_index": mean(values),
        "interval": interval(values),
    }


def _place(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(row[n] for n in ("picture", "lr_sha256", "left", "top", "window_size"))


def by_image(rows: Iterable[Mapping[str, str]], column: str) -> list[float]:
    """A number for each image: the mean over its windows, sizes of signed ones."""
    values = defaultdict(list)
    for row in rows:
        if row[column]:
            values[row["picture"], row["lr_sha256"]].append(abs(float(row[column])))
    return [float(np.mean(found)) for found in values.values()]


def mean(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return float(np.mean(values)) if values else None


def format_summary(summary: Mapping[str, Any]) -> str:
    """Lay `summarise`'s findings out as text."""
    names = [m["model"] for size in summary["sizes"] for m in size["models"]]
    names += [" - ".join(d["models"]) for d in summary["differences"]]
    width = max([len(name) for name in names] + [len("model")])
    lines = []
    for size in summary["sizes"]:
        lines.append(f"LR images of {size['width']}x{size['height']} pixels")
        lines.append(
            f"  {'model':{width}}    images  diffusion index (95% interval)  80% area  unexplained"
        )
        lines += [_line(m, width) for m in size["models"]]
    if summary["differences"]:
        lines.append("Differences of the diffusion index, on the same images and windows")
        lines += [
            f"  {' - '.join(d['models']):{width}}  {d['n']:8}  {_estimate(d)}"
            for d in summary["differences"]
        ]
    if len(summary["sizes"]) > 1:
        lines.append(
            "The diffusion index depends on the LR size: compare within a size, or crop all "
            "images to one with --size."
        )
    if summary["undefined"]:
        count = summary["undefined"]
        maps = "1 map has" if count == 1 else f"{count} maps have"
        lines.append(f"{maps} no mass and so no index: nothing in the window depends on a pixel.")
    if summary["non_finite"]:
        lines.append(
            f"Not to be trusted: {summary['non_finite']} of {summary['maps']} maps have gradients "
            f"that are not finite, see the column non_finite."
        )
    return "\n".join(lines)


def _line(found: Mapping[str, Any], width: int) -> str:
    shares = (
        "-" if found[k] is None else f"{100 * found[k]:.1f}%" for k in ("area_80", "residual")
    )
    area, residual = shares
    return (
        f"  {found['model']:{width}}  {found['n']:8}  {_estimate(found):30}  "
        f"{area:>8}  {residual:>11}"
    )


def _estimate(found: Mapping[str, Any]) -> str:
    if found["diffusion_index"] is None:
        return "-"
    text = f"{found['diffusion_index']:.2f}"
    if found["interval"] is None:
        return text
    low, high = found["interval"]
    return f"{text} ({low:.2f} to {high:.2f})"
