"""What happens to all pages at once: another picture, another network, another window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.compute.contenders import NETWORK, contenders, find, restored
from ui.events.handlers import HEAVY, NOW, QUICK, clock, current, overtaken, spoken
from ui.state.examples import EXAMPLES
from ui.state.model_catalogue import Catalogue
from ui.state.session import (
    RESTORE,
    Session,
    Source,
    clamped_window,
    from_example,
    from_file,
    make_study,
    telling_window,
)
from ui.tabs import matches as page_matches
from ui.tabs import receptive_field, super_resolve, your_model
from ui.views import comparison

PRIVATE: dict[str, Any] = {"api_visibility": "private"}

_NONE = -1  # no example is chosen; gradio's gallery keeps the old one when it is told None


@dataclass
class Shared:
    """The controls that all pages share."""

    upload: gr.File
    middle: gr.Checkbox
    gallery: gr.Gallery
    mode: gr.Radio
    network: gr.Dropdown


@dataclass
class Pages:
    """All pages with handlers."""

    sr: super_resolve.SuperResolvePage
    lam: receptive_field.ReceptiveFieldPage
    matches: page_matches.MatchesPage
    own: your_model.YourModelPage
    attribute: Any
    refresh: Any
    sr_tab: gr.Tab


def take_picture(
    session: Session, catalogue: Catalogue, source: Source, mode: str, label: str
) -> bool:
    """Make a picture and a network the ones that the visitor looks at, super-resolved.

    Returns:
        Whether they were: False where the visitor has asked for something else meanwhile.

    Raises:
        ValueError: No such mode or network, or a picture that does not fit; nothing changes then.
    """
    session.asked += 1
    asked = session.asked
    network = catalogue.get(label, session.own)
    study = make_study(source, mode, network.scale)
    candidate = Session(network=label, own=session.own)
    chosen = find(contenders(candidate, catalogue, study), NETWORK, NETWORK)
    sr = restored(chosen, study, network.scale).pixels
    if session.asked != asked:
        return False
    # Only now, when all went well, does the new picture take the place of the old.
    if (
        source is not session.source
        or session.study is None
        or session.study.key != study.key
        or session.window is None
    ):
        session.window = telling_window(source, study, sr, network.scale)
    session.source, session.study, session.network = source, study, label
    return True


def warm_up(catalogue: Catalogue) -> None:
    """Compute what every visitor sees first, so that the first one need not wait for it."""
    session = Session()
    take_picture(session, catalogue, from_example(EXAMPLES[0]), RESTORE, catalogue.labels[0])
    super_resolve.first(session, catalogue, None, None, comparison.WINDOW)


def connect(
    catalogue: Catalogue, demo: gr.Blocks, session: gr.State, shared: Shared, pages: Pages
) -> None:
    """Connect everything that concerns more than one page."""
    outputs = [shared.upload, shared.gallery, *pages.sr.outputs, *pages.lam.fresh]
    settings = [shared.mode, shared.network, *pages.sr.choices, pages.lam.region]

    def show(session: Session, source: Source, *settings: str) -> tuple[Any, ...]:
        mode, label, left, right, view, region = settings
        if not take_picture(session, catalogue, source, mode, label):
            return tuple(gr.skip() for _ in outputs)
        study, network = current(session, catalogue)
        return (
            gr.skip() if source.file else None,
            gr.update(selected_index=_NONE) if source.file else gr.skip(),
            *super_resolve.first(session, catalogue, left, right, view),
            *receptive_field.start(session, study, network, region),
        )

    @spoken
    def opened(session: Session, *settings: str) -> tuple[Any, ...]:
        return show(session, from_example(EXAMPLES[0]), *settings)

    @spoken
    def chosen_example(
        when: float, session: Session, mode: str, network: str, left: str, right: str, view: str,
        region: str, event: gr.SelectData,
    ) -> tuple[Any, ...]:  # fmt: skip
        source = session.source
        if not overtaken(session, "examples", when) or source is None:
            source = from_example(EXAMPLES[int(event.index)])
        return show(session, source, mode, network, left, right, view, region)

    @spoken
    def uploaded(
        session: Session, picture: str, middle: bool, mode: str, *settings: str
    ) -> tuple[Any, ...]:
        return show(session, from_file(picture, mode, middle), mode, *settings)

    @spoken
    def changed(session: Session, *settings: str) -> tuple[Any, ...]:
        return show(session, session.source or from_example(EXAMPLES[0]), *settings)

    picture = {**QUICK, "concurrency_id": "picture", "concurrency_limit": 3}
    shown: dict[str, Any] = {
        **picture, **PRIVATE, "show_progress": "minimal", "show_progress_on": pages.sr.slider,
    }  # fmt: skip
    upload = shared.upload.upload(
        uploaded, [session, shared.upload, shared.middle, *settings], outputs, **shown
    )
    # A refused file must not stay in the field while another picture is shown beside it.
    upload.failure(lambda: None, None, shared.upload, **QUICK, **PRIVATE)
    models = your_model.connect(catalogue, session, pages.own, shared.network)
    events = [
        demo.load(opened, [session, *settings], outputs, **shown),
        shared.gallery.select(
            chosen_example, [clock(), session, *settings], outputs, js=NOW, **shown
        ),
        gr.on(
            [shared.mode.input, shared.network.select],
            changed,
            [session, *settings],
            outputs,
            **shown,
        ),
        upload,
        *(m.success(changed, [session, *settings], outputs, **shown) for m in models),
    ]
    for event in events:
        _follow(catalogue, session, pages, event)
    _move_window(catalogue, session, pages)


def _follow(catalogue: Catalogue, session: gr.State, pages: Pages, event: Any) -> None:
    """What else a new picture or network needs: scores and matches, and then the maps."""
    late = pages.sr.late

    @spoken
    def rest(session: Session, *choices: str) -> Iterator[tuple[Any, ...]]:
        yield from super_resolve.rest(session, catalogue, *choices)

    @spoken
    def matched(session: Session, block: int) -> tuple[Any, ...]:
        study, chosen = current(session, catalogue)
        return page_matches.view(session, study, chosen, block)

    scored = event.success(
        rest,
        [session, *pages.sr.choices],
        late,
        **{**QUICK, **PRIVATE, "concurrency_id": "late", "concurrency_limit": 2},
    )
    event.success(
        matched,
        [session, pages.matches.block],
        pages.matches.outputs,
        **{**QUICK, **PRIVATE, "concurrency_id": "picture"},
    )
    # Not beside the scores, whose times and whose patience would suffer; but whatever they say.
    _refresh_maps(session, pages, scored.then)


def _refresh_maps(session: gr.State, pages: Pages, after: Any) -> None:
    after(
        pages.refresh,
        [session, *pages.lam.settings],
        [*pages.lam.maps, pages.lam.status],
        api_name="refresh_maps",
        **HEAVY,
        **PRIVATE,
    )


def _move_window(catalogue: Catalogue, session: gr.State, pages: Pages) -> None:
    """One window for page 1 and page 2: a click on either shows in the other."""
    sr, lam = pages.sr, pages.lam

    @spoken
    def clicked(
        when: float, session: Session, view: str, region: str, event: gr.SelectData
    ) -> tuple[Any, ...]:
        if overtaken(session, "overview", when):
            return tuple(gr.skip() for _ in [*sr.window, *lam.fresh])
        study, network = current(session, catalogue)
        assert session.window is not None
        factor = super_resolve.overview_factor(study, network.scale)
        size, place = session.window.size, (event.index[0] // factor, event.index[1] // factor)
        height, width = (side * network.scale for side in study.size)
        session.window = clamped_window(
            place[0] - size // 2, place[1] - size // 2, size, height, width
        )
        return (
            *window_moved(session, view),
            *receptive_field.start(session, study, network, region),
        )

    @spoken
    def window_moved(session: Session, view: str) -> tuple[Any, ...]:
        if session.study is None:
            return gr.skip(), gr.skip()
        study, network = current(session, catalogue)
        return (
            super_resolve.overview(session, study, network.scale, catalogue),
            super_resolve.strip(session, catalogue, study, network.scale, view),
        )

    quick = {**QUICK, **PRIVATE, "concurrency_id": "closer"}
    moved = sr.overview.select(
        clicked, [clock(), session, sr.view, lam.region], [*sr.window, *lam.fresh], js=NOW, **quick
    )
    _refresh_maps(session, pages, moved.success)
    pages.sr_tab.select(window_moved, [session, sr.view], sr.window, **quick)
