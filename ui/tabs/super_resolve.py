"""Page 1: any two contenders under a slider, their scores, and all of them side by side."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from hpinet import write_picture
from hpinet.imaging.images import from_uint8
from lam.figures.heatmaps import draw_window, enlarge, enlarging_factor
from ui.components import press_when_made, saver
from ui.compute import super_resolution
from ui.compute.contenders import (
    BICUBIC,
    NETWORK,
    ORIGINAL,
    Contender,
    contenders,
    find,
    left_out,
    pixels,
    restored,
)
from ui.compute.scores import Scores, as_table, lpips_reason, measure
from ui.events.handlers import QUICK, current, spoken
from ui.state.image_store import shown, tidy
from ui.state.model_catalogue import Catalogue
from ui.state.session import Pixels, Session, Study
from ui.views import comparison

_FIRST = (BICUBIC, NETWORK)  # what the first paint waits for
_downloads = tempfile.TemporaryDirectory(prefix="hpinet-lens-")  # gone when the server ends

METRICS = "PSNR-Y and SSIM leave out a border as wide as the scale. Bold: the chosen network."


@dataclass
class SuperResolvePage:
    """The page's components."""

    left: gr.Dropdown
    right: gr.Dropdown
    slider: gr.ImageSlider
    scores: gr.HTML
    notes: gr.Markdown
    save_left: gr.Button
    save_right: gr.Button
    files: list[gr.DownloadButton]
    view: gr.Radio
    overview: gr.Image
    strip: gr.HTML

    @property
    def choices(self) -> list[Any]:
        """What is compared with what, and which view is below."""
        return [self.left, self.right, self.view]

    @property
    def window(self) -> list[Any]:
        """What `window_moved` returns values for."""
        return [self.overview, self.strip]

    @property
    def outputs(self) -> list[Any]:
        """What `first` returns values for."""
        return [self.left, self.right, self.slider, self.notes, self.overview, *self.late]

    @property
    def late(self) -> list[Any]:
        """What `rest` yields values for."""
        return [self.scores, self.strip, self.save_left, self.save_right]


def build(catalogue: Catalogue, session: gr.State) -> SuperResolvePage:
    """Lay the page out and connect what belongs to it alone."""
    page = _lay_out()

    @spoken
    def compare(session: Session, left: str, right: str) -> tuple[Any, ...]:
        study, network = current(session, catalogue)
        among = contenders(session, catalogue, study)
        pair = find(among, left, BICUBIC), find(among, right, NETWORK)
        return slides(study, network.scale, *pair), *save_buttons(*pair)

    def saved(session: Session, kind: str, otherwise: str) -> str:
        study, network = current(session, catalogue)
        chosen = find(contenders(session, catalogue, study), kind, otherwise)
        return save(chosen, study, network.scale)

    @spoken
    def save_left(session: Session, kind: str) -> str:
        return saved(session, kind, BICUBIC)

    @spoken
    def save_right(session: Session, kind: str) -> str:
        return saved(session, kind, NETWORK)

    @spoken
    def look(session: Session, view: str) -> str:
        study, network = current(session, catalogue)
        return strip(session, catalogue, study, network.scale, view)

    quick = {**QUICK, "api_visibility": "private", "concurrency_id": "closer"}
    gr.on(
        [page.left.input, page.right.input],
        compare,
        [session, page.left, page.right],
        [page.slider, page.save_left, page.save_right],
        **quick,
    )
    for button, handler, kind, file in zip(
        (page.save_left, page.save_right),
        (save_left, save_right),
        (page.left, page.right),
        page.files,
        strict=True,
    ):
        press_when_made(button.click(handler, [session, kind], file, **quick), file)
    page.view.input(look, [session, page.view], page.strip, **quick)
    return page


