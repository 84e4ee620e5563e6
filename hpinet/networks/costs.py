"""Multiply-accumulate operations of networks of any architecture."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from hpinet.modeling.hpinet import HPINet
from hpinet.modeling.multi_adds import count_multi_adds
from hpinet.modeling.own_patches import OwnPatches

OUTPUT = (720, 1280)
"""Height and width of the image that the paper counts multi-adds for."""


def multi_adds(network: nn.Module, size: tuple[int, int], batch: int = 1) -> int | None:
    """Multiply-accumulate operations of a pass, counted on shapes alone, which takes no time.

    Of an `HPINet` as the paper counts them, see `count_multi_adds`; of others by PyTorch's counter:
    convolutions, linear layers and the products of attention. Global Pixel Access switched off
    costs as much as on, since a patch then attends to itself.

    Args:
        network: With ``.scale``.
        size: LR height and width.
        batch: Images at once.

    Returns:
        Their number; None where the network's code does not run without pixels.
    """
    model = network.model if isinstance(network, OwnPatches) else network
    image = torch.empty(1, 3, *size, device="meta")
    if isinstance(model, HPINet):
        with torch.device("meta"):
            shapes = HPINet(model.config).eval()
        return batch * count_multi_adds(shapes, image)
    found = _counted(model, image)
    return None if found is None else batch * found


def multi_adds_720p(network: nn.Module) -> int | None:
    """As `multi_adds`, of one image of 1280x720 SR pixels.

    Where 720 or 1280 is no multiple of the scale, one LR row or column more is counted.
    """
    scale = int(network.scale)  # type: ignore[arg-type]
    height, width = (-(-side // scale) for side in OUTPUT)
    return multi_adds(network, (height, width))


def _counted(model: nn.Module, image: Tensor) -> int | None:
    from torch.utils.flop_counter import FlopCounterMode  # takes seconds to import

    try:
        shapes = copy.deepcopy(model).to("meta")
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            shapes(image)
    except Exception:  # code of other architectures may need numbers, and fail in any way
        return None
    return counter.get_total_flops() // 2
