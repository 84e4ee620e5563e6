"""The whole page: one picture and one network, shared by all tabs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from . import page_about, page_matches, page_receptive_field, page_super_resolve, pictures, work
from .catalogue import Catalogue
from .examples import EXAMPLES
from .handlers import HEAVY, NOW, QUICK, clock, current, overtaken, spoken
from .session import (
    ENLARGE,
    RESTORE,
    Session,
    Source,
    from_example,
    from_file,
    make_study,
    telling_window,
)

MODES = [
    ("Restore: shrink this picture, restore it, score it", RESTORE),
    ("Enlarge: make this picture larger", ENLARGE),
]


def build(catalogue: Catalogue) -> gr.Blocks:
    """The page.

    Args:
        catalogue: The networks on offer.

    Returns:
        The page, to be launched with `ui.style.THEME` and `ui.style.CSS`.
    """
    pictures.serve()
    demo = gr.Blocks(
        title="HPINet Lens",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(600, 3600),
    )
    with demo:
        session = gr.State(Session(), time_to_live=3600)
        gr.HTML(
            "<h1>HPINet Lens</h1><span>see how a super-resolution network thinks: what it "
            "restores, which pixels it used, which far-away patch it borrowed from</span>",
            elem_id="title",
        )
        with gr.Row():
            with gr.Column(scale=1, min_width=250, elem_id="side"):
                upload, gallery, mode, network = _shared_controls(catalogue)
            with gr.Column(scale=5, min_width=520), gr.Tabs():
                with gr.Tab("Super-resolve", render_children=True):
                    sr_page = page_super_resolve.build(catalogue, session)
                with gr.Tab("Receptive field", render_children=True):
                    lam_page, attribute, refresh = page_receptive_field.build(catalogue, session)
                with gr.Tab("Matched patches", render_children=True):
                    match_page = page_matches.build(catalogue, session)
                with gr.Tab("About"):
                    page_about.build(catalogue)
        _connect(
            catalogue, demo, session, (upload, gallery, mode, network),
            sr_page, lam_page, attribute, refresh, match_page,
        )  # fmt: skip
    return demo


def _shared_controls(catalogue: Catalogue) -> tuple[Any, Any, Any, Any]:
    # Not gr.Image: that decodes the file first, which loses orientation, depth and transparency
    # and answers a damaged file with a path of the server.
    upload = gr.File(
        label="Your picture",
        file_types=["image"],
        height=120,
        elem_id="upload",
    )
    gallery = gr.Gallery(
        [(e.pixels(), e.name) for e in EXAMPLES],
        label="Examples",
        format="png",
        columns=3,
        height=206,
        object_fit="cover",
        allow_preview=False,
        interactive=False,
        selected_index=0,
        buttons=[],
        elem_id="examples",
    )
    mode = gr.Radio(MODES, value=RESTORE, label="What to do with it", elem_id="mode")
    labels = catalogue.labels
    network = gr.Dropdown(
        labels,
        value=labels[0],
        label="Network",
        info="S, M: how large; x4: how many times it enlarges.",
        elem_id="network",
    )
    return upload, gallery, mode, network


def _connect(
    catalogue: Catalogue,
    demo: gr.Blocks,
    session: gr.State,
    shared: tuple[Any, Any, Any, Any],
    sr_page: page_super_resolve.SuperResolvePage,
    lam_page: page_receptive_field.ReceptiveFieldPage,
    attribute: Any,
    refresh: Any,
    match_page: page_matches.MatchesPage,
) -> None:
    upload, gallery, mode, network = shared
    settings = [mode, network, sr_page.against, lam_page.region]

    def show(session: Session, source: Source, *settings: str) -> Iterator[tuple[Any, ...]]:
        """Take a picture and show it super-resolved, then its competitor without GPA."""
        uploaded = source.file
        mode, label, against, region = settings
        chosen = catalogue.get(label)
        study = make_study(source, mode, chosen.scale)
        sr = work.super_resolved(study, chosen).pixels
        # Only now, when all went well, does the new picture take the place of the old.
        if (
            source is not session.source
            or session.study is None
            or session.study.key != study.key
            or session.window is None
        ):
            session.window = telling_window(source, study, sr, chosen.scale)
        session.source, session.study, session.network = source, study, label
        session.maps = [None, None]
        placed = page_receptive_field.start(session, study, chosen, region)
        first = page_super_resolve.view(study, chosen, against, twin=not chosen.has_gpa)
        yield (gr.skip() if uploaded else None), *first, *placed
        if chosen.has_gpa:
            last = page_super_resolve.view(study, chosen, against, twin=True)
            # Not gr.skip() for the other tabs: a tab not opened yet would forget what it was given.
            yield gr.skip(), *last, *placed

    @spoken
    def opened(session: Session, *settings: str) -> Iterator[tuple[Any, ...]]:
        yield from show(session, from_example(EXAMPLES[0]), *settings)

    @spoken
    def chosen_example(
        when: float, session: Session, mode: str, network: str, against: str, region: str,
        event: gr.SelectData,
    ) -> Iterator[tuple[Any, ...]]:  # fmt: skip
        source = session.source
        if not overtaken(session, "examples", when) or source is None:
            source = from_example(EXAMPLES[int(event.index)])
        yield from show(session, source, mode, network, against, region)

    @spoken
    def super_resolve(
        session: Session,
        picture: str,
        mode: str = RESTORE,
        network: str = catalogue.labels[0],
        against: str = page_super_resolve.BICUBIC,
        region: str = "auto",
    ) -> Iterator[tuple[Any, ...]]:
        source = from_file(picture, mode)
        yield from show(session, source, mode, network, against, region)

    @spoken
    def changed(session: Session, *settings: str) -> Iterator[tuple[Any, ...]]:
        source = session.source or from_example(EXAMPLES[0])
        yield from show(session, source, *settings)

    @spoken
    def matched(session: Session, block: int) -> tuple[Any, ...]:
        study, chosen = current(session, catalogue)
        return page_matches.view(session, study, chosen, block)

    outputs = [upload, *sr_page.outputs, *lam_page.fresh]
    heavy = [*lam_page.maps, lam_page.status]
    picture = {**QUICK, "concurrency_id": "picture", "concurrency_limit": 1}
    shown = {**picture, "show_progress": "minimal", "show_progress_on": sr_page.slider}
    hidden: dict[str, Any] = {"api_visibility": "private"}
    uploaded = upload.upload(
        super_resolve,
        [session, upload, *settings],
        outputs,
        api_name="super_resolve",
        api_description="Super-resolve a picture; it becomes the one that the other endpoints use.",
        **shown,
    )
    # A refused file must not stay in the field while another picture is shown beside it.
    uploaded.failure(lambda: None, None, upload, **QUICK, **hidden)
    events = [
        demo.load(opened, [session, *settings], outputs, **shown, **hidden),
        gallery.select(
            chosen_example, [clock(), session, *settings], outputs, js=NOW, **shown, **hidden
        ),
        gr.on(
            [mode.input, network.select], changed, [session, *settings], outputs, **shown, **hidden
        ),
        uploaded,
    ]
    for event in events:
        event.success(matched, [session, match_page.block], match_page.outputs, **picture, **hidden)
        event.success(
            refresh,
            [session, *lam_page.settings],
            heavy,
            api_name="refresh_maps",
            **HEAVY,
            **hidden,
        )
    api = gr.Button(visible=False)
    api.click(
        attribute,
        [session, *lam_page.inputs],
        heavy,
        api_name="attribute",
        api_description="Attribution maps of a window (SR pixels) with and without GPA.",
        **HEAVY,
    )
