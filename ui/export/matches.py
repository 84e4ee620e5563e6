"""What a change of matches did, in one ZIP, with the command that does it again."""

from __future__ import annotations

import csv
import io
import json
import shlex
from typing import Any

from hpinet.analysis.match_statistics import image_statistics
from hpinet.imaging.images import from_uint8
from ui.compute import interventions
from ui.state.model_catalogue import Network
from ui.state.options import FORCED, Change
from ui.state.session import Session, Study
from ui.views.match_panes import effect_facts, effect_view_pixels

from .maps import lossless, model_arguments, png, zipped


def archive(session: Session, study: Study, network: Network) -> bytes:
    """The ZIP's bytes: pictures, every match of every block, and the effect in numbers.

    Raises:
        ValueError: If the network has no matches.
    """
    change, window = session.explored.change, session.window
    assert window is not None
    normal, changed = (
        interventions.outcome(study, network, Change()),
        interventions.outcome(study, network, change),
    )
    lr_name, lr_bytes = lossless(study.lr.rgb)
    files = {
        lr_name: lr_bytes,
        "sr_normal.png": png(normal.pixels),
        "sr_changed.png": png(changed.pixels),
        "matches_normal.csv": _rows(normal, study),
        "matches_changed.csv": _rows(changed, study),
    }
    if study.hr is not None:
        files["hr.png"] = lossless(from_uint8(study.hr))[1]
    names = ("window_before.png", "window_after.png", "window_difference.png")
    pictures, limit = effect_view_pixels(study, network, change, window)
    files |= dict(zip(names, map(png, pictures), strict=True))
    facts: dict[str, Any] = {
        "network": network.label,
        "lr": lr_name,
        "command": None if change.nothing else shlex.join(command(session, study, network)),
        "difference_colours_end_at_grey_levels": limit,
        **effect_facts(session, study, network),
    }
    files["effect.json"] = (json.dumps(facts, indent=2, allow_nan=False) + "\n").encode()
    return zipped(files)


def command(session: Session, study: Study, network: Network) -> list[str]:
    """The command line, in words, that makes the same change again."""
    change, window = session.explored.change, session.window
    assert window is not None
    count = len(interventions.matches_of(study, network).blocks)
    intervention = change.intervention(count)
    name = lossless(study.lr.rgb)[0]
    words = ["python", "-m", "lam", "intervene", name, *model_arguments(network, None)]
    words += ["--kind", change.kind, "--blocks", *(str(b + 1) for b in intervention.blocks)]
    if change.kind == FORCED:
        words += ["--force", *(f"{patch}:{target}" for patch, target in change.pairs)]
    if change.kind == "random":
        words += ["--seed", str(change.seed)]
    if study.hr is not None:
        words += ["--hr", "hr.png"]
    words += ["--window", *(str(v) for v in (window.left, window.top, window.size))]
    return [*words, "-o", "again"]


def _rows(outcome: interventions.Outcome, study: Study) -> bytes:
    blocks = image_statistics(outcome.matches, study.size, interventions.RUNNERS_UP)
    rows = [row for block in blocks for row in block.to_rows()]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
