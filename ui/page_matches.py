"""Page 3: which patch each patch looks at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np

from hpinet import BlockMatches
from lam.figures import enlarge, enlarging_factor
from lam.match_figures import draw_matches, in_degree_map, match_crops
from lam.patch_shares import patch_at

from . import words, work
from .catalogue import Catalogue, Network
from .handlers import NOW, QUICK, clock, current, overtaken, spoken
from .pictures import shown
from .session import Session, Study

MOST_BLOCKS = 10
"""The L network's: an API client may ask for a block before the page has shown any."""


@dataclass
class MatchesPage:
    """The page's components, in the order of `view`."""

    block: gr.Radio
    x: gr.Number
    y: gr.Number
    picture: gr.Image
    crops: gr.Image
    pair: gr.Markdown
    popular: gr.Image
    hub: gr.Markdown

    @property
    def inputs(self) -> list[Any]:
        """Block and place."""
        return [self.block, self.x, self.y]

    @property
    def outputs(self) -> list[Any]:
        """What `view` returns values for."""
        shown = [self.picture, self.crops, self.pair, self.popular, self.hub]
        return [*self.inputs, *shown]


def build(catalogue: Catalogue, session: gr.State) -> MatchesPage:
    """Lay the page out and connect what belongs to it alone."""
    with gr.Row():
        with gr.Column(scale=5, min_width=380):
            with gr.Row():
                block = gr.Radio(
                    [(str(n), n) for n in range(1, MOST_BLOCKS + 1)],
                    value=1,
                    label="Block",
                    info="Patches grow from block to block.",
                    elem_id="block",
                    scale=4,
                    min_width=240,
                )
                x = gr.Number(
                    0,
                    label="x",
                    info="pixels",
                    precision=0,
                    minimum=0,
                    min_width=70,
                    elem_id="match-x",
                )
                y = gr.Number(
                    0,
                    label="y",
                    info="pixels",
                    precision=0,
                    minimum=0,
                    min_width=70,
                    elem_id="match-y",
                )
            picture = _image(
                "Click a patch to see what it looks at", 530, "match-picture", ["pick"]
            )
        with gr.Column(scale=6, min_width=420):
            gr.Markdown(
                "All blocks at this place: the patch above, its match below.",
                elem_classes=["words"],
            )
            crops = _image("Patches and matches", 200, "crops", title=False)
            pair = gr.Markdown(elem_id="pair", elem_classes=["words"])
            with gr.Row():
                popular = _image("How many patches chose each patch", 330, "popular")
                with gr.Column(min_width=180):
                    hub = gr.Markdown(elem_id="hub", elem_classes=["words"])
                    gr.Markdown(
                        "Global Pixel Access (GPA): in each block every patch finds the one other "
                        "patch that is most similar in feature space, and attends to its pixels. "
                        "Brighter, with a larger number: chosen by more patches.",
                        elem_classes=["words", "hint"],
                    )
    page = MatchesPage(block, x, y, picture, crops, pair, popular, hub)

    @spoken
    def matches(session: Session, block: int, x: float, y: float) -> tuple[Any, ...]:
        study, network = current(session, catalogue)
        return view(session, study, network, block, x, y)

    @spoken
    def clicked(when: float, session: Session, block: int, event: gr.SelectData) -> tuple[Any, ...]:
        if overtaken(session, "match-picture", when):
            return tuple(gr.skip() for _ in page.outputs)
        study, network = current(session, catalogue)
        factor = _factor(study, network)
        return view(
            session, study, network, block, event.index[0] // factor, event.index[1] // factor
        )

    keep = {**QUICK, "concurrency_id": "picture"}
    gr.on(
        [block.input, x.submit, y.submit, x.blur, y.blur],
        matches,
        [session, *page.inputs],
        page.outputs,
        api_name="matches",
        api_description="Which patch the patch at SR pixel (x, y) looks at in a block (from 1).",
        **keep,
    )
    picture.select(
        clicked, [clock(), session, block], page.outputs, js=NOW, api_visibility="private", **keep
    )
    return page


