"""Local Attribution Maps for any super-resolution network: which pixels a detail came from.

>>> from lam import LocalAttribution, Window
>>> result = LocalAttribution(model).attribute(lr, window=Window(left=110, top=150, size=16))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .areas import AreaOfInterest, area_of_interest, area_report
    from .attribution import LocalAttribution
    from .detectors import DETECTORS, GaborDetector, Window
    from .diffusion import area_fractions, diffusion_index, gini, importance_map, mean_distance
    from .faithfulness import FaithfulnessResult, faithfulness_curves
    from .methods import ATTRIBUTION_METHODS, explain, explain_progressively
    from .models import open_model
    from .network import MATCHES
    from .paths import AttributionPath, GaussianBlurPath, LinearPath
    from .quadrature import MAX_STEPS, METHODS
    from .randomisation import RandomisationResult, weight_randomisation
    from .result import LocalAttributionResult, MatchSwitches, MethodResult

__all__ = [
    "ATTRIBUTION_METHODS",
    "DETECTORS",
    "MATCHES",
    "MAX_STEPS",
    "METHODS",
    "AreaOfInterest",
    "AttributionPath",
    "FaithfulnessResult",
    "GaborDetector",
    "GaussianBlurPath",
    "LinearPath",
    "LocalAttribution",
    "LocalAttributionResult",
    "MatchSwitches",
    "MethodResult",
    "RandomisationResult",
    "Window",
    "area_fractions",
    "area_of_interest",
    "area_report",
    "diffusion_index",
    "explain",
    "explain_progressively",
    "faithfulness_curves",
    "gini",
    "importance_map",
    "mean_distance",
    "open_model",
    "weight_randomisation",
]

_HOMES = {
    "areas": ("AreaOfInterest", "area_of_interest", "area_report"),
    "attribution": ("LocalAttribution",),
    "detectors": ("DETECTORS", "GaborDetector", "Window"),
    "diffusion": ("area_fractions", "diffusion_index", "gini", "importance_map", "mean_distance"),
    "faithfulness": ("FaithfulnessResult", "faithfulness_curves"),
    "methods": ("ATTRIBUTION_METHODS", "explain", "explain_progressively"),
    "models": ("open_model",),
    "network": ("MATCHES",),
    "paths": ("AttributionPath", "GaussianBlurPath", "LinearPath"),
    "quadrature": ("MAX_STEPS", "METHODS"),
    "randomisation": ("RandomisationResult", "weight_randomisation"),
    "result": ("LocalAttributionResult", "MatchSwitches", "MethodResult"),
}


def __getattr__(name: str) -> Any:
    # Torch takes seconds to import: `python -m lam --help` and bad arguments need not wait for it.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
