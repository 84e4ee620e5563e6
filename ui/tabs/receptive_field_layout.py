"""What page 2 is made of; `ui.tabs.receptive_field` says what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.components import number, picture, saver
from ui.state import options
from ui.state.model_catalogue import BOTH, OWN, TWIN
from ui.views import text as words
from ui.views.html import status_bar
from ui.views.legends import legend

REGIONS = [
    ("automatic", "auto"),
    ("64x64 around", "64"),
    ("96x96 around", "96"),
    ("128x128 around", "128"),
    ("whole picture", "whole"),
]
THIRDS = [("bicubic, which sees little", options.BICUBIC), ("difference", options.DIFFERENCE)]


@dataclass
class PathPane:
    """The path from the blurred to the sharp picture."""

    box: gr.Accordion
    alpha: gr.Slider
    picture: gr.Image
    window: gr.Image
    switched: gr.HTML
    figure: gr.Image

    @property
    def outputs(self) -> list[Any]:
        """What `ui.views.path.view` returns values for."""
        return [self.picture, self.window, self.switched, self.figure]


@dataclass
class ReceptiveFieldPage:
    """The page's components."""

    picture: gr.Image
    left: gr.Number
    top: gr.Number
    size: gr.Number
    run: gr.Button
    stop: gr.Button
    pictures: list[gr.Image]
    words: list[gr.Markdown]
    legend: gr.HTML
    status: gr.HTML
    steps: gr.Slider
    region: gr.Dropdown
    without: gr.Dropdown
    strength: gr.Slider
    colours: gr.Radio
    view: gr.Radio
    third: gr.Radio
    scale: gr.Radio
    end: gr.Number
    method: gr.Dropdown
    matches: gr.Radio
    numbers: gr.JSON
    costs: gr.HTML
    path: PathPane
    export: gr.Button
    file: gr.DownloadButton
    fourth: list[Any]

    @property
    def window(self) -> list[Any]:
        """The number fields."""
        return [self.left, self.top, self.size]

    @property
    def look(self) -> list[Any]:
        """How the maps are to be drawn, in the order of `ui.state.options.Look`."""
        return [self.strength, self.colours, self.view, self.third, self.scale, self.end]

    @property
    def settings(self) -> list[Any]:
        """How the maps are to be computed and shown."""
        return [self.steps, self.region, self.without, *self.look, self.method, self.matches]

    @property
    def inputs(self) -> list[Any]:
        """What `attribute` takes after the session."""
        return [*self.window, *self.settings]

    @property
    def maps(self) -> list[Any]:
        """What `ui.views.maps.maps` returns values for."""
        return [
            *self.pictures, *self.words, self.legend, self.numbers, self.costs, *self.fourth
        ]  # fmt: skip

    @property
    def fresh(self) -> list[Any]:
        """What `ui.tabs.receptive_field.start` returns values for."""
        return [self.picture, *self.window, self.status]


def lay_out(steps: int) -> ReceptiveFieldPage:
    """Make the page's components.

    Args:
        steps: Gradients that are taken unless others are asked for.
    """
    with gr.Row(elem_id="lam-row"):
        with gr.Column(scale=4, min_width=280):
            sr = picture("Click the detail to explain", "lam-picture", 330, ["pick"])
            with gr.Row():
                left = number(0, "Left (px)", "lam-left", 0, None)
                top = number(0, "Top (px)", "lam-top", 0, None)
                size = number(16, "Size (4-64)", "lam-size", 4, 64)
            with gr.Row():
                run = gr.Button("Compute maps", variant="primary", elem_id="lam-run", min_width=100)
                stop = gr.Button("Stop", elem_id="lam-stop", min_width=60)
        first, second = _map("with", "With GPA"), _map("without", "Without GPA")
        fourth = _map("fourth", "Without GPA, the other way", visible=False)
        columns = first, second, _map("third", "Bicubic interpolation")
    status = gr.HTML(
        status_bar("Waiting for the picture…"),
        label="Status",
        elem_id="lam-status",
        padding=False,
        elem_classes=["tight"],
    )
    scale = gr.HTML(
        legend(options.Look(), None),
        label="Colour scale",
        elem_id="legend",
        padding=False,
        elem_classes=["tight"],
    )
    with gr.Row():
        without, region, steps_, strength = _computing(steps)
    with gr.Row():
        view, third, colours = _drawing()
    costs = gr.HTML(
        label="Time for other areas", elem_id="costs", padding=False, elem_classes=["tight"]
    )
    box = gr.Accordion("From blurred to sharp: which matches switch", open=False, elem_id="path")
    with box:
        path = _path_pane(box)
    with gr.Accordion("Advanced: other methods, colour scale", open=False, elem_id="advanced"):
        method, matches, ends, end = _advanced()
    with gr.Accordion("All figures and parameters, export", open=False, elem_id="figures"):
        with gr.Row():
            export = gr.Button("Export everything (ZIP)", elem_id="export", min_width=180)
            file = saver("zip")
            gr.Markdown(
                "Maps as PNG and NPZ, the low-resolution pixels, and parameters.json with the "
                "commands that compute the same maps again.",
                elem_classes=["words", "hint"],
            )
        numbers = gr.JSON(label="All figures and parameters", show_label=False, elem_id="numbers")
    return ReceptiveFieldPage(
        sr, left, top, size, run, stop, [c[0] for c in columns], [c[1] for c in columns], scale,
        status, steps_, region, without, strength, colours, view, third, ends, end, method,
        matches, numbers, costs, path, export, file, list(fourth),
    )  # fmt: skip


