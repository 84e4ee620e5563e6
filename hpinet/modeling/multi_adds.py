"""Multi-adds of a forward pass, counted as the paper counts them (Tables 1 to 3)."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from .attention import PatchAttention
from .block import HPIBlock
from .hpinet import HPINet

OUTPUT = (720, 1280)
"""Height and width of the SR image that the paper counts multi-adds for."""


def multi_adds_720p(network: nn.Module) -> int | None:
    """`multi_adds` of one 1280x720 SR image (LR sides rounded up where the scale divides none)."""
    scale = int(network.scale)  # type: ignore[arg-type]
    return multi_adds(network, (-(-OUTPUT[0] // scale), -(-OUTPUT[1] // scale)))


def multi_adds(network: nn.Module, size: tuple[int, int], batch: int = 1) -> int | None:
    """Multiply-accumulate operations of a pass, counted on shapes alone.

    `count_multi_adds` counts an `HPINet`, also with Global Pixel Access switched off: a patch then
    attends to itself at the same cost. PyTorch's `FlopCounterMode` counts any other network.

    Args:
        network: A network with ``.scale``.
        size: LR height and width in pixels.
        batch: Images at once.

    Returns:
        The number of operations; None where the network's code needs pixel values.
    """
    image = torch.empty(1, 3, *size, device="meta")
    model = network if isinstance(network, HPINet) else getattr(network, "model", network)
    if isinstance(model, HPINet):
        with torch.device("meta"):
            return batch * count_multi_adds(HPINet(model.config).eval(), image)
    from torch.utils.flop_counter import FlopCounterMode  # takes seconds to import

    try:
        shapes = copy.deepcopy(network).to("meta")
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            shapes(image)
    except Exception:  # code of other architectures may fail in any way without pixel values
        return None
    return batch * counter.get_total_flops() // 2


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
    if any(isinstance(m, HPIBlock) for m in model.modules()):
        # Shapes are enough, and a copy on "meta" computes nothing.
        model, x = copy.deepcopy(model).to("meta"), x.to("meta")

    def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal total
        total += _multi_adds(module, inputs, output)

    def similarity_hook(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        nonlocal total
        total += output.numel() * output.shape[-2]  # tokens (B, N, C): B * N * N products of C

    handles = [m.register_forward_hook(hook) for m in model.modules()]
    for block in model.modules():
        if isinstance(block, HPIBlock) and block.match_norm is not None:
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
