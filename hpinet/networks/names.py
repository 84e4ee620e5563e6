"""Opening networks to explain: HPINet, bicubic interpolation, other architectures from files."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from hpinet.checkpoints.file_plan import WeightsError
from hpinet.checkpoints.loading import load_model
from hpinet.checkpoints.reading import plan_checkpoint, plan_file

from .adapter import BICUBIC, Bicubic, ModelError
from .spandrel import recognise


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
        scale: SR pixels per LR pixel. For a name 4 by default; for a file the file's.
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
            plan_checkpoint(path)
        except WeightsError as error:
            # A damaged or dangerous file ends here, with a sentence of its own.
            network = recognise(plan_file(path), error)
            _check_gpa(gpa, path.name)
            if scale not in (None, network.scale):
                raise ModelError(
                    f"{path.name} holds a x{network.scale} network, but x{scale} was asked for: "
                    f"leave the scale out or choose another file"
                ) from None
            return network.to(device)
    return load_model(name_or_path, scale=scale, gpa=gpa, device=device)


def _check_gpa(gpa: bool, name: str) -> None:
    if not gpa:
        raise ModelError(
            f"{name} has no Global Pixel Access to switch off: that is for HPINet only"
        )
