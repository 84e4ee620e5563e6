"""*About*: what the words mean, which weights are loaded, and versions."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata

import gradio as gr

import hpinet
from hpinet.checkpoints.loading import BUNDLED
from ui.compute.runtime import Runtime
from ui.events.handlers import PRIVATE, spoken
from ui.state.model_catalogue import Catalogue
from ui.views import about

ABOUT = """
### What you see here
**HPINet** ([Liu et al., AAAI 2023](https://arxiv.org/abs/2211.16776)) makes an image 2 to 4 times
larger with under a million parameters (S and M). In each block it cuts the image into patches of
another size, and does two things with each:

- **Global Pixel Access (GPA)**: every patch finds the one other patch of the image that is most
  similar to it, and attends to that patch's pixels: a window can use another window.
- **Intra-Patch Self-Attention (IPSA)**: the pixels of a patch attend to each other.

**Local Attribution Map (LAM)** ([Gu & Dong, CVPR 2021](https://arxiv.org/abs/2011.11036)): which
pixels of the LR image was a window of the SR image made from?

**Diffusion index (DI)**: 0 to 100, how evenly the importance is spread over the pixels. It depends
on the size of the attributed area and is no rank of quality: compare equal areas only.

**Matches that switched**: as the image sharpens along LAM's path, patches find another match.
Each such switch makes the detector jump, which no pixel's gradient explains. The page says how much
that is, so that a map does not claim more than it explains.

**Without GPA** means one of two things. *A twin trained without GPA* is another network of the same
size that was trained without matches. *GPA switched off* is the same network in which each patch
is its own match.

**LR and SR**: the low-resolution image that the network is given, and the super-resolved one that
it makes. Windows and clicks are in SR pixels; patches and maps in LR pixels.
"""


def build(runtime: Runtime, tab: gr.Tab) -> None:
    """Lay the page out; its figures are made when the tab is opened for the first time."""
    with gr.Row():
        with gr.Column(scale=4, min_width=340):
            gr.Markdown(ABOUT, elem_classes=["words"], elem_id="about")
            with gr.Accordion("Networks and versions", open=False, elem_id="versions"), gr.Row():
                gr.Markdown(_weights(runtime.catalogue), elem_classes=["words"])
                gr.Markdown(_versions(), elem_classes=["words"])
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

    @spoken
    def made() -> Iterator[str]:
        yield from about.figures(runtime)

    tab.select(made, None, figures, concurrency_id="about", **PRIVATE)


def _weights(catalogue: Catalogue) -> str:
    lines = ["### Networks on offer", "| network | twin without GPA |", "|---|---|"]
    for label in catalogue.labels:
        lines.append(f"| {label} | {'yes' if catalogue.has_twin(label) else 'no'} |")
    return "\n".join(lines)


def _versions() -> str:
    lines = [
        "### Versions",
        "| package | version |",
        "|---|---|",
        f"| HPINet Lens | {hpinet.__version__} |",
    ]
    lines.append(f"| Python | {platform.python_version()} |")
    for name in (
        "torch",
        "gradio",
        "captum",
        "lpips",
        "spandrel",
        "numpy",
        "pillow",
        "scikit-image",
    ):
        try:
            lines.append(f"| {name} | {metadata.version(name)} |")
        except metadata.PackageNotFoundError:
            continue
    return "\n".join(lines)


def _without_front_matter(text: str) -> str:
    if text.startswith("---\n") and "\n---\n" in text:
        return text.split("\n---\n", 1)[1]
    return text
