"""Local Attribution Maps for any super-resolution network: which pixels a detail came from.

>>> from lam import LocalAttribution, Window
>>> result = LocalAttribution(model).attribute(lr, window=Window(left=110, top=150, size=16))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .attribution import LocalAttribution
    from .detectors import DETECTORS, Window
    from .diffusion import area_fractions, diffusion_index, gini, importance_map, mean_distance
    from .network import MATCHES
    from .paths import AttributionPath, GaussianBlurPath, LinearPath
    from .quadrature import MAX_STEPS, METHODS
    from .result import LocalAttributionResult, MatchSwitches

__all__ = [
    "DETECTORS",
    "MATCHES",
    "MAX_STEPS",
    "METHODS",
    "AttributionPath",
    "GaussianBlurPath",
    "LinearPath",
    "LocalAttribution",
    "LocalAttributionResult",
    "MatchSwitches",
    "Window",
    "area_fractions",
    "diffusion_index",
    "gini",
    "importance_map",
    "mean_distance",
]

_HOMES = {
    "attribution": ("LocalAttribution",),
    "detectors": ("DETECTORS", "Window"),
    "diffusion": ("area_fractions", "diffusion_index", "gini", "importance_map", "mean_distance"),
    "network": ("MATCHES",),
    "paths": ("AttributionPath", "GaussianBlurPath", "LinearPath"),
    "quadrature": ("MAX_STEPS", "METHODS"),
    "result": ("LocalAttributionResult", "MatchSwitches"),
}


def __getattr__(name: str) -> Any:
    # Torch takes seconds to import: `python -m lam --help` and bad arguments need not wait for it.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
