"""Global Pixel Access off for a network that was trained with it."""

from __future__ import annotations

from torch import Tensor, nn

from hpinet.modeling.hpinet import HPINet
from hpinet.modeling.matches import own_matches


class OwnPatches(nn.Module):
    """A network trained with Global Pixel Access, run with it off: every patch is its own match.

    The weights stay as they are, and the matched patch enters the first attention without
    normalisation, as a match does. A network trained without Global Pixel Access is another:
    there the first attention is self-attention on the normalised patch.

    Args:
        model: The network, with ``config.gpa``.
    """

    fixes_matches = True
    """No match is left to the network: none can switch along a path of images."""

    def __init__(self, model: HPINet) -> None:
        super().__init__()
        self.model = model
        self.config = model.config
        self.scale = model.scale
        self.training = model.training  # a new module is in training mode: keep the network's mode

    @property
    def blocks(self) -> nn.ModuleList:
        """The network's blocks."""
        return self.model.blocks

    def forward(
        self,
        x: Tensor,
        region: tuple[int, int, int, int] | None = None,
        checkpoint: bool = False,
    ) -> Tensor:
        """Super-resolve with Global Pixel Access off; the arguments are those of `HPINet.forward`.

        Returns:
            (B, 3, sH, sW) RGB, not clamped, or the region of it.
        """
        own = own_matches(self.config, *x.shape[-2:])
        return self.model(x, matches=own, region=region, checkpoint=checkpoint)
