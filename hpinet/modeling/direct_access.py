"""When the weights of a layer may be read instead of the layer being called.

`cpu_kernels`, `HPIBlock` and `decoder` compute what layers compute without calling them, a part of
the image at a time. Nobody may notice: a layer that is replaced, hooked, parametrised or recorded
is called as PyTorch calls it.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_LAYERS = (nn.Linear, nn.LayerNorm, nn.Conv2d, nn.ModuleList)
_TENSORS = (Tensor, nn.Parameter)


def recorded(*tensors: Tensor) -> bool:
    """Whether PyTorch does more with operations on these tensors than compute them.

    True while a graph is traced, compiled or exported, under the transforms of `torch.func`, in
    forward-mode differentiation, under a mode that counts or changes operations, and for
    subclasses of tensors.
    """
    return (
        torch.jit.is_tracing()
        or torch.compiler.is_compiling()
        # PyTorch has public names for neither of the next two.
        or torch._C._are_functorch_transforms_active()
        or torch._C._len_torch_dispatch_stack() > 0
        or any(type(x) not in _TENSORS for x in tensors)
        or any(forward_ad.unpack_dual(x).tangent is not None for x in tensors)
    )


def can_be_read(module: nn.Module, *tensors: Tensor) -> bool:
    """Whether calling every layer inside a module does what its class and weights say, only that.

    Args:
        module: Hooks on itself do not count: it is called.
        *tensors: What it is called with.
    """
    if recorded(*tensors) or torch_module._has_any_global_hook():
        return False
    parts = list(module.modules())
    return all(_is_as_made(part) for part in parts) and not any(map(_is_hooked, parts[1:]))


def is_plain_convolution(layer: Any) -> bool:
    """Whether a layer is a 3x3 convolution as the decoder's bands assume: padded by one zero."""
    return (
        type(layer) is nn.Conv2d
        and layer.kernel_size == (3, 3)
        and layer.padding == layer.stride == layer.dilation == (1, 1)
        and layer.groups == 1
        and layer.padding_mode == "zeros"
    )


def _is_as_made(module: nn.Module) -> bool:
    """Of this package's or PyTorch's own class, with its forward and ordinary weights.

    Adapters, quantised and parametrised layers have classes of their own.
    """
    kind = type(module)
    return (
        (kind in _LAYERS or kind.__module__.startswith(__package__ + "."))
        and "forward" not in module.__dict__
        and all(type(p) in _TENSORS for p in module._parameters.values() if p is not None)
    )


def _is_hooked(module: nn.Module) -> bool:
    return any(getattr(module, name) for name in _HOOKS)
