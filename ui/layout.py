"""The whole page: one image and one network, shared by all tabs."""

from __future__ import annotations

import gradio as gr

from ui.api import endpoints, map_endpoints, match_endpoints
from ui.compute.contenders import BICUBIC, NETWORK
from ui.compute.opening import open_image
from ui.compute.runtime import Runtime
from ui.export import maps as export_maps
from ui.export import matches as export_matches
from ui.export import network_maps as export_networks
from ui.shared_controls import Shared
from ui.shared_events import SharedEvents
from ui.state.examples import EXAMPLES
from ui.state.inputs import RESTORE, from_example
from ui.state.session import Session
from ui.tabs import about
from ui.tabs.components import html
from ui.tabs.released import choices
from ui.tabs.super_resolve import SuperResolve, of_opened
from ui.tabs.your_model import YourModelPage
from ui.viewer.component import REMEMBER_TAB, address_bar
from ui.viewer.store import STORE
from ui.views.html import render

from .tabs.maps.network_maps import ManyNetworks
from .tabs.maps.receptive_field import ReceptiveField
from .tabs.matching.matches import MatchedPatches


def build(runtime: Runtime) -> gr.Blocks:
    """The page.

    Args:
        runtime: What it computes and keeps; to be closed after the page.

    Returns:
        The page, to be launched with `ui.views.html.THEME` and `ui.views.html.CSS`.
    """
    runtime.start()
    demo = gr.Blocks(
        title="HPINet Lens", analytics_enabled=False, fill_width=True, delete_cache=(600, 3600)
    )
    with demo:
        # Kept as long as the page is open: gradio drops it an hour after that.
        session = gr.State(Session(), delete_callback=lambda gone: STORE.forget(gone.key))
        gr.HTML(render("way_in"), elem_id="title")
        with gr.Row(elem_id="page"):
            with gr.Column(scale=1, min_width=250, elem_id="side"):
                shared = Shared(choices(runtime.catalogue))
            with gr.Column(scale=5, min_width=300, elem_id="main"):
                shared.refusal = html("refusal")
                shared.cut = gr.Button("Take its middle", elem_id="cut", visible=False)
                shared.address = address_bar()
                tabs = gr.Tabs(elem_id="tabs")
                tabs.select(None, None, None, js=REMEMBER_TAB, api_visibility="private")
            with tabs:
                with gr.Tab("Super-resolve", id="sr") as sr_tab:
                    sr = SuperResolve(runtime, session)
                with gr.Tab("Receptive field", id="lam"):
                    lam = ReceptiveField(runtime, session)
                with gr.Tab("Many networks", id="networks") as networks_tab:
                    many = ManyNetworks(runtime, session, networks_tab)
                with gr.Tab("Matched patches", id="matches") as matches_tab:
                    matches = MatchedPatches(runtime, session, matches_tab)
                with gr.Tab("Your model", id="model"):
                    models = YourModelPage()
                with gr.Tab("About", id="about") as about_tab:
                    about.build(runtime, about_tab)
        export_maps.connect(runtime, session, lam.page)
        export_matches.connect(runtime, session, matches.page)
        export_networks.connect(runtime, session, many.page)
        pages = SharedEvents(runtime, session, shared, tabs, sr, lam, many, matches)
        pages.connect(demo, models, sr_tab)
        endpoints.connect(runtime, session)
        map_endpoints.connect(runtime, session, lam, many)
        match_endpoints.connect(runtime, session)
    return demo


def warm_up(runtime: Runtime) -> None:
    """Compute what every visitor sees first, so that the first one need not wait for it."""
    session = Session()
    open_image(runtime, session, from_example(EXAMPLES[0]), RESTORE, runtime.catalogue.labels[0])
    record = of_opened(session)
    pair = [c for c in runtime.contenders.among(record) if c.kind in (BICUBIC, NETWORK)]
    for contender in pair:
        runtime.scorer.measure(contender, record.study, record.network.scale, False)
    runtime.ahead.start()
