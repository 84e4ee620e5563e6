"""*Super-resolve*: contenders in one linked view, and all of them in numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
import numpy as np

from hpinet import write_picture
from hpinet.analysis.match_statistics import in_degree
from hpinet.imaging.images import from_uint8
from hpinet.metrics.backbone import BACKBONE_SIZE, BACKBONE_URL, find_backbone
from lam import Window
from ui.compute.contenders import BICUBIC, KINDS, NETWORK, ORIGINAL, Contender, find
from ui.compute.runtime import Runtime
from ui.compute.scores import Scores
from ui.events.handlers import PRIVATE, with_user_errors
from ui.networks.network import SWITCHED_OFF
from ui.state.record import ComparisonRecord
from ui.state.session import Session
from ui.viewer.component import event_data, viewer
from ui.views import comparison, verdicts
from ui.views.scores import table

from .components import Page, download_when_made, html, saver

METRICS = (
    "A contender is one way to the large image; the twin is a network of the same size, trained "
    "without Global Pixel Access (GPA). PSNR-Y and SSIM leave out a border as wide as the scale. "
    "Bold: the best of the column."
)

FETCH = (
    f"LPIPS: fetch {BACKBONE_SIZE / 1e6:.0f} MB once from {urlsplit(BACKBONE_URL).netloc} "
    "(9.9 MB are kept)"
)

_FIRST = (BICUBIC, NETWORK)  # what the first paint waits for


class SuperResolvePage(Page):
    """The page's components."""

    def __init__(self) -> None:
        with gr.Row():
            with gr.Column(scale=7, min_width=320, elem_id="compare-column"):
                self.viewer = viewer("compare", "Super-resolve: contenders of one image")
            with gr.Column(scale=5, min_width=320):
                self.scores = gr.HTML(elem_id="scores", padding=False)
                fetchable = find_backbone() is None
                self.fetch = gr.Button(FETCH, size="sm", visible=fetchable, elem_id="fetch-lpips")
                self.fetched = gr.Markdown(visible=fetchable, elem_classes=["words"])
                gr.Markdown(METRICS, elem_classes=["words", "hint"])
                self.verdict = html("verdict", label="In words")
                self.notes = gr.Markdown(elem_id="notes", elem_classes=["words"])
                self.file = saver("contender-file")

    @property
    def outputs(self) -> list[Any]:
        """Everything that another image changes."""
        return self.named("viewer", "scores", "verdict", "notes")


