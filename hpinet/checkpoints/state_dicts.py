"""From what people save to the names of a network's tensors.

Training frameworks put the weights into containers (``params_ema``, ``state_dict``, ...) and in
front of every name the attribute that held the network (``module.``, ``model.``, ...).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

CONTAINERS = (
    *("params_ema", "params-ema", "ema_model", "model_ema", "ema", "state_dict_ema", "ema_state"),
    *("params", "state_dict", "model_state_dict", "model_state", "model", "net_g", "netG"),
    *("generator", "net", "network", "weights", "g"),
)
"""Keys that weights stand under, the averaged ones first: they are what people publish."""

PREFIXES = ("_orig_mod.", "module.", "model.", "net.", "generator.", "net_g.", "netG.", "network.")
"""What wrappers put in front: torch.compile, DataParallel, Lightning, trainers of GANs."""

_DEEPEST = 8

Entry = TypeVar("Entry")


def find_state_dict(saved: Any, kind: type[Entry]) -> dict[str, Entry] | None:
    """The mapping of names to tensors in a saved object, or None where there is none.

    Args:
        saved: A mapping of names to tensors, alone or in containers, in any nesting.
        kind: The class of a tensor.
    """
    for _ in range(_DEEPEST):
        if not isinstance(saved, dict):
            return None
        held = {_name(k): v for k, v in saved.items() if isinstance(v, kind)}
        inner = next(
            (saved[key] for key in CONTAINERS if isinstance(saved.get(key), dict) and saved[key]),
            None,
        )
        if inner is None or len(held) > 1:
            # What counts averaged models or steps stands beside the weights without being one.
            return held if held and all(_is_aside(v, kind) for v in saved.values()) else None
        saved = inner
    return None


def _name(key: Any) -> str:
    # Anything may be a key; what is neither a text nor a small number is named by its kind.
    plain = isinstance(key, str) or (isinstance(key, int) and abs(key) < 2**63)
    return str(key) if plain else type(key).__name__


def _is_aside(value: Any, kind: type) -> bool:
    return isinstance(value, kind) or not isinstance(value, dict)


def namings(state: Mapping[str, Entry]) -> Iterator[dict[str, Entry]]:
    """A state dict under the names that it has and under those that a wrapper may have hidden.

    First come the names without what wrappers put in front, then shorter and shorter ones: without
    what all names share, and the part of the file below each first word. Whoever looks for a
    network takes the first naming that is one.
    """
    state = {name: value for name, value in state.items() if name != "n_averaged"}
    yield dict(state)
    seen = {frozenset(state)}
    queue = [state]
    while queue:
        current = queue.pop(0)
        for shorter in _shortened(current):
            names = frozenset(shorter)
            if names not in seen and len(seen) < 2 * _DEEPEST:
                seen.add(names)
                queue.append(shorter)
                yield shorter


def _shortened(state: Mapping[str, Entry]) -> Iterator[dict[str, Entry]]:
    for prefix in PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            yield {name.removeprefix(prefix): value for name, value in state.items()}
            return
    words: dict[str, int] = {}
    for name in state:
        if "." in name:
            word = name[: name.index(".") + 1]
            words[word] = words.get(word, 0) + 1
    # The network is most of a file; losses and discriminators stand beside it.
    for word, _ in sorted(words.items(), key=lambda item: -item[1])[:3]:
        if not re.fullmatch(r"\d+\.", word):
            yield {n.removeprefix(word): v for n, v in state.items() if n.startswith(word)}
