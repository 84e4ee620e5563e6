"""Maps of many networks of one window in the viewer, and in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from hpinet.imaging.images import to_uint8
from lam.batch.comparison import steps_after
from ui.state.inputs import Pixels
from ui.state.options import MOST_STEPS
from ui.state.record import NetworksRecord
from ui.viewer.store import STORE, Owner
from ui.views import text as words
from ui.views.html import status_bar

_NUMBERS = ("diffusion_index", "area_50", "area_80", "area_95", "mean_distance", "psnr")


def scene(
    record: NetworksRecord, labels: Mapping[str, str], images: Mapping[str, Pixels], owner: Owner
) -> dict[str, Any]:
    """The viewer's value: each network's SR image, map and numbers, as far as they are known.

    Args:
        record: The comparison.
        labels: What the chosen networks are called, by kind.
        images: The SR images of those that have answered.
        owner: Who may read the numbers.
    """
    height, width = record.size
    window = [record.window.left, record.window.top, record.window.size]
    value: dict[str, Any] = {
        "kind": "networks",
        "key": owner.key,
        "name": record.study.name,
        "network": record.network.label,
        "size": [width, height],
        "scale": record.network.scale,
        "lr": STORE.image(to_uint8(record.study.lr.rgb), owner),
        "window": window,
        "region": list(record.region),
        "networks": [
            {"name": kind, "label": label, **_answer(record, kind, images, owner)}
            for kind, label in labels.items()
        ],
    }
    arrays: dict[str, NDArray[Any]] = {
        kind: one.result.importance for kind, one in record.found.items() if kind in labels
    }
    if arrays:
        value["pack"] = STORE.packed(arrays, owner)
    steps = sum(one.result.steps_done for one in record.found.values())
    value["stamp"] = (
        f"{record.study.key[:8]} {window} {len(arrays)} of {len(labels)}, {steps} steps"
    )
    return value


def _answer(
    record: NetworksRecord, kind: str, images: Mapping[str, Pixels], owner: Owner
) -> dict[str, Any]:
    one = record.found.get(kind)
    if one is None:
        return {"said": ["Not computed yet: press “Compute these”."]}
    row, half = one.row(), words.areas(one.result.importance)
    said = [half if one.result.finished else f"An estimate after {one.result.steps_done} steps."]
    return {
        "image": STORE.image(images[kind], owner),
        "numbers": {
            **{name: row[name] for name in _NUMBERS},
            "relative_residual": row["relative_residual"] if one.result.finished else None,
            "steps": one.result.steps_done,
        },
        "said": [*said, *([one.note] if one.note else [])],
        "loud": bool(one.note),
    }


def status(record: NetworksRecord, total: int, ended: str = "") -> str:
    """How far a comparison is, or how it ended.

    Args:
        record: What is computed.
        total: How many networks were chosen.
        ended: A word for how it ended; empty while it goes on.
    """
    found = list(record.found.values())
    spent = sum(one.result.seconds for one in found)
    if ended:
        known = sum(one.result.finished for one in found)
        return status_bar(
            f"{ended}: {known} of {total} maps of one window, {words.seconds(spent)} of computing."
        )
    progress = sum(one.result.progress for one in found) / total
    left = ""
    if len(found) == total and progress > 0.02:
        left = f", about {words.seconds(spent * (1 / progress - 1))} left"
    steps = min((one.result.steps_done for one in found), default=0)
    return status_bar(
        f"Step {steps} of {record.how.steps} for {total} networks{left}; maps are estimates until "
        "the end.",
        progress,
    )


def mendable(record: NetworksRecord) -> bool:
    """Whether a map leaves too much unexplained and more steps were not tried yet."""
    return any(
        one.result.finished and steps_after(one.result, MOST_STEPS) for one in record.found.values()
    )
