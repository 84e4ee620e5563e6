"""The integral of a detector's gradient along a path, step by step, and the jumps at switches.

LAM's path integrated gradient (Gu & Dong 2021): with the path g from the blurred image g(0) to the
image g(1) and the detector F of the network's output, channel c of LR pixel (y, x) contributes

    A[c, y, x] = integral over alpha from 0 to 1 of dF/dx[c, y, x] at g(alpha) * dg[c, y, x]/dalpha,

here a weighted sum over nodes alpha_k. Where matches switch, F jumps and has no gradient: the jumps
are measured one by one, so that

    F(g(1)) - F(g(0)) = sum of A + sum of jumps + residual.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpinet.inference.memory_errors import is_out_of_memory

from .matching_network import Choice, switched_shares
from .memory_plan import Plan
from .paths import AttributionPath
from .quadrature import Array, Quadrature
from .results import LocalAttributionResult, MatchSwitches
from .target import Target

Item = TypeVar("Item")
Found = TypeVar("Found")

OnStep = Callable[[float, float, Choice, NDArray[np.float64]], None]
"""Takes a node's alpha, detector, matches and weighted contribution (3, h, w)."""

_GRADIENT_COST = 3  # a gradient takes about as long as three forward passes


class Integration:
    """The integral of one target along one path.

    Args:
        target: The image, network, window and detector.
        path: From where to where.
        rule: Where gradients are taken and with what weight.
        plan: How many steps to compute at once.
        tolerance: Stop at the end of a level that changed the map by less than this, relatively;
            None to take every step.
        params: What reproduces the result.
        on_step: Told of every gradient: alpha, the detector, the matches, and what the node adds
            to the attribution (3, h, w), its weight included.
    """

    def __init__(
        self,
        target: Target,
        path: AttributionPath,
        rule: Quadrature,
        plan: Plan,
        tolerance: float | None,
        params: dict[str, Any],
        on_step: OnStep | None = None,
    ) -> None:
        self._on_step = on_step
        self.target, self.path, self.rule, self.batch = target, path, rule, plan.batch
        self.tolerance, self.params = tolerance, params
        target.network.recompute = plan.recompute
        self.seconds = 0.0
        self.done: dict[int, tuple[float, Choice]] = {}  # detector and matches at each node
        self.non_finite = 0
        self.switches: MatchSwitches | None = None
        self.finished = False
        self.map_change = float("nan")
        self._steps = len(rule.nodes)  # to be taken, as far as is known
        self._sum: NDArray[np.float64] = np.zeros(tuple(target.image.shape[1:]), np.float64)
        self._share = 0.0  # of the path, that the nodes in the sum stand for
        self._map = self._sum
        self.start, self.end = self._ends()
        self._jump_passes_done = 0
        # Two forward passes a knot at the most: the detector with the old and the new matches.
        self._jump_passes = 2 * (self._steps + 1) if target.network.switches else 0

    def results(self) -> Iterator[LocalAttributionResult]:
        """Do the work: a result after every batch, and the final one."""
        for _ in self._advance():
            yield self.result()
        yield self.result()

    def _advance(self) -> Iterator[None]:
        """Do the work, pausing after every batch."""
        for number, level in enumerate(self.rule.levels()):
            left = len(level)
            for nodes, found in self._batches(level, self._gradients):
                for node, (value, choice, contribution) in zip(nodes, found, strict=True):
                    self.done[node] = value, choice
                    weighted = self.rule.weights[node] * contribution
                    self._sum += weighted
                    self._share += self.rule.shares[node]
                    if self._on_step is not None:
                        self._on_step(float(self.rule.nodes[node]), value, choice, weighted)
                left -= len(nodes)
                # An incomplete level covers a part of the path twice as densely as the rest: its
                # nodes count once it is complete. The first level is all there is until then.
                if number == 0 or not left:
                    self._refine(known=number > 0)
                yield
            if self.tolerance is not None and self.map_change < self.tolerance:
                self._steps = len(self.done)
                break
        if self.target.network.switches:
            yield from self._jumps()
        self.finished = True

    def _refine(self, known: bool) -> None:
        """Set the map to the estimate of the nodes so far, and measure by how much that moves it.

        The nodes of a level are evenly spread over the path, so the sum over them, divided by the
        share of the path that they stand for, estimates the integral over all of it.
        """
        before, self._map = self._map, self._sum / self._share
        if known:
            self.map_change = _relative_change(before, self._map)

    def result(self) -> LocalAttributionResult:
        """What is known so far."""
        nodes = sorted(self.done)
        counted = not self.target.network.hides_matches
        jumps = 0.0 if counted and not self.target.network.switches else float("nan")
        if self.switches is not None:
            jumps = float(self.switches.jumps.sum())
        return LocalAttributionResult(
            attribution=self._map.astype(np.float32),
            detector_start=self.start[0],
            detector_end=self.end[0],
            match_jumps=jumps,
            jumps_counted=counted,
            non_finite=self.non_finite,
            seconds=self.seconds,
            n_steps=len(self.rule.nodes),
            steps_done=len(nodes),
            progress=self._progress(),
            map_change=self.map_change,
            path_alphas=self.rule.nodes[nodes],
            path_values=np.array([self.done[node][0] for node in nodes]),
            switches=self.switches,
            params={**self.target.params, **self.params},
        )

    def _progress(self) -> float:
        """The share of the work that is done, counted in forward passes."""
        if self.finished:
            return 1.0
        done = _GRADIENT_COST * len(self.done) + self._jump_passes_done
        return min(0.999, done / (_GRADIENT_COST * self._steps + self._jump_passes))

    def _ends(self) -> tuple[tuple[float, Choice], tuple[float, Choice]]:
        """Detector and matches at alpha = 0 and at alpha = 1."""

        def values(alphas: Sequence[float]) -> list[tuple[float, Choice]]:
            images = self.path.at(self.target.image, np.array(alphas))
            found, choices = self.target.observe(images)
            return list(zip(found.tolist(), choices, strict=True))

        with torch.no_grad():
            found = [pair for _, pairs in self._batches([0.0, 1.0], values) for pair in pairs]
        return found[0], found[1]

    def _gradients(self, nodes: Sequence[int]) -> list[tuple[float, Choice, NDArray[np.float64]]]:
        """Detector F, matches and dF/dg * dg/dalpha (3, h, w) at some nodes."""
        alphas = self.rule.nodes[list(nodes)]  # (K,)
        images = self.path.at(self.target.image, alphas)
        values, choices, gradients = self.target.gradient(images)  # (K,), K, (K, 3, h, w)
        finite = torch.isfinite(gradients)
        self.non_finite += int((~finite).sum())
        gradients = gradients.masked_fill(~finite, 0)
        contributions = (gradients * self._derivative(alphas)).cpu().double().numpy()
        return list(zip(values.tolist(), choices, contributions, strict=True))

    def _derivative(self, alphas: Array) -> Tensor:
        """dg/dalpha at K nodes, (K, 3, h, w); the demo's is the difference to the knot before."""
        if self.rule.method != "riemann_demo":
            return self.path.derivative(self.target.image, alphas)
        n = len(self.rule.nodes)
        before = self.path.at(self.target.image, alphas - 1 / n)
        return (self.path.at(self.target.image, alphas) - before) * n

    def _jumps(self) -> Iterator[None]:
        """Evaluate the detector with old and new matches wherever they switched.

        The matches m_k of node k are taken to hold in its cell, from knot t_k to t_(k + 1); before
        t_0 = 0 those of the blurred image hold, after t_n = 1 those of the image. With F(t; m) the
        detector at g(t) under matches m, the change telescopes:

            F(1; m_n) - F(0; m_(-1))
                = sum over cells k = 0 ... n - 1 of F(t_(k+1); m_k) - F(t_k; m_k)
                + sum over knots k = 0 ... n of F(t_k; m_k) - F(t_k; m_(k-1)).

        The first sum is the integral (no matches switch inside a cell), the second are the jumps.
        """
        nodes = sorted(self.done)
        # n + 2 choices: choices[k] holds before knot k, choices[k + 1] after it.
        choices = [self.start[1], *(self.done[node][1] for node in nodes), self.end[1]]
        knots = self.rule.thinned(nodes).knots  # (n + 1,)
        shares = np.stack([switched_shares(*pair) for pair in pairwise(choices)])  # (n + 1, blocks)
        switched = np.flatnonzero(shares.any(1))  # elsewhere the jump is 0
        wanted = [(knots[k], choices[k + side]) for k in switched for side in (0, 1)]
        self._jump_passes = len(wanted)
        values: list[float] = []
        for _, found in self._batches(wanted, self._with_choices):
            values += found
            self._jump_passes_done = len(values)
            yield
        jumps = np.zeros(len(knots))
        # (switches, 2): with the old matches, with the new ones.
        jumps[switched] = np.diff(np.reshape(values, (-1, 2)), axis=1)[:, 0]
        self.switches = MatchSwitches(knots, shares, jumps)

    def _with_choices(self, wanted: Sequence[tuple[float, Choice]]) -> list[float]:
        """F(t; m) for pairs of position and matches."""
        with torch.no_grad():
            alphas = np.array([alpha for alpha, _ in wanted])
            images = self.path.at(self.target.image, alphas)
            choices = [choice for _, choice in wanted]
            values: list[float] = self.target.observe_with(images, choices).tolist()
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
                if len(chunk) == 1 or not is_out_of_memory(error):
                    raise
            # The failed attempt's tensors are freed only after the except block has ended.
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
