"""Small figures that explain LAM, DI and GPA, made from the first example by its network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hpinet.imaging.images import to_uint8
from lam import GaussianBlurPath, Window, diffusion_index
from lam.figures.matches import match_figure, pairs_at
from lam.figures.overlay import colour_limit, draw_window, enlarge, heatmap, heatmap_overlay
from lam.figures.panels import figure_pixels
from ui.compute.runtime import Runtime
from ui.networks.network import Network
from ui.state.examples import EXAMPLES
from ui.state.inputs import RESTORE, Pixels, Study, from_example, make_study
from ui.state.options import How

from . import text
from .comparison import cell
from .html import render

_STEPS = 8  # few, for an illustration; the page itself takes more
_SIDE = 64  # LR pixels of the example, and side of the made-up maps

Cell = tuple[str, Pixels | None]  # a caption, and an image that may still be on its way


def figures(runtime: Runtime) -> Iterator[str]:
    """The figures as HTML, the quick ones first and the maps when they are computed."""
    network = runtime.catalogue.get(runtime.catalogue.labels[0])
    source = from_example(EXAMPLES[0])
    study = make_study(source, RESTORE, network.scale)
    window = Window(*(source.window or (0, 0, 16)))

    def section(title: str, cells: Sequence[Cell], note: str) -> dict[str, Any]:
        shown = [cell(caption, pixels, runtime.images) for caption, pixels in cells]
        return {"title": title, "cells": shown, "note": note}

    path = section("LAM: from blurred to sharp", _path(study, window, network.scale), PATH)
    last = [section("Diffusion index (DI): how evenly importance is spread", _spreads(), SPREAD)]
    if network.has_gpa:
        title = "Global Pixel Access (GPA): a patch and its match"
        last.append(section(title, _matches(runtime, study, network, window), MATCHES))
    ways: list[str | None] = [None, *network.ways_without[:1]]
    captions = [network.label, *(text.WITHOUT[w] for w in ways if w is not None)]
    title = "LAM: what the steps add up to"
    waiting = section(title, [(c, None) for c in captions], MAPS)
    yield render("figures", sections=[path, waiting, *last])
    maps = section(title, _maps(runtime, study, network, ways, captions, window), MAPS)
    yield render("figures", sections=[path, maps, *last])


PATH = (
    "The LR image is blurred and sharpened again in steps. At each step the gradient tells "
    "how much each pixel adds to the detail in the window (orange)."
)
MAPS = (
    f"Added up over all steps ({_STEPS} here; Receptive field takes more): bright pixels made the "
    "window. One colour scale, by square root."
)
SPREAD = (
    "Made-up maps. DI is 100 x (1 - Gini coefficient): near 0 when one pixel does everything, 100 "
    "when all pixels do the same."
)
MATCHES = (
    "In every block each patch attends to the one other patch that is most similar in feature "
    "space. Patch sizes differ from block to block (cascaded patch division)."
)


def _path(study: Study, window: Window, scale: int) -> list[Cell]:
    alphas = np.array([0.0, 0.5, 0.8, 1.0])
    frames = GaussianBlurPath().at(study.lr.rgb, alphas)
    names = ("blurred", "half way", "80% of the way", "sharp")
    return [
        (name, draw_window(enlarge(to_uint8(frame.clamp(0, 1)), scale), window))
        for name, frame in zip(names, frames, strict=True)
    ]


def _maps(
    runtime: Runtime,
    study: Study,
    network: Network,
    ways: Sequence[str | None],
    captions: Sequence[str],
    window: Window,
) -> list[Cell]:
    region = (0, 0, *study.size)
    found = [
        list(runtime.attribution.attributed(study, network, way, window, region, How(_STEPS)))[-1]
        for way in ways
    ]
    limit = colour_limit([f.importance for f in found])
    large = enlarge(to_uint8(study.lr.rgb), network.scale)
    return [
        (
            f"{caption}: DI {text.spread(result)}",
            draw_window(
                heatmap_overlay(large, result.importance, vmax=limit, root=True), window
            ),
        )
        for caption, result in zip(captions, found, strict=True)
    ]  # fmt: skip


def _spreads() -> list[Cell]:
    rows, columns = np.mgrid[:_SIDE, :_SIDE] - (_SIDE - 1) / 2
    distance = np.hypot(rows, columns)
    maps = {
        "one spot": np.exp(-((distance / 2) ** 2)),
        "a neighbourhood": np.exp(-((distance / 9) ** 2)),
        "a wide area": np.exp(-((distance / 26) ** 2)),
        "everywhere": np.ones((_SIDE, _SIDE)),
    }
    return [
        (f"{name}: DI {diffusion_index(m):.0f}", enlarge(heatmap(m, vmax=1), 4))
        for name, m in maps.items()
    ]


def _matches(runtime: Runtime, study: Study, network: Network, window: Window) -> list[Cell]:
    image = runtime.super_resolved(study, network).pixels
    half, scale = window.size / 2, network.scale
    place = ((window.top + half) / scale, (window.left + half) / scale)
    pairs = pairs_at(runtime.matches.of(study, network), *place)
    return [
        (
            f"block {one.block} of {len(pairs)}: {one.patch_size}x{one.patch_size} LR pixels",
            figure_pixels(match_figure(image, one, scale), dpi=150),
        )
        for one in dict.fromkeys((pairs[0], pairs[min(1, len(pairs) - 1)], pairs[-1]))
    ]
