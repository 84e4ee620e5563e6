"""What *Matched patches* is made of; `ui.tabs.matches` says what it does."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.state import options
from ui.state.options import BLOCK, CHANGE, LOOK, PAIRS, PATCH, REACH, WINDOW
from ui.views import match_text
from ui.views.html import status_bar
from ui.views.match_panes import NAMES

from .components import Page, choice, hint, html, image, number, saver

MOST_BLOCKS = 10
"""The L network's: an API client may ask for a block before the page has shown any."""

MEASURE = status_bar("DI on request: how widely the window's pixels spread, with and without it.")
"""The status line of the diffusion index before it was measured."""


class MatchesPage(Page):
    """The page's components."""

    def __init__(self) -> None:
        self.open_pane = gr.State(LOOK)
        self.tabs: dict[str, gr.Tab] = {}
        with gr.Row():
            with gr.Column(scale=5, min_width=380):
                self._place()
                self.prompt = html("match-prompt")
                self.picture = image(
                    "Patch (solid) and its match (dashed)", "match-picture", 540, ["pick"]
                )
            with gr.Column(scale=6, min_width=420), gr.Tabs(elem_id="panes"):
                with gr.Tab("Its match", render_children=True) as self.tabs[LOOK]:
                    self._look()
                with gr.Tab("Change matches", render_children=True) as self.tabs[CHANGE]:
                    self._change()
                with gr.Tab("This block", render_children=True) as self.tabs[BLOCK]:
                    self._block()
                with gr.Tab("All blocks (Fig. 8)", render_children=True) as self.tabs[PAIRS]:
                    self._pairs()
                with gr.Tab("Reach (Fig. 4)", render_children=True) as self.tabs[REACH]:
                    self._reach()

    @property
    def inputs(self) -> list[Any]:
        """Block and place."""
        return self.named("block", "x", "y")

    @property
    def outputs(self) -> list[Any]:
        """What shows a pair of patches, and which change is made."""
        return self.named(
            "block", "x", "y", "prompt", "picture", "crops", "pair", "runners", "popular", "hub",
            *("kind", "blocks", "seed", "spread"),
        )  # fmt: skip

    @property
    def details(self) -> list[Any]:
        """What the panes show."""
        return self.named(*(name for names in NAMES.values() for name in names))

    def _place(self) -> None:
        with gr.Row():
            numbers = [(str(n), n) for n in range(1, MOST_BLOCKS + 1)]
            told = "Patch sizes differ from block to block."
            self.block = choice(gr.Radio, numbers, 1, "Block", "block", 4, 240, told)
            self.x, self.y = (
                number(0, name, f"match-{name}", 0, None, info="pixels") for name in "xy"
            )

    def _look(self) -> None:
        self.pair = gr.Markdown(elem_id="pair", elem_classes=["words"])
        self.crops = image(
            "All blocks at this place: the patch above, its match below", "crops", 212
        )
        with gr.Row():
            self.popular = image("How many patches chose each patch", "popular", 320)
            with gr.Column(min_width=220):
                self.runners = html("runners")
                self.hub = gr.Markdown(elem_id="hub", elem_classes=["words"])
                hint(
                    "Global Pixel Access (GPA): in each block every patch finds the one other "
                    "patch that is most similar in feature space, and attends to its pixels. "
                    "Brighter, with a larger number: chosen by more patches."
                )

    def _block(self) -> None:
        with gr.Row():
            self.graph = image("Which patch attends to which", "graph", 300)
            self.similarity = image("Similarities of all pairs of patches", "similarity", 300)
        with gr.Row():
            self.distance = image("How far away matches are", "distance", 260)
            self.figures = html("block-figures")

    def _pairs(self) -> None:
        hint(
            "The patch that holds the clicked pixel in every block (solid) and its match "
            "(dashed), numbered by block: each block divides the image into patches of its size."
        )
        with gr.Row():
            self.pair_boxes = image("On the image", "pair-boxes", 560, scale=3)
            self.pair_rows = image("Side by side", "pair-rows", 560, scale=2)

    def _reach(self) -> None:
        hint(
            "Which pixels the clicked one reaches directly within its patches, without "
            "GPA: with one patch size, shifted patches, and the network's own sizes. "
            "Hatched: the blind spot, reached in no block."
        )
        self.reach = image("Directly reached pixels", "reach", 270)
        self.reached = html("reached")

    def _change(self) -> None:
        self.kind = gr.Radio(
            [(match_text.KIND_LABELS[k], k) for k in options.KINDS],
            value=options.NORMAL,
            label="Let patches attend to (the weights stay; later blocks decide anew)",
            elem_id="kind",
        )
        blocks = [(match_text.PLACE_LABELS[p], p) for p in options.PLACES]
        effects = [("window (dashed)", WINDOW), ("clicked patch", PATCH)]
        with gr.Row():
            label = "In which blocks"
            self.blocks = choice(gr.Radio, blocks, options.HERE, label, "place", 5, 280)
            label = "Show the effect on the"
            self.where = choice(gr.Radio, effects, WINDOW, label, "effect-place", 5, 270)
        with gr.Row():
            self.before = image("Before", "before", 190)
            self.after = image("After", "after", 190)
            self.difference = image("Difference", "difference", 190)
        self.effect = html("effect")
        with gr.Row():
            self.reset = gr.Button("Reset", elem_id="reset", min_width=70, scale=1)
            self.measure = gr.Button("Measure DI", elem_id="measure", min_width=110, scale=1)
            self.stop = gr.Button("Stop", elem_id="measure-stop", min_width=60, scale=1)
            self.export = gr.Button("Export", elem_id="export-change", min_width=80, scale=1)
            self.file = saver("zip-change")
            self.seed = gr.Number(
                0,
                label="Seed (Enter)",
                precision=0,
                minimum=0,
                min_width=110,
                scale=1,
                visible=False,
                elem_id="seed",
            )
        self.spread = html("spread", MEASURE)
        self.indices = gr.JSON(label="Diffusion index, normal and changed", visible=False)
