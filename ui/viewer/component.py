"""The viewer as a component of the page.

A factory and no subclass: for each subclass of its components gradio writes a file beside the
source.
"""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from hpinet.errors import UserError

from .routes import CODE, STATIC

_HTML = (STATIC / "viewer.html").read_text("utf-8")
_CSS = (STATIC / "viewer.css").read_text("utf-8")
_ROOT = 'const root = window.gradio_config.root.replace(/\\/$/, "");\n'
REMEMBER_TAB = f'() => {{ {_ROOT}import(root + "{CODE}/address.js").then((m) => m.tab()); }}'
"""JavaScript that puts the tab that was opened into the address."""

_LOAD = (
    _ROOT
    + """
import(root + "%s/main.js")
  .then((module) => module.mount(element, props, trigger, watch))
  .catch((error) => {
    element.querySelector(".read").textContent = "The viewer did not load: " + error.message;
  });
"""
)


def viewer(name: str, label: str) -> gr.HTML:
    """Panes that the browser draws.

    Its value is one small dictionary (`ui.viewer.scenes`): sizes, titles, and the addresses of
    the numbers. What a visitor does in it comes as an event whose data `event_data` reads.

    Args:
        name: The element's id.
        label: Its name for those who cannot see it.
    """
    return gr.HTML(
        None,
        html_template=_HTML.replace("LABEL", escape(label)),
        css_template=_CSS,
        js_on_load=_LOAD % CODE,
        apply_default_css=False,
        elem_id=name,
    )


def address_bar() -> gr.HTML:
    """Nothing to be seen: its value is what the page's address is to say (`ui.state.address`).

    Its ``select`` tells that the visitor went back or forward, and where; the value that answers
    has the same ``turn``.
    """
    follow = "(m) => m.follow(trigger, props, watch)"
    return gr.HTML(
        None,
        html_template="<i></i>",
        js_on_load=f'{_ROOT}import(root + "{CODE}/address.js").then({follow});',
        elem_id="address",
        elem_classes=["unseen"],
    )


def event_data(event: gr.EventData) -> dict[str, Any]:
    """What the browser sent along with an event.

    Raises:
        ValueError: It is no dictionary: not from our page.
    """
    data = event._data
    if not isinstance(data, dict):
        raise UserError("The page sent nothing that can be understood: reload it.")
    return data
