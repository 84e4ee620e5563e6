"""*About*: what the words mean, which weights are loaded, and versions."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata

import gradio as gr

import hpinet
from hpinet.networks.open import BUNDLED
from ui.compute.runtime import Runtime
from ui.events.handlers import PRIVATE, with_user_errors
from ui.views import about
from ui.views.html import render

_PACKAGES = ("torch", "gradio", "captum", "lpips", "spandrel", "numpy", "pillow", "scikit-image")


def build(runtime: Runtime, tab: gr.Tab) -> None:
    """Lay the page out; its figures are made when the tab is opened for the first time."""
    twins = {label: runtime.catalogue.has_twin(label) for label in runtime.catalogue.labels}
    with gr.Row():
        with gr.Column(scale=4, min_width=340):
            gr.Markdown(render("about.md"), elem_classes=["words"], elem_id="about")
            with gr.Accordion("Networks and versions", open=False, elem_id="versions"), gr.Row():
                gr.Markdown(render("networks.md", twins=twins), elem_classes=["words"])
                gr.Markdown(
                    render("versions.md", versions=_versions(runtime.catalogue.device)),
                    elem_classes=["words"],
                )
            card = BUNDLED / "MODEL_CARD.md"
            if card.is_file():
                text = _without_front_matter(card.read_text("utf-8"))
                with gr.Accordion(
                    "Model card of the bundled weights: data, training, scores",
                    open=False,
                    elem_id="model-card",
                ):
                    gr.Markdown(text)
        with gr.Column(scale=5, min_width=380):
            figures = gr.HTML(
                '<div class="hint">The figures are made from the example Facade when this page is '
                "opened.</div>",
                elem_id="about-figures",
                padding=False,
            )

    @with_user_errors
    def made() -> Iterator[str]:
        yield from about.figures(runtime)

    tab.select(made, None, figures, concurrency_id="about", **PRIVATE)


def _versions(device: str) -> dict[str, str]:
    """Version of each package that is installed, and the device that networks run on."""
    found = {"Networks run on": device, "HPINet Lens": hpinet.__version__}
    found["Python"] = platform.python_version()
    for name in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _without_front_matter(text: str) -> str:
    if text.startswith("---\n") and "\n---\n" in text:
        return text.split("\n---\n", 1)[1]
    return text
