"""Multi-adds of a forward pass, counted as the paper counts them (Tables 1 to 3)."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from .attention import PatchAttention
from .block import HPIBlock


def count_multi_adds(model: nn.Module, x: Tensor) -> int:
    """Multiply-accumulate operations of one forward pass, as the paper counts Multi-Adds.

    Counted are convolutions, linear layers, attention (scores and weighted sum) and the
    similarities of GPA; not counted, as usual, are norms, activations, softmax, biases and the
    bilinear skip. The figures follow from the layers' shapes, so they do not depend on which
    kernels PyTorch picks.

    Args:
        model: HPINet, or any network of convolutions and linear layers.
        x: (B, 3, H, W).
    """
    total = 0
    blocks = blocks_of(model)
    if blocks:
        # Shapes are enough, and a copy on "meta" computes nothing.
        model = copy.deepcopy(model).to("meta")
        blocks = blocks_of(model)
        x = x.to("meta")

    def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal total
        total += _multi_adds(module, inputs, output)

    def similarity_hook(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        nonlocal total
        total += output.numel() * output.shape[-2]  # tokens (B, N, C): B * N * N products of C

    handles = [m.register_forward_hook(hook) for m in model.modules()]
    for block in blocks:
        if block.match_norm is not None:
            handles.append(block.match_norm.register_forward_hook(similarity_hook))
    try:
        with torch.inference_mode():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    return total


def _multi_adds(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> int:
    """Of one layer, without those that its inner layers count for themselves."""
    if isinstance(module, nn.Conv2d):
        return output.numel() * module.weight[0].numel()  # a C_in / groups x k x k dot product each
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features
    if isinstance(module, PatchAttention):
        # Each of B * N * L pixels: L scores of d channels, and a weighted sum of L values of C.
        pixels, length = inputs[0].shape[:-1].numel(), inputs[0].shape[-2]
        return pixels * length * (module.query.out_features + module.value.out_features)
    return 0


def blocks_of(model: nn.Module) -> list[HPIBlock]:
    """The HPINet blocks in a network."""
    return [m for m in model.modules() if isinstance(m, HPIBlock)]
