"""What an intervention on the matches does to the diffusion index of a window's map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from hpinet import HPINet, Matches
from hpinet.analysis.interventions import Intervention
from hpinet.modeling.hpinet import Trace
from lam.attribution.local_attribution import LocalAttribution
from lam.attribution.results import LocalAttributionResult
from lam.window import Window


class ForcedMatches(nn.Module):
    """A network some of whose blocks have their matches given; the weights are its own.

    Takes ``matches`` as `HPINet` does, so that attribution can freeze or follow the blocks whose
    entry in the given matches is None.
    """

    def __init__(self, model: HPINet, matches: Matches) -> None:
        super().__init__()
        self.model, self.matches = model, matches
        self.config, self.scale = model.config, model.scale
        self.training = model.training  # a new module is in training mode

    @property
    def free(self) -> HPINet:
        """The network without given matches, which takes images of any size."""
        return self.model

    def forward(
        self, x: Tensor, matches: Matches | None = None, return_matches: bool = False
    ) -> Any:
        """As `HPINet.forward`; matches given at the beginning precede those given here."""
        free = self.matches.blocks if matches is None else matches.blocks
        pairs = zip(self.matches.blocks, free, strict=True)
        merged = tuple(mine if mine is not None else other for mine, other in pairs)
        given = replace(self.matches, blocks=merged)
        return self.model(x, matches=given, return_matches=return_matches)


@dataclass(frozen=True, eq=False)
class DiffusionChange:
    """The maps of one window with the normal and with changed matches."""

    normal: LocalAttributionResult
    changed: LocalAttributionResult

    @property
    def change(self) -> float:
        """Diffusion index, changed less normal; NaN where a map has no mass."""
        return self.changed.diffusion_index - self.normal.diffusion_index

    def summary(self) -> dict[str, float | None]:
        """Plain numbers for JSON and tables."""
        numbers = {
            "diffusion_index": self.changed.diffusion_index,
            "diffusion_index_normal": self.normal.diffusion_index,
            "diffusion_index_change": self.change,
        }
        return {name: None if v != v else v for name, v in numbers.items()}


def changed_network(
    model: HPINet, changed: Trace, intervention: Intervention, later: str = "live"
) -> ForcedMatches:
    """The network under an intervention, to be attributed; arguments as of `diffusion_change`."""
    kept = changed.matches
    if later == "live":
        kept = kept.live(i for i in range(len(kept.blocks)) if i not in intervention.blocks)
    return ForcedMatches(model, kept)


def diffusion_change(
    model: HPINet,
    lr: Tensor,
    window: Window,
    changed: Trace,
    intervention: Intervention,
    later: str = "live",
    matches: str = "frozen",
    **options: Any,
) -> DiffusionChange:
    """The maps of a window before and after an intervention.

    Args:
        model: The network, in evaluation mode.
        lr: (1, 3, h, w) RGB in [0, 1].
        window: What is asked about, in SR pixels.
        changed: What `hpinet.analysis.interventions.intervene` made of the image.
        intervention: What was done; its blocks keep the changed image's matches along the path.
        later: As it was given to `intervene`: ``live`` leaves the other blocks free.
        matches: What free blocks do along the path of blurred images, in both maps: ``frozen``,
            they keep what they had on the sharp image; ``live``, they decide at every step.
        **options: As in `LocalAttribution.attribute`, such as ``n_steps``.

    Raises:
        ValueError: If an option does not fit.
    """
    forced = changed_network(model, changed, intervention, later)
    with torch.inference_mode(False):
        normal, after = (
            LocalAttribution(one).attribute(lr, window, matches=matches, **options)
            for one in (model, forced)
        )
    return DiffusionChange(normal, after)
