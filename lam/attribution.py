"""Local Attribution Maps (Gu & Dong 2021): the LR pixels that an SR window came from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, is_dataclass
from typing import Any, Literal, overload

import torch
from captum.attr import GradientAttribution
from torch import Tensor, nn

from .detectors import Detector, Window, get_detector
from .integration import Integration
from .network import MatchingNetwork
from .paths import AttributionPath, GaussianBlurPath
from .quadrature import quadrature
from .result import LocalAttributionResult


class LocalAttribution(GradientAttribution):
    """Integrated gradients of a detector along a path of pictures, for any SR network.

    Follows captum's conventions, with one picture at a time and a result that also says how far it
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
            inputs: The LR picture, (1, 3, h, w) or (3, h, w), RGB float in [0, 1].
            window: What is asked about, in SR pixels.
            return_convergence_delta: Also return captum's delta, a tensor of shape (1,): the
                integral less the detector's change, jumps of matches not counted.
            **options: ``path``, ``detector``, ``n_steps``, ``method``, ``matches`` and
                ``internal_batch_size``, as in `attribute_progressively`.

        Returns:
            The result; with ``return_convergence_delta`` also the delta.

        Raises:
            ValueError: If the picture, the window or an option does not fit.
        """
        work = self._prepare(inputs, window, **options)
        for _ in work.advance():
            pass
        result = work.result()
        if not return_convergence_delta:
            return result
        return result, torch.tensor([result.integral - result.change])

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
    ) -> Iterator[LocalAttributionResult]:
        """The map of one window, refined while one watches.

        Yields after every batch of steps. From an eighth of the steps on, the map is a usable
        estimate with evenly spread steps; each later level halves the gaps. The last result is
        exactly that of `attribute` with the same options. Closing the generator ends the work and
        frees its memory.

        Args:
            inputs: The LR picture, (1, 3, h, w) or (3, h, w), RGB float in [0, 1].
            window: What is asked about, in SR pixels.
            path: From where to where; `GaussianBlurPath` by default.
            detector: ``"gradient"``, ``"sum"``, ``"mean_colour"`` or a function of the SR pictures
                (B, 3, H, W) and the window to (B,).
            n_steps: Gradients to take, 1 to 1000.
            method: One of `lam.quadrature.METHODS`; Gauss-Legendre is the most accurate.
            matches: Who decides a network's hard matches: ``"live"``, ``"frozen"`` (the sharp
                picture's throughout) or ``"own"`` (Global Pixel Access off).
            internal_batch_size: Steps computed at once; by default by the picture's size. Halved
                when memory runs out.

        Returns:
            A generator of results.

        Raises:
            ValueError: At once, if the picture, the window or an option does not fit.
        """
        work = self._prepare(
            inputs, window, path, detector, n_steps, method, matches, internal_batch_size
        )
        return _watch(work)

    def _prepare(
        self,
        inputs: Tensor,
        window: Window,
        path: AttributionPath | None = None,
        detector: str | Detector = "gradient",
        n_steps: int = 50,
        method: str = "gausslegendre",
        matches: str = "live",
        internal_batch_size: int | None = None,
    ) -> Integration:
        picture = _check_picture(inputs, self.forward_func)
        path = path or GaussianBlurPath()
        rule = quadrature(method, n_steps, getattr(path, "clock", None))
        name, function = get_detector(detector)
        batch = _check_batch(internal_batch_size, picture)
        params = {
            "window": asdict(window),
            "path": path.describe(),
            "detector": name,
            "n_steps": int(n_steps),
            "method": method,
            "matches": matches,
            "internal_batch_size": batch,
            "lr_size": list(picture.shape[-2:]),
            "lr_sha256": hashlib.sha256(picture.cpu().numpy().tobytes()).hexdigest(),
            "network": _describe(self.forward_func),
            "torch": str(torch.__version__),
        }
        scale = getattr(self.forward_func, "scale", None)
        if isinstance(scale, int):  # known before the first, costly pass; checked again after it
            window.check_inside(picture.shape[-2] * scale, picture.shape[-1] * scale)
        network = MatchingNetwork(self.forward_func, picture, matches)
        return Integration(network, picture, window, path, function, rule, batch, params)


def _watch(work: Integration) -> Iterator[LocalAttributionResult]:
    for _ in work.advance():
        yield work.result()
    yield work.result()


def _check_picture(inputs: Tensor, forward_func: Any) -> Tensor:
    if not isinstance(inputs, torch.Tensor):
        raise ValueError(
            f"the picture must be a tensor of shape (1, 3, h, w), not {type(inputs).__name__}"
        )
    picture = inputs[None] if inputs.ndim == 3 else inputs
    if picture.ndim != 4 or picture.shape[:2] != (1, 3) or 0 in picture.shape:
        raise ValueError(
            f"expected one RGB picture of shape (1, 3, h, w), got {tuple(inputs.shape)}"
        )
    if not picture.dtype.is_floating_point:
        raise ValueError(
            f"the picture must be floats in [0, 1], not {picture.dtype}: divide by 255"
        )
    if not torch.isfinite(picture).all():
        raise ValueError("the picture holds values that are not finite")
    parameter = None
    if isinstance(forward_func, nn.Module):
        parameter = next(forward_func.parameters(), None)
    # A tensor made in inference mode could not take part in a backward pass: clone outside of it.
    with torch.inference_mode(False):
        return (
            picture.detach().clone().to(picture.device if parameter is None else parameter.device)
        )


def _check_batch(size: int | None, picture: Tensor) -> int:
    if size is None:
        pixels = 2 * 64 * 64 if picture.device.type == "cpu" else 16 * 64 * 64
        return max(1, min(16, pixels // (picture.shape[-2] * picture.shape[-1])))
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"internal_batch_size must be a whole number from 1 up, not {size!r}")
    return size


def _describe(forward_func: Any) -> dict[str, Any]:
    described: dict[str, Any] = {"class": type(forward_func).__name__}
    config = getattr(forward_func, "config", None)
    if is_dataclass(config) and not isinstance(config, type):
        described["config"] = asdict(config)
    return described
