"""What a change of matches did, in one ZIP, with the command that does it again."""

from __future__ import annotations

import shlex
from typing import Any

import gradio as gr

from hpinet.analysis.match_statistics import image_statistics
from hpinet.imaging.images import from_uint8
from lam.report import Files, encoded
from ui.compute.interventions import RUNNERS_UP, Outcome
from ui.compute.opening import network_of
from ui.compute.runtime import Runtime
from ui.networks.network import Network
from ui.state.inputs import Study
from ui.state.options import FORCED, Change
from ui.state.record import MatchesRecord
from ui.state.session import Session
from ui.tabs.matching.matches import record_at
from ui.tabs.matching.matches_layout import MatchesPage
from ui.views.matching.match_panes import effect_facts, effect_pixels

from . import saving


def connect(runtime: Runtime, session: gr.State, page: MatchesPage) -> None:
    """Connect the button of *Matched patches*, and the endpoint ``/export_change``."""

    def make(session: Session) -> saving.Made:
        record = session.matches or record_at(runtime, session, None)
        return record, archive(runtime, record, network_of(runtime, session, record))

    saving.connect(
        runtime,
        session,
        page.export,
        page.file,
        make,
        "export_change",
        "What the change of matches did as one ZIP: images, every match as CSV, and effect.json "
        "with the command that does it again.",
    )


def archive(runtime: Runtime, record: MatchesRecord, network: Network) -> bytes:
    """The ZIP's bytes: images, every match of every block, and the effect in numbers."""
    study, change = record.study, record.change
    normal, changed = (runtime.matches.outcome(study, network, c) for c in (Change(), change))
    lr_name, lr_bytes = saving.lossless(study.lr.rgb)
    files: Files = {
        **saving.weights(record.network),
        lr_name: lr_bytes,
        "sr_normal.png": normal.pixels,
        "sr_changed.png": changed.pixels,
        "matches_normal.csv": _rows(normal, study),
        "matches_changed.csv": _rows(changed, study),
    }
    if study.hr is not None:
        files["hr.png"] = saving.lossless(from_uint8(study.hr))[1]
    names = ("window_before.png", "window_after.png", "window_difference.png")
    images, limit = effect_pixels(runtime, record, network, record.window)
    files |= dict(zip(names, images, strict=True))
    words = None if change.nothing else command(record, lr_name, len(normal.matches.blocks))
    files["effect.json"] = {
        "network": network.label,
        "lr": lr_name,
        "command": None if words is None else shlex.join(words),
        "difference_colours_end_at_grey_levels": limit,
        **effect_facts(runtime, record, network),
    }
    return encoded("export.zip", files)


def command(record: MatchesRecord, lr_name: str, blocks: int) -> list[str]:
    """The command line, in words, that makes the same change again."""
    change, window = record.change, record.window
    words = ["python", "-m", "lam", "intervene", lr_name]
    words += saving.model_arguments(record.network, None)
    numbers = (str(b + 1) for b in change.intervention(blocks).blocks)
    words += ["--kind", change.kind, "--blocks", *numbers]
    if change.kind == FORCED:
        words += ["--force", *(f"{patch}:{target}" for patch, target in change.pairs)]
    if change.kind == "random":
        words += ["--seed", str(change.seed)]
    if record.study.hr is not None:
        words += ["--hr", "hr.png"]
    words += ["--window", *(str(v) for v in (window.left, window.top, window.size))]
    return [*words, "-o", "again"]


def _rows(outcome: Outcome, study: Study) -> list[dict[str, Any]]:
    blocks = image_statistics(outcome.matches, study.size, RUNNERS_UP)
    return [row for block in blocks for row in block.to_rows()]
