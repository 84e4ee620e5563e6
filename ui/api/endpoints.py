"""The page as an API: every action by a name, with types, for `gradio_client` and other programs.

The client's session takes the visitor's place: what one call opened is what the next one is about.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from hpinet.errors import UserError
from lam import Window
from lam.figures.overlay import enlarge, heatmap
from ui.compute.contenders import KINDS, NETWORK, Contender, find
from ui.compute.opening import open_image
from ui.compute.runtime import Runtime
from ui.events.handlers import with_user_errors
from ui.state.examples import EXAMPLES
from ui.state.inputs import ENLARGE, RESTORE, Pixels, Source, from_example, from_file
from ui.state.record import ComparisonRecord
from ui.state.session import Session, clamped_window
from ui.tabs import your_model
from ui.tabs.super_resolve import of_opened, save, scored_contenders
from ui.views import comparison

from .registering import image, register

_SIDE = 512  # what a small crop is enlarged to, without smoothing


def connect(runtime: Runtime, session: gr.State) -> None:
    """Register all endpoints but those of maps and matches."""
    _images(runtime, session)
    _comparisons(runtime, session)
    _networks(runtime, session)


def _images(runtime: Runtime, session: gr.State) -> None:
    labels = runtime.catalogue.labels
    file = gr.File(label="Image file", visible=False)
    mode = gr.Radio([RESTORE, ENLARGE], value=RESTORE, label="Mode", visible=False)
    network = gr.Textbox(labels[0], label="Network: a label that /networks lists", visible=False)
    middle = gr.Checkbox(label="Whether to take the middle of what is too large", visible=False)
    example = gr.Dropdown(
        [e.name for e in EXAMPLES], value=EXAMPLES[0].name, label="Example", visible=False
    )
    outputs = [
        gr.File(label="Super-resolved image, lossless PNG", visible=False),
        gr.JSON(label="Network, sizes, window, notes, scores of every contender", visible=False),
    ]

    def opened(session: Session, source: Source, mode: str, label: str) -> tuple[str, Any]:
        if not open_image(runtime, session, source, mode, label):
            raise UserError("Another image was asked for meanwhile: ask once more.")
        record = of_opened(session)
        chosen = find(runtime.contenders.among(record), NETWORK, NETWORK)
        path = save(runtime, chosen, record)
        return path, _facts(runtime, session, record, perceptual=False)

    @with_user_errors
    def super_resolve(
        session: Session,
        picture: str,
        mode: str = RESTORE,
        network: str = labels[0],
        middle: bool = False,
    ) -> tuple[str, Any]:
        return opened(session, from_file(picture, mode, middle), mode, network)

    @with_user_errors
    def open_example(
        session: Session, name: str, mode: str = RESTORE, network: str = labels[0]
    ) -> tuple[str, Any]:
        found = next((e for e in EXAMPLES if e.name == name), EXAMPLES[0])
        return opened(session, from_example(found), mode, network)

    register(
        super_resolve, [session, file, mode, network, middle], outputs, "super_resolve",
        "Super-resolve an image. 'restore' shrinks it first and scores the result against it, "
        "'enlarge' makes it larger. The other endpoints are about the image opened last.",
    )  # fmt: skip
    register(
        open_example, [session, example, mode, network], outputs, "open_example",
        "Super-resolve one of the page's examples; as /super_resolve.",
    )  # fmt: skip


def _facts(
    runtime: Runtime, session: Session, record: ComparisonRecord, perceptual: bool
) -> dict[str, Any]:
    study, network, window = record.study, record.network, session.window
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
    for contender in scored_contenders(runtime.contenders.among(record)):
        scores = runtime.scorer.measure(contender, study, network.scale, perceptual)
        found["scores"][contender.kind] = {"name": contender.label, **scores.as_dict()}
    reason = runtime.scorer.lpips_reason(study) if perceptual else ""
    return {**found, "lpips_missing": reason} if reason else found


def _comparisons(runtime: Runtime, session: gr.State) -> None:
    kind = gr.Dropdown(list(KINDS), value=NETWORK, label="Contender", visible=False)
    view = gr.Radio(list(comparison.VIEWS), value=comparison.WINDOW, label="View", visible=False)
    left, top, size = (
        gr.Number(value, label=f"{name} of the window in SR pixels", visible=False)
        for value, name in ((0, "Left"), (0, "Top"), (16, "Size"))
    )
    facts = gr.JSON(label="Scores with LPIPS", visible=False)

    @with_user_errors
    def scores(session: Session) -> Any:
        return _facts(runtime, session, of_opened(session), perceptual=True)

    @with_user_errors
    def contender(session: Session, contender: str = NETWORK) -> str:
        record = of_opened(session)
        chosen = _exactly(runtime.contenders.among(record), contender)
        return save(runtime, chosen, record)

    @with_user_errors
    def closer_look(
        session: Session,
        contender: str = NETWORK,
        view: str = comparison.WINDOW,
        left: float = 0,
        top: float = 0,
        size: float = 16,
    ) -> tuple[str, Any]:
        record = of_opened(session)
        session.window = clamped_window(left, top, size, *record.size)
        small, told = _closer(runtime, record, contender, view, session.window)
        return runtime.images.shown(enlarge(small, max(1, _SIDE // max(small.shape[:2])))), told

    register(
        scores, [session], [facts], "scores",
        "PSNR-Y in dB, SSIM and LPIPS of every contender for the current image; null where there "
        "is none.",
    )  # fmt: skip
    register(
        contender, [session, kind],
        [gr.File(label="The contender's image, lossless PNG", visible=False)], "contender",
        "Another contender's image: bicubic, the network, without GPA, the other network (yours, "
        "where one is loaded), or the original.",
    )  # fmt: skip
    register(
        closer_look, [session, kind, view, left, top, size],
        [
            image("PNG"),
            gr.JSON(label="Window, mean error, scale", visible=False),
        ],
        "closer_look",
        "A window of a contender enlarged without smoothing, or its error map. The window becomes "
        "the one that attribution explains.",
    )  # fmt: skip


def _closer(
    runtime: Runtime, record: ComparisonRecord, kind: str, view: str, window: Window
) -> tuple[Pixels, dict[str, Any]]:
    """A window or an error map of a contender, and what is told of it."""
    study, scale, contenders = record.study, record.network.scale, runtime.contenders
    among = contenders.among(record)
    image = contenders.pixels(_exactly(among, kind), study, scale)
    told: dict[str, Any] = {"window": {"left": window.left, "top": window.top, "size": window.size}}
    if view == comparison.WINDOW:
        return comparison.crop(image, window), told
    hr = study.hr
    if hr is None:
        raise UserError("There is no original to differ from: use the mode restore.")
    compared = scored_contenders(among)
    limit = comparison.error_limit(
        [comparison.errors(contenders.pixels(c, study, scale), hr) for c in compared]
    )
    errors = comparison.errors(image, hr)
    if view == comparison.WINDOW_ERRORS:
        errors = comparison.crop(errors, window)
    told |= {"mean_error_levels": float(errors.mean()), "colours_end_at_levels": limit}
    return heatmap(errors, vmax=limit, colours=comparison.COLOURS), told


def _exactly(among: list[Contender], kind: str) -> Contender:
    found = find(among, kind, NETWORK)
    if found.kind != kind:
        names = ", ".join(c.kind for c in among)
        raise UserError(f"There is no contender {kind!r} for this image; there are {names}.")
    return found


def _networks(runtime: Runtime, session: gr.State) -> None:
    catalogue = runtime.catalogue
    file = gr.File(label="Weights: .safetensors or .pth", visible=False)
    facts = gr.JSON(label="Facts", visible=False)

    @with_user_errors
    def networks(session: Session) -> Any:
        uploaded = [session.uploaded] if session.uploaded else []
        return {"networks": [*catalogue.labels, *uploaded], "yours": session.uploaded}

    @with_user_errors
    def load_model(session: Session, weights: str) -> Any:
        label = your_model.take(session, catalogue, weights)
        return {"label": label, **dict(your_model.facts(label, catalogue))}

    @with_user_errors
    def forget_model(session: Session) -> Any:
        label, opened = your_model.drop(session, catalogue), session.opened
        if opened is not None and opened.network.label != label:
            open_image(runtime, session, opened.source, opened.study.mode, label)
        return networks(session)

    own = {"concurrency_id": "own"}
    register(networks, [session], [facts], "networks", "Labels of all networks you can use.")
    register(
        load_model, [session, file], [facts], "load_model",
        "Load a network of your own for this session; its label can then be used as network.",
        **own,
    )  # fmt: skip
    register(
        forget_model, [session], [facts], "forget_model", "Forget the network you loaded.", **own
    )  # fmt: skip
