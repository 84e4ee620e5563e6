"""What *Matched patches* is made of; `ui.tabs.matching.matches` says what it does."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.state import options
from ui.state.options import PATCH, WINDOW
from ui.tabs.components import Page, choice, hint, html, image, saver
from ui.viewer.component import viewer
from ui.views.html import status_bar
from ui.views.matching import match_text

MEASURE = status_bar("DI on request: how widely the window's pixels spread, with and without it.")
"""The status line of the diffusion index before it was measured."""


class MatchesPage(Page):
    """The page's components."""

    def __init__(self) -> None:
        # Filled in by the browser: which block and patch are looked at.
        self.at = gr.JSON(visible=False)
        self.prompt = html("match-prompt")
        self.viewer = viewer("matches", "Matched patches: which patch attends to which")
        with gr.Accordion("Change matches, and see what that does", elem_id="change"):
            self._change()
        self.reach_box = gr.Accordion(
            "Reach (Fig. 4): what a pixel reaches directly, without GPA", open=False, elem_id="fig4"
        )
        with self.reach_box:
            hint(
                "Which pixels the one that is looked at reaches within its patches: with one patch "
                "size, shifted patches, and the network's own sizes. Hatched: reached in no block."
            )
            self.reach = image("Directly reached pixels", "reach", 270)
            self.reached = html("reached")

    @property
    def outputs(self) -> list[Any]:
        """What shows matches, and which change is made."""
        return self.named(
            "prompt", "viewer", "kind", "blocks", "seed", "spread", "effect_view", "effect"
        )

    def _change(self) -> None:
        self.kind = gr.Radio(
            [(match_text.KIND_LABELS[k], k) for k in options.KINDS],
            value=options.NORMAL,
            label="Let patches attend to (the weights stay; later blocks decide anew)",
            elem_id="kind",
        )
        blocks = [(match_text.PLACE_LABELS[p], p) for p in options.PLACES]
        effects = [("window (orange)", WINDOW), ("patch looked at", PATCH)]
        with gr.Row():
            label = "In which blocks"
            self.blocks = choice(gr.Radio, blocks, options.HERE, label, "place", 5, 240)
            label = "Show the effect on the"
            self.where = choice(gr.Radio, effects, WINDOW, label, "effect-place", 5, 230)
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
        with gr.Row():
            with gr.Column(scale=5, min_width=300):
                self.effect_view = viewer("effect-view", "Before and after the change")
            with gr.Column(scale=4, min_width=300):
                self.effect = html("effect")
                with gr.Row():
                    self.measure = gr.Button("Measure DI", elem_id="measure", min_width=110)
                    self.stop = gr.Button("Stop", elem_id="measure-stop", min_width=60)
                    self.export = gr.Button("Export (ZIP)", elem_id="export-change", min_width=80)
                    self.file = saver("zip-change")
                self.spread = html("spread", MEASURE)
                self.indices = gr.JSON(label="Diffusion index, normal and changed", visible=False)