def _map(name: str, label: str, visible: bool = True) -> tuple[gr.Image, gr.Markdown]:
    """A column with a map and what it says."""
    with gr.Column(scale=3, min_width=220, elem_id=f"{name}-column"):
        shown = picture(label, f"{name}-map", 270, visible=visible)
        text = gr.Markdown(
            label=f"{label}, in words",
            elem_id=f"{name}-words",
            elem_classes=["words"],
            visible=visible,
        )
    return shown, text


def _computing(steps: int) -> tuple[gr.Dropdown, gr.Dropdown, gr.Slider, gr.Slider]:
    without = gr.Dropdown(
        [(words.WITHOUT[way], way) for way in (TWIN, OWN, BOTH)],
        value=TWIN,
        label="Without GPA means",
        info="Where there is no twin: GPA switched off.",
        scale=3,
        min_width=220,
        elem_id="without",
    )
    region = gr.Dropdown(
        REGIONS,
        value="auto",
        label="Attributed area (LR pixels)",
        info="GPA reaches nothing outside.",
        scale=3,
        min_width=180,
        elem_id="region",
    )
    taken = gr.Slider(
        4,
        100,
        steps,
        step=1,
        label="Steps",
        info="More is exacter, and slower.",
        buttons=[],
        scale=3,
        min_width=180,
        elem_id="steps",
    )
    strength = gr.Slider(
        0,
        1,
        0.6,
        step=0.05,
        label="Overlay",
        info="0: picture alone, 1: map alone.",
        buttons=[],
        scale=3,
        min_width=180,
        elem_id="strength",
    )
    return without, region, taken, strength


def _drawing() -> tuple[gr.Radio, gr.Radio, gr.Radio]:
    view = gr.Radio(
        list(options.VIEWS),
        value=options.IMPORTANCE,
        label="Maps show (signed: what adds to the window's detail, what takes away)",
        scale=4,
        min_width=300,
        elem_id="view",
    )
    third = gr.Radio(
        THIRDS,
        value=options.BICUBIC,
        label="Last map",
        scale=3,
        min_width=240,
        elem_id="third",
    )
    colours = gr.Radio(
        list(options.COLOURS),
        value=options.ROOT,
        label="Colours (root lifts faint pixels)",
        scale=2,
        min_width=200,
        elem_id="colours",
    )
    return view, third, colours


def _advanced() -> tuple[gr.Dropdown, gr.Radio, gr.Radio, gr.Number]:
    with gr.Row():
        method = gr.Dropdown(
            [(f"{words.METHODS[m]}: {words.ABOUT_METHODS[m]}", m) for m in words.METHODS],
            value=options.LAM,
            label="Method",
            info="How a pixel's share is found. Figures compare only within a method.",
            scale=4,
            min_width=300,
            elem_id="method",
        )
        matches = gr.Radio(
            [("decided at every step", "live"), ("kept from the sharp picture", "frozen")],
            value="live",
            label="Matches along the path",
            info="Kept, nothing can switch.",
            scale=3,
            min_width=240,
            elem_id="rule",
        )
        ends = gr.Radio(
            list(options.SCALES),
            value=options.PERCENTILE,
            label="Colour scale ends at",
            info="A fixed value makes maps of different windows compare.",
            scale=3,
            min_width=220,
            elem_id="scale",
        )
        end = number(99.5, "% or value", "scale-end", 0, None, None)
    return method, matches, ends, end


def _path_pane(box: gr.Accordion) -> PathPane:
    with gr.Row():
        with gr.Column(scale=3, min_width=260):
            alpha = gr.Slider(
                0,
                1,
                1,
                step=0.05,
                label="Position on LAM's path",
                info="0: blurred, where it begins; 1: the picture itself.",
                buttons=[],
                elem_id="alpha",
            )
            switched = gr.HTML(
                label="Switched matches", elem_id="switched", padding=False, elem_classes=["tight"]
            )
        with gr.Column(scale=2, min_width=200):
            small = picture("What the network is given", "path-picture", 260)
        with gr.Column(scale=2, min_width=200):
            window = picture("What it makes of the window", "path-window", 260)
        with gr.Column(scale=3, min_width=260):
            figure = picture("The detector along the path", "path-figure", 260)
    return PathPane(box, alpha, small, window, switched, figure)
