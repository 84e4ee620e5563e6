"""The controls that all pages share, and the line that says what is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ui.state.examples import EXAMPLES
from ui.state.inputs import ENLARGE, LIMITS, MIDDLE, RESTORE
from ui.state.session import Session
from ui.tabs.components import Page
from ui.tabs.released import ReleasedNetworks
from ui.views import text
from ui.views.html import status_bar

MODES = [
    ("Restore: shrink this image, restore it, score it against itself", RESTORE),
    ("Enlarge: make this image larger; nothing to score by", ENLARGE),
]


class Shared(Page):
    """The controls at the side of the page; those above its tabs are added later.

    Args:
        labels: What networks are called.
    """

    refusal: gr.HTML
    cut: gr.Button
    address: gr.HTML

    def __init__(self, labels: list[str]) -> None:
        # Not gr.Image: that decodes the file first, which loses orientation, depth and transparency
        # and answers a damaged file with a path of the server.
        self.upload = gr.File(
            label="Your images", file_types=["image"], file_count="multiple", height=122,
            elem_id="upload",
        )  # fmt: skip
        self.own = gr.Dropdown(
            [], label="Switch between yours", visible=False, elem_id="own-images"
        )
        self.middle = gr.Checkbox(
            label=MIDDLE,
            info=f"Limits: {LIMITS[RESTORE] / 1e6:g} million pixels to restore, "
            f"{LIMITS[ENLARGE] / 1e6:g} to enlarge.",
            elem_id="middle",
        )
        self.gallery = gr.Gallery(
            [(e.pixels(), e.name) for e in EXAMPLES],
            label="Examples",
            format="png",
            columns=3,
            height=206,
            object_fit="cover",
            allow_preview=False,
            interactive=False,
            selected_index=0,
            buttons=[],
            elem_id="examples",
        )
        self.mode = gr.Radio(MODES, value=RESTORE, label="What to do with it", elem_id="mode")
        self.network = gr.Dropdown(
            labels,
            value=labels[0],
            label="Network",
            info="S, M: how large; x4: how many times it enlarges.",
            elem_id="network",
        )
        self.released = ReleasedNetworks()
        self.shown = gr.HTML(
            status_bar("Nothing is shown yet."),
            label="What is shown",
            elem_id="shown",
            padding=False,
            elem_classes=["tight"],
        )


def own_images(session: Session, number: int) -> Any:
    """The list of a visitor's own images, once there are several."""
    choices = [(f"{n + 1}: {Path(file).name}", n) for n, file in enumerate(session.files)]
    return gr.update(choices=choices, value=number, visible=len(choices) > 1)


def shown_line(session: Session, doing: str = "") -> str:
    """What is shown; while something else is on its way, that this is not what is chosen."""
    opened = session.opened
    if opened is None:
        return status_bar(doing or "Nothing is shown yet.")
    if doing:
        return status_bar(doing, stale=f"Dimmed: {text.of_image(opened)}.")
    return status_bar(f"Shown: {text.of_image(opened)} ({text.origin(opened.network)}).")
