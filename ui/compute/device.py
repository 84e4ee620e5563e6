"""Results on their way to and from the device that networks run on.

What is kept between requests lies in main memory, so that a GPU holds little more than the work at
hand.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch

Value = TypeVar("Value")


def moved(value: Value, device: torch.device | str) -> Value:
    """A value with the tensors in it on a device, however deep in dataclasses and sequences.

    The value itself where they are there already.
    """
    found: Any = value
    if isinstance(value, torch.Tensor):
        found = value.to(device)
    elif is_dataclass(value) and not isinstance(value, type):
        old = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
        new = {name: moved(one, device) for name, one in old.items()}
        if any(new[name] is not one for name, one in old.items()):
            found = replace(value, **new)
    elif isinstance(value, tuple | list):
        items = [moved(one, device) for one in value]
        if any(a is not b for a, b in zip(items, value, strict=True)):
            found = type(value)(items)
    return found
