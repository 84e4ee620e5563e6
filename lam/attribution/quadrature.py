"""Where along a path gradients are taken, and with what weight.

The integral over alpha in [0, 1] of f(alpha) becomes a sum over nodes: sum of w_k f(alpha_k).

A path may move very unevenly in alpha. Substituting alpha = alpha(t), with t in [0, 1] the path's
clock, leaves the integral as it is,

    integral of f(alpha) dalpha = integral of f(alpha(t)) * (dalpha/dt) dt,

and the integrand in t may be far smoother: Gauss-Legendre nodes t_k with weights v_k then give
alpha_k = alpha(t_k) and w_k = v_k * (dalpha/dt)(t_k). The blur path's clock is linear in
u = exp(-1 / (2 sigma ** 2)), see `paths.GaussianBlurPath.clock`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpinet.errors import UserError

MAX_STEPS = 1000
"""More steps than this change no printed digit, and take hours."""

METHODS = (
    "gausslegendre",
    "riemann_right",
    "riemann_middle",
    "riemann_trapezoid",
    "riemann_demo",
)
"""Captum's names; ``riemann_demo`` is the LAM demo's right Riemann sum with the derivative along
the path replaced by the difference from one knot to the next."""

Array = NDArray[np.float64]

Clock = Callable[[Array], tuple[Array, Array]]
"""Times in [0, 1] to positions alpha in [0, 1] and the rates d(alpha) / d(time)."""


@dataclass(frozen=True)
class Quadrature:
    """Nodes and weights of an integral over [0, 1].

    Attributes:
        method: One of `METHODS`.
        nodes: (n,) float64, ascending positions alpha.
        weights: (n,) float64, what the integrand at a node counts.
        shares: (n,) float64 of sum 1, the share of the path that a node stands for, by the path's
            clock; the same as ``weights`` where that is alpha itself.
        knots: (n + 1,) float64, borders of the nodes' cells, from 0 to 1. A node lies in its cell;
            for Gauss-Legendre nodes that is the Chebyshev-Markov-Stieltjes separation theorem.
        clock: The variable that the nodes are spread in, where it is not alpha.
    """

    method: str
    nodes: Array
    weights: Array
    shares: Array
    knots: Array
    clock: Clock | None = None

    def thinned(self, done: Sequence[int]) -> Quadrature:
        """The rule of some of the nodes, evenly spread, that then stand for the whole path.

        Args:
            done: Ascending node numbers: all nodes of the first `levels`.
        """
        if len(done) == len(self.nodes):
            return self
        numbers = list(done)
        # The clock's shares v_k of the nodes kept are scaled to a sum of 1 again, and the weights
        # w_k = v_k * dalpha/dt by the same factor.
        held = self.shares[numbers].sum()
        share, weights = self.shares[numbers] / held, self.weights[numbers] / held
        knots = _knots(share)
        if self.clock is not None:
            knots = self.clock(knots)[0]
        return Quadrature(self.method, self.nodes[numbers], weights, share, knots, self.clock)

    def levels(self) -> list[list[int]]:
        """The node numbers in an order that can be stopped: every level halves the gaps.

        The first level is about an eighth of all nodes, evenly spread.
        """
        n = len(self.nodes)
        stride = min(8, 1 << (n.bit_length() - 1))  # the largest power of 2 up to n and 8
        # 4, 12, 20 ...; then 0, 8, 16 ...; 2, 6, 10 ...; 1, 3, 5 ...: every number once.
        first = list(range(stride // 2, n, stride))
        # The first level in van der Corput's order (by the number's reversed binary digits), from
        # coarse to fine, so that its beginning is evenly spread too.
        width = max(1, (len(first) - 1).bit_length())
        order = sorted(range(len(first)), key=lambda i: f"{i:0{width}b}"[::-1])
        levels = [[first[i] for i in order]]
        if stride > 1:
            levels.append(list(range(0, n, stride)))
        while stride > 2:
            stride //= 2
            levels.append(list(range(stride // 2, n, stride)))
        return [level for level in levels if level]


def quadrature(method: str, n_steps: int, clock: Clock | None = None) -> Quadrature:
    """The nodes and weights of a method.

    Args:
        method: One of `METHODS`.
        n_steps: Number n of nodes, 1 to `MAX_STEPS`.
        clock: For Gauss-Legendre nodes, the variable that they are spread in. The integral along a
            path is the same whatever variable counts it, the error is not.

    Raises:
        ValueError: If there is no such method or the number of steps is out of range.
    """
    if method not in METHODS:
        raise UserError(f"there is no method {method!r}: choose one of {', '.join(METHODS)}")
    if isinstance(n_steps, bool) or not isinstance(n_steps, (int, np.integer)):
        raise UserError(f"the number of steps must be a whole number, not {n_steps!r}")
    n = int(n_steps)
    least = 2 if method == "riemann_trapezoid" else 1
    if not least <= n <= MAX_STEPS:
        raise UserError(f"the number of steps must be {least} to {MAX_STEPS}, not {n}")
    nodes, shares = _rule(method, n)
    knots = _knots(shares)
    if method != "gausslegendre" or clock is None:
        return Quadrature(method, nodes, shares, shares, knots)
    alphas, rates = clock(nodes)  # alpha(t_k) and dalpha/dt there, (n,) each
    return Quadrature(method, alphas, shares * rates, shares, clock(knots)[0], clock)


def _knots(shares: Array) -> Array:
    """Borders of cells of given lengths, from exactly 0 to exactly 1."""
    return np.concatenate([[0.0], np.cumsum(shares)[:-1], [1.0]])


def _rule(method: str, n: int) -> tuple[Array, Array]:
    """Nodes and weights on [0, 1] of a method, (n,) each; the weights sum to 1."""
    if method == "gausslegendre":
        nodes, weights = np.polynomial.legendre.leggauss(n)
        return (nodes + 1) / 2, weights / 2  # from [-1, 1], of length 2
    if method == "riemann_trapezoid":
        weights = np.full(n, 1 / (n - 1))
        weights[[0, -1]] /= 2  # the ends stand for half a cell each
        return np.linspace(0, 1, n), weights
    # Cells of length 1 / n, with the node in the middle or at the right end.
    shift = 0.5 if method == "riemann_middle" else 1.0
    return (np.arange(n) + shift) / n, np.full(n, 1 / n)
