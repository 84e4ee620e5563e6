"""Networks to explain: HPINet's own, bicubic interpolation, and other architectures from files."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hpinet.weights import WeightsError, load_model, read_checkpoint, read_tensors

BICUBIC = "bicubic"
_LARGEST_SCALE = 16


class ModelError(ValueError):
    """A network that cannot be had; the message is one sentence for the user."""


def open_model(
    name_or_path: str | Path = "S",
    scale: int | None = None,
    gpa: bool = True,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """A network to explain, by name or from a file.

    Args:
        name_or_path: ``"S"``, ``"M"`` or ``"L"`` for bundled weights of HPINet; ``"bicubic"``; or
            a file: an HPINet checkpoint, or, where the package spandrel is installed, the weights
            of any architecture that it recognises (SwinIR, RCAN, Real-ESRGAN and many more). No
            code in the file is run.
        scale: SR pixels per LR pixel. For a name 4 by default; for a file, whatever the file holds.
        gpa: False asks for an HPINet without Global Pixel Access, as in `hpinet.load_model`.
        device: Where the tensors go.

    Returns:
        A module from (B, 3, h, w) RGB in [0, 1] to (B, 3, sh, sw), with ``.scale``, in evaluation
        mode, its parameters without gradients.

    Raises:
        ValueError: If there is no such network, the file holds something else, the scale is
            another, or Global Pixel Access is to be switched off where there is none.
    """
    if str(name_or_path) == BICUBIC:
        _check_gpa(gpa, BICUBIC)
        return Bicubic(4 if scale is None else scale)
    path = Path(name_or_path)
    if path.is_file():
        try:
            read_checkpoint(path)
        except WeightsError as error:
            # A damaged or dangerous file ends here, with a sentence of its own.
            network = _recognise(path, read_tensors(path)[0], error)
            _check_gpa(gpa, path.name)
            if scale not in (None, network.scale):
                raise ModelError(
                    f"{path.name} holds a x{network.scale} network, but x{scale} was asked for: "
                    f"leave the scale out or choose another file"
                ) from None
            return network.to(device)
    return load_model(name_or_path, scale=scale, gpa=gpa, device=device)


class Bicubic(nn.Module):
    """Bicubic interpolation: Pillow's (a = -0.5), as `hpinet.bicubic`, without its rounding.

    A linear map, so that its attribution is known; it sees 2 LR pixels around a place, and every
    network that is worth its weights should see more.

    Args:
        scale: SR pixels per LR pixel, 1 to 16.

    Raises:
        ModelError: If the scale is not such a number.
    """

    name = BICUBIC

    def __init__(self, scale: int) -> None:
        super().__init__()
        if scale not in range(1, _LARGEST_SCALE + 1):
            raise ModelError(
                f"the scale must be a whole number from 1 to {_LARGEST_SCALE}, not {scale!r}"
            )
        self.scale = scale
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, h, w) to (B, 3, sh, sw)."""
        size = (x.shape[-2] * self.scale, x.shape[-1] * self.scale)
        # PyTorch's other bicubic has a = -0.75; the antialiased one follows Pillow in all else too.
        return F.interpolate(x, size=size, mode="bicubic", antialias=True)


class ForeignNetwork(nn.Module):
    """A network of another architecture, as all networks are here.

    Pictures are padded on the right and below to the sizes that it accepts, by reflection as far
    as that goes and then by their last pixels, and the result is cropped. Nothing is clamped.

    Args:
        model: From (B, 3, h, w) to (B, 3, sh, sw).
        scale: SR pixels per LR pixel.
        name: The architecture's name.
        padding: From (width, height) to the pixels that it lacks, (right, below).
        call: Calls the model, where that takes more than its picture.
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


def _recognise(path: Path, tensors: dict[str, Tensor], unknown: WeightsError) -> ForeignNetwork:
    """The network behind a state dict that is not HPINet's.

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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the architectures' own code; no matter of ours
            found = spandrel.ModelLoader().load_from_state_dict(tensors)
    except spandrel.UnsupportedModelError:
        raise ModelError(f"{unknown}; nor does spandrel know the architecture") from None
    except Exception as error:  # it may take a file for what it is not, and trip anywhere
        raise ModelError(
            f"{path.name} looks like a network that spandrel knows, but its tensors do not fit: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error
    return _wrapped(path, found)


def _wrapped(path: Path, found: Any) -> ForeignNetwork:
    name = found.architecture.name
    channels = (found.input_channels, found.output_channels)
    if getattr(found, "purpose", None) not in ("SR", "FaceSR", "Restoration"):
        raise ModelError(f"{path.name} holds {name}, which does not turn a picture into a picture")
    if channels != (3, 3):
        raise ModelError(
            f"{path.name} holds {name} for {channels[0]} channels in and {channels[1]} out: "
            f"only networks from RGB to RGB can be explained"
        )
    # The public call is for inference only: it stops gradients and clamps.
    call = getattr(found, "_call_fn", None)
    padding = found.size_requirements.get_padding
    return ForeignNetwork(found.model.float(), found.scale, name, padding, call)


def _check_gpa(gpa: bool, name: str) -> None:
    if not gpa:
        raise ModelError(
            f"{name} has no Global Pixel Access to switch off: that is for HPINet only"
        )
