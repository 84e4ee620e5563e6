"""*Your model*: a network that the visitor uploads, beside the others."""

from __future__ import annotations

from typing import Any

import gradio as gr

from hpinet.errors import UserError
from ui.compute.runtime import Runtime
from ui.events.handlers import PRIVATE, with_user_errors
from ui.networks.model_catalogue import Catalogue
from ui.networks.uploaded_models import LIMIT_MB, LIMIT_PARAMETERS, SUFFIXES
from ui.state.session import Session
from ui.views import text
from ui.views.html import render

from .components import Page
from .released import choices


class YourModelPage(Page):
    """The page's components."""

    def __init__(self) -> None:
        introduction = render(
            "your_model.md",
            suffixes=SUFFIXES,
            megabytes=LIMIT_MB,
            parameters=LIMIT_PARAMETERS,
        )
        with gr.Row():
            with gr.Column(scale=5, min_width=340):
                gr.Markdown(introduction, elem_classes=["words"])
                self.file = gr.File(
                    label="File of weights",
                    file_types=list(SUFFIXES),
                    height=130,
                    elem_id="weights",
                )
            with gr.Column(scale=4, min_width=320):
                self.card = gr.HTML(card(None, None), elem_id="own-card", padding=False)
                with gr.Row():
                    self.use = gr.Button(
                        "Use it as the network", interactive=False, elem_id="own-use", min_width=150
                    )
                    self.forget = gr.Button(
                        "Forget it", interactive=False, elem_id="own-forget", min_width=100
                    )
                gr.Markdown(
                    "*Use it as the network* makes it the one that all pages are about. Networks "
                    "without Global Pixel Access have no matched patches to show.",
                    elem_classes=["words", "hint"],
                )

    def connect(self, runtime: Runtime, session: gr.State, network: gr.Dropdown) -> list[Any]:
        """Connect the page.

        Args:
            runtime: Knows the networks.
            session: The visitor's.
            network: The choice of the network that all pages are about.

        Returns:
            The events after which the image must be shown anew.
        """
        catalogue = runtime.catalogue

        def described(session: Session, label: str) -> dict[Any, Any]:
            known, labels = session.uploaded is not None, choices(catalogue, session)
            return {
                self.card: card(session.uploaded, catalogue),
                self.use: gr.update(interactive=known),
                self.forget: gr.update(interactive=known),
                network: gr.update(choices=labels, value=label or labels[0]),
            }

        @with_user_errors
        def load(session: Session, file: str | None) -> dict[Any, Any]:
            take(session, catalogue, file)
            return described(session, session.opened.network.label if session.opened else "")

        @with_user_errors
        def use(session: Session) -> dict[Any, Any]:
            chosen = session.uploaded or (session.opened and session.opened.network.label)
            return described(session, chosen or "")

        @with_user_errors
        def forget(session: Session) -> dict[Any, Any]:
            return {self.file: None, **described(session, drop(session, catalogue))}

        quick = {**PRIVATE, "concurrency_id": "own"}
        loading = {**quick, "show_progress": "minimal", "show_progress_on": self.card}
        everything = [*self.named("card", "use", "forget"), network]
        loaded = self.file.upload(load, [session, self.file], everything, **loading)
        # A refused file must not stay in the field while another model is described beside it.
        loaded.failure(lambda: None, None, self.file, **quick)
        return [
            loaded,
            self.use.click(use, session, everything, **quick),
            self.forget.click(forget, session, [self.file, *everything], **quick),
        ]


def take(session: Session, catalogue: Catalogue, file: str | None) -> str:
    """Load a visitor's file and return the network's label.

    The file stays where it is until uploads are old: its path may be another's, too, as gradio
    stores equal files once, and the page's examples are files that a visitor can name.

    Raises:
        ValueError: Anything wrong with it, in a sentence.
    """
    if not file:
        raise UserError("No file was given: choose a file of weights.")
    session.uploaded = catalogue.uploads.add(file)
    return session.uploaded


def drop(session: Session, catalogue: Catalogue) -> str:
    """Forget the visitor's network; which one is to be used from now on."""
    label = session.opened.network.label if session.opened else None
    if label is None or label == session.uploaded:
        label = catalogue.labels[0]
    session.uploaded = None
    return label


def card(label: str | None, catalogue: Catalogue | None) -> str:
    """What is known about the visitor's network, as HTML."""
    if label is None or catalogue is None:
        return render("facts", rows=[], text="No model of yours is loaded.")
    return render("facts", rows=[("Name", label), *facts(label, catalogue)], text="")


def facts(label: str, catalogue: Catalogue) -> list[tuple[str, str]]:
    """Rows of name and value."""
    network, known = catalogue.uploads.get(label), catalogue.uploads.facts(label)
    return [
        ("Architecture", known.architecture),
        ("Enlarges", f"{network.scale} times"),
        ("Parameters", f"{known.parameters:,} (numbers it learnt)"),
        ("Global Pixel Access", "yes" if network.has_gpa else "no: it has no matched patches"),
        ("Time for 64x64 pixels", f"about {text.seconds(known.seconds)} here"),
    ]
