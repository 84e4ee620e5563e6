"""What the page's address says: example, window, mode, network, tab and options, both ways.

The browser writes what a viewer's value names in ``address``; here it is read again when the page
is opened by a link, reloaded, or gone back in. An uploaded image is nobody else's and not kept, so
an address only says that there was one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ui.networks.network import BOTH, SWITCHED_OFF, TWIN

from .examples import EXAMPLES, Example
from .inputs import LIMITS, RESTORE
from .options import CAUSE, LAM, STEPS, STEPS_OFFERED, methods
from .record import MapsRequest, Opened

TABS = ("sr", "lam", "networks", "matches", "model", "about")
UPLOADED = "upload"
NETWORKS = ("network", "without", "bicubic")
"""Contenders that are compared on *Many networks* unless others are chosen."""
_REGIONS = ("auto", "64", "96", "128", "whole")


@dataclass(frozen=True)
class AddressState:
    """What an address asks for; whatever it does not say, or says wrongly, is the default.

    Attributes:
        example: The image.
        mode: What to do with it.
        network: A label.
        tab: One of `TABS`.
        window: (left, top, size) in SR pixels, or None.
        settings: Steps, region, "without GPA means", method and the matches' rule.
        networks: Kinds of the contenders whose maps are compared.
        told: What of it could not be followed, in a sentence.
    """

    example: Example
    mode: str
    network: str
    tab: str
    window: tuple[int, int, int] | None = None
    settings: tuple[Any, ...] = (STEPS, "auto", TWIN, LAM, "live")
    networks: tuple[str, ...] = NETWORKS
    told: str = field(default="")


def read(given: Mapping[str, str], labels: Sequence[str], steps: int = STEPS) -> AddressState:
    """What the parameters of an address ask for.

    Args:
        given: By name.
        labels: Of the networks that there are, the default one first.
        steps: Of maps, where none are given.
    """
    told = []
    name = given.get("example", EXAMPLES[0].name)
    examples = {e.name: e for e in EXAMPLES}
    if name == UPLOADED:
        told.append("This address was of an uploaded image, which is not kept: upload it again.")
    elif name not in examples:
        told.append(f"There is no example {name!r}.")
    network = given.get("network", labels[0])
    if network not in labels:
        told.append(f"There is no network {network!r} here: this is {labels[0]}.")
    return AddressState(
        examples.get(name, EXAMPLES[0]),
        _one(given.get("mode"), tuple(LIMITS), RESTORE),
        network if network in labels else labels[0],
        _one(given.get("tab"), TABS, TABS[0]),
        None if name == UPLOADED else _window(given.get("window")),
        (
            _steps(given.get("steps"), steps),
            _one(given.get("area"), _REGIONS, "auto"),
            _one(given.get("without"), (TWIN, SWITCHED_OFF, BOTH), TWIN),
            _one(given.get("method"), methods(), LAM),
            _one(given.get("rule"), ("live", "frozen"), "live"),
        ),
        tuple(given.get("networks", "").split("|")) if given.get("networks") else NETWORKS,
        " ".join(told),
    )


def written(opened: Opened, window: tuple[int, int, int]) -> dict[str, str]:
    """The parameters of what is opened; `read` reads them."""
    return {
        "example": UPLOADED if opened.source.file else opened.source.name,
        "mode": opened.study.mode,
        "network": opened.network.label,
        "window": ",".join(map(str, window)),
    }


def options(
    request: MapsRequest | None, region: str, twin: bool, steps: int = STEPS
) -> dict[str, str | None]:
    """The parameters of how maps are computed: None for what is as by default.

    Args:
        request: The maps that were asked for.
        region: The area that was chosen.
        twin: Whether the network has one, which then is its default without GPA.
        steps: Those that are taken by default.
    """
    if request is None:
        return {}
    how, ways = request.how, request.without
    without = BOTH if len(ways) > 1 else (*ways, TWIN)[0]
    pairs: dict[str, tuple[Any, Any]] = {
        "steps": (how.steps, steps),
        "area": (region, "auto"),
        "without": (without, TWIN if twin else without),
        "method": (CAUSE if request.causal else how.method, LAM),
        "rule": (how.matches, "live"),
    }
    return {name: None if value == plain else str(value) for name, (value, plain) in pairs.items()}


def _one(value: str | None, known: Sequence[str], default: str) -> str:
    return value if value is not None and value in known else default


def _window(value: str | None) -> tuple[int, int, int] | None:
    try:
        left, top, size = (int(v) for v in (value or "").split(","))
    except ValueError:
        return None
    return left, top, size


def _steps(value: str | None, default: int) -> int:
    least, most = STEPS_OFFERED
    try:
        steps = int(value or default)
    except ValueError:
        return default
    return steps if least <= steps <= most else default
