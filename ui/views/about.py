"""Small figures that explain LAM, DI and GPA, made from the first example by its network."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from urllib.parse import quote

import numpy as np

from hpinet.imaging.images import to_uint8
from lam import GaussianBlurPath, Window, diffusion_index
from lam.figures.heatmaps import colour_limit, draw_window, enlarge, heatmap, heatmap_overlay
from lam.figures.matches import draw_matches
from lam.metrics.patch_shares import patch_at
from ui.compute import attribution, interventions, super_resolution
from ui.state.examples import EXAMPLES
from ui.state.image_store import shown
from ui.state.model_catalogue import Catalogue
from ui.state.network import Network
from ui.state.options import How
from ui.state.session import RESTORE, Pixels, Study, from_example, make_study

from . import text

_STEPS = 8  # few, for an illustration; the page itself takes more
_SIDE = 64  # LR pixels of the example, and side of the made-up maps

Cell = tuple[str, Pixels | None]  # a caption, and a picture that may still be on its way


def figures(catalogue: Catalogue) -> Iterator[str]:
    """The figures as HTML, the quick ones first and the maps when they are computed."""
    network = catalogue.get(catalogue.labels[0])
    source = from_example(EXAMPLES[0])
    study = make_study(source, RESTORE, network.scale)
    window = Window(*(source.window or (0, 0, 16)))
    first = _row("LAM: from blurred to sharp", _path(study, window, network.scale), PATH)
    last = _row("Diffusion index (DI): how evenly importance is spread", _spreads(), SPREAD)
    if network.has_gpa:
        last += _row(
            "Global Pixel Access (GPA): a patch and its match", _matches(study, network, window),
            MATCHES,
        )  # fmt: skip
    ways: list[str | None] = [None, *network.ways_without[:1]]
    captions = [network.label, *(text.WITHOUT[w] for w in ways if w is not None)]
    waiting: list[Cell] = [(c, None) for c in captions]
    yield first + _row(_MAPS_TITLE, waiting, MAPS) + last
    yield first + _row(_MAPS_TITLE, _maps(study, network, ways, captions, window), MAPS) + last


PATH = (
    "The small picture is blurred and sharpened again in steps. At each step the gradient tells "
    "how much each pixel adds to the detail in the window (orange)."
)
_MAPS_TITLE = "LAM: what the steps add up to"
MAPS = (
    f"Added up over all steps ({_STEPS} here; Receptive field takes more): bright pixels made the "
    "window. One colour scale, by square root."
)
SPREAD = (
    "Made-up maps. DI is 100 x (1 - Gini coefficient): near 0 when one pixel does everything, 100 "
    "when all pixels do the same."
)
MATCHES = (
    "In every block each patch looks at the one other patch that is most similar in feature space. "
    "Patches grow from block to block (cascaded patch division)."
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
    study: Study,
    network: Network,
    ways: Sequence[str | None],
    captions: Sequence[str],
    window: Window,
) -> list[Cell]:
    region = (0, 0, *study.size)
    found = [
        list(attribution.attributed(study, network, way, window, region, How(_STEPS)))[-1]
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


def _matches(study: Study, network: Network, window: Window) -> list[Cell]:
    found = [b for b in interventions.matches_of(study, network).blocks if b is not None]
    picture = enlarge(super_resolution.super_resolved(study, network).pixels, 2)
    half, scale = window.size / 2, network.scale
    place = ((window.top + half) / scale, (window.left + half) / scale)
    cells: list[Cell] = []
    for number in sorted({0, min(1, len(found) - 1), len(found) - 1}):
        block = found[number]
        patch = patch_at(block.origins, block.patch_size, *place)
        drawn = draw_matches(
            picture,
            block.origins,
            block.index[0].numpy(),
            block.patch_size,
            patch,
            2 * scale,
            False,
        )
        side = block.patch_size
        cells.append((f"block {number + 1} of {len(found)}: {side}x{side} LR pixels", drawn))
    return cells


def _row(title: str, cells: Sequence[Cell], words_: str) -> str:
    body = ""
    for caption, pixels in cells:
        name = html.escape(caption)
        if pixels is None:
            picture = '<div class="coming">…</div>'
        else:
            picture = f'<img src="gradio_api/file={quote(shown(pixels))}" alt="{name}">'
        body += f"<figure>{picture}<figcaption>{name}</figcaption></figure>"
    return (
        f"<section><h4>{html.escape(title)}</h4>"
        f'<div class="strip">{body}</div><p class="hint">{html.escape(words_)}</p></section>'
    )
