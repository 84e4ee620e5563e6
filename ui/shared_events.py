"""What happens to all pages at once: another image, another network, another window."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr

from hpinet.errors import UserError
from ui.compute.opening import open_image
from ui.compute.runtime import Runtime
from ui.events.handlers import NOW, PRIVATE, clock, is_outdated, sentence, with_user_errors
from ui.shared_controls import Shared, own_images, shown_line
from ui.state import address
from ui.state.examples import EXAMPLES
from ui.state.inputs import MIDDLE, Source, from_example, from_file
from ui.state.session import Session, clamped_window
from ui.tabs.super_resolve import SuperResolve
from ui.tabs.your_model import YourModelPage
from ui.viewer.component import event_data
from ui.views import text
from ui.views.html import prompt, render
from ui.visitors.current import current_owner
from ui.window_events import address_says
from ui.window_events import connect as connect_window

from .tabs.maps import receptive_field
from .tabs.maps.network_maps import ManyNetworks
from .tabs.maps.receptive_field import ReceptiveField
from .tabs.matching.matches import MatchedPatches

_NONE = -1  # no example is chosen; gradio's gallery keeps the old one when it is told None
_OPENING = "Opening what was chosen…"


class SharedEvents:
    """Connects everything that concerns more than one page.

    Args:
        runtime: Computes and keeps.
        session: The visitor's.
        shared: The controls.
        tabs: All pages.
        sr: A page.
        lam: A page.
        many: A page.
        matches: A page.
    """

    def __init__(
        self,
        runtime: Runtime,
        session: gr.State,
        shared: Shared,
        tabs: gr.Tabs,
        sr: SuperResolve,
        lam: ReceptiveField,
        many: ManyNetworks,
        matches: MatchedPatches,
    ) -> None:
        self._runtime, self._session, self._shared = runtime, session, shared
        self._tabs = tabs
        self._sr, self._lam, self._many, self._matches = sr, lam, many, matches

    def connect(self, demo: gr.Blocks, models: YourModelPage, sr_tab: gr.Tab) -> None:
        """Connect the events.

        Args:
            demo: The page, when it loads.
            models: The page whose events may change the network.
            sr_tab: The tab of *Super-resolve*.
        """
        shared, session, sr, lam = self._shared, self._session, self._sr.page, self._lam.page

        @with_user_errors
        def chosen_example(
            when: float, session: Session, mode: str, network: str, region: str,
            event: gr.SelectData,
        ) -> Iterator[dict[Any, Any]]:  # fmt: skip
            late, now = is_outdated(session, "examples", when), session.opened

            def read() -> Source:
                return now.source if late and now else from_example(EXAMPLES[int(event.index)])

            yield from self._show(session, read, mode, network, region)

        @with_user_errors
        def uploaded(
            session: Session, images: list[str], middle: bool, mode: str, network: str, region: str
        ) -> Iterator[dict[Any, Any]]:
            number = session.add_files(images or [])
            yield {shared.own: own_images(session, number)}
            yield from switched(session, number, middle, mode, network, region)

        @with_user_errors
        def switched(
            session: Session, number: int, middle: bool, mode: str, network: str, region: str
        ) -> Iterator[dict[Any, Any]]:
            known = session.files and 0 <= int(number) < len(session.files)
            session.refused = session.files[int(number)] if known else None
            read = partial(from_file, session.refused, mode, middle)
            yield from self._show(session, read, mode, network, region)

        @with_user_errors
        def cut(session: Session, mode: str, network: str, region: str) -> Iterator[dict[Any, Any]]:
            read = partial(from_file, session.refused, mode, True)
            yield from self._show(session, read, mode, network, region)

        @with_user_errors
        def changed(
            session: Session, mode: str, network: str, region: str
        ) -> Iterator[dict[Any, Any]]:
            now = session.opened
            if settings[1] in self._runtime.catalogue.fetchable:  # a question is asked first
                yield self._refused(session)
                return
            source = now.source if now else from_example(EXAMPLES[0])
            yield from self._show(session, lambda: source, mode, network, region)

        @with_user_errors
        def loaded(session: Session, request: gr.Request) -> Iterator[dict[Any, Any]]:
            session.identity = current_owner()
            yield from self._go(session, dict(request.query_params))

        @with_user_errors
        def gone(when: float, session: Session, event: gr.EventData) -> Iterator[dict[Any, Any]]:
            if not is_outdated(session, "address", when):
                yield from self._go(session, event_data(event))

        settings = [session, shared.mode, shared.network, lam.region]
        outputs = [
            *shared.named("address", "upload", "own", "gallery", "mode", "network"),
            *shared.named("shown", "refusal", "cut"),
            *sr.outputs, *lam.placed, *self._many.page.outputs, self._matches.page.prompt,
        ]  # fmt: skip
        options: dict[str, Any] = {
            **PRIVATE, "concurrency_id": "image", "concurrency_limit": 3,
            "show_progress": "minimal", "show_progress_on": shared.shown,
        }  # fmt: skip
        upload = [session, shared.upload, shared.middle, *settings[1:]]
        switch = [session, shared.own, *upload[2:]]
        example, chosen = [clock(), *settings], [shared.mode.input, shared.network.input]
        everything = [*outputs, self._tabs, *lam.settings]
        for event in (
            demo.load(loaded, session, everything, **options),
            shared.address.select(gone, [clock(), session], everything, js=NOW, **options),
            shared.gallery.select(chosen_example, example, outputs, js=NOW, **options),
            gr.on(chosen, changed, settings, outputs, **options),
            shared.upload.upload(uploaded, upload, outputs, **options),
            shared.own.input(switched, switch, outputs, **options),
            shared.cut.click(cut, settings, outputs, **options),
            *(
                model.success(changed, settings, outputs, **options)
                for page in (models, shared.released)
                for model in page.connect(self._runtime, session, shared.network)
            ),
        ):
            self._follow(event)
        connect_window(session, shared.address, self._sr, self._lam, self._many, sr_tab)

    def _show(
        self,
        session: Session,
        read: Callable[[], Source],
        mode: str,
        label: str,
        region: str,
        window: tuple[int, int, int] | None = None,
        settings: Sequence[Any] | None = None,
        networks: Sequence[str] | None = None,
        turn: Any = None,
    ) -> Iterator[dict[Any, Any]]:
        """Open an image with a network; what is shown before is named and dimmed until then."""
        shared = self._shared
        yield {shared.shown: shown_line(session, _OPENING)}
        try:
            source = read()
            taken = open_image(self._runtime, session, source, mode, label)
            if not taken:  # something else was asked for meanwhile, and says so
                return
            if window is not None:
                session.window = clamped_window(*window, *session.subject().size)
            values = self._sr.page.fill(self._sr.first(session))
        except UserError as error:
            told = html.unescape(sentence(error))
            yield self._refused(session, told, MIDDLE in str(error)) | address_says(
                shared.address, session, turn
            )
            raise
        except Exception:
            yield self._refused(session) | address_says(shared.address, session, turn)
            raise
        yield {
            **values,
            **self._lam.start(session, region, settings),
            **self._many.here(session, networks),
            **address_says(shared.address, session, turn),
            **self._stale_matches(session),
            shared.shown: shown_line(session),
            shared.refusal: "",
            shared.cut: gr.update(visible=False),
            shared.upload: gr.skip() if source.file else None,
            shared.own: gr.skip() if source.file else gr.update(value=None),
            shared.gallery: gr.update(selected_index=_NONE) if source.file else gr.skip(),
        }
        # Gradio sends the last values again when a handler ends: by then a visitor may have put
        # another file into the field that was emptied above.
        yield {shared.shown: shown_line(session)}

    def _go(self, session: Session, given: Mapping[str, str]) -> Iterator[dict[Any, Any]]:
        """Show what an address asks for; an uploaded image stays if it is still there."""
        shared, lam, now = self._shared, self._lam.page, session.opened
        own = [session.uploaded] if session.uploaded else []
        labels = [*self._runtime.catalogue.labels, *own]
        wanted = address.read(given, labels, receptive_field.STEPS)
        source, chosen = from_example(wanted.example), EXAMPLES.index(wanted.example)
        if now is not None and now.source.file and given.get("example") == address.UPLOADED:
            source, chosen, wanted = now.source, _NONE, replace(wanted, told="")
        yield {
            self._tabs: gr.Tabs(selected=wanted.tab),
            shared.mode: wanted.mode,
            shared.network: wanted.network,
            shared.gallery: gr.update(selected_index=chosen),
            **dict(zip(lam.settings, wanted.settings, strict=True)),
        }
        shown = self._show(
            session, lambda: source, wanted.mode, wanted.network, str(wanted.settings[1]),
            wanted.window, wanted.settings, wanted.networks, given.get("turn"),
        )  # fmt: skip
        for values in shown:
            if wanted.told and shared.refusal in values:
                values[shared.refusal] = render("refusal", text=wanted.told)
            yield values

    def _refused(self, session: Session, told: str = "", too_large: bool = False) -> dict[Any, Any]:
        """The choices go back to what is shown; a refused file does not stay in its field.

        Args:
            session: The visitor's.
            told: Why; it stays until something is shown.
            too_large: Whether to offer the middle of what was uploaded.
        """
        shared, opened = self._shared, session.opened
        values: dict[Any, Any] = {
            shared.shown: shown_line(session),
            shared.upload: None,
            shared.own: gr.update(value=None),
            shared.refusal: told and render("refusal", text=told),
            shared.cut: gr.update(visible=too_large and session.refused is not None),
        }
        if opened is not None:
            values |= {shared.mode: opened.study.mode, shared.network: opened.network.label}
        return values

    def _stale_matches(self, session: Session) -> dict[Any, Any]:
        record = session.matches
        if record is None or record.same(session.opened):
            return {}
        told = prompt("Finding the matches…", stale=text.of_matches(record))
        return {self._matches.page.prompt: told}

    def _follow(self, event: Any) -> None:
        """What else a new image or network needs: scores and matches, and then the maps."""
        session, matches = self._session, self._matches.page

        @with_user_errors
        def matched(session: Session) -> Any:
            return self._matches.here(session)

        late = {**PRIVATE, "concurrency_id": "late", "concurrency_limit": 2}
        scored = self._sr.score(event.success, late)
        image = {**PRIVATE, "concurrency_id": "image"}
        event.success(matched, session, matches.outputs, **image)
        # Not beside the scores, whose times and limits would suffer; but whatever they say.
        self._lam.follow(scored.then, session)
