"""HPINet: hierarchical pixel integration for lightweight image super-resolution (AAAI 2023).

>>> from hpinet import load_model, read_picture, upscale
>>> picture = upscale(load_model("S", scale=4), read_picture("small.png"))
"""

from hpinet.checkpoints.file_plan import WeightsError
from hpinet.checkpoints.loading import load_model
from hpinet.config import VARIANTS, HPINetConfig, get_config
from hpinet.imaging.images import Picture, PictureError, read_picture, to_pil, write_picture
from hpinet.inference.upscale import bicubic, upscale
from hpinet.modeling.hpinet import HPINet, OwnPatches
from hpinet.modeling.matching import BlockMatches, Matches, own_matches

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
