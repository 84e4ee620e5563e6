"""Small networks of other architectures with random weights, as files."""

from __future__ import annotations

import torch
from safetensors.torch import save_file
from torch import nn


def foreign(name: str, channels: int = 3) -> nn.Module:
    """A small network of an architecture that spandrel knows, with random weights."""
    from spandrel.architectures.Compact import Compact
    from spandrel.architectures.RCAN import RCAN
    from spandrel.architectures.SwinIR import SwinIR

    torch.manual_seed(1)
    if name == "SwinIR":
        return SwinIR(
            upscale=2, upsampler="pixelshuffledirect", embed_dim=8, depths=[2], num_heads=[2],
            window_size=8, mlp_ratio=2, img_size=16,
        )  # fmt: skip
    if name == "RCAN":
        return RCAN(scale=3, n_resgroups=1, n_resblocks=2, n_feats=8, reduction=4)
    return Compact(num_in_ch=channels, num_out_ch=channels, num_feat=8, num_conv=2, upscale=4)


def saved(network: nn.Module, path) -> str:
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save({"params_ema": tensors}, path)
    return str(path)
