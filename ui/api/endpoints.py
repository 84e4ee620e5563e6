"""The page as an API: every action by a name, with types, for `gradio_client` and other programs.

The client's session takes the visitor's place: what one call opened is what the next one looks at.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from lam.figures.heatmaps import enlarge, heatmap
from ui.compute.contenders import KINDS, NETWORK, contenders, find, pixels
from ui.compute.scores import lpips_reason, measure
from ui.events.handlers import HEAVY, QUICK, current, spoken
from ui.shared_events import Pages, take_picture
from ui.state.examples import EXAMPLES
from ui.state.image_store import shown
from ui.state.model_catalogue import Catalogue
from ui.state.session import ENLARGE, RESTORE, Session, clamped_window, from_example, from_file
from ui.tabs import super_resolve as page_super_resolve
from ui.tabs import your_model
from ui.views import comparison

_SIDE = 512  # what a small crop is enlarged to, without smoothing


def connect(catalogue: Catalogue, session: gr.State, pages: Pages) -> None:
    """Register all endpoints but those that pages 2 and 3 register themselves."""
    _pictures(catalogue, session)
    _comparisons(catalogue, session)
    _networks(catalogue, session)
    _register(
        pages.attribute,
        [session, *pages.lam.inputs],
        [*pages.lam.maps, pages.lam.status],
        "attribute",
        "Attribution maps of a window (SR pixels) of the current picture.",
        **HEAVY,
    )


def _register(
    handler: Any, inputs: list[Any], outputs: list[Any], name: str, told: str, **options: Any
) -> None:
    options = {**QUICK, "concurrency_id": "picture", **options}
    gr.Button(visible=False).click(
        handler, inputs, outputs, api_name=name, api_description=told, **options
    )


def _picture(label: str) -> gr.Image:
    return gr.Image(label=label, format="png", type="filepath", visible=False)


def _pictures(catalogue: Catalogue, session: gr.State) -> None:
    file = gr.File(label="Picture file", visible=False)
    mode = gr.Radio([RESTORE, ENLARGE], value=RESTORE, label="Mode", visible=False)
    network = gr.Textbox(
        catalogue.labels[0], label="Network: a label that /networks lists", visible=False
    )
    middle = gr.Checkbox(label="Whether to take the middle of what is too large", visible=False)
    example = gr.Dropdown(
        [e.name for e in EXAMPLES], value=EXAMPLES[0].name, label="Example", visible=False
    )
    outputs = [
        gr.File(label="Super-resolved picture, lossless PNG", visible=False),
        gr.JSON(label="Network, sizes, window, notes, scores of every contender", visible=False),
    ]

    def opened(session: Session, source: Any, mode: str, label: str) -> tuple[str, Any]:
        if not take_picture(session, catalogue, source, mode, label):
            raise ValueError("Another picture was asked for meanwhile: ask once more.")
        study, network = current(session, catalogue)
        chosen = find(contenders(session, catalogue, study), NETWORK, NETWORK)
        path = page_super_resolve.save(chosen, study, network.scale)
        return path, _facts(session, catalogue, perceptual=False)

    @spoken
    def super_resolve(
        session: Session,
        picture: str,
        mode: str = RESTORE,
        network: str = catalogue.labels[0],
        middle: bool = False,
    ) -> tuple[str, Any]:
        return opened(session, from_file(picture, mode, middle), mode, network)

    @spoken
    def open_example(
        session: Session, name: str, mode: str = RESTORE, network: str = catalogue.labels[0]
    ) -> tuple[str, Any]:
        found = next((e for e in EXAMPLES if e.name == name), EXAMPLES[0])
        return opened(session, from_example(found), mode, network)

    _register(
        super_resolve, [session, file, mode, network, middle], outputs, "super_resolve",
        "Super-resolve a picture. 'restore' shrinks it first and scores the result against it, "
        "'enlarge' makes it larger. The other endpoints look at the picture opened last.",
    )  # fmt: skip
    _register(
        open_example, [session, example, mode, network], outputs, "open_example",
        "Super-resolve one of the page's examples; as /super_resolve.",
    )  # fmt: skip


def _facts(session: Session, catalogue: Catalogue, perceptual: bool) -> dict[str, Any]:
    study, network = current(session, catalogue)
    window = session.window
    assert window is not None
    found: dict[str, Any] = {
        "network": network.label,
        "scale": network.scale,
        "mode": study.mode,
        "lr_size": {"width": study.size[1], "height": study.size[0]},
        "window": {"left": window.left, "top": window.top, "size": window.size},
        "notes": list(study.notes),
        "scores": {},
    }
    for contender in contenders(session, catalogue, study):
        if contender.kind in KINDS[:-1]:
            scores = measure(contender, study, network.scale, perceptual)
            found["scores"][contender.kind] = {"name": contender.label, **scores.as_dict()}
    reason = lpips_reason(study) if perceptual else ""
    return {**found, "lpips_missing": reason} if reason else found


def _comparisons(catalogue: Catalogue, session: gr.State) -> None:
    kind = gr.Dropdown(list(KINDS), value=NETWORK, label="Contender", visible=False)
    view = gr.Radio(list(comparison.VIEWS), value=comparison.WINDOW, label="View", visible=False)
    left, top, size = (
        gr.Number(value, label=f"{name} of the window in SR pixels", visible=False)
        for value, name in ((0, "Left"), (0, "Top"), (16, "Size"))
    )
    facts = gr.JSON(label="Scores with LPIPS", visible=False)

    @spoken
    def scores(session: Session) -> Any:
        return _facts(session, catalogue, perceptual=True)

    @spoken
    def contender(session: Session, contender: str = NETWORK) -> str:
        study, network = current(session, catalogue)
        chosen = _exactly(contenders(session, catalogue, study), contender)
        return page_super_resolve.save(chosen, study, network.scale)

    @spoken
    def closer_look(
        session: Session,
        contender: str = NETWORK,
        view: str = comparison.WINDOW,
        left: float = 0,
        top: float = 0,
        size: float = 16,
    ) -> tuple[str, Any]:
        study, network = current(session, catalogue)
        height, width = (side * network.scale for side in study.size)
        window = clamped_window(left, top, size, height, width)
        session.window = window
        among = contenders(session, catalogue, study)
        picture = pixels(_exactly(among, contender), study, network.scale)
        told: dict[str, Any] = {
            "window": {"left": window.left, "top": window.top, "size": window.size}
        }
        if view == comparison.WINDOW:
            small = comparison.crop(picture, window)
        elif study.hr is None:
            raise ValueError("There is no original to differ from: use the mode restore.")
        else:
            maps = [
                comparison.errors(pixels(c, study, network.scale), study.hr)
                for c in among
                if c.kind in KINDS[:-1]
            ]
            limit = comparison.error_limit(maps)
            mine = comparison.errors(picture, study.hr)
            if view == comparison.WINDOW_ERRORS:
                mine = comparison.crop(mine, window)
            small = heatmap(mine, vmax=limit, colours=comparison.COLOURS)
            told |= {"mean_error_levels": float(mine.mean()), "colours_end_at_levels": limit}
        return shown(enlarge(small, max(1, _SIDE // max(small.shape[:2])))), told

    _register(
        scores, [session], [facts], "scores",
        "PSNR-Y in dB, SSIM and LPIPS of every contender for the current picture; null where there "
        "is none.",
    )  # fmt: skip
    _register(
        contender, [session, kind],
        [gr.File(label="The contender's picture, lossless PNG", visible=False)], "contender",
        "Another contender's picture: bicubic, the network, without GPA, the other network (yours, "
        "where one is loaded), or the original.",
    )  # fmt: skip
    _register(
        closer_look, [session, kind, view, left, top, size],
        [_picture("PNG"), gr.JSON(label="Window, mean error, scale", visible=False)],
        "closer_look",
        "A window of a contender enlarged without smoothing, or its error map. The window becomes "
        "the one that attribution looks at.",
    )  # fmt: skip


def _exactly(among: list[Any], kind: str) -> Any:
    found = find(among, kind, NETWORK)
    if found.kind != kind:
        names = ", ".join(c.kind for c in among)
        raise ValueError(f"There is no contender {kind!r} for this picture; there are {names}.")
    return found


def _networks(catalogue: Catalogue, session: gr.State) -> None:
    file = gr.File(label="Weights: .safetensors or .pth", visible=False)
    facts = gr.JSON(label="Facts", visible=False)

    @spoken
    def networks(session: Session) -> Any:
        own = [session.own] if session.own else []
        return {"networks": [*catalogue.labels, *own], "yours": session.own}

    @spoken
    def load_model(session: Session, weights: str) -> Any:
        label = your_model.take(session, catalogue, weights)
        return {"label": label, **dict(your_model.facts(label, catalogue))}

    @spoken
    def forget_model(session: Session) -> Any:
        session.network = your_model.drop(session, catalogue)
        return networks(session)

    own = {"concurrency_id": "own"}
    _register(networks, [session], [facts], "networks", "Labels of all networks you can use.")
    _register(
        load_model, [session, file], [facts], "load_model",
        "Load a network of your own for this session; its label can then be used as network.",
        **own,
    )  # fmt: skip
    _register(
        forget_model, [session], [facts], "forget_model", "Forget the network you loaded.", **own
    )  # fmt: skip
