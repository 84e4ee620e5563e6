"""A network under one rule for its matches: live, frozen, or GPA off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hpinet.errors import UserError

from .inspection import arguments_of, hidden_matches, takes_matches, unwrapped

MATCHES = ("live", "frozen", "own")
"""Which patch each query patch attends to: the match that the network finds on every image anew
(``"live"``), the match that it finds on the sharp image (``"frozen"``), or itself, which switches
Global Pixel Access off with the weights as they are (``"own"``)."""

Choice = tuple[Tensor | None, ...]
"""The matches of one image: (1, N) patch numbers for each block."""


class MatchingNetwork:
    """A forward function under one rule for its matches.

    Any function of (B, 3, h, w) to (B, 3, sh, sw) will do. If it takes ``matches`` and
    ``return_matches`` as `hpinet.HPINet` does, its matches are read and set through these two; if
    it takes ``region`` and ``checkpoint``, less is computed and less kept. It gets a copy of what
    it is called with, in the type of its parameters, so that it may write into it.

    Args:
        forward_func: The function or module, in evaluation mode if that matters; also inside of
            what `inspection.unwrapped` knows.
        image: (1, 3, h, w), the sharp image.
        matches: One of `MATCHES`.

    Attributes:
        region: (top, left, height, width) in SR pixels that calls return; None for all.
        recompute: Whether a backward pass computes each block again instead of keeping it.
        can_crop: Whether ``region`` may be set.
        can_recompute: The number of blocks where ``recompute`` may be set, else 0.
        hides_matches: Whether a network inside makes matches that nobody can read here.

    Raises:
        ValueError: If matches are to be set in a network that has none, or it is in training mode.
    """

    def __init__(self, forward_func: Callable[..., Any], image: Tensor, matches: str) -> None:
        if matches not in MATCHES:
            raise UserError(f"matches must be one of {', '.join(MATCHES)}, not {matches!r}")
        forward_func = unwrapped(forward_func)
        names = arguments_of(forward_func)
        has_matches = takes_matches(forward_func)
        if matches != "live" and not has_matches:
            raise UserError(
                f"this network has no matches to make {matches!r}: "
                f"only matches='live' applies to it"
            )
        self._forward = forward_func
        self._type = _type_of(forward_func)
        self.hides_matches = hidden_matches(forward_func)
        self._live = has_matches and matches == "live"
        self._known: Any = None
        self._fixed: Any = None
        self.region: tuple[int, int, int, int] | None = None
        self.recompute = False
        self.can_crop = "region" in names
        blocks = getattr(forward_func, "blocks", ())
        self.can_recompute = len(blocks) if "checkpoint" in names else 0
        if has_matches and matches != "live":
            # Matches made in inference mode could not take part in a backward pass later.
            with torch.inference_mode(False), torch.no_grad():
                _, known = forward_func(self._copied(image), return_matches=True)
            self._fixed = known if matches == "frozen" else known.own()

    @property
    def switches(self) -> bool:
        """Whether matches may change along a path; known after the first call."""
        return self._known is not None and any(b is not None for b in self._known.blocks)

    def __call__(self, images: Tensor) -> tuple[Tensor, list[Choice]]:
        """Super-resolve (B, 3, h, w); also each image's matches, empty unless they may switch."""
        if not self._live:
            keywords = {} if self._fixed is None else {"matches": self._fixed}
            return self._run(images, **keywords), [()] * len(images)
        sr, used = self._forward(self._copied(images), return_matches=True, **self._options())
        if self._known is None:
            self._known = used.image(0)
        # (B, N) patch numbers a block to (1, N) a block and image.
        indices = [None if b is None else b.index.detach() for b in used.blocks]
        choices = [
            tuple(None if index is None else index[i : i + 1] for index in indices)
            for i in range(len(images))
        ]
        return _checked(sr, images), choices

    def with_choices(self, images: Tensor, choices: Sequence[Choice]) -> Tensor:
        """Super-resolve (B, 3, h, w) with given matches, one choice an image."""
        matches = self._known
        for block in range(len(matches.blocks)):
            chosen = [index for c in choices if (index := c[block]) is not None]
            if chosen:
                matches = matches.with_block(block, torch.cat(chosen))
        return self._run(images, matches=matches)

    def probe(self, images: Tensor) -> None:
        """A pass like those to come, but on images of any size, to measure its memory."""
        # Given matches fit one size only: where a wrapper holds some, the network inside it.
        forward = getattr(self._forward, "free", self._forward)
        options = {} if self.region is None else {"region": (0, 0, 1, 1)}
        forward(self._copied(images), **options)

    def _run(self, images: Tensor, **keywords: Any) -> Tensor:
        sr = self._forward(self._copied(images), **keywords, **self._options())
        return _checked(sr, images)

    def _copied(self, images: Tensor) -> Tensor:
        """What the network is given: never the caller's tensor, and never a leaf of a graph."""
        return images.to(self._type or images.dtype, copy=True)

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {} if self.region is None else {"region": self.region}
        return {**options, "checkpoint": True} if self.recompute else options


def switched_shares(old: Choice, new: Choice) -> NDArray[np.float64]:
    """Share of the patches whose match differs, for each block, in [0, 1]."""
    shares = [
        0.0 if a is None or b is None else float((a != b).float().mean())
        for a, b in zip(old, new, strict=True)
    ]
    return np.array(shares)


def _type_of(forward_func: Callable[..., Any]) -> torch.dtype | None:
    """The type that a network computes in; None for a function, or where nothing is trained."""
    if not isinstance(forward_func, nn.Module):
        return None
    types = (p.dtype for p in forward_func.parameters() if p.is_floating_point())
    return next(types, None)


def _checked(sr: Any, images: Tensor) -> Tensor:
    if not isinstance(sr, torch.Tensor) or sr.ndim != 4 or len(sr) != len(images):
        found = tuple(sr.shape) if isinstance(sr, torch.Tensor) else type(sr).__name__
        raise UserError(
            f"the network must return images of shape (B, 3, sH, sW) "
            f"for {tuple(images.shape)}, not {found}"
        )
    return sr.to(images.dtype)