class SuperResolve:
    """The page with its handlers.

    Args:
        runtime: Computes and keeps.
        session: The visitor's.

    Attributes:
        page: The components.
    """

    def __init__(self, runtime: Runtime, session: gr.State) -> None:
        self.page, self._runtime, self._session = SuperResolvePage(), runtime, session
        page = self.page

        @with_user_errors
        def computed(session: Session, event: gr.EventData) -> dict[str, Any]:
            record = shown(session)
            chosen = self._named(record, event)
            runtime.contenders.pixels(chosen, record.study, record.network.scale)
            return comparison.scene(runtime, record, _window(session), session.owner, [chosen])

        @with_user_errors
        def saved(session: Session, event: gr.EventData) -> str:
            record = shown(session)
            return save(runtime, self._named(record, event), record)

        @with_user_errors
        def fetch() -> Iterator[dict[Any, Any]]:
            yield {page.fetch: gr.update(interactive=False), page.fetched: "Downloading..."}
            try:
                runtime.scorer.fetch_lpips()
            except Exception:
                yield {page.fetch: gr.update(interactive=True), page.fetched: ""}
                raise
            yield {page.fetch: gr.update(visible=False), page.fetched: gr.update(visible=False)}

        asked = page.fetch.click(
            fetch, None, [page.fetch, page.fetched], **PRIVATE, concurrency_id="lpips"
        )
        self.score(asked.success, PRIVATE)
        quick = {**PRIVATE, "concurrency_id": "closer"}
        page.viewer.input(computed, session, page.viewer, **quick)
        made = page.viewer.download(saved, session, page.file, **quick)
        download_when_made(made, page.file)

    def score(self, then: Callable[..., Any], settings: dict[str, Any]) -> Any:
        """Have all contenders scored after something else.

        Args:
            then: What connects a handler, such as an event's ``success``.
            settings: How the handler runs, as ``then`` takes it.

        Returns:
            The event.
        """
        page = self.page

        @with_user_errors
        def scored(session: Session) -> Iterator[dict[Any, Any]]:
            for values in self.rest(session):
                yield page.fill(values)
            # Gradio sends the last values again at the end, when another image may be there.
            yield {page.scores: gr.skip()}

        return then(scored, self._session, page.named("viewer", "scores", "verdict"), **settings)

    def _named(self, record: ComparisonRecord, event: gr.EventData) -> Contender:
        kind = str(event_data(event).get("contender"))
        return find(self._runtime.contenders.among(record), kind, NETWORK)

    def first(self, session: Session) -> dict[str, Any]:
        """Values by names, without waiting for more than must be seen at once."""
        runtime, record = self._runtime, of_opened(session)
        scale, measure = record.network.scale, self._runtime.scorer.measure
        among = scored_contenders(runtime.contenders.among(record))
        ready = [c for c in among if c.kind in _FIRST]
        rows: list[tuple[Contender, Scores | None]] = [
            (c, measure(c, record.study, scale, False) if c in ready else None) for c in among
        ]
        values = {
            "notes": comparison.description(record, runtime.contenders.left_out(record)),
            "scores": table(rows, record.study),
            "verdict": "",
            "viewer": comparison.scene(runtime, record, _window(session), session.owner, ready),
        }
        session.comparison = record
        return values

    def rest(self, session: Session) -> Iterator[dict[str, Any]]:
        """Values by names, contender by contender, the slow LPIPS last."""
        record = shown(session)
        for values in self._measured(session, record):
            if session.comparison is not record:
                return
            if values:
                yield values

    def _measured(self, session: Session, record: ComparisonRecord) -> Iterator[dict[str, Any]]:
        """Values as of `rest` after each contender; empty where they are shown already."""
        runtime, study = self._runtime, record.study
        compared = scored_contenders(runtime.contenders.among(record))
        results: dict[str, Scores] = {}

        def late(perceptual: bool, ended: bool) -> dict[str, Any]:
            # Whole values every time: a tab that was not opened yet keeps only the latest.
            rows = [(c, results.get(c.kind)) for c in compared]
            reason = runtime.scorer.lpips_reason(study) if perceptual else ""
            verdict = verdicts.contenders(rows, study) + (self._worth(record) if ended else "")
            return {
                "scores": table(rows, study, reason),
                "verdict": verdict,
                "viewer": comparison.scene(runtime, record, _window(session), session.owner),
            }

        for perceptual in (False, True):
            for contender in compared:
                results[contender.kind] = runtime.scorer.measure(
                    contender, study, record.network.scale, perceptual
                )
                first = not perceptual and contender.kind in _FIRST
                yield {} if first else late(perceptual, perceptual)
            if not perceptual:
                yield late(False, True)
                if study.hr is None:
                    return

    def _worth(self, record: ComparisonRecord) -> str:
        """What GPA is worth on this image; empty for a network without."""
        runtime, study = self._runtime, record.study
        network = runtime.catalogue.get(record.network.label, record.uploaded)
        if not network.has_gpa:
            return ""
        images = [runtime.super_resolved(study, network, way) for way in (None, SWITCHED_OFF)]
        change = np.abs(images[0].pixels.astype(np.float64) - images[1].pixels).mean()
        blocks = runtime.matches.of(study, network).blocks
        hubs = [
            float(in_degree(b.index[0].cpu().numpy()).max() / len(b.origins))
            for b in blocks
            if b is not None
        ]
        return verdicts.worth(network, float(change), hubs)

    def moved(self, session: Session) -> dict[str, Any]:
        """Values that show the window where it is now; none before there is an image."""
        record = session.comparison
        if record is None:
            return {}
        found = comparison.scene(self._runtime, record, _window(session), session.owner)
        return {"viewer": found}


def scored_contenders(among: list[Contender]) -> list[Contender]:
    """Those that are scored without being asked for: not the original, nor the list's others."""
    return [c for c in among if c.kind in KINDS and c.kind != ORIGINAL]


def _window(session: Session) -> Window:
    assert session.window is not None
    return session.window


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
            write_picture(path, found.image)
        store.tidy()
    return str(path)
