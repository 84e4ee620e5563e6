"""Networks with weights from a recipe instead of a file, as in tests/goldens."""

from __future__ import annotations

import zlib

import numpy as np
import torch

from hpinet import HPINet, get_config
from hpinet.networks.hpinet_weights import released_name


def seeded_tensor(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """A reproducible tensor for one name of the authors' state dict."""
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    w = rng.standard_normal(shape).astype(np.float32)
    if name.endswith("norm.weight"):
        w = 1 + 0.1 * w
    elif len(shape) == 1:
        w = 0.02 * w
    else:
        w = 0.7 * w / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(w.astype(np.float32))


def seeded_model(name: str, scale: int = 4) -> HPINet:
    """A variant with seeded weights, in evaluation mode, parameters without gradients."""
    model = HPINet(get_config(name, scale))
    state = {
        key: seeded_tensor(released_name(key, scale), tuple(tensor.shape))
        for key, tensor in model.state_dict().items()
    }
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)
