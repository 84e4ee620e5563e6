"""Tensors that behave as on a device without float64 and out of numpy's reach, such as Apple's."""

from __future__ import annotations

import torch


class OnDevice(torch.Tensor):
    """Lies in main memory, but only ``.cpu()`` says so."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func in (torch.Tensor.numpy, torch.Tensor.__array__):
            raise TypeError("can't convert mps:0 device type tensor to numpy")
        found = super().__torch_function__(func, types, args, kwargs or {})
        if func is torch.Tensor.cpu:
            return found.as_subclass(torch.Tensor)
        if isinstance(found, OnDevice) and found.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        return found


def on_device(x):
    return x.as_subclass(OnDevice)
