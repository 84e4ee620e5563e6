"""HPINet: hierarchical pixel integration for lightweight image super-resolution (AAAI 2023).

>>> from hpinet import load_model, read_picture, upscale
>>> image = upscale(load_model("S", scale=4), read_picture("small.png"))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpinet.checkpoints.loading import load_model
    from hpinet.config import VARIANTS, HPINetConfig, get_config
    from hpinet.errors import UserError
    from hpinet.imaging.images import Picture, PictureError, to_pil, write_picture
    from hpinet.imaging.read import read_picture
    from hpinet.inference.own_patches import OwnPatches
    from hpinet.inference.upscale import bicubic, upscale
    from hpinet.modeling.hpinet import HPINet
    from hpinet.modeling.matches import BlockMatches, Matches, own_matches

    from .checkpoints.formats.file_plan import WeightsError

__version__ = "0.1.0"

__all__ = [
    "VARIANTS",
    "BlockMatches",
    "HPINet",
    "HPINetConfig",
    "Matches",
    "OwnPatches",
    "Picture",
    "PictureError",
    "UserError",
    "WeightsError",
    "bicubic",
    "get_config",
    "load_model",
    "own_matches",
    "read_picture",
    "to_pil",
    "upscale",
    "write_picture",
]

_HOMES = {
    "checkpoints.loading": ("load_model",),
    "checkpoints.formats.file_plan": ("WeightsError",),
    "errors": ("UserError",),
    "config": ("VARIANTS", "HPINetConfig", "get_config"),
    "imaging.images": ("Picture", "PictureError", "to_pil", "write_picture"),
    "imaging.read": ("read_picture",),
    "inference.upscale": ("bicubic", "upscale"),
    "inference.own_patches": ("OwnPatches",),
    "modeling.hpinet": ("HPINet",),
    "modeling.matches": ("BlockMatches", "Matches", "own_matches"),
}


def __getattr__(name: str) -> Any:
    # Torch takes seconds to import: `--help` and wrong usage of any command need not wait for it.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
