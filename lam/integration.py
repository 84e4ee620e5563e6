"""The integral of a detector's gradient along a path, step by step, and the jumps it cannot see."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .detectors import Detector, Window, detect
from .network import Choice, MatchingNetwork, switched_shares
from .paths import AttributionPath
from .quadrature import Array, Quadrature
from .result import LocalAttributionResult, MatchSwitches

Item = TypeVar("Item")
Found = TypeVar("Found")

_GRADIENT_COST = 3  # a gradient takes about as long as three forward passes


class Integration:
    """One attribution under way.

    Args:
        network: The network under its rule for matches.
        picture: (1, 3, h, w) on the network's device.
        window: What is asked about, in SR pixels.
        path: From where to where.
        detector: The function of SR pictures and window.
        rule: Where gradients are taken and with what weight.
        batch: How many steps to compute at once.
        params: What reproduces the result; sizes are added here.

    Raises:
        ValueError: If the window lies outside the super-resolved picture.
    """

    def __init__(
        self,
        network: MatchingNetwork,
        picture: Tensor,
        window: Window,
        path: AttributionPath,
        detector: Detector,
        rule: Quadrature,
        batch: int,
        params: dict[str, Any],
    ) -> None:
        self.network, self.picture, self.window = network, picture, window
        self.path, self.detector, self.rule, self.batch = path, detector, rule, batch
        self.params = params
        self.seconds = 0.0
        self.done: dict[int, tuple[float, Choice]] = {}  # detector and matches at each node
        self.non_finite = 0
        self.forwards = 0
        self.switches: MatchSwitches | None = None
        self.finished = False
        self._sum: NDArray[np.float64] = np.zeros(tuple(picture.shape[1:]), np.float64)
        self._share = 0.0
        self._map = self._sum
        self.start, self.end = self._ends()

    def advance(self) -> Iterator[None]:
        """Do the work, pausing after every batch."""
        levels = self.rule.levels()
        order = [node for level in levels for node in level]
        ends = set(np.cumsum([len(level) for level in levels]).tolist())
        for nodes, found in self._batches(order, self._gradients):
            for node, (value, choice, contribution) in zip(nodes, found, strict=True):
                self.done[node] = value, choice
                self._sum += self.rule.weights[node] * contribution
                self._share += self.rule.shares[node]
                # A level that is not complete knows one half of the path better than the other.
                if len(self.done) in ends or len(self.done) < len(levels[0]):
                    self._map = self._sum / self._share
            yield
        if self.network.switches:
            yield from self._jumps()
        self.finished = True

    def result(self) -> LocalAttributionResult:
        """What is known so far."""
        nodes = sorted(self.done)
        jumps = 0.0 if not self.network.switches else float("nan")
        if self.switches is not None:
            jumps = float(self.switches.jumps.sum())
        return LocalAttributionResult(
            attribution=self._map.astype(np.float32),
            detector_start=self.start[0],
            detector_end=self.end[0],
            match_jumps=jumps,
            non_finite=self.non_finite,
            seconds=self.seconds,
            n_steps=len(self.rule.nodes),
            steps_done=len(nodes),
            progress=self._progress(),
            path_alphas=self.rule.nodes[nodes],
            path_values=np.array([self.done[node][0] for node in nodes]),
            switches=self.switches,
            params=dict(self.params),
        )

    def _progress(self) -> float:
        if self.finished:
            return 1.0
        n = len(self.rule.nodes)
        total = _GRADIENT_COST * n + (2 * (n + 1) if self.network.switches else 0)
        return min(0.999, (_GRADIENT_COST * len(self.done) + self.forwards) / total)

    def _ends(self) -> tuple[tuple[float, Choice], tuple[float, Choice]]:
        def values(alphas: Sequence[float]) -> list[tuple[float, Choice]]:
            sr, choices = self.network(self.path.at(self.picture, np.array(alphas)))
            height, width = int(sr.shape[-2]), int(sr.shape[-1])
            self.window.check_inside(height, width)
            self.params["sr_size"] = [height, width]
            self.params["scale"] = width / self.picture.shape[-1]
            return list(zip(detect(self.detector, sr, self.window).tolist(), choices, strict=True))

        with torch.no_grad():
            found = [pair for _, pairs in self._batches([0.0, 1.0], values) for pair in pairs]
        return found[0], found[1]

    def _gradients(self, nodes: Sequence[int]) -> list[tuple[float, Choice, NDArray[np.float64]]]:
        """Detector, matches and gradient times derivative of the path, at some nodes."""
        alphas = self.rule.nodes[list(nodes)]
        # Callers may be in threads or modes where gradients are off.
        with torch.inference_mode(False), torch.enable_grad():
            pictures = self.path.at(self.picture, alphas).requires_grad_()
            sr, choices = self.network(pictures)
            values = detect(self.detector, sr, self.window)
            if not values.requires_grad:
                raise ValueError(
                    "the detector's value has no gradient with respect to the picture: "
                    "compute it with torch from what the detector is given"
                )
            (gradients,) = torch.autograd.grad(values.sum(), pictures)
        finite = torch.isfinite(gradients)
        self.non_finite += int((~finite).sum())
        gradients = gradients.masked_fill(~finite, 0)
        contributions = (gradients * self._derivative(alphas)).double().cpu().numpy()
        return list(zip(values.tolist(), choices, contributions, strict=True))

    def _derivative(self, alphas: Array) -> Tensor:
        if self.rule.method != "riemann_demo":
            return self.path.derivative(self.picture, alphas)
        n = len(self.rule.nodes)
        before = self.path.at(self.picture, alphas - 1 / n)
        return (self.path.at(self.picture, alphas) - before) * n

    def _jumps(self) -> Iterator[None]:
        """Evaluate the detector with old and new matches wherever they switched.

        Every node's matches are taken to hold in its cell, so switches lie at the knots between
        cells. Integrals over the cells plus jumps at the knots then telescope to the whole change.
        """
        choices = [self.start[1], *(self.done[i][1] for i in sorted(self.done)), self.end[1]]
        knots = self.rule.knots
        shares = np.stack([switched_shares(*pair) for pair in pairwise(choices)])
        switched = np.flatnonzero(shares.any(1))
        wanted = [(knots[k], choices[k + side]) for k in switched for side in (0, 1)]
        values: list[float] = []
        for _, found in self._batches(wanted, self._with_choices):
            values += found
            self.forwards = len(values)
            yield
        jumps = np.zeros(len(knots))
        jumps[switched] = np.diff(np.reshape(values, (-1, 2)), axis=1)[:, 0]
        self.switches = MatchSwitches(knots, shares, jumps)

    def _with_choices(self, wanted: Sequence[tuple[float, Choice]]) -> list[float]:
        with torch.no_grad():
            pictures = self.path.at(self.picture, np.array([alpha for alpha, _ in wanted]))
            sr = self.network.with_choices(pictures, [choice for _, choice in wanted])
            values: list[float] = detect(self.detector, sr, self.window).tolist()
        return values

    def _batches(
        self, items: Sequence[Item], compute: Callable[[Sequence[Item]], Found]
    ) -> Iterator[tuple[Sequence[Item], Found]]:
        """Compute in batches, smaller ones from the moment memory runs out."""
        first = 0
        while first < len(items):
            chunk = items[first : first + self.batch]
            began = time.perf_counter()
            found = None
            try:
                found = compute(chunk)
            except (RuntimeError, MemoryError) as error:
                if len(chunk) == 1 or not _out_of_memory(error):
                    raise
            # Only out here has the failed attempt let go of its tensors.
            self.seconds += time.perf_counter() - began
            if found is None:
                self.batch = len(chunk) // 2
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                continue
            first += len(chunk)
            yield chunk, found


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return any(s in text for s in ("out of memory", "not enough memory", "can't allocate memory"))
