"""Networks of other architectures, recognised and built by spandrel."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from hpinet.checkpoints.formats.file_plan import FilePlan, WeightsError
from hpinet.checkpoints.state_dicts import namings
from hpinet.inference.memory_errors import is_out_of_memory

from .adapter import AdaptedNetwork
from .errors import ModelError, UnknownArchitectureError, first_line

_PADS_ITSELF = {"CRAFT": 16}
"""Architectures whose code pads every image to whole windows, and the least side for that. spandrel
asks for such padding all the same; on top of their own it would change their results."""


def recognise(plan: FilePlan, unknown: WeightsError) -> AdaptedNetwork:
    """The network behind a state dict that is not HPINet's.

    Args:
        plan: The file.
        unknown: Why it is no HPINet; said where spandrel does not know it either.

    Raises:
        ModelError: If spandrel is not there, or does not know it, or it is no SR network.
    """
    name = plan.path.name
    try:
        import spandrel
    except ImportError:
        raise ModelError(
            f"{unknown}; for networks of other architectures install spandrel: "
            f"pip install 'spandrel>=0.4.1'"
        ) from None
    loader = spandrel.ModelLoader()
    for naming in namings(plan.read()):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the architectures' own code
                return _wrapped(name, loader.load_from_state_dict(naming))
        except spandrel.UnsupportedModelError:
            continue
        except (ModelError, MemoryError, SystemError):  # the last is what CPython may make of it
            raise
        except Exception as error:  # it may take a file for what it is not, and fail anywhere
            if is_out_of_memory(error):
                raise MemoryError from error
            raise UnknownArchitectureError(
                f"{name} looks like a network that spandrel knows, but its tensors do not fit "
                f"({first_line(error)})",
                name,
            ) from error
    raise UnknownArchitectureError(f"{unknown}; nor does spandrel know the architecture", name)


def _wrapped(file: str, found: Any) -> AdaptedNetwork:
    name = found.architecture.name
    channels = (found.input_channels, found.output_channels)
    if getattr(found, "purpose", None) not in ("SR", "FaceSR", "Restoration"):
        raise ModelError(f"{file} holds {name}, which does not turn an image into an image")
    if channels != (3, 3):
        raise ModelError(
            f"{file} holds {name} for {channels[0]} channels in and {channels[1]} out: "
            f"only networks from RGB to RGB can be explained"
        )
    # The public call is for inference only: it stops gradients and clamps.
    call = getattr(found, "_call_fn", None)
    padding = found.size_requirements.get_padding
    if name in _PADS_ITSELF:
        padding = _up_to(_PADS_ITSELF[name])
    return AdaptedNetwork(found.model.float(), found.scale, name, padding=padding, call=call)


def _up_to(least: int) -> Callable[[int, int], tuple[int, int]]:
    return lambda width, height: (max(0, least - width), max(0, least - height))
