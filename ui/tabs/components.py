"""Components that several tabs are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr


class Page:
    """The components of a tab, as attributes."""

    def named(self, *names: str) -> list[Any]:
        """Components by their names, as inputs or outputs of an event."""
        return [getattr(self, name) for name in names]

    def fill(self, values: Mapping[str, Any]) -> Any:
        """What a handler returns to give components values by their names."""
        return {getattr(self, name): value for name, value in values.items()} or gr.skip()


def html(name: str, value: str = "", label: str | None = None) -> gr.HTML:
    """A place for HTML without padding."""
    return gr.HTML(value, label=label, elem_id=name, padding=False, elem_classes=["tight"])


def hint(text: str) -> gr.Markdown:
    """A line of explanation."""
    return gr.Markdown(text, elem_classes=["words", "hint"])


def choice(
    kind: type[Any],
    choices: Sequence[Any],
    value: Any,
    label: str,
    name: str,
    scale: int = 3,
    min_width: int = 180,
    info: str | None = None,
) -> Any:
    """A list or row of choices; ``kind`` is `gr.Dropdown` or `gr.Radio`."""
    return kind(
        choices, value=value, label=label, info=info, scale=scale, min_width=min_width, elem_id=name
    )


def slider(
    least: float, most: float, value: float, step: float, label: str, name: str, info: str
) -> gr.Slider:
    """A slider with a number field."""
    return gr.Slider(
        least,
        most,
        value,
        step=step,
        label=label,
        info=info,
        buttons=[],
        scale=3,
        min_width=180,
        elem_id=name,
    )


def saver(name: str) -> gr.DownloadButton:
    """A link to a file that nobody sees: `download_when_made` presses it."""
    return gr.DownloadButton("Save", elem_id=name, elem_classes=["unseen"])


def download_when_made(made: Any, file: gr.DownloadButton) -> None:
    """Have the browser save a file that was made on request, without another click.

    A link that is made beforehand leads nowhere after an hour, when its file has been deleted.

    Args:
        made: The event that gave `file` its value.
        file: From `saver`.
    """
    press = f"() => setTimeout(() => document.querySelector('#{file.elem_id}')?.click(), 300)"
    made.success(None, None, None, js=press, api_visibility="private")


def image(
    label: str,
    name: str,
    height: int,
    classes: list[str] | None = None,
    scale: int | None = None,
    visible: bool = True,
) -> gr.Image:
    """An image with its title, that keeps every pixel."""
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
    info: str | None = None,
) -> gr.Number:
    """A narrow number field, of whole numbers unless another precision is given."""
    return gr.Number(
        value,
        label=label,
        info=info,
        precision=precision,
        minimum=least,
        maximum=most,
        min_width=70,
        elem_id=name,
    )
