"""What page 3 is made of; `ui.tabs.matches` says what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.components import picture, saver
from ui.state import options
from ui.views import match_text
from ui.views.html import status_bar

MOST_BLOCKS = 10
"""The L network's: an API client may ask for a block before the page has shown any."""

LOOK, BLOCK, CHANGE, PAIRS, REACH = "look", "block", "change", "pairs", "reach"
"""The panes beside the picture."""

WINDOW, PATCH = "window", "patch"
"""Where the effect of a change is shown."""


@dataclass
class ChangePane:
    """Changes of the matches, and what they do."""

    kind: gr.Radio
    place: gr.Radio
    seed: gr.Number
    where: gr.Radio
    reset: gr.Button
    before: gr.Image
    after: gr.Image
    difference: gr.Image
    effect: gr.HTML
    measure: gr.Button
    stop: gr.Button
    spread: gr.HTML
    numbers: gr.JSON
    export: gr.Button
    file: gr.DownloadButton

    @property
    def controls(self) -> list[Any]:
        """What says which change is made."""
        return [self.kind, self.place, self.seed]

    @property
    def outputs(self) -> list[Any]:
        """What `ui.views.match_panes.effect_view` returns values for."""
        return [self.before, self.after, self.difference, self.effect]


@dataclass
class MatchesPage:
    """The page's components."""

    block: gr.Radio
    x: gr.Number
    y: gr.Number
    prompt: gr.HTML
    picture: gr.Image
    panes: dict[str, gr.Tab]
    pair: gr.Markdown
    runners: gr.HTML
    crops: gr.Image
    popular: gr.Image
    hub: gr.Markdown
    graph: gr.Image
    similarity: gr.Image
    distance: gr.Image
    figures: gr.HTML
    change: ChangePane
    boxes: gr.Image
    rows: gr.Image
    reach: gr.Image
    reached: gr.HTML

    @property
    def inputs(self) -> list[Any]:
        """Block and place."""
        return [self.block, self.x, self.y]

    @property
    def outputs(self) -> list[Any]:
        """What `ui.tabs.matches.view` returns values for."""
        first = [self.prompt, self.picture, self.crops, self.pair, self.runners]
        return [*self.inputs, *first, self.popular, self.hub, *self.change.controls]

    @property
    def details(self) -> list[Any]:
        """What `ui.views.match_panes.details` returns values for."""
        block = [self.graph, self.similarity, self.distance, self.figures]
        return [*block, *self.change.outputs, self.boxes, self.rows, self.reach, self.reached]


def lay_out() -> MatchesPage:
    """Make the page's components."""
    with gr.Row():
        with gr.Column(scale=5, min_width=380):
            block, x, y = _place()
            prompt = gr.HTML(elem_id="match-prompt", padding=False, elem_classes=["tight"])
            large = picture("Patch (solid) and its match (dashed)", "match-picture", 540, ["pick"])
        with gr.Column(scale=6, min_width=420), gr.Tabs(elem_id="panes"):
            panes = {}
            with gr.Tab("Its match", render_children=True) as panes[LOOK]:
                pair, runners, crops, popular, hub = _look()
            with gr.Tab("Change matches", render_children=True) as panes[CHANGE]:
                change = _change()
            with gr.Tab("This block", render_children=True) as panes[BLOCK]:
                graph, similarity, distance, figures = _block()
            with gr.Tab("All blocks (Fig. 8)", render_children=True) as panes[PAIRS]:
                gr.Markdown(
                    "The patch that holds the clicked pixel in every block (solid) and its match "
                    "(dashed), numbered by block: patches grow, so matches see more and more.",
                    elem_classes=["words", "hint"],
                )
                with gr.Row():
                    boxes = picture("On the picture", "pair-boxes", 560, scale=3)
                    rows = picture("Side by side", "pair-rows", 560, scale=2)
            with gr.Tab("Reach (Fig. 4)", render_children=True) as panes[REACH]:
                gr.Markdown(
                    "Which pixels the clicked one reaches directly within its patches, without "
                    "GPA: with one patch size, shifted patches, and the network's own sizes. "
                    "Hatched: the blind spot, reached in no block.",
                    elem_classes=["words", "hint"],
                )
                reach = picture("Directly reached pixels", "reach", 270)
                reached = gr.HTML(elem_id="reached", padding=False, elem_classes=["tight"])
    return MatchesPage(
        block, x, y, prompt, large, panes, pair, runners, crops, popular, hub, graph, similarity,
        distance, figures, change, boxes, rows, reach,
        reached,
    )  # fmt: skip


