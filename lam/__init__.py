"""Local Attribution Maps for any super-resolution network: which pixels a detail came from.

>>> from lam import LocalAttribution, Window
>>> result = LocalAttribution(model).attribute(lr, window=Window(left=110, top=150, size=16))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpinet.networks.adapt import adapt
    from hpinet.networks.open import open_network
    from lam.attribution.detectors import DETECTORS, GaborDetector
    from lam.attribution.local_attribution import LocalAttribution
    from lam.attribution.matching_network import MATCHES
    from lam.attribution.methods import ATTRIBUTION_METHODS, explain, explain_progressively
    from lam.attribution.paths import AttributionPath, GaussianBlurPath, LinearPath
    from lam.attribution.quadrature import MAX_STEPS, METHODS
    from lam.attribution.results import LocalAttributionResult, MatchSwitches, MethodResult
    from lam.cause.effects import CausalEffect
    from lam.cause.matches import match_effects
    from lam.cause.results import CausalEffectResult
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
    "CausalEffect",
    "CausalEffectResult",
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
    "adapt",
    "area_fractions",
    "area_of_interest",
    "area_report",
    "diffusion_index",
    "explain",
    "explain_progressively",
    "faithfulness_curves",
    "gini",
    "importance_map",
    "match_effects",
    "mean_distance",
    "open_network",
    "weight_randomisation",
]

# Module of every name. Torch takes seconds to import: `python -m lam --help` and bad arguments need
# not wait for it, so a module is imported when one of its names is first used.
_HOMES = {
    "hpinet.networks.adapt": ("adapt",),
    "hpinet.networks.open": ("open_network",),
    "lam.attribution.detectors": ("DETECTORS", "GaborDetector"),
    "lam.attribution.local_attribution": ("LocalAttribution",),
    "lam.attribution.matching_network": ("MATCHES",),
    "lam.attribution.methods": ("ATTRIBUTION_METHODS", "explain", "explain_progressively"),
    "lam.attribution.paths": ("AttributionPath", "GaussianBlurPath", "LinearPath"),
    "lam.attribution.quadrature": ("MAX_STEPS", "METHODS"),
    "lam.attribution.results": ("LocalAttributionResult", "MatchSwitches", "MethodResult"),
    "lam.metrics.areas": ("AreaOfInterest", "area_of_interest", "area_report"),
    "lam.metrics.diffusion": (
        "area_fractions",
        "diffusion_index",
        "gini",
        "importance_map",
        "mean_distance",
    ),
    "lam.cause.effects": ("CausalEffect",),
    "lam.cause.matches": ("match_effects",),
    "lam.cause.results": ("CausalEffectResult",),
    "lam.validation.faithfulness": ("FaithfulnessResult", "faithfulness_curves"),
    "lam.validation.randomisation": ("RandomisationResult", "weight_randomisation"),
    "lam.window": ("Window",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
