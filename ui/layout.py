"""The whole page: one picture and one network, shared by all tabs."""

from __future__ import annotations

import gradio as gr

from ui.api import endpoints, match_endpoints
from ui.shared_events import Pages, Shared, connect
from ui.state import image_store
from ui.state.examples import EXAMPLES
from ui.state.model_catalogue import Catalogue
from ui.state.session import ENLARGE, LIMITS, MIDDLE, RESTORE, Session
from ui.tabs import about, receptive_field, super_resolve, your_model
from ui.tabs import matches as page_matches

MODES = [
    ("Restore: shrink this picture, restore it, score it against itself", RESTORE),
    ("Enlarge: make this picture larger; nothing to score by", ENLARGE),
]


def build(catalogue: Catalogue) -> gr.Blocks:
    """The page.

    Args:
        catalogue: The networks on offer.

    Returns:
        The page, to be launched with `ui.views.html.THEME` and `ui.views.html.CSS`.
    """
    image_store.serve()
    demo = gr.Blocks(
        title="HPINet Lens",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(600, 3600),
    )
    with demo:
        # Kept as long as the page is open: gradio drops it an hour after that.
        session = gr.State(Session())
        gr.HTML(
            "<h1>HPINet Lens</h1><span>see how a super-resolution network thinks: what it "
            "restores, which pixels it used, which far-away patch it borrowed from</span>",
            elem_id="title",
        )
        with gr.Row():
            with gr.Column(scale=1, min_width=250, elem_id="side"):
                shared = _shared_controls(catalogue)
            with gr.Column(scale=5, min_width=520), gr.Tabs():
                with gr.Tab("Super-resolve", render_children=True) as sr_tab:
                    sr = super_resolve.build(catalogue, session)
                with gr.Tab("Receptive field", render_children=True):
                    lam, attribute, refresh = receptive_field.build(catalogue, session)
                with gr.Tab("Matched patches", render_children=True) as matches_tab:
                    matches = page_matches.build(catalogue, session)
                with gr.Tab("Your model", render_children=True):
                    own = your_model.build()
                with gr.Tab("About", render_children=True) as about_tab:
                    about.build(catalogue, about_tab)
        pages = Pages(sr, lam, matches, own, attribute, refresh, sr_tab)
        connect(catalogue, demo, session, shared, pages)
        endpoints.connect(catalogue, session, pages)
        match_endpoints.connect(catalogue, session)
        page_matches.follow_window(catalogue, session, matches, matches_tab)
    return demo


def _shared_controls(catalogue: Catalogue) -> Shared:
    # Not gr.Image: that decodes the file first, which loses orientation, depth and transparency
    # and answers a damaged file with a path of the server.
    upload = gr.File(
        label="Your picture",
        file_types=["image"],
        height=122,
        elem_id="upload",
    )
    middle = gr.Checkbox(
        label=MIDDLE,
        info=f"Limits: {LIMITS[RESTORE] / 1e6:g} million pixels to restore, "
        f"{LIMITS[ENLARGE] / 1e6:g} to enlarge.",
        elem_id="middle",
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
    return Shared(upload, middle, gallery, mode, network)
