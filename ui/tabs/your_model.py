"""Page 4: a network of the visitor's own, beside the others."""

from __future__ import annotations

import html
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ui.events.handlers import QUICK, spoken
from ui.state.model_catalogue import Catalogue
from ui.state.session import Session
from ui.state.uploaded_models import LIMIT_MB, LIMIT_PARAMETERS, SUFFIXES
from ui.views import text

_FOREIGN = (
    "networks of other architectures (SwinIR, RCAN, EDSR, Real-ESRGAN and some forty more, "
    "recognised by **spandrel**)"
)

INTRODUCTION = f"""
### Put your own network beside these
Choose a file of weights. It becomes a contender in *Super-resolve* and can be explained in
*Receptive field*; the pictures stay as they are.

- **What is taken**: HPINet checkpoints (this project's or the authors'){{foreign}};
  from RGB to RGB, 2 to 8 times larger.
- **Files**: {", ".join(SUFFIXES)}; up to {LIMIT_MB} MB and
  {LIMIT_PARAMETERS // 10**6} million numbers.
- **Safety**: a file is read as plain weights. One that wants to run code is refused.
- **Privacy**: only you can see or use it, as long as this page is open; the file is deleted as soon
  as it is read.
"""

NOTHING = "No model of yours is loaded."


@dataclass
class YourModelPage:
    """The page's components, and the events after which all that is shown must be worked out."""

    file: gr.File
    card: gr.HTML
    use: gr.Button
    forget: gr.Button

    @property
    def outputs(self) -> list[Any]:
        """What `view` returns values for."""
        return [self.card, self.use, self.forget]


def build() -> YourModelPage:
    """Lay the page out."""
    foreign = f", and {_FOREIGN}" if spandrel_installed() else (
        "; for other architectures the server needs the package spandrel"
    )  # fmt: skip
    with gr.Row():
        with gr.Column(scale=5, min_width=340):
            gr.Markdown(INTRODUCTION.format(foreign=foreign), elem_classes=["words"])
            file = gr.File(
                label="File of weights",
                file_types=list(SUFFIXES),
                height=130,
                elem_id="weights",
            )
        with gr.Column(scale=4, min_width=320):
            card = gr.HTML(card_of(None, None), elem_id="own-card", padding=False)
            with gr.Row():
                use = gr.Button(
                    "Use it as the network", interactive=False, elem_id="own-use", min_width=150
                )
                forget = gr.Button(
                    "Forget it", interactive=False, elem_id="own-forget", min_width=100
                )
            gr.Markdown(
                "*Use it as the network* makes it the one that all pages are about. Networks "
                "without Global Pixel Access have no matched patches to show.",
                elem_classes=["words", "hint"],
            )
    return YourModelPage(file, card, use, forget)


def spandrel_installed() -> bool:
    """Whether networks of other architectures can be read here."""
    return importlib.util.find_spec("spandrel") is not None


def connect(
    catalogue: Catalogue, session: gr.State, page: YourModelPage, network: gr.Dropdown
) -> list[Any]:
    """Connect the page.

    Args:
        catalogue: Where networks come from.
        session: The visitor's.
        page: From `build`.
        network: The choice of the network that all pages are about.

    Returns:
        The events after which the picture must be shown anew.
    """

    @spoken
    def load(session: Session, file: str | None) -> tuple[Any, ...]:
        take(session, catalogue, file)
        return *view(session, catalogue), choice(session, catalogue, session.network)

    @spoken
    def use(session: Session) -> Any:
        return choice(session, catalogue, session.own or session.network)

    @spoken
    def forget(session: Session) -> tuple[Any, ...]:
        label = drop(session, catalogue)
        return None, *view(session, catalogue), choice(session, catalogue, label)

    quick = {**QUICK, "api_visibility": "private", "concurrency_id": "own"}
    loading = {**quick, "show_progress": "minimal", "show_progress_on": page.card}
    everything = [*page.outputs, network]
    loaded = page.file.upload(load, [session, page.file], everything, **loading)
    # A refused file must not stay in the field while another model is described beside it.
    loaded.failure(lambda: None, None, page.file, **quick)
    return [
        loaded,
        page.use.click(use, session, network, **quick),
        page.forget.click(forget, session, [page.file, *everything], **quick),
    ]


def take(session: Session, catalogue: Catalogue, file: str | None) -> str:
    """Load a visitor's file, delete it, and return the network's label.

    Raises:
        ValueError: Anything wrong with it, in a sentence.
    """
    if not file:
        raise ValueError("No file was given: choose a file of weights.")
    try:
        session.own = catalogue.own.add(file)
    finally:
        Path(file).unlink(missing_ok=True)
    return session.own


def drop(session: Session, catalogue: Catalogue) -> str:
    """Forget the visitor's network; which one is to be used from now on."""
    label = catalogue.labels[0] if session.network == session.own else session.network
    session.own = None
    return label or catalogue.labels[0]


def choice(session: Session, catalogue: Catalogue, label: str) -> Any:
    """The networks that this visitor can choose from."""
    choices = [*catalogue.labels, *([session.own] if session.own else [])]
    return gr.update(choices=choices, value=label or choices[0])


def view(session: Session, catalogue: Catalogue) -> tuple[Any, ...]:
    """Values for `YourModelPage.outputs`."""
    known = session.own is not None
    card = card_of(session.own, catalogue)
    return card, gr.update(interactive=known), gr.update(interactive=known)


def card_of(label: str | None, catalogue: Catalogue | None) -> str:
    """What is known about the visitor's network, as HTML."""
    if label is None or catalogue is None:
        return f'<div class="status" role="status">{NOTHING}</div>'
    rows = [("Name", label), *facts(label, catalogue)]
    body = "".join(
        f"<tr><th scope='row'>{html.escape(n)}</th><td>{html.escape(v)}</td></tr>" for n, v in rows
    )
    return f'<div role="status"><table class="facts"><tbody>{body}</tbody></table></div>'


def facts(label: str, catalogue: Catalogue) -> list[tuple[str, str]]:
    """Rows of name and value."""
    network, known = catalogue.own.get(label), catalogue.own.facts(label)
    return [
        ("Architecture", known.architecture),
        ("Enlarges", f"{network.scale} times"),
        ("Parameters", f"{known.parameters:,} (numbers it learnt)"),
        ("Global Pixel Access", "yes" if network.has_gpa else "no: it has no matched patches"),
        ("Time for 64x64 pixels", f"about {text.seconds(known.seconds)} here"),
    ]
