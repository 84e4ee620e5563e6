"""*Super-resolve*: two contenders under a slider, and all of them in numbers and side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from hpinet import write_picture
from hpinet.errors import UserError
from hpinet.imaging.images import from_uint8
from lam import Window
from ui.compute.contenders import BICUBIC, NETWORK, ORIGINAL, Contender, find
from ui.compute.runtime import Runtime
from ui.compute.scores import Scores
from ui.events.handlers import PRIVATE, spoken
from ui.state.record import ComparisonRecord
from ui.state.session import Session
from ui.views import comparison
from ui.views.scores import table

from .components import Page, press_when_made, saver

METRICS = "PSNR-Y and SSIM leave out a border as wide as the scale. Bold: the chosen network."

_FIRST = (BICUBIC, NETWORK)  # what the first paint waits for


class SuperResolvePage(Page):
    """The page's components."""

    def __init__(self) -> None:
        with gr.Row():
            with gr.Column(scale=6, min_width=420, elem_id="compare"):
                self.slider = gr.ImageSlider(
                    label="Drag the handle to compare",
                    format="png",
                    interactive=False,
                    max_height=492,
                    elem_id="slider",
                    buttons=["fullscreen"],
                )
            with gr.Column(scale=7, min_width=380):
                with gr.Row():
                    self.left = _side("Left half shows", BICUBIC, "left")
                    self.right = _side("Right half shows", NETWORK, "right")
                self.scores = gr.HTML(elem_id="scores", padding=False)
                gr.Markdown(METRICS, elem_classes=["words", "hint"])
                self.notes = gr.Markdown(elem_id="notes", elem_classes=["words"])
                with gr.Row():
                    self.save_left = _save("Save the left image (PNG)", "save-left")
                    self.save_right = _save("Save the right image (PNG)", "save-right")
                    self.left_file, self.right_file = saver("left-file"), saver("right-file")
                self.view = gr.Radio(
                    [(name, view) for view, name in comparison.VIEWS.items()],
                    value=comparison.WINDOW,
                    label="Side by side below",
                    elem_id="closer-view",
                )
        with gr.Row(elem_id="closer"):
            self.overview = gr.Image(
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
                self.strip = gr.HTML(elem_id="strip", padding=False)

    @property
    def choices(self) -> list[Any]:
        """What is compared with what, and which view is below."""
        return self.named("left", "right", "view")

    @property
    def window(self) -> list[Any]:
        """What shows the window."""
        return self.named("overview", "strip")

    @property
    def outputs(self) -> list[Any]:
        """Everything that another image changes."""
        return [*self.named("left", "right", "slider", "notes", "overview"), *self.late]

    @property
    def late(self) -> list[Any]:
        """What comes contender by contender."""
        return self.named("scores", "strip", "save_left", "save_right")


def _side(label: str, value: str, name: str) -> gr.Dropdown:
    named = [("Bicubic", BICUBIC), ("The network", NETWORK)]
    return gr.Dropdown(named, value=value, label=label, elem_id=name, min_width=150)


def _save(label: str, name: str) -> gr.Button:
    return gr.Button(label, elem_id=name, interactive=False, size="sm", min_width=120)


class SuperResolve:
    """The page with its handlers.

    Args:
        runtime: Computes and keeps.
        session: The visitor's.

    Attributes:
        page: The components.
    """

    def __init__(self, runtime: Runtime, session: gr.State) -> None:
        self.page, self._runtime = SuperResolvePage(), runtime
        self._connect(session)

    def _connect(self, session: gr.State) -> None:
        page, runtime = self.page, self._runtime

        @spoken
        def compare(session: Session, left: str, right: str) -> dict[Any, Any]:
            record = shown(session)
            among = runtime.contenders.among(record)
            pair = find(among, left, BICUBIC), find(among, right, NETWORK)
            return page.fill(
                {
                    "slider": comparison.slides(runtime, record, *pair),
                    **comparison.save_buttons(*pair),
                }
            )

        @spoken
        def look(session: Session, view: str) -> dict[Any, Any]:
            return {page.strip: _strip(runtime, session, shown(session), view)}

        quick = {**PRIVATE, "concurrency_id": "closer"}
        gr.on(
            [page.left.input, page.right.input],
            compare,
            [session, page.left, page.right],
            page.named("slider", "save_left", "save_right"),
            **quick,
        )
        page.view.input(look, [session, page.view], page.strip, **quick)
        for button, kind, file, default in (
            (page.save_left, page.left, page.left_file, BICUBIC),
            (page.save_right, page.right, page.right_file, NETWORK),
        ):
            made = button.click(self._saver(default), [session, kind], file, **quick)
            press_when_made(made, file)

    def _saver(self, default: str) -> Callable[[Session, str], str]:
        @spoken
        def saved(session: Session, kind: str) -> str:
            record = shown(session)
            chosen = find(self._runtime.contenders.among(record), kind, default)
            return save(self._runtime, chosen, record)

        return saved

    def first(
        self, session: Session, left: str | None, right: str | None, view: str
    ) -> dict[str, Any]:
        """Values by names, without waiting for more than must be seen at once."""
        runtime, record = self._runtime, of_opened(session)
        contenders, scale = runtime.contenders, record.network.scale
        among = contenders.among(record)
        pair = find(among, left, BICUBIC), find(among, right, NETWORK)
        try:
            slider = comparison.slides(runtime, record, *pair)
        except UserError:  # a contender that is too slow for this image: its row says so
            pair = find(among, BICUBIC, BICUBIC), find(among, NETWORK, NETWORK)
            slider = comparison.slides(runtime, record, *pair)
        named = [(c.label, c.kind) for c in among]
        ready = [c for c in among if c.kind in {*_FIRST, *(p.kind for p in pair)}]
        measure = runtime.scorer.measure
        rows: list[tuple[Contender, Scores | None]] = [
            (c, measure(c, record.study, scale, False) if c in ready else None)
            for c in among
            if c.kind != ORIGINAL
        ]
        values = {
            "left": gr.update(choices=named, value=pair[0].kind),
            "right": gr.update(choices=named, value=pair[1].kind),
            "slider": slider,
            "notes": comparison.description(record, contenders.left_out(record)),
            "overview": comparison.overview(runtime, record, _window(session)),
            "scores": table(rows, record.study),
            "strip": _strip(runtime, session, record, view, ready),
            "save_left": gr.update(interactive=False),
            "save_right": gr.update(interactive=False),
        }
        session.comparison = record
        return values

    def rest(
        self, session: Session, left: str | None, right: str | None, view: str
    ) -> Iterator[dict[str, Any]]:
        """Values by names, contender by contender, the slow LPIPS last."""
        runtime, record = self._runtime, shown(session)
        study, scale = record.study, record.network.scale
        among = runtime.contenders.among(record)
        pair = find(among, left, BICUBIC), find(among, right, NETWORK)
        compared = [c for c in among if c.kind != ORIGINAL]
        results: dict[str, Scores] = {}
        buttons: dict[str, Any] = {}
        for perceptual in (False, True):
            for number, contender in enumerate(compared):
                results[contender.kind] = runtime.scorer.measure(
                    contender, study, scale, perceptual
                )
                if session.comparison is not record:
                    return
                if not perceptual and number == 0:
                    continue  # shown already beside the network, which is known too
                reason = runtime.scorer.lpips_reason(study) if perceptual else ""
                # Whole values every time: a tab that was not opened yet keeps only the latest.
                values = {
                    "scores": table([(c, results.get(c.kind)) for c in compared], study, reason),
                    "strip": _strip(
                        runtime, session, record, view, [c for c in compared if c.kind in results]
                    ),
                }
                yield {**values, **buttons}
            if not perceptual:
                buttons = comparison.save_buttons(*pair)
                if study.hr is None:
                    yield {**values, **buttons}
                    return

    def window_moved(self, session: Session, view: str) -> dict[str, Any]:
        """Values that show the window where it is now; none before there is an image."""
        record = session.comparison
        if record is None:
            return {}
        runtime = self._runtime
        strip = _strip(runtime, session, record, view)
        return {"overview": comparison.overview(runtime, record, _window(session)), "strip": strip}


def _window(session: Session) -> Window:
    assert session.window is not None
    return session.window


def _strip(
    runtime: Runtime, session: Session, record: ComparisonRecord, view: str, *ready: Any
) -> str:
    return comparison.contenders_strip(runtime, record, _window(session), view, *ready)


def of_opened(session: Session) -> ComparisonRecord:
    """A comparison of what is opened.

    Raises:
        ValueError: Nothing yet.
    """
    opened = session.subject()
    return ComparisonRecord(opened.study, opened.network, session.uploaded)


def shown(session: Session) -> ComparisonRecord:
    """The comparison that is shown.

    Raises:
        ValueError: None yet.
    """
    return session.comparison or of_opened(session)


def save(runtime: Runtime, contender: Contender, record: ComparisonRecord) -> str:
    """A contender's image as a lossless file to download: its path."""
    study, scale = record.study, record.network.scale
    store = runtime.downloads
    name = re.sub(r"[^\w.-]+", "-", f"{study.name[:60]}-{contender.key}").strip("-")
    path = store.path(f"{study.key.split()[0][:16]}/{name}.png")
    if not path.is_file():
        if contender.kind == ORIGINAL:
            write_picture(path, from_uint8(runtime.contenders.pixels(contender, study, scale)))
        else:
            found = runtime.contenders.restored(contender, study, scale)
            write_picture(path, found.picture.rgb, found.picture.alpha)
        store.tidy()
    return str(path)
