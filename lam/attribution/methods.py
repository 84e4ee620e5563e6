"""Other attribution methods on the same detector, by captum, to compare with LAM.

All give a map (3, h, w) whose importance is taken as LAM's is: the absolute sum over the channels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from captum.attr import InputXGradient, Occlusion, Saliency
from torch import Tensor

from lam.window import Window

from .detectors import Detector
from .local_attribution import LocalAttribution
from .memory_plan import batch_size
from .paths import GaussianBlurPath
from .results import LocalAttributionResult, MethodResult, last
from .target import Target, check_differentiable

ATTRIBUTION_METHODS = ("lam", "saliency", "input_x_gradient", "occlusion")
"""What `explain` can do, by name."""

BASELINES = ("blurred", "black", "mean")
"""What Occlusion puts in a pixel's place: the image as LAM's path begins it (blurred, so that
only detail is taken away and no edge is added), black, or the image's mean colour."""


def explain(
    forward_func: Callable[..., Any],
    inputs: Tensor,
    window: Window,
    method: str = "lam",
    **options: Any,
) -> LocalAttributionResult | MethodResult:
    """The map of one window by any method.

    Args:
        forward_func: A network, or any function, from (B, 3, h, w) RGB in [0, 1] to (B, 3, sh, sw).
        inputs: The LR image, (1, 3, h, w) or (3, h, w).
        window: What is asked about, in SR pixels.
        method: One of `ATTRIBUTION_METHODS`.
        **options: ``detector`` and ``matches`` for all, and what the method alone takes: LAM's of
            `LocalAttribution.attribute` (its ``method`` is called ``quadrature`` here), Occlusion's
            of `occlusion`.

    Raises:
        ValueError: If there is no such method, or the image, window or an option does not fit.
    """
    return last(explain_progressively(forward_func, inputs, window, method, **options))


def explain_progressively(
    forward_func: Callable[..., Any],
    inputs: Tensor,
    window: Window,
    method: str = "lam",
    **options: Any,
) -> Iterator[LocalAttributionResult | MethodResult]:
    """As `explain`, with results on the way where a method has them; the last one is the map."""
    if method == "lam":
        if "quadrature" in options:
            options["method"] = options.pop("quadrature")
        return LocalAttribution(forward_func).attribute_progressively(inputs, window, **options)
    if method == "occlusion":
        return occlusion_progressively(forward_func, inputs, window, **options)
    if method == "saliency":
        return iter([saliency(forward_func, inputs, window, **options)])
    if method == "input_x_gradient":
        return iter([input_x_gradient(forward_func, inputs, window, **options)])
    raise ValueError(
        f"there is no method {method!r}: choose one of {', '.join(ATTRIBUTION_METHODS)}"
    )


def saliency(
    forward_func: Callable[..., Any], inputs: Tensor, window: Window, **options: Any
) -> MethodResult:
    """Saliency (Simonyan et al. 2014): the detector's gradient at the image, with its sign.

    Captum's with ``abs=False``: importance is the absolute value of the channels' sum, as in LAM's
    maps, not the sum of absolute values. Arguments as in `explain`.
    """
    target = Target(forward_func, inputs, window, **options)
    return _by_gradient(target, "saliency", lambda f, x: Saliency(f).attribute(x, abs=False))


def input_x_gradient(
    forward_func: Callable[..., Any], inputs: Tensor, window: Window, **options: Any
) -> MethodResult:
    """Input times gradient (Shrikumar et al. 2016), captum's. Arguments as in `explain`."""
    target = Target(forward_func, inputs, window, **options)
    return _by_gradient(target, "input_x_gradient", lambda f, x: InputXGradient(f).attribute(x))


def occlusion(
    forward_func: Callable[..., Any], inputs: Tensor, window: Window, **options: Any
) -> MethodResult:
    """Occlusion (Zeiler & Fergus 2014): how far the detector falls when a square is covered.

    Args:
        forward_func: As in `explain`.
        inputs: As in `explain`.
        window: As in `explain`.
        **options: As in `occlusion_progressively`.

    Raises:
        ValueError: If the image, the window or an option does not fit.
    """
    return last(occlusion_progressively(forward_func, inputs, window, **options))


