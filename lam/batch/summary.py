"""What a table of many windows says of the networks: means, intervals and paired differences.

Images are the sample: windows of one image are averaged first, since they are not independent.
The diffusion index depends on the LR image's size, so means are taken over images of one size
only; a difference between two networks is taken on the same image and window first, and may then
be averaged over all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from hpinet.data.tables import markdown, markdown_table, shown
from hpinet.metrics.confidence import interval

_IMAGE = ["picture", "lr_sha256"]
_WINDOW = [*_IMAGE, "left", "top", "window_size"]
EFFECTS = ("helpful", "harmful", "disagreement", "rank_correlation", "outside_share")
"""The columns of which `summarise_effects` gives means."""


def _numbers(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> pd.DataFrame:
    """Rows as a table with numbers in these columns."""
    frame = pd.DataFrame(list(rows))
    return frame.assign(**{name: pd.to_numeric(frame[name]) for name in columns})


def _by_image(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Means over the windows of each image, for every network."""
    return frame.groupby(["model", *_IMAGE], as_index=False)[list(columns)].mean()


def _estimate(values: pd.Series, name: str = "mean") -> dict[str, Any]:
    known = values.dropna()
    mean = float(known.mean()) if len(known) else None
    return {name: mean, "interval": interval(known.to_numpy())}


def summarise(rows: Sequence[Mapping[str, str]], models: Sequence[str]) -> dict[str, Any]:
    """Means per network and LR size, and paired differences of networks, of maps.

    ``n`` counts images with a diffusion index, ``residual`` is the mean size of the residual as a
    share of the detector's change, ``undefined`` counts maps without mass, which count nowhere.
    """
    numbers = ["diffusion_index", "area_80", "relative_residual"]
    frame = _numbers(rows, [*numbers, "non_finite", "lr_width", "lr_height"])
    frame["relative_residual"] = frame["relative_residual"].abs()
    sizes = []
    for (width, height), of_size in frame.groupby(["lr_width", "lr_height"]):
        images, found = _by_image(of_size, numbers), []
        for model in models:
            mine = images[images["model"] == model]
            found.append(
                {
                    "model": model,
                    "n": int(mine["diffusion_index"].count()),
                    **_estimate(mine["diffusion_index"], "diffusion_index"),
                    "area_80": _estimate(mine["area_80"])["mean"],
                    "residual": _estimate(mine["relative_residual"])["mean"],
                }
            )
        sizes.append({"width": int(width), "height": int(height), "models": found})
    wide = frame.pivot_table("diffusion_index", _WINDOW, "model").reindex(columns=list(models))
    differences = []
    for first, second in combinations(models, 2):
        values = (wide[first] - wide[second]).dropna().groupby(level=_IMAGE).mean()
        estimate = _estimate(values, "diffusion_index")
        differences.append({"models": [first, second], "n": len(values), **estimate})
    return {
        "sizes": sizes,
        "differences": differences,
        "maps": len(frame),
        "undefined": int(frame["diffusion_index"].isna().sum()),
        "non_finite": int((frame["non_finite"] != 0).sum()),
    }


def summarise_effects(rows: Sequence[Mapping[str, str]], models: Sequence[str]) -> dict[str, Any]:
    """Mean and interval over images of every one of `EFFECTS`, a network each."""
    images, found = _by_image(_numbers(rows, EFFECTS), EFFECTS), []
    for model in models:
        mine = images[images["model"] == model]
        estimates = {name: _estimate(mine[name]) for name in EFFECTS}
        found.append({"model": model, "n": len(mine), **estimates})
    return {"models": found, "maps": len(rows)}


def summary_text(summary: Mapping[str, Any]) -> str:
    """What `summarise` or `summarise_effects` found as Markdown."""
    if "sizes" not in summary:
        formats = dict.fromkeys(EFFECTS, ".1%") | {"rank_correlation": ".2f"}
        rows = [one | {name: one[name]["mean"] for name in EFFECTS} for one in summary["models"]]
        return markdown(rows, {"model": "", "n": "", **formats}) + (
            "\n\nhelpful, harmful: shares of the importance outside the window in blocks of such "
            "effect; disagreement: of the blocks with 80% of it, those that do not help; outside "
            "share: of the positive effect, outside the window's surroundings."
        )
    index = "diffusion index (95% interval)"
    lines = [
        [
            *(f"{size['width']}x{size['height']}", one["model"], str(one["n"])),
            shown(one["diffusion_index"], ".2f", one["interval"]),
            *(shown(one[name], ".1%") for name in ("area_80", "residual")),
        ]
        for size in summary["sizes"]
        for one in size["models"]
    ]
    heads = ["LR size", "model", "images", index, "80% area", "unexplained"]
    parts = ["\n".join(markdown_table(heads, lines))]
    if summary["differences"]:
        lines = [
            [
                " - ".join(d["models"]),
                str(d["n"]),
                shown(d["diffusion_index"], ".2f", d["interval"]),
            ]
            for d in summary["differences"]
        ]
        table = markdown_table(["difference, same windows", "images", index], lines)
        parts.append("\n".join(table))
    if len(summary["sizes"]) > 1:
        parts.append("The diffusion index depends on the LR size: --size crops all to one.")
    if summary["undefined"]:
        parts.append(f"{summary['undefined']} of {summary['maps']} maps have no mass, so no index.")
    if summary["non_finite"]:
        parts.append(
            f"Not to be trusted: {summary['non_finite']} of {summary['maps']} maps have gradients "
            "that are not finite, see the column non_finite."
        )
    return "\n\n".join(parts)
