"""The LAM authors' procedure, to measure against, and how accurate maps of few steps are.

The demo of Gu & Dong (2021) takes one step at a time and lets autograd compute the gradients of the
parameters too; the network is the one of the paper's formulas written out one after another
(`benchmarks.speed.plain_hpinet.PlainHPINet`). A network that is no HPINet serves as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.speed.plain_hpinet import PlainHPINet
from hpinet import HPINet
from hpinet.benchmark.rounds import timed
from hpinet.errors import UserError
from lam.attribution.detectors import gradient_detector
from lam.attribution.local_attribution import LocalAttribution
from lam.attribution.paths import GaussianBlurPath
from lam.attribution.target import Target
from lam.window import Window

DEMO_STEPS = 50
"""Steps of the demo: what its map is as accurate as."""

REFERENCE_STEPS = 400
"""Steps of the demo's own sum that both maps are measured against. What the reference still lacks,
it lacks in the demo's direction: the comparison does not favour the other side."""

NODES = (8, 12, 16, 20, 24, 32, 50)
"""Numbers of Gauss-Legendre nodes to try."""


class DemoProcedure:
    """Gradients as the demo takes them: one step at a time, those of the parameters too.

    Args:
        model: A network from (B, 3, h, w) to (B, 3, sh, sw); it is copied.
        image: The LR image, (1, 3, h, w) RGB in [0, 1], where the network is.
        window: In SR pixels.

    Attributes:
        plain: Whether the network is computed by the paper's formulas, one after another.

    Raises:
        ValueError: If the image is smaller than a patch of the plain formulas, or they are not
            written down for the network's ablation.
    """

    def __init__(self, model: nn.Module, image: Tensor, window: Window) -> None:
        network = copy.deepcopy(model).requires_grad_(True)
        self.plain = isinstance(network, HPINet)
        if isinstance(network, HPINet):
            patch = max(network.config.patch_sizes)
            if min(image.shape[-2:]) < patch:
                raise UserError(
                    f"the plain formulas need an image of at least {patch} LR pixels a side, "
                    f"a patch, not {image.shape[-1]}x{image.shape[-2]}"
                )
            network = PlainHPINet(network)
        self._network = network
        self._image, self._window = image, window

    def gradient(self, alpha: float) -> NDArray[np.float64]:
        """The detector's gradient (3, h, w) at one position of the blur path."""
        x = GaussianBlurPath().at(self._image, np.array([alpha])).requires_grad_()
        self._network.zero_grad()
        gradient_detector(self._network(x), self._window).sum().backward()
        assert x.grad is not None
        return x.grad[0].double().cpu().numpy()

    def seconds(self, steps: int) -> float:
        """Seconds for a step, the mean of some along the path."""
        alphas = (np.arange(steps) + 0.5) / steps
        return timed(lambda: [self.gradient(alpha) for alpha in alphas]).seconds / steps


def distance(a: NDArray[Any], b: NDArray[Any]) -> float:
    """How far a map is from another, relative to that one (Euclidean norm)."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def map_alone(
    model: nn.Module, image: Tensor, window: Window, n_steps: int, method: str = "gausslegendre"
) -> NDArray[np.float32]:
    """The map (3, h, w) without the jumps at switched matches, which are computed after it."""
    running = LocalAttribution(model).attribute_progressively(
        image, window, n_steps=n_steps, method=method
    )
    found = next(result for result in running if result.steps_done == n_steps)
    running.close()  # type: ignore[attr-defined]
    return found.attribution


def accuracy(
    model: nn.Module,
    image: Tensor,
    window: Window,
    *,
    nodes: Sequence[int] = NODES,
    demo_steps: int = DEMO_STEPS,
    reference_steps: int = REFERENCE_STEPS,
    progress: Callable[[], Any] = lambda: None,
) -> tuple[list[dict[str, Any]], int | None]:
    """How far maps are from one of many steps, and how many nodes make one as good as the demo's.

    The demo's maps are computed here by this network; the last row says that the plain formulas
    have the same gradients.

    Args:
        model: The network.
        image: (1, 3, h, w), where it is.
        window: In SR pixels.
        nodes: Numbers of Gauss-Legendre nodes, ascending.
        demo_steps: Steps of the demo's map.
        reference_steps: Steps of the reference, by the demo's sum too.
        progress: Called after every map.

    Returns:
        Rows ``map``, ``steps`` and ``error``: the demo's, maps of each number of nodes, and the
        gradient halfway by the plain formulas; and the fewest nodes that are no worse than the
        demo, as are all larger numbers that were tried (None if there are none such). Errors are
        relative, in the Euclidean norm of the signed map: maps from the reference, the plain
        formulas' gradient from the network's.
    """

    def compute(*what: Any) -> NDArray[np.float32]:
        found = map_alone(model, image, window, *what)
        progress()
        return found

    reference = compute(reference_steps, "riemann_demo")
    demo = distance(compute(demo_steps, "riemann_demo"), reference)
    errors = {n: distance(compute(n), reference) for n in nodes}
    equal = None
    for n in reversed(nodes):
        if errors[n] > demo:
            break
        equal = n
    halfway = GaussianBlurPath().at(image, np.array([0.5]))
    ours = Target(model, image, window, "gradient", "live").gradient(halfway)[2][0]
    plain = DemoProcedure(model, image, window).gradient(0.5)
    difference = distance(ours.double().cpu().numpy(), plain)
    rows = [
        {"map": "the demo's", "steps": demo_steps, "error": demo},
        *({"map": "here", "steps": n, "error": error} for n, error in errors.items()),
        {"map": "plain formulas' gradient", "steps": 1, "error": difference},
    ]
    return rows, equal