def _place() -> tuple[gr.Radio, gr.Number, gr.Number]:
    def number(label: str, name: str) -> gr.Number:
        return gr.Number(
            0, label=label, info="pixels", precision=0, minimum=0, min_width=70, elem_id=name
        )

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
        return block, number("x", "match-x"), number("y", "match-y")


def _look() -> tuple[gr.Markdown, gr.HTML, gr.Image, gr.Image, gr.Markdown]:
    pair = gr.Markdown(elem_id="pair", elem_classes=["words"])
    crops = gr.Image(
        label="All blocks at this place: the patch above, its match below",
        height=212,
        format="png",
        interactive=False,
        buttons=["fullscreen"],
        elem_id="crops",
        elem_classes=["titled"],
    )
    with gr.Row():
        popular = picture("How many patches chose each patch", "popular", 320)
        with gr.Column(min_width=220):
            runners = gr.HTML(elem_id="runners", padding=False, elem_classes=["tight"])
            hub = gr.Markdown(elem_id="hub", elem_classes=["words"])
            gr.Markdown(
                "Global Pixel Access (GPA): in each block every patch finds the one other "
                "patch that is most similar in feature space, and attends to its pixels. "
                "Brighter, with a larger number: chosen by more patches.",
                elem_classes=["words", "hint"],
            )
    return pair, runners, crops, popular, hub


def _block() -> tuple[gr.Image, gr.Image, gr.Image, gr.HTML]:
    with gr.Row():
        graph = picture("Who looks at whom", "graph", 300)
        similarity = picture("Similarities of all pairs of patches", "similarity", 300)
    with gr.Row():
        distance = picture("How far away matches are", "distance", 260)
        figures = gr.HTML(elem_id="block-figures", padding=False, elem_classes=["tight"])
    return graph, similarity, distance, figures


def _change() -> ChangePane:
    kind = gr.Radio(
        [(match_text.KIND_LABELS[k], k) for k in options.KINDS],
        value=options.NORMAL,
        label="Let patches look at (the weights stay; later blocks decide anew)",
        elem_id="kind",
    )
    with gr.Row():
        place = gr.Radio(
            [(match_text.PLACE_LABELS[p], p) for p in options.PLACES],
            value=options.HERE,
            label="In which blocks",
            scale=5,
            min_width=280,
            elem_id="place",
        )
        where = gr.Radio(
            [("window (dashed)", WINDOW), ("clicked patch", PATCH)],
            value=WINDOW,
            label="Look at the effect on the",
            scale=5,
            min_width=270,
            elem_id="effect-place",
        )
    with gr.Row():
        before = picture("Before", "before", 190)
        after = picture("After", "after", 190)
        difference = picture("Difference", "difference", 190)
    effect = gr.HTML(elem_id="effect", padding=False, elem_classes=["tight"])
    with gr.Row():
        reset = gr.Button("Reset", elem_id="reset", min_width=70, scale=1)
        measure = gr.Button("Measure DI", elem_id="measure", min_width=110, scale=1)
        stop = gr.Button("Stop", elem_id="measure-stop", min_width=60, scale=1)
        export = gr.Button("Export", elem_id="export-change", min_width=80, scale=1)
        file = saver("zip-change")
        seed = gr.Number(
            0,
            label="Seed (Enter)",
            precision=0,
            minimum=0,
            min_width=110,
            scale=1,
            visible=False,
            elem_id="seed",
        )
    spread = gr.HTML(
        status_bar("DI on request: how widely the window's pixels spread, with and without it."),
        elem_id="spread",
        padding=False,
        elem_classes=["tight"],
    )
    numbers = gr.JSON(label="Diffusion index, normal and changed", visible=False)
    return ChangePane(
        kind,
        place,
        seed,
        where,
        reset,
        before,
        after,
        difference,
        effect,
        measure,
        stop,
        spread,
        numbers,
        export,
        file,
    )
