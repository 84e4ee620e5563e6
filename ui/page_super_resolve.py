"""Page 1: before and after, with scores."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from hpinet import write_picture
from lam.figures import enlarge, enlarging_factor

from . import words, work
from .catalogue import Catalogue, Network
from .handlers import QUICK, current, spoken
from .pictures import shown
from .session import Pixels, Session, Study
from .style import table

BICUBIC, NO_GPA, ORIGINAL = "bicubic", "without GPA", "the original"

_KEPT_DOWNLOADS = 64
_downloads = tempfile.TemporaryDirectory(prefix="hpinet-lens-")  # gone when the server ends


@dataclass
class SuperResolvePage:
    """The page's components, in the order of `view`."""

    slider: gr.ImageSlider
    scores: gr.HTML
    notes: gr.Markdown
    download: gr.DownloadButton
    against: gr.Radio

    @property
    def outputs(self) -> list[Any]:
        """What `view` returns values for."""
        return [self.slider, self.scores, self.notes, self.download, self.against]


def build(catalogue: Catalogue, session: gr.State) -> SuperResolvePage:
    """Lay the page out and connect what belongs to it alone."""
    with gr.Row():
        with gr.Column(scale=3, min_width=420):
            slider = gr.ImageSlider(
                label="Drag to compare",
                format="png",
                interactive=False,
                max_height=680,
                elem_id="slider",
                buttons=["fullscreen"],
            )
        with gr.Column(scale=2, min_width=320):
            against = gr.Radio(
                [BICUBIC, NO_GPA, ORIGINAL],
                value=BICUBIC,
                label="Compare HPINet with",
                info="What the slider's left half shows.",
                elem_id="against",
            )
            scores = gr.HTML(elem_id="scores", padding=False)
            gr.Markdown(
                "PSNR: error in brightness, in decibels; higher is nearer to the original. "
                "SSIM: likeness of structure, at most 1. Both leave out a thin border.",
                elem_classes=["words", "hint"],
            )
            notes = gr.Markdown(elem_id="notes", elem_classes=["words"])
            download = gr.DownloadButton(
                "Download HPINet's picture (PNG)", elem_id="download", interactive=False
            )
    page = SuperResolvePage(slider, scores, notes, download, against)

    @spoken
    def compare(session: Session, against: str) -> Any:
        study, network = current(session, catalogue)
        return slides(study, network, against)

    against.input(
        compare, [session, against], slider, api_name="compare", concurrency_id="picture", **QUICK
    )
    return page


def view(study: Study, network: Network, against: str, twin: bool) -> tuple[Any, ...]:
    """Values for the page's components.

    Args:
        study: The picture.
        network: The network.
        against: What the slider's left half shows.
        twin: Whether to wait for the network without GPA; else its row says that it is coming.
    """
    choices = [BICUBIC]
    choices += [NO_GPA] if network.has_gpa else []
    choices += [ORIGINAL] if study.hr is not None else []
    against = against if against in choices else BICUBIC
    if not twin and against == NO_GPA:
        picture: Any = gr.skip()
    else:
        picture = slides(study, network, against)
    return (
        picture,
        score_table(study, network, twin),
        description(study, network),
        gr.update(value=save(study, network), interactive=True),
        gr.update(choices=choices, value=against),
    )


def slides(study: Study, network: Network, against: str) -> Any:
    """The slider's two pictures with its label, small ones enlarged with crisp pixels."""
    left: Pixels
    if against == ORIGINAL and study.hr is not None:
        left = study.hr
    elif against == NO_GPA and network.has_gpa:
        left = work.super_resolved(study, network, network.ways_without[0]).pixels
        against = words.WITHOUT[network.ways_without[0]]
    else:
        left = work.enlarged(study, network.scale).pixels
    right = work.super_resolved(study, network).pixels
    factor = enlarging_factor(*right.shape[:2])
    return gr.update(
        value=(shown(enlarge(left, factor)), shown(enlarge(right, factor))),
        label=f"Drag to compare — left: {against}, right: {network.label}",
    )


def score_table(study: Study, network: Network, twin: bool) -> str:
    """Scores of all contenders, or only times where there is no original."""
    contenders = [("Bicubic", work.enlarged(study, network.scale))]
    contenders.append((network.label, work.super_resolved(study, network)))
    rows = [_row(name, found, study, network) for name, found in contenders]
    if network.ways_without:
        way = network.ways_without[0]
        name = words.WITHOUT[way][0].upper() + words.WITHOUT[way][1:]
        if twin:
            rows.append(_row(name, work.super_resolved(study, network, way), study, network))
        else:
            rows.append([name, "…", "…", "…"])
    return table(["Contender", "PSNR-Y (dB)", "SSIM", "Time"], rows, ours=1)


def _row(name: str, found: work.Restored, study: Study, network: Network) -> list[str]:
    known = work.scores(found.pixels, study.hr, network.scale)
    figures = ["none", "none"] if known is None else [f"{known[0]:.2f}", f"{known[1]:.4f}"]
    return [name, *figures, words.seconds(found.seconds)]


def description(study: Study, network: Network) -> str:
    """What was done to the picture."""
    height, width = study.size
    s = network.scale
    if study.hr is not None:
        text = (
            f"The original of {width * s}x{height * s} pixels was shrunk to {width}x{height} "
            f"(MATLAB bicubic) and restored from that."
        )
        if work.scores(study.hr, study.hr, s) is None:
            text += " It is too small to be scored."
    else:
        text = f"{width}x{height} pixels were enlarged to {width * s}x{height * s}; "
        text += "there is no original to score by."
    if study.notes:
        text += " On reading: " + "; ".join(study.notes) + "."
    return text


def save(study: Study, network: Network) -> str:
    """HPINet's picture as a file to download."""
    found = work.super_resolved(study, network)
    folder = Path(_downloads.name) / study.key.split()[0][:16]
    path = folder / f"{study.name[:60]}-{network.label}.png"
    if not path.is_file():
        write_picture(path, found.picture.rgb, found.picture.alpha)
        files = sorted(Path(_downloads.name).rglob("*.png"), key=lambda p: p.stat().st_mtime)
        for old in files[:-_KEPT_DOWNLOADS]:
            old.unlink(missing_ok=True)
    return str(path)
