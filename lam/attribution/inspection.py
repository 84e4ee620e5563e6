"""What stands behind a forward function: the network, what it takes, what makes it random."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from hpinet.errors import UserError

Forward = Callable[..., Any]

_RANDOM = ("drop", "noise", "stochastic")  # in names of classes, lower case
_SAME = 1e-4  # relatively; passes on a GPU may differ by the order of their sums
_DRAWS = 16  # passes of a network that draws random numbers, to see whether they matter


def unwrapped(forward_func: Forward) -> Forward:
    """The network inside ``DataParallel``, DDP, ``torch.compile`` or its own bound ``forward``."""
    while True:
        inner: Any = forward_func
        if isinstance(inner, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = inner.module
        elif isinstance(getattr(inner, "_orig_mod", None), nn.Module):  # of torch.compile
            inner = inner._orig_mod
        elif callable(getattr(inner, "_torchdynamo_orig_callable", None)):
            inner = inner._torchdynamo_orig_callable
        elif inspect.ismethod(inner) and inner.__name__ in ("forward", "__call__"):
            owner = inner.__self__
            inner = owner if isinstance(owner, nn.Module) else inner
        if inner is forward_func:
            return forward_func
        forward_func = inner


def arguments_of(forward_func: Forward) -> set[str]:
    """Names of what a function, or a module's forward, takes."""
    function = forward_func.forward if isinstance(forward_func, nn.Module) else forward_func
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # some built-in functions have no signature
        return set()


def takes_matches(forward_func: Forward) -> bool:
    """Whether its matches can be read and set, as those of `hpinet.HPINet` can."""
    return {"matches", "return_matches"} <= arguments_of(forward_func)


def modules_of(forward_func: Any) -> list[nn.Module]:
    """The modules of a network; of a function, those of the networks that it refers to."""
    if isinstance(forward_func, nn.Module):
        return list(forward_func.modules())
    if isinstance(forward_func, functools.partial):
        parts = [forward_func.func, *forward_func.args, *forward_func.keywords.values()]
    elif inspect.ismethod(forward_func):
        parts = list(vars(forward_func.__self__).values()) if _has_vars(forward_func) else []
    elif inspect.isfunction(forward_func):
        names = inspect.getclosurevars(forward_func)
        parts = [*names.nonlocals.values(), *names.globals.values()]
    else:
        parts = list(vars(forward_func).values()) if hasattr(forward_func, "__dict__") else []
    return [m for part in parts if isinstance(part, nn.Module) for m in part.modules()]


def hidden_matches(forward_func: Forward) -> bool:
    """Whether a network inside makes matches that the forward function hands to nobody.

    A wrapper that itself decides all matches says so by an attribute ``fixes_matches``.
    """
    if takes_matches(forward_func) or getattr(forward_func, "fixes_matches", False):
        return False
    inner = [m for m in modules_of(forward_func) if m is not forward_func]
    return any(takes_matches(m) and getattr(getattr(m, "config", None), "gpa", True) for m in inner)


def random_part(forward_func: Forward) -> str | None:
    """The class of a part that is random in training mode, and in it; None where there is none."""
    parts = (m for m in modules_of(forward_func) if m.training and _is_random(m))
    return next((type(part).__name__ for part in parts), None)


def check_evaluation(forward_func: Forward) -> None:
    """Refuse a network in which something random is in training mode.

    Raises:
        UserError: If so; the message names the part.
    """
    part = random_part(forward_func)
    if part is not None:
        raise UserError(
            f"{part} is in training mode, where the network's output is random: call .eval() on "
            f"the network"
        )


def check_repeatable(
    value: Callable[[Tensor], Tensor], image: Tensor, forward_func: Forward
) -> None:
    """Refuse a network that gives different numbers for the same image.

    Args:
        value: The detector's value (1,) for an image.
        image: (1, 3, h, w).
        forward_func: The network, for the name of the part that makes it random.

    Raises:
        UserError: If two values differ; the message gives both.
    """
    before = _generators()
    first = float(value(image))
    drawn = any(not torch.equal(a, b) for a, b in zip(before, _generators(), strict=True))
    for _ in range(_DRAWS if drawn else 1):
        again = float(value(image))
        if abs(again - first) > _SAME * max(abs(first), abs(again)):
            part = random_part(forward_func)
            why = "" if part is None else f" ({part} is in training mode)"
            raise UserError(
                f"the network is random: the detector on the same image is {first:.6g} and then "
                f"{again:.6g}{why}; call .eval(), and leave out what draws random numbers"
            )
    check_evaluation(forward_func)


def _generators() -> list[Tensor]:
    """The states of PyTorch's random numbers."""
    states = [torch.get_rng_state()]
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states += torch.cuda.get_rng_state_all()
    return states


def _is_random(module: nn.Module) -> bool:
    kinds = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd, nn.RReLU)
    name = type(module).__name__.lower()
    return isinstance(module, kinds) or takes_matches(module) or any(s in name for s in _RANDOM)


def _has_vars(method: Any) -> bool:
    return hasattr(method.__self__, "__dict__")
