"""HPINet: hierarchical pixel integration for lightweight image super-resolution (AAAI 2023).

>>> from hpinet import load_model, read_picture, upscale
>>> image = upscale(load_model("S", scale=4), read_picture("small.png"))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpinet.config import VARIANTS, HPINetConfig, get_config
    from hpinet.errors import NetworkError, UserError, WeightsError
    from hpinet.imaging.images import Picture, PictureError, to_pil, write_picture
    from hpinet.imaging.read import read_picture
    from hpinet.inference.upscale import bicubic, upscale
    from hpinet.modeling.hpinet import HPINet
    from hpinet.modeling.matches import BlockMatches, Matches, own_matches
    from hpinet.modeling.own_patches import OwnPatches
    from hpinet.networks.open import load_model, open_network

__version__ = "0.1.0"

__all__ = [
    "VARIANTS",
    "BlockMatches",
    "HPINet",
    "HPINetConfig",
    "Matches",
    "NetworkError",
    "OwnPatches",
    "Picture",
    "PictureError",
    "UserError",
    "WeightsError",
    "bicubic",
    "get_config",
    "load_model",
    "open_network",
    "own_matches",
    "read_picture",
    "to_pil",
    "upscale",
    "write_picture",
]

_HOMES = {
    "errors": ("NetworkError", "UserError", "WeightsError"),
    "config": ("VARIANTS", "HPINetConfig", "get_config"),
    "imaging.images": ("Picture", "PictureError", "to_pil", "write_picture"),
    "imaging.read": ("read_picture",),
    "inference.upscale": ("bicubic", "upscale"),
    "modeling.hpinet": ("HPINet",),
    "modeling.matches": ("BlockMatches", "Matches", "own_matches"),
    "modeling.own_patches": ("OwnPatches",),
    "networks.open": ("load_model", "open_network"),
}


def __getattr__(name: str) -> Any:
    # Torch takes seconds to import: `--help` and wrong usage of any command need not wait for it.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
