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

from .matching_network import Choice, switched_shares
from .memory_plan import Plan
from .paths import AttributionPath
from .quadrature import Array, Quadrature
from .results import LocalAttributionResult, MatchSwitches
from .target import Subject

Item = TypeVar("Item")
Found = TypeVar("Found")

_GRADIENT_COST = 3  # a gradient takes about as long as three forward passes


class Integration:
    """One attribution under way.

    Args:
        subject: The picture, network, window and detector.
        path: From where to where.
        rule: Where gradients are taken and with what weight.
        plan: How many steps to compute at once.
        tolerance: Stop at the end of a level that changed the map by less than this, relatively;
            None to take every step.
        params: What reproduces the result.
    """

    def __init__(
        self,
        subject: Subject,
        path: AttributionPath,
        rule: Quadrature,
        plan: Plan,
        tolerance: float | None,
        params: dict[str, Any],
    ) -> None:
        self.subject, self.path, self.rule, self.batch = subject, path, rule, plan.batch
        self.tolerance, self.params = tolerance, params
        subject.network.recompute = plan.recompute
        self.seconds = 0.0
        self.done: dict[int, tuple[float, Choice]] = {}  # detector and matches at each node
        self.non_finite = 0
        self.switches: MatchSwitches | None = None
        self.finished = False
        self.map_change = float("nan")
        self._steps = len(rule.nodes)  # to be taken, as far as is known
        self._sum: NDArray[np.float64] = np.zeros(tuple(subject.picture.shape[1:]), np.float64)
        self._share = 0.0
        self._map = self._sum
        self.start, self.end = self._ends()
        self._looked = 0  # forward passes done to see what switches of matches did
        self._looks = 2 * (self._steps + 1) if subject.network.switches else 0  # at most

    def advance(self) -> Iterator[None]:
        """Do the work, pausing after every batch."""
        for number, level in enumerate(self.rule.levels()):
            left = len(level)
            for nodes, found in self._batches(level, self._gradients):
                for node, (value, choice, contribution) in zip(nodes, found, strict=True):
                    self.done[node] = value, choice
                    self._sum += self.rule.weights[node] * contribution
                    self._share += self.rule.shares[node]
                left -= len(nodes)
                # A level that is not complete knows one half of the path better than the other.
                if number == 0 or not left:
                    self._refine(known=number > 0)
                yield
            if self.tolerance is not None and self.map_change < self.tolerance:
                self._steps = len(self.done)
                break
        if self.subject.network.switches:
            yield from self._jumps()
        self.finished = True

    def _refine(self, known: bool) -> None:
        """Take the steps done so far for the map, and see how far that moves one already known."""
        before, self._map = self._map, self._sum / self._share
        if known:
            self.map_change = _relative_change(before, self._map)

    def result(self) -> LocalAttributionResult:
        """What is known so far."""
        nodes = sorted(self.done)
        jumps = 0.0 if not self.subject.network.switches else float("nan")
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
            map_change=self.map_change,
            path_alphas=self.rule.nodes[nodes],
            path_values=np.array([self.done[node][0] for node in nodes]),
            switches=self.switches,
            params={**self.subject.params, **self.params},
        )

    def _progress(self) -> float:
        """The share of the work that is done, counted in forward passes."""
        if self.finished:
            return 1.0
        done = _GRADIENT_COST * len(self.done) + self._looked
        return min(0.999, done / (_GRADIENT_COST * self._steps + self._looks))

    def _ends(self) -> tuple[tuple[float, Choice], tuple[float, Choice]]:
        def values(alphas: Sequence[float]) -> list[tuple[float, Choice]]:
            pictures = self.path.at(self.subject.picture, np.array(alphas))
            found, choices = self.subject.observe(pictures)
            return list(zip(found.tolist(), choices, strict=True))

        with torch.no_grad():
            found = [pair for _, pairs in self._batches([0.0, 1.0], values) for pair in pairs]
        return found[0], found[1]

    def _gradients(self, nodes: Sequence[int]) -> list[tuple[float, Choice, NDArray[np.float64]]]:
        """Detector, matches and gradient times derivative of the path, at some nodes."""
        alphas = self.rule.nodes[list(nodes)]
        pictures = self.path.at(self.subject.picture, alphas)
        values, choices, gradients = self.subject.gradient(pictures)
        finite = torch.isfinite(gradients)
        self.non_finite += int((~finite).sum())
        gradients = gradients.masked_fill(~finite, 0)
        contributions = (gradients * self._derivative(alphas)).double().cpu().numpy()
        return list(zip(values.tolist(), choices, contributions, strict=True))

    def _derivative(self, alphas: Array) -> Tensor:
        if self.rule.method != "riemann_demo":
            return self.path.derivative(self.subject.picture, alphas)
        n = len(self.rule.nodes)
        before = self.path.at(self.subject.picture, alphas - 1 / n)
        return (self.path.at(self.subject.picture, alphas) - before) * n

    def _jumps(self) -> Iterator[None]:
        """Evaluate the detector with old and new matches wherever they switched.

        Every node's matches are taken to hold in its cell, so switches lie at the knots between
        cells. Integrals over the cells plus jumps at the knots then telescope to the whole change.
        """
        nodes = sorted(self.done)
        choices = [self.start[1], *(self.done[node][1] for node in nodes), self.end[1]]
        knots = self.rule.thinned(nodes).knots
        shares = np.stack([switched_shares(*pair) for pair in pairwise(choices)])
        switched = np.flatnonzero(shares.any(1))
        wanted = [(knots[k], choices[k + side]) for k in switched for side in (0, 1)]
        self._looks = len(wanted)
        values: list[float] = []
        for _, found in self._batches(wanted, self._with_choices):
            values += found
            self._looked = len(values)
            yield
        jumps = np.zeros(len(knots))
        jumps[switched] = np.diff(np.reshape(values, (-1, 2)), axis=1)[:, 0]
        self.switches = MatchSwitches(knots, shares, jumps)

    def _with_choices(self, wanted: Sequence[tuple[float, Choice]]) -> list[float]:
        with torch.no_grad():
            alphas = np.array([alpha for alpha, _ in wanted])
            pictures = self.path.at(self.subject.picture, alphas)
            choices = [choice for _, choice in wanted]
            values: list[float] = self.subject.observe_with(pictures, choices).tolist()
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


def _relative_change(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """How far a map moved, in the Euclidean norm; NaN for a map of zeros."""
    size = float(np.linalg.norm(now))
    return float(np.linalg.norm(now - before)) / size if size > 0 else float("nan")


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return any(s in text for s in ("out of memory", "not enough memory", "can't allocate memory"))
