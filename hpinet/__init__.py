"""HPINet: hierarchical pixel integration for lightweight image super-resolution (AAAI 2023).

>>> from hpinet import load_model, read_picture, upscale
>>> picture = upscale(load_model("S", scale=4), read_picture("small.png"))
"""

from .config import VARIANTS, HPINetConfig, get_config
from .images import Picture, PictureError, read_picture, to_pil, write_picture
from .matching import BlockMatches, Matches, own_matches
from .model import HPINet, OwnPatches
from .upscale import bicubic, upscale
from .weights import WeightsError, load_model

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