def occlusion_progressively(
    forward_func: Callable[..., Any],
    inputs: Tensor,
    window: Window,
    *,
    detector: str | Detector = "gradient",
    matches: str = "live",
    size: int = 4,
    stride: int | None = None,
    baseline: str = "blurred",
    internal_batch_size: int | None = None,
) -> Iterator[MethodResult]:
    """Occlusion, one row of squares after another; the last result is the map.

    Each pixel's attribution, summed over its channels, is the mean fall of the detector over all
    squares that cover it. Captum covers the three channels together and credits each with the whole
    fall; here each gets a third. One pass through the network for every square.

    Args:
        forward_func: As in `explain`.
        inputs: As in `explain`.
        window: As in `explain`.
        detector: As in `explain`.
        matches: As in `explain`.
        size: Side of the square, in LR pixels.
        stride: From one square to the next, in LR pixels; ``size`` by default: no overlap.
        baseline: One of `BASELINES`.
        internal_batch_size: Passes computed at once; by default by the image's size.

    Raises:
        ValueError: At once, if the image, the window or an option does not fit.
    """
    stride = size if stride is None else stride
    target = Target(forward_func, inputs, window, detector, matches)
    sides = target.image.shape[-2:]
    if not 1 <= size <= min(sides):
        raise ValueError(f"the square must have a side of 1 to {min(sides)} LR pixels, not {size}")
    if not 1 <= stride <= size:
        raise ValueError(
            f"the stride must be 1 to {size} pixels, not {stride}: "
            f"with a longer one some pixels would never be covered"
        )
    batch = batch_size(internal_batch_size, target.image)
    cover = _baseline(target.image, baseline)
    target.params.update(method="occlusion", size=size, stride=stride, baseline=baseline)
    return _occlude(target, cover, target.evaluate(), size, stride, batch)


def _occlude(
    target: Target, cover: Tensor, end: float, size: int, stride: int, batch: int
) -> Iterator[MethodResult]:
    """The maps after each row of squares; captum's Occlusion, given one row of squares at a time.

    With a(p) = mean over the squares q that cover pixel p of detector(image) - detector(q covered),
    ``total`` (3, h, w) sums the falls and ``count`` (1, h, 1) the rows of squares over each pixel;
    captum itself takes the mean over the squares of one row that overlap.
    """
    height, width = target.image.shape[-2:]
    tops = range(0, height - size + stride, stride)  # the last square may be cut off by the border
    total = np.zeros((3, height, width))
    count = np.zeros((1, height, 1))
    seconds = 0.0
    for done, top in enumerate(tops, 1):
        began = time.perf_counter()
        rows = slice(top, min(top + size, height))
        high = rows.stop - rows.start
        # Captum sees the rows under these squares alone; `_of_rows` puts them into the image.
        with torch.inference_mode(False), torch.no_grad():
            fall = Occlusion(_of_rows(target, rows)).attribute(
                target.image[:, :, rows],
                sliding_window_shapes=(3, high, size),
                strides=(3, high, stride),
                baselines=cover[:, :, rows],
                perturbations_per_eval=batch,
            )
        total[:, rows] += fall[0].cpu().double().numpy() / 3
        count[:, rows] += 1
        seconds += time.perf_counter() - began
        yield target.result(total / np.maximum(count, 1), end, seconds, done / len(tops))


def _of_rows(target: Target, rows: slice) -> Callable[[Tensor], Tensor]:
    """The detector as a function of some rows (B, 3, rows, w) of the image alone."""

    def function(part: Tensor) -> Tensor:
        images = target.image.repeat(len(part), 1, 1, 1)
        images[:, :, rows] = part
        return target(images)

    return function


def _baseline(image: Tensor, baseline: str) -> Tensor:
    if baseline == "blurred":
        return GaussianBlurPath().at(image, np.zeros(1))
    if baseline == "black":
        return torch.zeros_like(image)
    if baseline == "mean":
        return image.mean((2, 3), keepdim=True).expand_as(image)
    raise ValueError(f"there is no baseline {baseline!r}: choose one of {', '.join(BASELINES)}")


def _by_gradient(
    target: Target,
    method: str,
    attribute: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor],
) -> MethodResult:
    """The map of a method that takes one gradient."""
    began = time.perf_counter()
    values: list[Tensor] = []

    def function(images: Tensor) -> Tensor:
        value = target(images)
        check_differentiable(value)
        values.append(value.detach())
        return value

    # Callers may be in threads or modes where gradients are off.
    with torch.inference_mode(False), torch.enable_grad():
        found = attribute(function, target.image.clone().requires_grad_())
    target.params["method"] = method
    attribution = found[0].detach().cpu().double().numpy()
    return target.result(attribution, values[0].item(), time.perf_counter() - began, 1.0)
