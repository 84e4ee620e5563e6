"""What *Receptive field* is made of; `ui.tabs.maps.receptive_field` says what it does."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.networks.network import BOTH, SWITCHED_OFF, TWIN
from ui.state import options
from ui.tabs.components import Page, choice, hint, html, number, saver, slider
from ui.viewer.component import viewer
from ui.views import text as words
from ui.views.html import status_bar

REGIONS = [
    ("automatic", "auto"),
    ("64x64 around", "64"),
    ("96x96 around", "96"),
    ("128x128 around", "128"),
    ("whole image", "whole"),
]


class ReceptiveFieldPage(Page):
    """The page's components.

    Args:
        steps: Gradients that are taken unless others are asked for.
    """

    def __init__(self, steps: int) -> None:
        with gr.Row(elem_id="lam-row", equal_height=True):
            self.run = gr.Button(
                "Compute maps", variant="primary", elem_id="lam-run", min_width=110, scale=1
            )
            self.stop = gr.Button("Stop", elem_id="lam-stop", min_width=60, scale=1)
            self.left = number(0, "Left (px)", "lam-left", 0, None)
            self.top = number(0, "Top (px)", "lam-top", 0, None)
            self.size = number(16, "Size (4-64)", "lam-size", 4, 64)
            with gr.Column(scale=6, min_width=260):
                self.status = html("lam-status", status_bar("Waiting for the image…"), "Status")
        self.viewer = viewer("maps", "Receptive field: the image, and attribution maps over it")
        self.asked = html("asked", label="What blurring the painted pixels does")
        with gr.Row():
            self._computing(steps)
        self.costs = html("costs", label="Time for other areas")
        with gr.Accordion("All figures and parameters, export", open=False, elem_id="figures"):
            self._export()

    @property
    def window(self) -> list[Any]:
        """The number fields."""
        return self.named("left", "top", "size")

    @property
    def settings(self) -> list[Any]:
        """How the maps are to be computed: what `How` and `region_around` take."""
        return self.named("steps", "region", "without", "method", "matches")

    @property
    def shown(self) -> list[Any]:
        """Everything that shows results."""
        return self.named("viewer", "numbers", "costs", "status", "asked")

    @property
    def placed(self) -> list[Any]:
        """What shows where the window is, and that maps are to come."""
        return [*self.window, *self.named("viewer", "status", "region", "asked")]

    def _computing(self, steps: int) -> None:
        ways = [(words.WITHOUT[way], way) for way in (TWIN, SWITCHED_OFF, BOTH)]
        told = "Where there is no twin: GPA switched off."
        self.without = choice(gr.Dropdown, ways, TWIN, "Without GPA means", "without", 3, 200, told)
        told, label = "GPA reaches nothing outside.", "Attributed area (LR pixels)"
        self.region = choice(gr.Dropdown, REGIONS, "auto", label, "region", 3, 170, told)
        methods = [(words.METHODS[m], m) for m in words.METHODS]
        told = "Figures compare only within a method."
        self.method = choice(gr.Dropdown, methods, options.LAM, "Method", "method", 3, 170, told)
        self.steps = slider(
            *options.STEPS_OFFERED, steps, 1, "Steps of LAM", "steps", "More: exacter, slower."
        )
        rules = [("decided at every step", "live"), ("kept from the sharp image", "frozen")]
        told = "Kept, nothing can switch."
        label = "Matches along LAM's path"
        self.matches = choice(gr.Dropdown, rules, "live", label, "rule", 3, 170, told)

    def _export(self) -> None:
        with gr.Row():
            self.export = gr.Button("Export everything (ZIP)", elem_id="export", min_width=180)
            self.file = saver("zip")
            hint(
                "Maps as PNG and NPZ, the low-resolution pixels, and parameters.json with the "
                "commands that compute the same maps again. “Save figure” above makes one image."
            )
        self.numbers = gr.JSON(
            label="All figures and parameters", show_label=False, elem_id="numbers"
        )
