"""Networks of other architectures, recognised and built by spandrel."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from hpinet.checkpoints.file_plan import FilePlan, WeightsError
from hpinet.checkpoints.state_dicts import namings

from .adapter import ModelError


class ForeignNetwork(nn.Module):
    """A network of another architecture with the interface of all networks here.

    Images are padded on the right and below to the sizes that it accepts, by reflection up to the
    image's size and then by repeating the last pixels, and the result is cropped. Nothing is
    clamped.

    Args:
        model: From (B, 3, h, w) to (B, 3, sh, sw).
        scale: SR pixels per LR pixel.
        name: The architecture's name.
        padding: From (width, height) to the pixels that it lacks, (right, below).
        call: Calls the model, where that takes more than its image.
    """

    def __init__(
        self,
        model: nn.Module,
        scale: int,
        name: str,
        padding: Callable[[int, int], tuple[int, int]] | None = None,
        call: Callable[[Any, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.model, self.scale, self.name = model, scale, name
        self._padding, self._call = padding, call
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, h, w) to (B, 3, sh, sw)."""
        height, width = x.shape[-2:]
        x = x.clone()  # some architectures, RCAN for one, scale their input in place
        right, below = self._padding(width, height) if self._padding else (0, 0)
        mirrored = min(right, width - 1), min(below, height - 1)
        if any(mirrored):
            x = F.pad(x, (0, mirrored[0], 0, mirrored[1]), mode="reflect")
        if mirrored != (right, below):
            x = F.pad(x, (0, right - mirrored[0], 0, below - mirrored[1]), mode="replicate")
        sr = self.model(x) if self._call is None else self._call(self.model, x)
        return sr[..., : height * self.scale, : width * self.scale]


def recognise(plan: FilePlan, unknown: WeightsError) -> ForeignNetwork:
    """The network behind a state dict that is not HPINet's.

    Args:
        plan: The file.
        unknown: Why it is no HPINet; said where spandrel does not know it either.

    Raises:
        ModelError: If spandrel is not there, or does not know it, or it is no SR network.
    """
    try:
        import spandrel
    except ImportError:
        raise ModelError(
            f"{unknown}; for networks of other architectures install spandrel: "
            f"pip install 'spandrel>=0.4'"
        ) from None
    loader = spandrel.ModelLoader()
    for naming in namings(plan.read()):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the architectures' own code
                return _wrapped(plan.path, loader.load_from_state_dict(naming))
        except spandrel.UnsupportedModelError:
            continue
        except (ModelError, MemoryError, SystemError):  # the last is what CPython may make of it
            raise
        except Exception as error:  # it may take a file for what it is not, and fail anywhere
            if "allocate memory" in str(error):
                raise MemoryError from error
            raise ModelError(
                f"{plan.path.name} looks like a network that spandrel knows, but its tensors do "
                f"not fit: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
            ) from error
    raise ModelError(f"{unknown}; nor does spandrel know the architecture")


def _wrapped(path: Path, found: Any) -> ForeignNetwork:
    name = found.architecture.name
    channels = (found.input_channels, found.output_channels)
    if getattr(found, "purpose", None) not in ("SR", "FaceSR", "Restoration"):
        raise ModelError(f"{path.name} holds {name}, which does not turn an image into an image")
    if channels != (3, 3):
        raise ModelError(
            f"{path.name} holds {name} for {channels[0]} channels in and {channels[1]} out: "
            f"only networks from RGB to RGB can be explained"
        )
    # The public call is for inference only: it stops gradients and clamps.
    call = getattr(found, "_call_fn", None)
    padding = found.size_requirements.get_padding
    return ForeignNetwork(found.model.float(), found.scale, name, padding, call)