def _image(
    label: str, height: int, name: str, classes: list[str] | None = None, title: bool = True
) -> gr.Image:
    return gr.Image(
        label=label,
        height=height,
        format="png",
        interactive=False,
        buttons=["fullscreen"],
        elem_id=name,
        show_label=title,
        elem_classes=[*(["titled"] if title else []), *(classes or [])],
    )


def _factor(study: Study, network: Network) -> int:
    return enlarging_factor(study.size[0] * network.scale, study.size[1] * network.scale, 900)


def view(
    session: Session,
    study: Study,
    network: Network,
    block: int | None,
    x: float | None = None,
    y: float | None = None,
) -> tuple[Any, ...]:
    """Values for the page's components.

    Args:
        session: Keeps the place.
        study: The picture.
        network: The network.
        block: Number from 1; one that the network has not becomes 1.
        x: Column in SR pixels; with ``y``, the row, where to look. By default the middle of the
            attribution window.
        y: See ``x``.
    """
    found = work.matches_of(study, network)
    pixels = work.super_resolved(study, network).pixels
    factor = _factor(study, network)
    large = enlarge(pixels, factor)
    blocks = [b for b in found.blocks if b is not None]
    x, y = _place(session, x, y, pixels.shape[:2])
    if not blocks:
        text = f"{network.label} has no Global Pixel Access, so its patches look nowhere else."
        return (
            gr.update(choices=[("none", 1)], value=1), x, y, shown(large), None, text, None, "",
        )  # fmt: skip
    number = int(block) if block and 1 <= int(block) <= len(blocks) else 1
    block_matches, scale = blocks[number - 1], network.scale
    chosen = [patch_at(b.origins, b.patch_size, y / scale, x / scale) for b in blocks]
    pairs = [_pair(b, i) for b, i in zip(blocks, chosen, strict=True)]
    patch, index = chosen[number - 1], block_matches.index[0].numpy()
    across = scale * factor
    # A picture smaller than a patch was padded: patches then reach beyond what is shown.
    side = block_matches.patch_size
    drawn = draw_matches(large, block_matches.origins, index, side, patch, across)
    return (
        gr.update(choices=[(str(i + 1), i + 1) for i in range(len(blocks))], value=number),
        x,
        y,
        shown(drawn),
        shown(match_crops(pixels, pairs, scale, chosen=number - 1)),
        pair_words(number, block_matches, patch, scale),
        shown(in_degree_map(large, block_matches.origins, index, side, across)),
        words.popularity(index),
    )


def pair_words(number: int, block: BlockMatches, patch: int, scale: int) -> str:
    """The pair in a sentence."""
    match, value = int(block.index[0, patch]), float(block.similarity[0, patch])
    side, here = block.patch_size, words.position(patch, block.origins)
    text = (
        f"**Block {number}** · {len(block.origins)} patches of {side}x{side} LR pixels "
        f"({side * scale}x{side * scale} here). The patch at {here} "
    )
    if match == patch:
        return text + "looks at itself."
    text += f"looks at the one at **{words.position(match, block.origins)}**"
    if not math.isnan(value):
        text += f", similarity {value:.2f} (inner product: more is more alike)"
    return text + "."


def _pair(block: BlockMatches, patch: int) -> tuple[Any, Any, int]:
    match = int(block.index[0, patch])
    return block.origins[patch].numpy(), block.origins[match].numpy(), block.patch_size


def _place(
    session: Session, x: float | None, y: float | None, size: tuple[int, ...]
) -> tuple[int, int]:
    if x is None or y is None:
        if session.window is None:
            x, y = size[1] // 2, size[0] // 2
        else:
            half = session.window.size // 2
            x, y = session.window.left + half, session.window.top + half
    return int(np.clip(x, 0, size[1] - 1)), int(np.clip(y, 0, size[0] - 1))
