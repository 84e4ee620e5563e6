"""The authors' released networks: asked for once, fetched while one watches, then offered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from hpinet.networks.released import RELEASED
from ui.compute.runtime import Runtime
from ui.events.handlers import PRIVATE, with_user_errors
from ui.networks.model_catalogue import Catalogue
from ui.state.session import Session

from .components import Page


class ReleasedNetworks(Page):
    """The question that stands below the list of networks until it is answered."""

    def __init__(self) -> None:
        with gr.Group(visible=False, elem_id="fetch-question") as self.group:
            self.question = gr.Markdown(elem_classes=["words"], elem_id="fetch-text")
            with gr.Row():
                self.yes = gr.Button("Fetch it", variant="primary", elem_id="fetch-yes")
                self.no = gr.Button("Not now", elem_id="fetch-no")
        self.wanted = gr.State("")

    def connect(self, runtime: Runtime, session: gr.State, network: gr.Dropdown) -> list[Any]:
        """Connect the question.

        Args:
            runtime: Knows the networks.
            session: The visitor's.
            network: The list of networks.

        Returns:
            The events after which the image must be shown anew.
        """
        catalogue = runtime.catalogue

        @with_user_errors
        def ask(event: gr.SelectData) -> dict[Any, Any]:
            label = str(event.value)  # the list itself may show the old choice again by now
            if label not in catalogue.fetchable:
                return {self.group: gr.update(visible=False)}
            told = question(catalogue, label)
            return {
                self.group: gr.update(visible=True),
                self.question: told,
                self.wanted: label,
                self.yes: gr.update(interactive=True),
            }

        @with_user_errors
        def fetch(session: Session, label: str) -> Iterator[dict[Any, Any]]:
            yield {self.yes: gr.update(interactive=False), self.question: "Downloading..."}
            try:
                value = catalogue.fetch(label)
            except Exception:
                yield {
                    self.question: question(catalogue, label),
                    self.yes: gr.update(interactive=True),
                }
                raise
            labels = choices(catalogue, session)
            yield {
                self.group: gr.update(visible=False),
                network: gr.update(choices=labels, value=value),
            }

        quick = {**PRIVATE, "concurrency_id": "released"}
        everything = [*self.named("group", "question", "wanted", "yes"), network]
        network.select(ask, None, everything, **quick)
        fetched = self.yes.click(fetch, [session, self.wanted], everything, **quick)
        self.no.click(lambda: gr.update(visible=False), None, self.group, **quick)
        return [fetched]


def question(catalogue: Catalogue, label: str) -> str:
    """What would be fetched, and from where."""
    wanted = RELEASED[catalogue.fetchable[label]]
    return (
        f"Fetch `{wanted.file}` ({wanted.size / 1e6:.1f} MB), the checkpoint that the paper's "
        f"authors released, from {catalogue.source}? It is checked, kept on this machine and "
        "offered from then on, without a network, too. Its branch states no licence."
    )


def choices(catalogue: Catalogue, session: Session | None = None) -> list[str]:
    """What the list of networks offers a visitor, those to be fetched last."""
    own = [] if session is None or session.uploaded is None else [session.uploaded]
    return [*catalogue.labels, *own, *catalogue.fetchable]
