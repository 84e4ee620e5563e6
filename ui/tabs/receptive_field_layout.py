"""What *Receptive field* is made of; `ui.tabs.receptive_field` says what it does."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.state import options
from ui.state.network import BOTH, SWITCHED_OFF, TWIN
from ui.views import text as words
from ui.views.html import status_bar
from ui.views.legends import legend

from .components import Page, choice, hint, html, image, number, saver, slider

REGIONS = [
    ("automatic", "auto"),
    ("64x64 around", "64"),
    ("96x96 around", "96"),
    ("128x128 around", "128"),
    ("whole image", "whole"),
]
THIRDS = [("bicubic, which uses little", options.BICUBIC), ("difference", options.DIFFERENCE)]


class ReceptiveFieldPage(Page):
    """The page's components.

    Args:
        steps: Gradients that are taken unless others are asked for.
    """

    def __init__(self, steps: int) -> None:
        with gr.Row(elem_id="lam-row"):
            self._window()
            self.with_map, self.with_words = _map("with", "With GPA")
            self.without_map, self.without_words = _map("without", "Without GPA")
            self.fourth_map, self.fourth_words = _map(
                "fourth", "Without GPA, the other way", visible=False
            )
            self.third_map, self.third_words = _map("third", "Bicubic interpolation")
        self.status = html("lam-status", status_bar("Waiting for the image…"), "Status")
        self.legend = html("legend", legend(options.Look(), None), "Colour scale")
        with gr.Row():
            self._computing(steps)
        with gr.Row():
            self._drawing()
        self.costs = html("costs", label="Time for other areas")
        self.path_box = gr.Accordion(
            "From blurred to sharp: which matches switch", open=False, elem_id="path"
        )
        with self.path_box, gr.Row():
            self._path()
        with gr.Accordion("Advanced: other methods, colour scale", open=False, elem_id="advanced"):
            self._advanced()
        with gr.Accordion("All figures and parameters, export", open=False, elem_id="figures"):
            self._export()

    @property
    def window(self) -> list[Any]:
        """The number fields."""
        return self.named("left", "top", "size")

    @property
    def look(self) -> list[Any]:
        """How the maps are to be drawn, in the order of `ui.state.options.Look`."""
        return self.named("strength", "colours", "view", "third", "scale", "end")

    @property
    def settings(self) -> list[Any]:
        """How the maps are to be computed: what `Settings` of `ui.tabs.receptive_field` takes."""
        return self.named("steps", "region", "without", "method", "matches")

    @property
    def api_inputs(self) -> list[Any]:
        """What the endpoint ``/attribute`` takes after the session."""
        return [
            *self.window, *self.named("steps", "region", "without"), *self.look,
            *self.named("method", "matches"),
        ]  # fmt: skip

    @property
    def maps(self) -> list[Any]:
        """Everything that shows results, in the order in which ``/attribute`` returns it."""
        return self.named(
            "with_map", "without_map", "third_map", "with_words", "without_words", "third_words",
            "legend", "numbers", "costs", "fourth_map", "fourth_words",
        )  # fmt: skip

    @property
    def placed(self) -> list[Any]:
        """What shows where the window is, and that maps are to come."""
        return [self.picture, *self.window, self.status]

    @property
    def path(self) -> list[Any]:
        """What shows a place of LAM's path."""
        return self.named("path_picture", "path_window", "switched", "path_figure")

    def _window(self) -> None:
        with gr.Column(scale=4, min_width=280):
            self.picture = image("Click the detail to explain", "lam-picture", 330, ["pick"])
            with gr.Row():
                self.left = number(0, "Left (px)", "lam-left", 0, None)
                self.top = number(0, "Top (px)", "lam-top", 0, None)
                self.size = number(16, "Size (4-64)", "lam-size", 4, 64)
            with gr.Row():
                self.run = gr.Button(
                    "Compute maps", variant="primary", elem_id="lam-run", min_width=100
                )
                self.stop = gr.Button("Stop", elem_id="lam-stop", min_width=60)

    def _computing(self, steps: int) -> None:
        ways = [(words.WITHOUT[way], way) for way in (TWIN, SWITCHED_OFF, BOTH)]
        told = "Where there is no twin: GPA switched off."
        self.without = choice(gr.Dropdown, ways, TWIN, "Without GPA means", "without", 3, 220, told)
        told, label = "GPA reaches nothing outside.", "Attributed area (LR pixels)"
        self.region = choice(gr.Dropdown, REGIONS, "auto", label, "region", info=told)
        self.steps = slider(4, 100, steps, 1, "Steps", "steps", "More is exacter, and slower.")
        told = "0: image alone, 1: map alone."
        self.strength = slider(0, 1, 0.6, 0.05, "Overlay", "strength", told)

    def _drawing(self) -> None:
        label = "Maps show (signed: what adds to the window's detail, what takes away)"
        views = list(options.VIEWS)
        self.view = choice(gr.Radio, views, options.IMPORTANCE, label, "view", 4, 300)
        self.third = choice(gr.Radio, THIRDS, options.BICUBIC, "Last map", "third", 3, 240)
        label, colours = "Colours (root lifts faint pixels)", list(options.COLOURS)
        self.colours = choice(gr.Radio, colours, options.ROOT, label, "colours", 2, 200)

    def _advanced(self) -> None:
        methods = [(f"{words.METHODS[m]}: {words.ABOUT_METHODS[m]}", m) for m in words.METHODS]
        rules = [("decided at every step", "live"), ("kept from the sharp image", "frozen")]
        with gr.Row():
            told = "How a pixel's share is found. Figures compare only within a method."
            self.method = choice(
                gr.Dropdown, methods, options.LAM, "Method", "method", 4, 300, told
            )
            label, told = "Matches along the path", "Kept, nothing can switch."
            self.matches = choice(gr.Radio, rules, "live", label, "rule", 3, 240, told)
            told = "A fixed value makes maps of different windows compare."
            label, ends = "Colour scale ends at", list(options.SCALES)
            self.scale = choice(gr.Radio, ends, options.PERCENTILE, label, "scale", 3, 220, told)
            self.end = number(99.5, "% or value", "scale-end", 0, None, None)

    def _path(self) -> None:
        self.path_open = gr.State(False)
        with gr.Column(scale=3, min_width=260):
            told = "0: blurred, where it begins; 1: the image itself."
            self.alpha = slider(0, 1, 1, 0.05, "Position on LAM's path", "alpha", told)
            self.switched = html("switched", label="Switched matches")
        with gr.Column(scale=2, min_width=200):
            self.path_picture = image("What the network is given", "path-picture", 260)
        with gr.Column(scale=2, min_width=200):
            self.path_window = image("What it makes of the window", "path-window", 260)
        with gr.Column(scale=3, min_width=260):
            self.path_figure = image("The detector along the path", "path-figure", 260)

    def _export(self) -> None:
        with gr.Row():
            self.export = gr.Button("Export everything (ZIP)", elem_id="export", min_width=180)
            self.file = saver("zip")
            hint(
                "Maps as PNG and NPZ, the low-resolution pixels, and parameters.json with the "
                "commands that compute the same maps again."
            )
        self.numbers = gr.JSON(
            label="All figures and parameters", show_label=False, elem_id="numbers"
        )


def _map(name: str, label: str, visible: bool = True) -> tuple[gr.Image, gr.Markdown]:
    """A column with a map and what it says."""
    with gr.Column(scale=3, min_width=220, elem_id=f"{name}-column"):
        shown = image(label, f"{name}-map", 270, visible=visible)
        text = gr.Markdown(
            label=f"{label}, in words",
            elem_id=f"{name}-words",
            elem_classes=["words"],
            visible=visible,
        )
    return shown, text
