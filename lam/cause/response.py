"""A window's response to interventions: how much worse, or how different, they make it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpinet.errors import UserError
from lam.attribution.inspection import check_repeatable, takes_matches, unwrapped
from lam.attribution.target import Target
from lam.window import Window

from .reach import Box, find_reach
from .sampling import Array
from .window_quality import WindowQuality, check_original

MATCHES = ("live", "frozen", "own", "split")
"""`lam.MATCHES`, and ``split``: live and frozen side by side, on the same interventions."""


class WindowResponse:
    """The window's quality as a function of LR images, under one rule for matches or two.

    Args:
        forward_func: See `lam.cause.effects.CausalEffect`.
        lr: (1, 3, h, w) or (3, h, w).
        hr: The original, or None.
        window: In SR pixels.
        matches: One of `MATCHES`.
        slack: How far the image's numbers may lie outside [0, 1].

    Attributes:
        image: (1, 3, h, w), the LR image on the network's device.
        params: What reproduces it, as plain values that fit into JSON.
        box: The part of the LR image that is computed; None for all of it.

    Raises:
        ValueError: If an argument does not fit.
    """

    def __init__(
        self,
        forward_func: Callable[..., Any],
        lr: Tensor,
        hr: Tensor | None,
        window: Window,
        matches: str,
        slack: float,
    ) -> None:
        if matches not in MATCHES:
            raise UserError(f"matches must be one of {', '.join(MATCHES)}, not {matches!r}")
        if matches == "split" and not takes_matches(unwrapped(forward_func)):
            raise UserError(
                "this network has no matches, so its effects cannot be split into content and "
                "matches: leave matches out"
            )
        self._window, self._quality, self._slack = window, WindowQuality(), slack
        self._rules = ("live", "frozen") if matches == "split" else (matches,)
        self._targets = [
            Target(forward_func, lr, window, self._quality, rule, slack) for rule in self._rules
        ]
        self.image, self.params = self._targets[0].image, self._targets[0].params
        self.box: Box | None = None
        if hr is not None and "sr_size" in self.params:  # before the first, costly pass
            check_original(hr, tuple(self.params["sr_size"]))

    @property
    def quantities(self) -> int:
        """How many numbers `changes` gives for an image."""
        return 3 if len(self._targets) > 1 else 1

    @property
    def computed(self) -> Tensor:
        """What of the LR image the network is given, (1, 3, h', w')."""
        return self.image if self.box is None else self.box.crop(self.image)

    @torch.no_grad()
    def prepare(self, hr: Tensor | None) -> float | None:
        """Super-resolve the untouched image; the window's PSNR, None without an original.

        Raises:
            UserError: If the original does not fit, or the network is random.
        """
        first = self._targets[0]
        check_repeatable(
            lambda image: first.network(image)[0].float().mean(), self.image, first.forward_func
        )
        first.evaluate()
        normal = None
        if hr is not None:
            original = check_original(hr, tuple(self.params["sr_size"]))
            normal = self._quality.compare_with(original, self._window)
        self.params["detector"] = self._quality.describe()
        return normal

    def narrow(self) -> None:
        """From now on compute no more than the window can depend on; once it is prepared."""
        if self._rules != ("live",):
            return  # given matches fit the whole image only
        first, scale = self._targets[0], self.params["scale"]
        self.box = find_reach(first.network, self.image, self._window, scale)
        if self.box is None:
            return
        place = self.box.window(self._window, int(scale))
        narrow = Target(first.forward_func, self.computed, place, self._quality, slack=self._slack)
        self._targets = [narrow]

    @torch.no_grad()
    def changes(self, images: Tensor, normal: float | None) -> Array:
        """How much worse, or how different, the window is.

        Args:
            images: (B, 3, h, w), whole LR images.
            normal: PSNR of the untouched window; None without an original.

        Returns:
            (B, quantities): one quantity, or three: with live matches, with frozen ones, and their
            difference.
        """
        given = images if self.box is None else self.box.crop(images)
        values = np.stack([target(given).numpy() for target in self._targets], 1)
        found = values if normal is None else normal - values
        if len(self._targets) == 1:
            return np.asarray(found)
        return np.column_stack([found, found[:, 0] - found[:, 1]])
