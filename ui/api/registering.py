"""How an endpoint is registered: as a click on a button that nobody sees."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.events.handlers import QUICK


def register(
    handler: Any, inputs: list[Any], outputs: list[Any], name: str, told: str, **options: Any
) -> None:
    """Register an endpoint.

    Args:
        handler: Takes values of the inputs.
        inputs: Components, the session first.
        outputs: Components.
        name: Of the endpoint.
        told: What it does.
        options: Of the event.
    """
    options = {**QUICK, "concurrency_id": "image", **options}
    gr.Button(visible=False).click(
        handler, inputs, outputs, api_name=name, api_description=told, **options
    )


def image(label: str) -> gr.Image:
    """An output that is an image file."""
    return gr.Image(label=label, format="png", type="filepath", visible=False)
