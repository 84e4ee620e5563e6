"""Local Attribution Maps for any super-resolution network: which pixels a detail came from.

>>> from lam import LocalAttribution, Window
>>> result = LocalAttribution(model).attribute(lr, window=Window(left=110, top=150, size=16))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpinet.networks.names import open_model
    from lam.attribution.detectors import DETECTORS, GaborDetector
    from lam.attribution.local_attribution import LocalAttribution
    from lam.attribution.matching_network import MATCHES
    from lam.attribution.methods import ATTRIBUTION_METHODS, explain, explain_progressively
    from lam.attribution.paths import AttributionPath, GaussianBlurPath, LinearPath
    from lam.attribution.quadrature import MAX_STEPS, METHODS
    from lam.attribution.results import LocalAttributionResult, MatchSwitches, MethodResult
    from lam.metrics.areas import AreaOfInterest, area_of_interest, area_report
    from lam.metrics.diffusion import (
        area_fractions,
        diffusion_index,
        gini,
        importance_map,
        mean_distance,
    )
    from lam.validation.faithfulness import FaithfulnessResult, faithfulness_curves
    from lam.validation.randomisation import RandomisationResult, weight_randomisation
    from lam.window import Window

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
    "metrics.areas": ("AreaOfInterest", "area_of_interest", "area_report"),
    "attribution.local_attribution": ("LocalAttribution",),
    "attribution.detectors": ("DETECTORS", "GaborDetector"),
    "metrics.diffusion": (
        "area_fractions",
        "diffusion_index",
        "gini",
        "importance_map",
        "mean_distance",
    ),
    "validation.faithfulness": ("FaithfulnessResult", "faithfulness_curves"),
    "attribution.methods": ("ATTRIBUTION_METHODS", "explain", "explain_progressively"),
    "attribution.matching_network": ("MATCHES",),
    "attribution.paths": ("AttributionPath", "GaussianBlurPath", "LinearPath"),
    "attribution.quadrature": ("MAX_STEPS", "METHODS"),
    "validation.randomisation": ("RandomisationResult", "weight_randomisation"),
    "attribution.results": ("LocalAttributionResult", "MatchSwitches", "MethodResult"),
    "window": ("Window",),
}


def __getattr__(name: str) -> Any:
    # Torch takes seconds to import: `python -m lam --help` and bad arguments need not wait for it.
    if name == "open_model":
        return getattr(import_module("hpinet.networks.names"), name)
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
