"""The path of LAM, from the blurred to the sharp picture, and the matches that switch along it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
import torch
from PIL import Image

from hpinet import HPINet, Matches
from hpinet.imaging.images import to_uint8
from lam import GaussianBlurPath, LocalAttributionResult
from lam.attribution.matching_network import switched_shares
from lam.cli.output import DPI
from lam.figures.heatmaps import draw_window, enlarge, enlarging_factor
from lam.figures.plots import path_figure
from ui.events.handlers import QUICK, current, spoken
from ui.state.cache import Cache
from ui.state.image_store import shown
from ui.state.model_catalogue import Catalogue, Network
from ui.state.session import Pixels, Session, Study
from ui.tabs.receptive_field_layout import PathPane

from . import maps
from . import text as words
from .html import bars

_WINDOW_SIDE = 320  # pixels that the window is enlarged to at least


@dataclass(frozen=True, eq=False)
class Station:
    """The network at one place of the path.

    Attributes:
        lr: What it is given, (h, w, 3).
        sr: What it makes of that, (sh, sw, 3).
        matches: Which it decided; None for a network without.
    """

    lr: Pixels
    sr: Pixels
    matches: Matches | None


_stations: Cache[Station] = Cache(64)


def connect(catalogue: Catalogue, session: gr.State, pane: PathPane) -> Any:
    """Connect the pane: it is computed when it is opened, and when the slider is moved.

    Returns:
        A function that has an event of another component's, or one that follows another, bring the
        pane up to date, should it be open.
    """

    @spoken
    def along_the_path(session: Session, alpha: float = 1.0) -> tuple[Any, ...]:
        study, network = current(session, catalogue)
        return view(session, study, network, alpha)

    @spoken
    def up_to_date(session: Session, alpha: float) -> tuple[Any, ...]:
        if not session.path_open or session.study is None:
            return tuple(gr.skip() for _ in pane.outputs)
        return along_the_path(session, alpha)

    def opened(session: Session) -> None:
        session.path_open = True

    def closed(session: Session) -> None:
        session.path_open = False

    quick = {**QUICK, "trigger_mode": "always_last", "api_visibility": "private"}
    pane.box.expand(opened, session, None, queue=False, **quick)
    pane.box.collapse(closed, session, None, queue=False, **quick)
    gr.on(
        [pane.alpha.release, pane.alpha.change, pane.box.expand],
        along_the_path,
        [session, pane.alpha],
        pane.outputs,
        api_name="along_the_path",
        api_description="The picture at a position of LAM's path (0 blurred to 1 sharp), the "
        "window made from it, and the share of patches whose match differs from the sharp "
        "picture's, block by block.",
        **{**QUICK, "trigger_mode": "always_last"},
        concurrency_id="path",
        concurrency_limit=1,
    )

    def follow(event: Any) -> None:
        event(up_to_date, [session, pane.alpha], pane.outputs, concurrency_id="path", **quick)

    return follow


def view(session: Session, study: Study, network: Network, alpha: float) -> tuple[Any, ...]:
    """Values for `PathPane.outputs`.

    Args:
        session: Its window and area.
        study: The picture.
        network: The network.
        alpha: Position, 0 to 1.

    Raises:
        ValueError: If the position lies elsewhere.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"The position on the path is 0 to 1, not {alpha}.")
    here, sharp = (_station(session, study, network, a) for a in (alpha, 1.0))
    window, factor = maps.inner_window(session, network), enlarging_factor(*here.lr.shape[:2])
    lr = draw_window(enlarge(here.lr, factor), window, factor / network.scale)
    inside = here.sr[window.top : window.top + window.size, window.left : window.left + window.size]
    large = enlarge(np.ascontiguousarray(inside), max(1, -(-_WINDOW_SIDE // window.size)))
    return shown(lr), shown(large), _switched(here, sharp, alpha), _figure(session)


def _station(session: Session, study: Study, network: Network, alpha: float) -> Station:
    left, top, height, width = session.region

    def work() -> Station:
        crop = study.lr.rgb[..., top : top + height, left : left + width]
        picture = GaussianBlurPath().at(crop, np.array([alpha]))
        with torch.no_grad():
            if isinstance(network.model, HPINet) and network.has_gpa:
                sr, found = network.model(picture, return_matches=True)
                return Station(to_uint8(picture), to_uint8(sr), found)
            return Station(to_uint8(picture), to_uint8(network.model(picture)), None)

    return _stations.compute((study.key, network.label, session.region, round(alpha, 3)), work)


def _switched(here: Station, sharp: Station, alpha: float) -> str:
    if here.matches is None or sharp.matches is None:
        return bars("This network has no matches that could switch.", [])
    old, new = (
        tuple(None if b is None else b.index for b in s.matches.blocks)
        for s in (here, sharp)
        if s.matches is not None
    )
    shares = switched_shares(old, new)
    text = (
        f"At {alpha:g}, {np.mean(shares):.0%} of the patches look elsewhere than they do on the "
        "sharp picture. In each block:"
    )
    return bars(text, [(f"Block {n}", float(s)) for n, s in enumerate(shares, 1)])


def _figure(session: Session) -> str | None:
    result = session.maps[0]
    if not isinstance(result, LocalAttributionResult) or not result.finished:
        return None
    return shown(figure_pixels(result))


def figure_pixels(result: LocalAttributionResult) -> Pixels:
    """The detector along the path, and where matches switched."""
    switches = result.switches
    found: dict[str, Any] = {}
    if switches is not None:
        found = {"knots": switches.alphas, "shares": switches.shares, "jumps": switches.jumps}
    figure = path_figure(result.path_alphas, result.path_values, **found, title=words.DETECTOR)
    return drawn(figure)


def drawn(figure: Any) -> Pixels:
    """A figure with axes as pixels."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    return np.asarray(Image.open(file).convert("RGB"))