def _lay_out() -> SuperResolvePage:
    def side(label: str, value: str, name: str) -> gr.Dropdown:
        named = [("Bicubic", BICUBIC), ("The network", NETWORK)]
        return gr.Dropdown(named, value=value, label=label, elem_id=name, min_width=150)

    def save(label: str, name: str) -> gr.Button:
        return gr.Button(label, elem_id=name, interactive=False, size="sm", min_width=120)

    with gr.Row():
        with gr.Column(scale=6, min_width=420, elem_id="compare"):
            slider = gr.ImageSlider(
                label="Drag the handle to compare",
                format="png",
                interactive=False,
                max_height=492,
                elem_id="slider",
                buttons=["fullscreen"],
            )
        with gr.Column(scale=7, min_width=380):
            with gr.Row():
                left = side("Left half shows", BICUBIC, "left")
                right = side("Right half shows", NETWORK, "right")
            scores = gr.HTML(elem_id="scores", padding=False)
            gr.Markdown(METRICS, elem_classes=["words", "hint"])
            notes = gr.Markdown(elem_id="notes", elem_classes=["words"])
            with gr.Row():
                save_left = save("Save the left picture (PNG)", "save-left")
                save_right = save("Save the right picture (PNG)", "save-right")
                files = [saver("left-file"), saver("right-file")]
            view = gr.Radio(
                [(name, view) for view, name in comparison.VIEWS.items()],
                value=comparison.WINDOW,
                label="Side by side below",
                elem_id="closer-view",
            )
    with gr.Row(elem_id="closer"):
        overview = gr.Image(
            label="Click to move the window",
            height=216,
            format="png",
            interactive=False,
            buttons=[],
            elem_id="overview",
            elem_classes=["pick", "titled"],
            scale=1,
            min_width=190,
        )
        with gr.Column(scale=5, min_width=380):
            all_of_them = gr.HTML(elem_id="strip", padding=False)
    return SuperResolvePage(
        left, right, slider, scores, notes, save_left, save_right, files, view, overview,
        all_of_them,
    )  # fmt: skip


def first(
    session: Session, catalogue: Catalogue, left: str | None, right: str | None, view: str
) -> tuple[Any, ...]:
    """Values for `SuperResolvePage.outputs` without waiting for more than must be seen at once."""
    study, network = current(session, catalogue)
    among = contenders(session, catalogue, study)
    pair = find(among, left, BICUBIC), find(among, right, NETWORK)
    try:
        slider = slides(study, network.scale, *pair)
    except ValueError:  # a contender that is too slow for this picture: its row says so
        pair = find(among, BICUBIC, BICUBIC), find(among, NETWORK, NETWORK)
        slider = slides(study, network.scale, *pair)
    named = [(c.label, c.kind) for c in among]
    seen = {c.kind for c in pair} | set(_FIRST)
    ready = [c for c in among if c.kind in seen]
    rows = [(c, measure(c, study, network.scale, False) if c in ready else None) for c in among]
    return (
        gr.update(choices=named, value=pair[0].kind),
        gr.update(choices=named, value=pair[1].kind),
        slider,
        description(session, catalogue),
        overview(session, study, network.scale, catalogue),
        as_table(_scored(rows), study),
        strip(session, catalogue, study, network.scale, view, ready),
        *(gr.update(interactive=False) for _ in range(2)),
    )


def rest(
    session: Session, catalogue: Catalogue, left: str | None, right: str | None, view: str
) -> Iterator[tuple[Any, ...]]:
    """Values for `SuperResolvePage.late`, contender by contender, the slow LPIPS last."""
    study, network = current(session, catalogue)
    among, scale, asked = contenders(session, catalogue, study), network.scale, session.asked
    pair = find(among, left, BICUBIC), find(among, right, NETWORK)
    results: dict[str, Scores] = {}
    buttons: tuple[Any, ...] = (gr.skip(), gr.skip())
    for perceptual in (False, True):
        for number, contender in enumerate(c for c in among if c.kind != ORIGINAL):
            results[contender.kind] = measure(contender, study, scale, perceptual)
            if session.asked != asked:
                return
            if number and not perceptual and contender.kind in _FIRST:
                continue  # these were shown already
            rows = [(c, results.get(c.kind)) for c in among]
            # Whole values every time: a tab that was not opened yet keeps only the latest.
            ready = [c for c in among if c.kind in results]
            text = as_table(_scored(rows), study) + _reason(study, perceptual)
            yield text, strip(session, catalogue, study, scale, view, ready), *buttons
        if not perceptual:
            buttons = save_buttons(*pair)
            if study.hr is None:
                yield text, strip(session, catalogue, study, scale, view), *buttons
                return


