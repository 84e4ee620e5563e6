"""Components that several pages are made of."""

from __future__ import annotations

import gradio as gr


def picture(
    label: str,
    name: str,
    height: int,
    classes: list[str] | None = None,
    scale: int | None = None,
    visible: bool = True,
) -> gr.Image:
    """A picture with its title, that keeps every pixel."""
    return gr.Image(
        label=label,
        height=height,
        format="png",
        interactive=False,
        buttons=["fullscreen"],
        elem_id=name,
        elem_classes=["titled", *(classes or [])],
        scale=scale,
        visible=visible,
    )


def number(
    value: float,
    label: str,
    name: str,
    least: float,
    most: float | None,
    precision: int | None = 0,
) -> gr.Number:
    """A narrow number field, of whole numbers unless another precision is given."""
    return gr.Number(
        value,
        label=label,
        precision=precision,
        minimum=least,
        maximum=most,
        min_width=70,
        elem_id=name,
    )
