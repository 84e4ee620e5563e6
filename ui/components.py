"""Components that several pages are made of."""

from __future__ import annotations

from typing import Any

import gradio as gr


def saver(name: str) -> gr.DownloadButton:
    """A link to a file that nobody sees: `press_when_made` presses it."""
    return gr.DownloadButton("Save", elem_id=name, elem_classes=["unseen"])


def press_when_made(made: Any, file: gr.DownloadButton) -> None:
    """Have the browser save a file that was made on request, without another click.

    A link that is made beforehand leads nowhere after an hour, when its file has been deleted.

    Args:
        made: The event that gave `file` its value.
        file: From `saver`.
    """
    press = f"() => setTimeout(() => document.querySelector('#{file.elem_id}')?.click(), 300)"
    made.success(None, None, None, js=press, api_visibility="private")


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