def _scored(rows: list[tuple[Contender, Scores | None]]) -> list[tuple[Contender, Scores | None]]:
    return [(c, s) for c, s in rows if c.kind != ORIGINAL]


def _reason(study: Study, perceptual: bool) -> str:
    reason = lpips_reason(study) if perceptual else ""
    return f'<p class="hint" id="lpips-reason">{reason}</p>' if reason else ""


def strip(
    session: Session,
    catalogue: Catalogue,
    study: Study,
    scale: int,
    view: str,
    ready: list[Contender] | None = None,
) -> str:
    """The contenders side by side; of those that are ``ready`` only, where that is given."""
    found: list[tuple[Contender, Pixels | None]] = []
    for contender in contenders(session, catalogue, study):
        known = None
        if ready is None or contender in ready or contender.kind == ORIGINAL:
            try:
                known = pixels(contender, study, scale)
            except ValueError:  # its row in the table says why
                known = None
        found.append((contender, known))
    assert session.window is not None
    return comparison.strip(view, found, study.hr, session.window)


def overview(session: Session, study: Study, scale: int, catalogue: Catalogue) -> str:
    """The whole picture with the window: where its file is."""
    found = current(session, catalogue)[1]
    picture = super_resolution.super_resolved(study, found).pixels
    factor = overview_factor(study, scale)
    assert session.window is not None
    return shown(draw_window(enlarge(picture, factor), session.window, factor))


def overview_factor(study: Study, scale: int) -> int:
    """How much the overview is enlarged, to be crisp and to be clicked on."""
    return enlarging_factor(study.size[0] * scale, study.size[1] * scale, 428)


def slides(study: Study, scale: int, left: Contender, right: Contender) -> Any:
    """The slider's two pictures with its label, small ones enlarged with crisp pixels."""
    both = [pixels(c, study, scale) for c in (left, right)]
    factor = enlarging_factor(*both[0].shape[:2])
    return gr.update(
        value=tuple(shown(enlarge(p, factor)) for p in both),
        label=f"Drag to compare — left: {left.label}, right: {right.label}",
    )


def description(session: Session, catalogue: Catalogue) -> str:
    """What was done to the picture."""
    study, network = current(session, catalogue)
    (height, width), s = study.size, network.scale
    if study.hr is not None:
        text = (
            f"The original of {width * s}x{height * s} pixels was shrunk to {width}x{height} "
            f"(MATLAB bicubic) and restored from that."
        )
        if super_resolution.scores(study.hr, study.hr, s) is None:
            text += " It is too small for PSNR and SSIM."
    else:
        text = f"{width}x{height} pixels were enlarged to {width * s}x{height * s}; "
        text += "there is no original to score by."
    if study.notes:
        text += " On reading: " + "; ".join(study.notes) + "."
    reason = left_out(session, catalogue, network)
    return f"{text} {reason}" if reason else text


def save_buttons(left: Contender, right: Contender) -> tuple[Any, Any]:
    """Values for the two buttons."""
    first, second = (
        gr.update(value=f"Save {_short(c.label)} (PNG)", interactive=True) for c in (left, right)
    )
    return first, second


def _short(label: str) -> str:
    return label if len(label) <= 24 else label[:22] + "…"


def save(contender: Contender, study: Study, scale: int) -> str:
    """A contender's picture as a lossless file to download: its path."""
    folder = Path(_downloads.name) / study.key.split()[0][:16]
    name = re.sub(r"[^\w.-]+", "-", f"{study.name[:60]}-{contender.key}").strip("-")
    path = folder / f"{name}.png"
    if not path.is_file():
        if contender.kind == ORIGINAL:
            write_picture(path, from_uint8(pixels(contender, study, scale)))
        else:
            found = restored(contender, study, scale)
            write_picture(path, found.picture.rgb, found.picture.alpha)
        tidy(Path(_downloads.name))
    return str(path)
