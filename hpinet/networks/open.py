"""One way to open a network: by name, from a file of weights, or by a function that builds it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hpinet.config import VARIANTS, get_config
from hpinet.errors import NetworkError, WeightsError, first_line
from hpinet.modeling.hpinet import HPINet
from hpinet.modeling.own_patches import OwnPatches

from .adapt import AdaptedNetwork
from .bicubic import BICUBIC, Bicubic
from .files import Weights, read_weights, without_prefixes
from .hpinet_weights import build_hpinet, hpinet_state
from .released import RELEASED, NotFetchedError, released_checkpoint
from .user_code import build_network, is_source

BUNDLED = Path(__file__).parents[1] / "weights"
"""Folder of the weights that come with the package; MODEL_CARD.md there says how they were made."""

WITHOUT_GPA = ":no-gpa"
"""Suffix of a network's name: without Global Pixel Access, as ``gpa=False``."""


def open_network(
    name: str | Path = "S",
    scale: int | None = None,
    gpa: bool = True,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """Open any network.

    Do not pass names that others give: ``FILE.py:FUNCTION`` runs that file; see `open_file`.

    Args:
        name: ``"S"``, ``"M"`` or ``"L"`` for bundled weights of HPINet (the released ones where
            none are bundled); ``"HPINet-S-x2"`` and the like for a bundled or released network;
            ``"bicubic"``; a file, see `open_file`; or a function without arguments,
            ``"FILE.py:FUNCTION"`` or ``"package.module:FUNCTION"``, that returns a module, or a
            module and a dict of options of `lam.adapt`. The suffix ``":no-gpa"`` is ``gpa=False``.
        scale: SR pixels per LR pixel. For a size 4 by default; else the network's.
        gpa: False asks for the network without Global Pixel Access: for a bundled one the no-GPA
            baseline trained so; for other weights of an HPINet the same weights with every patch as
            its own match.
        device: Where the tensors go.

    Returns:
        A module from (B, 3, h, w) RGB in [0, 1] to (B, 3, sh, sw), with ``.scale``, in evaluation
        mode, its parameters without gradients.

    Raises:
        NotFetchedError: If it is a released checkpoint that is not on this machine.
        NetworkError: If there is no such network, the file holds something else, the scale is
            another, or it has no Global Pixel Access to switch off.
    """
    text = str(name)
    if text.endswith(WITHOUT_GPA) and not Path(text).is_file():
        text, gpa = text.removesuffix(WITHOUT_GPA), False
    if text == BICUBIC:
        return _checked(Bicubic(4 if scale is None else scale), text, scale, gpa)
    if is_source(text) and not Path(text).is_file():
        return _checked(build_network(text), text, scale, gpa).to(device)
    return open_file(_named_file(text, scale, gpa) or text, scale, gpa, device)


def load_model(
    name_or_path: str | Path = "S",
    scale: int | None = None,
    gpa: bool = True,
    device: str | torch.device = "cpu",
) -> HPINet | OwnPatches:
    """Open an HPINet, as `open_network`, with its type.

    Raises:
        NetworkError: As `open_network`, or if the network is not an HPINet.
    """
    network = open_network(name_or_path, scale, gpa, device)
    if not isinstance(network, HPINet | OwnPatches):
        raise WeightsError(f"{name_or_path} is not an HPINet: open it by hpinet.open_network")
    return network


def open_file(
    path: str | Path,
    scale: int | None = None,
    gpa: bool = True,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """Open a file of weights. No code in it is run, and none beside it.

    Args:
        path: safetensors, or .pth as `torch.save` writes a state dict, of an HPINet or of any
            architecture that spandrel recognises (SwinIR, RCAN, Real-ESRGAN and many more).
        scale: As in `open_network`.
        gpa: As in `open_network`.
        device: Where the tensors go.

    Raises:
        NetworkError: As `open_network`.
    """
    path = Path(path)
    if path.suffix == ".py":
        raise NetworkError(
            f"{path} is code: name the function that builds the network, {path}:build"
        )
    weights = read_weights(path)
    ours = hpinet_state(weights, path.name)
    network = _recognised(weights, path.name) if ours is None else build_hpinet(*ours, path.name)
    return _checked(network, path.name, scale, gpa).to(device)


def bundled_path(name: str, scale: int = 4, gpa: bool = True) -> Path:
    """Where the bundled weights of a size are, or would be if there are none.

    Args:
        name: ``"S"``, ``"M"`` or ``"L"``.
        scale: 2, 3 or 4.
        gpa: False for the baseline that was trained without Global Pixel Access.
    """
    return BUNDLED / f"HPINet-{name}-x{scale}{'' if gpa else '-no-gpa'}.safetensors"


def bundled_names() -> list[str]:
    """File stems of all bundled weights, for example ``"HPINet-S-x4"``."""
    return sorted(path.stem for path in BUNDLED.glob("*.safetensors"))


def _named_file(name: str, scale: int | None, gpa: bool) -> Path | None:
    """The file of a bundled or released network; None where the name is that of a file.

    Raises:
        NetworkError: If there are no such weights.
    """
    if Path(name).is_file():
        return None
    released = name if name in RELEASED else None
    if name in VARIANTS:
        config = get_config(name, 4 if scale is None else scale)
        size, gpa = name.removesuffix("-no-gpa"), gpa and config.gpa
        bundled = bundled_path(size, config.scale, gpa)
        if not bundled.is_file() and not bundled_path(size, config.scale).is_file():
            released = f"HPINet-{size}-x{config.scale}"
    elif name in bundled_names():
        bundled = BUNDLED / f"{name}.safetensors"
        baseline = BUNDLED / f"{name}-no-gpa.safetensors"
        bundled = bundled if gpa or not baseline.is_file() else baseline
    elif released is None and not Path(name).suffix and len(Path(name).parts) == 1:
        raise WeightsError(
            f"{name!r} is no network: give S, M or L, one of {', '.join(bundled_names())}, a "
            f"released one ({', '.join(RELEASED)}), bicubic, a file of weights, or "
            f"FILE.py:FUNCTION"
        )
    elif released is None:
        return None
    if released in RELEASED:
        path = released_checkpoint(released)
        if path is None:
            raise NotFetchedError(released)
        return path
    if not bundled.is_file():
        raise WeightsError(
            f"no weights are bundled for {bundled.stem}, only for {', '.join(bundled_names())}: "
            f"pass a file, or fetch the authors' by `python -m hpinet download`"
        )
    return bundled


def _checked(network: nn.Module, name: str, scale: int | None, gpa: bool) -> nn.Module:
    """The network as requested: of this scale, and without GPA where that is asked for."""
    if scale not in (None, network.scale):
        raise NetworkError(
            f"{name} holds a x{network.scale} network, but x{scale} was asked for: "
            f"leave the scale out or choose another file"
        )
    if gpa:
        return network
    if not isinstance(network, HPINet):
        raise NetworkError(
            f"{name} has no Global Pixel Access to switch off: that is for HPINet only"
        )
    return OwnPatches(network) if network.config.gpa else network


def _recognised(weights: Weights, name: str) -> AdaptedNetwork:
    """A network of another architecture, recognised and built by spandrel."""
    import spandrel  # takes seconds to import

    loader = spandrel.ModelLoader()
    for state in without_prefixes(weights.tensors):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the architectures' own code
                return _described(loader.load_from_state_dict(state), name)
        except spandrel.UnsupportedModelError:
            continue
        except (NetworkError, MemoryError):
            raise
        except Exception as error:  # it may take a file for what it is not, and fail anywhere
            raise WeightsError(
                f"{name} looks like a network that spandrel knows, but its tensors do not fit "
                f"({first_line(error)}): name a function that builds it, FILE.py:build "
                f"(docs/your_network.md)"
            ) from error
    first = ", ".join(list(weights.tensors)[:3])
    raise WeightsError(
        f"{name} holds {first} ..., which is neither HPINet nor an architecture that spandrel "
        f"knows: name a function that builds it, FILE.py:build (docs/your_network.md)"
    )


_PADS_ITSELF = {"CRAFT": 16}
"""Architectures whose code pads every image to whole windows, and the least side for that. spandrel
asks for such padding all the same; on top of their own it would change their results."""


def _described(model: Any, file: str) -> AdaptedNetwork:
    name, channels = model.architecture.name, (model.input_channels, model.output_channels)
    if getattr(model, "purpose", None) not in ("SR", "FaceSR", "Restoration"):
        raise WeightsError(f"{file} holds {name}, which does not turn an image into an image")
    if channels != (3, 3):
        raise WeightsError(
            f"{file} holds {name} for {channels[0]} channels in and {channels[1]} out: "
            f"only networks from RGB to RGB can be explained"
        )
    padding, least = model.size_requirements.get_padding, _PADS_ITSELF.get(name)
    if least is not None:
        padding = lambda width, height: (max(0, least - width), max(0, least - height))  # noqa: E731
    # The public call is for inference only: it stops gradients and clamps.
    call = getattr(model, "_call_fn", None)
    return AdaptedNetwork(model.model.float(), model.scale, name, padding=padding, call=call)
