"""Local Attribution Maps (Gu & Dong 2021): the LR pixels that an SR window came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, overload

import torch
from captum.attr import GradientAttribution
from torch import Tensor

from hpinet.errors import UserError
from hpinet.imaging.value_range import INPUT_SLACK
from lam.window import Window

from .detectors import Detector, detect, get_detector
from .matching_network import MatchingNetwork
from .memory_plan import make_plan
from .path_integral import Integration, OnStep
from .paths import AttributionPath, GaussianBlurPath
from .quadrature import quadrature
from .results import LocalAttributionResult, last
from .target import Target

_NOISE_SLACK = 1.0  # noise of captum's NoiseTunnel; 0 to 255 is refused all the same


class LocalAttribution(GradientAttribution):
    """Integrated gradients of a detector along a path of images, for any SR network.

    Follows captum's conventions, with one image at a time and a result that also says how far it
    can be trusted.

    >>> result = LocalAttribution(model).attribute(lr, window=Window(left=110, top=150, size=16))
    >>> result.importance, result.diffusion_index, result.residual

    Args:
        forward_func: A network, or any function, from (B, 3, h, w) RGB in [0, 1] to (B, 3, sh, sw).
            It is neither changed nor hooked: several threads may share it.
    """

    def __init__(self, forward_func: Callable[..., Any]) -> None:
        super().__init__(forward_func)

    def has_convergence_delta(self) -> bool:
        """Whether `attribute` can return captum's convergence delta: yes."""
        return True

    @property
    def multiplies_by_inputs(self) -> bool:
        """Whether attributions are contributions and not bare gradients: yes."""
        return True

    @overload
    def attribute(
        self,
        inputs: Tensor,
        window: Window,
        *,
        return_convergence_delta: Literal[False] = ...,
        **options: Any,
    ) -> LocalAttributionResult: ...

    @overload
    def attribute(
        self,
        inputs: Tensor,
        window: Window,
        *,
        return_convergence_delta: Literal[True],
        **options: Any,
    ) -> tuple[LocalAttributionResult, Tensor]: ...

    def attribute(
        self,
        inputs: Tensor,
        window: Window,
        *,
        return_convergence_delta: bool = False,
        **options: Any,
    ) -> LocalAttributionResult | tuple[LocalAttributionResult, Tensor]:
        """The map of one window.

        Args:
            inputs: The LR image, (1, 3, h, w) or (3, h, w), RGB float in [0, 1].
            window: What is asked about, in SR pixels.
            return_convergence_delta: Also return captum's delta, a tensor of shape (1,): the
                integral less the detector's change, jumps of matches not counted.
            **options: ``path``, ``detector``, ``n_steps``, ``method``, ``matches``,
                ``internal_batch_size``, ``tolerance``, ``memory``, ``slack`` and ``on_step``, as in
                `attribute_progressively`.

        Returns:
            The result; with ``return_convergence_delta`` also the delta.

        Raises:
            ValueError: If the image, the window or an option does not fit.
        """
        result = last(self.attribute_progressively(inputs, window, **options))
        return (result, _delta(result)) if return_convergence_delta else result

    def tensors(
        self,
        inputs: Tensor | tuple[Tensor],
        window: Window,
        *,
        return_convergence_delta: bool = False,
        slack: float = _NOISE_SLACK,
        **options: Any,
    ) -> Tensor | tuple[Tensor, ...]:
        """The maps of one window in several images, as bare tensors: captum's habit.

        This is what `captum.attr.NoiseTunnel` and `captum.metrics.sensitivity_max` take.

        Args:
            inputs: LR images, (B, 3, h, w) RGB float in [0, 1]; captum also passes them as the one
                element of a tuple, and gets such a tuple back.
            window: What is asked about, in SR pixels.
            return_convergence_delta: As in `attribute`.
            slack: How far numbers may lie outside [0, 1], as they do with noise added.
            **options: As in `attribute`.

        Returns:
            Attributions (B, 3, h, w), signed, on the device and in the type of the images; with
            ``return_convergence_delta`` also the deltas (B,).

        Raises:
            ValueError: As `attribute`.
        """
        if isinstance(inputs, tuple):
            (images,) = inputs
            options.update(return_convergence_delta=return_convergence_delta, slack=slack)
            found = self.tensors(images, window, **options)
            return (found[0], *found[1:]) if isinstance(found, tuple) else (found,)
        results = [
            last(self.attribute_progressively(image[None], window, slack=slack, **options))
            for image in inputs
        ]
        maps = torch.stack([torch.from_numpy(result.attribution) for result in results])
        maps = maps.to(inputs.dtype).to(inputs.device)
        if not return_convergence_delta:
            return maps
        return maps, torch.cat([_delta(result) for result in results])

    # Captum's wrappers, NoiseTunnel among them, call what is wrapped, and need tensors from it.
    attribute.__wrapped__ = tensors  # type: ignore[attr-defined]

    def detector_function(
        self, window: Window, detector: str | Detector = "gradient"
    ) -> Callable[[Tensor], Tensor]:
        """What is explained, as a function of LR images (B, 3, h, w) to (B,).

        For `captum.metrics.infidelity` and for captum's other methods. Matches are live.

        Args:
            window: What is asked about, in SR pixels.
            detector: As in `attribute_progressively`.

        Raises:
            ValueError: If there is no such detector.
        """
        _, function = get_detector(detector)
        network = MatchingNetwork(self.forward_func, torch.empty(0), "live")

        def value(images: Tensor) -> Tensor:
            sr, _ = network(images)
            window.check_inside(int(sr.shape[-2]), int(sr.shape[-1]))
            return detect(function, sr, window)

        return value

    def compute_convergence_delta(
        self,
        attributions: Tensor | tuple[Tensor, ...],
        start_point: Any,
        end_point: Tensor | tuple[Tensor, ...],
        target: Any = None,
        additional_forward_args: Any = None,
    ) -> Tensor:
        """Captum's delta: sum of the attributions less the detector's change, jumps not counted.

        Args:
            attributions: (B, 3, h, w).
            start_point: The images where the path begins, (B, 3, h, w), or one number for all.
            end_point: The images, (B, 3, h, w).
            target: The `Window`; the detector is the default one.
            additional_forward_args: None.

        Returns:
            (B,).

        Raises:
            NotImplementedError: Without a window: there is nothing that it could be measured on.
        """
        if not isinstance(target, Window) or additional_forward_args is not None:
            raise NotImplementedError(
                "LocalAttribution explains a window of the result: pass it as target=Window(...), "
                "or call attribute(..., return_convergence_delta=True), which knows the path and "
                "the detector"
            )
        maps, end = (x[0] if isinstance(x, tuple) else x for x in (attributions, end_point))
        start = start_point[0] if isinstance(start_point, tuple) else start_point
        if not isinstance(start, Tensor):
            start = torch.full_like(end, 0.0 if start is None else float(start))
        value = self.detector_function(target)
        with torch.no_grad():
            change = value(end) - value(start.expand_as(end))
        return maps.flatten(1).sum(1) - change.to(maps)

    def attribute_progressively(
        self,
        inputs: Tensor,
        window: Window,
        *,
        path: AttributionPath | None = None,
        detector: str | Detector = "gradient",
        n_steps: int = 50,
        method: str = "gausslegendre",
        matches: str = "live",
        internal_batch_size: int | None = None,
        tolerance: float | None = None,
        memory: int | None = None,
        slack: float = INPUT_SLACK,
        on_step: OnStep | None = None,
    ) -> Iterator[LocalAttributionResult]:
        """The map of one window, refined step by step.

        Yields after every batch of steps. From an eighth of the steps on, the map is a usable
        estimate with evenly spread steps; each later level halves the gaps. The last result is
        exactly that of `attribute` with the same options. Closing the generator ends the work and
        frees its memory.

        Args:
            inputs: The LR image, (1, 3, h, w) or (3, h, w), RGB float in [0, 1].
            window: What is asked about, in SR pixels.
            path: From where to where; `GaussianBlurPath` by default.
            detector: ``"gradient"``, ``"sum"``, ``"mean_colour"`` or a function of the SR images
                (B, 3, H, W) and the window to (B,).
            n_steps: Gradients to take, 1 to 1000.
            method: One of `quadrature.METHODS`; Gauss-Legendre is the most accurate.
            matches: The rule for a network's hard matches: ``"live"`` (chosen anew at every step),
                ``"frozen"`` (the sharp image's throughout) or ``"own"`` (GPA off: each patch
                matched to itself).
            internal_batch_size: Steps computed at once; by default by the image's size. Halved
                when memory runs out.
            tolerance: Stop refining when a level changes the map by less than this, relatively
                (`LocalAttributionResult.map_change`), with fewer than ``n_steps`` gradients.
            memory: Bytes that may be used beside the weights; half of what is free by default.
                Where one step does not fit, each block is computed again in the backward pass.
            slack: How far the image's numbers may lie outside [0, 1].
            on_step: Told of every gradient as it is taken, in no order: alpha, the detector, the
                matches and the weighted contribution (3, h, w), which add up to the attribution.

        Returns:
            A generator of results.

        Raises:
            ValueError: At once, if the image, the window or an option does not fit.
        """
        path = path or GaussianBlurPath()
        rule = quadrature(method, n_steps, getattr(path, "clock", None))
        if tolerance is not None and not 0 <= tolerance < 1:
            raise UserError(f"the tolerance is a relative change from 0 to 1, not {tolerance}")
        target = Target(self.forward_func, inputs, window, detector, matches, slack)
        target.check_repeatable()
        plan = make_plan(target, internal_batch_size, memory)
        params = {
            "path": path.describe(),
            "n_steps": int(n_steps),
            "method": method,
            "tolerance": tolerance,
            "internal_batch_size": plan.batch,
        }
        return Integration(target, path, rule, plan, tolerance, params, on_step).results()


def _delta(result: LocalAttributionResult) -> Tensor:
    return torch.tensor([result.integral - result.change])
