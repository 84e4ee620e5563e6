"""Opening networks by name: HPINet's, released ones, bicubic, files, functions that build one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from hpinet.checkpoints.download import RELEASED, Released
from hpinet.checkpoints.formats.file_plan import WeightsError
from hpinet.checkpoints.loading import bundled_path, load_model
from hpinet.checkpoints.local_data import released_checkpoint
from hpinet.checkpoints.reading import plan_checkpoint, plan_file
from hpinet.config import VARIANTS

from .bicubic import BICUBIC, Bicubic
from .errors import ModelError
from .isolation import build_network, is_source
from .spandrel import recognise

WITHOUT_GPA = ":no-gpa"
"""Written behind a network's name: without Global Pixel Access, as ``--no-gpa`` for it alone."""


class NotFetchedError(ModelError):
    """A released checkpoint that is not on this machine yet.

    Attributes:
        name: A key of `hpinet.checkpoints.download.RELEASED`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        wanted: Released = RELEASED[name]
        super().__init__(
            f"{name} is the authors' released checkpoint ({wanted.size / 1e6:.1f} MB) and not on "
            f"this machine yet: fetch it by `python -m hpinet download {name}`, or add "
            f"--yes to the command"
        )


def open_model(
    name_or_path: str | Path = "S",
    scale: int | None = None,
    gpa: bool = True,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """A network by name, from a file of weights, or built by a function.

    Not for names that others give: ``FILE.py:FUNCTION`` runs that file; see `open_file`.

    Args:
        name_or_path: ``"S"``, ``"M"`` or ``"L"`` for bundled weights of HPINet (for the released
            ones where none are bundled); ``"HPINet-M-x4"`` and the like for the authors' released
            checkpoints; ``"bicubic"``; a file, see `open_file`; or a function without arguments,
            ``"FILE.py:FUNCTION"`` or ``"package.module:FUNCTION"``, that returns a module, or a
            module and the options of `hpinet.networks.adapter.adapt`. ``":no-gpa"`` behind it is
            ``gpa=False``.
        scale: SR pixels per LR pixel. For a name 4 by default; else the network's.
        gpa: False asks for an HPINet without Global Pixel Access, as in `hpinet.load_model`.
        device: Where the tensors go.

    Returns:
        A module from (B, 3, h, w) RGB in [0, 1] to (B, 3, sh, sw), with ``.scale``, in evaluation
        mode, its parameters without gradients.

    Raises:
        NotFetchedError: If it is a released checkpoint that has to be fetched first.
        ValueError: If there is no such network, the file holds something else, the scale is
            another, or Global Pixel Access is to be switched off where there is none.
    """
    text = str(name_or_path)
    if text.endswith(WITHOUT_GPA) and not Path(text).is_file():
        text, gpa = text.removesuffix(WITHOUT_GPA), False
    if Path(text).suffix == ".py":
        raise ModelError(f"{text} is code: name the function that builds the network, {text}:build")
    if Path(text).is_file():
        return open_file(text, scale, gpa, device)
    if text == BICUBIC:
        _check_gpa(gpa, BICUBIC)
        return Bicubic(4 if scale is None else scale)
    if is_source(text):
        _check_gpa(gpa, text)
        network = build_network(text)
        _check_scale(text, int(network.scale), scale)  # type: ignore[arg-type]
        return network.to(device)
    released = released_name(text, scale, gpa)
    if released is not None:
        path = released_checkpoint(released)
        if path is None:
            raise NotFetchedError(released)
        return load_model(path, scale, gpa, device)
    if text not in VARIANTS and not _looks_like_a_path(text):
        raise ModelError(
            f"{text!r} is no network: give S, M or L, a released one ({', '.join(RELEASED)}), "
            f"bicubic, a file of weights, or FILE.py:FUNCTION"
        )
    return load_model(text, scale=scale, gpa=gpa, device=device)


def open_file(
    path: str | Path,
    scale: int | None = None,
    gpa: bool = True,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """A network from a file of weights. No code in it is run, and none beside it.

    Args:
        path: An HPINet checkpoint, or, where the package spandrel is installed, the weights of any
            architecture that it recognises (SwinIR, RCAN, Real-ESRGAN and many more).
        scale: As in `open_model`; the file's.
        gpa: As in `open_model`.
        device: Where the tensors go.

    Raises:
        ValueError: As `open_model`.
    """
    path = Path(path)
    try:
        plan_checkpoint(path)
    except WeightsError as error:
        # A damaged or dangerous file ends here, with a sentence of its own.
        network = recognise(plan_file(path), error)
        _check_gpa(gpa, path.name)
        _check_scale(path.name, network.scale, scale)
        return network.to(device)
    return load_model(path, scale=scale, gpa=gpa, device=device)


def released_name(name: str, scale: int | None = None, gpa: bool = True) -> str | None:
    """The released checkpoint that a name stands for; None if it stands for something else.

    Args:
        name: Such as ``"HPINet-M-x4"``; or a size, such as ``"M"``, of which no weights are
            bundled.
        scale: 4 by default.
        gpa: False for one run without Global Pixel Access.
    """
    if name in RELEASED:
        return name
    if name not in VARIANTS or bundled_path(name, scale or 4, gpa).is_file():
        return None
    full = f"HPINet-{name}-x{scale or 4}"
    return full if full in RELEASED and not bundled_path(name, scale or 4).is_file() else None


def _looks_like_a_path(text: str) -> bool:
    return bool(Path(text).suffix) or len(Path(text).parts) > 1


def _check_scale(name: str, found: int, wanted: int | None) -> None:
    if wanted not in (None, found):
        raise ModelError(
            f"{name} holds a x{found} network, but x{wanted} was asked for: "
            f"leave the scale out or choose another file"
        )


def _check_gpa(gpa: bool, name: str) -> None:
    if not gpa:
        raise ModelError(
            f"{name} has no Global Pixel Access to switch off: that is for HPINet only"
        )
